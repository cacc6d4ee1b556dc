// Tables as kubectl prints them: columns as wide as their widest cell, three spaces apart, nothing
// drawn.

import { clean } from "./text.ts";

const gap = "   ";

/**
 * Rows of one header. Colours are put on after the widths are known: `paint` sees the cell without
 * its padding.
 */
export function printTable(
  header: readonly string[],
  rows: readonly (readonly string[])[],
  paint: (cell: string, column: number, row: number) => string = (cell) => cell,
): string {
  const cleaned = [header, ...rows].map((row) => row.map(clean));
  const widths = header.map((_, column) =>
    Math.max(...cleaned.map((row) => Bun.stringWidth(row[column] ?? ""))),
  );
  const lines = cleaned.map((row, index) => {
    const cells = row.map((cell, column) => {
      const text = index === 0 ? cell : paint(cell, column, index - 1);
      return text + " ".repeat((widths[column] ?? 0) - Bun.stringWidth(cell));
    });
    return cells.join(gap).trimEnd();
  });
  return `${lines.join("\n")}\n`;
}
