/** A rendered file: its path relative to the output folder, with forward slashes, and its text. */
export interface RenderedFile {
  path: string;
  text: string;
}
