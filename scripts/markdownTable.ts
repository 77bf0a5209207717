/** A Markdown table, its columns aligned as a formatter would. */
export function markdownTable(head: readonly string[], body: ReadonlyArray<readonly string[]>): string {
  const rows = [head, ...body.map((row) => row.map((cell) => cell.replaceAll("|", "\\|")))];
  const widths = head.map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  const line = (cells: readonly string[], fill = " ") =>
    `| ${cells.map((cell, column) => cell.padEnd(widths[column] ?? 0, fill)).join(" | ")} |`;
  const [first = "", ...others] = rows.map((row) => line(row));
  return [
    first,
    line(
      head.map(() => ""),
      "-",
    ),
    ...others,
  ].join("\n");
}
