import { oneLine } from "./output.js";

/**
 * A table for a terminal: columns as wide as they need, two spaces between; a line break in a cell begins no
 * line.
 */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const lines = [head, ...rows].map((line) => line.map(oneLine));
  const widths = head.map((_, column) => Math.max(...lines.map((line) => line[column]?.length ?? 0)));
  return lines.map((line) =>
    line
      .map((cell, column) => cell.padEnd(widths[column] ?? 0))
      .join("  ")
      .trimEnd(),
  );
}

const MOST_LINES = 20;

/** Faults on lines of their own; the first of many. */
export const listed = (faults: readonly string[]): string =>
  [
    ...faults.slice(0, MOST_LINES),
    ...(faults.length > MOST_LINES ? [`and ${faults.length - MOST_LINES} more`] : []),
  ].join("\n    ");
