import { buffer } from "node:stream/consumers";
import { promisify } from "node:util";
import { gunzip, gzip } from "node:zlib";
import { extract, pack } from "tar-stream";
import type { RenderedFile } from "../render/renderedFile.js";

/** Files as one gzipped tar, the same bytes for the same files. */
export async function packFiles(files: readonly RenderedFile[]): Promise<Buffer> {
  const archive = pack();
  for (const { path, text } of files) archive.entry({ name: path, mtime: new Date(0) }, text);
  archive.finalize();
  return promisify(gzip)(await buffer(archive));
}

/**
 * Reads such an archive; folders in it are left out.
 *
 * @throws Error when it is none
 */
export async function unpackFiles(archive: Buffer): Promise<RenderedFile[]> {
  const files: RenderedFile[] = [];
  const reader = extract();
  reader.end(await promisify(gunzip)(archive));
  for await (const entry of reader) {
    const text = (await buffer(entry)).toString("utf8");
    const path = entry.header.name.replace(/^\.\//, "");
    if (path.startsWith("/") || path.split("/").includes(".."))
      throw new Error(`${path} is outside of the archive`);
    if (entry.header.type === "file") files.push({ path, text });
  }
  return files;
}
