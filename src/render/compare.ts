import { createTwoFilesPatch } from "diff";
import type { RenderedFile } from "./renderedFile.js";

/** A rendered file beside what is on disk. */
export interface Comparison {
  path: string;
  state: "current" | "missing" | "stale";
  /** A unified diff from disk to rendered; empty where they are the same. */
  diff: string;
}

/**
 * Compares rendered files with those on disk.
 *
 * @param onDisk the text of a path, undefined where there is no such file
 */
export function compare(
  rendered: readonly RenderedFile[],
  onDisk: (path: string) => string | undefined,
): Comparison[] {
  return rendered.map(({ path, text }) => {
    const existing = onDisk(path);
    if (existing === text) return { path, state: "current", diff: "" };
    return {
      path,
      state: existing === undefined ? "missing" : "stale",
      diff: unifiedDiff(path, existing ?? "", text, ["on disk", "rendered"]),
    };
  });
}

/**
 * A unified diff of one text.
 *
 * @param names what the older and the newer text are
 */
export const unifiedDiff = (
  path: string,
  before: string,
  after: string,
  [older, newer]: readonly [string, string],
): string => createTwoFilesPatch(path, path, before, after, older, newer, { context: 2 });
