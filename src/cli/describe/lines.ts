// Lines of a page: fields with their values in one column for each depth.

import { clean } from "../text.ts";
import { printTable } from "../table.ts";

interface Line {
  readonly depth: number;
  readonly name?: string;
  readonly text: string;
}

export class Page {
  readonly #lines: Line[];
  readonly #depth: number;

  constructor(lines: Line[] = [], depth = 0) {
    this.#lines = lines;
    this.#depth = depth;
  }

  /** The same page, further to the right. */
  indented(steps: number): Page {
    return new Page(this.#lines, this.#depth + steps);
  }

  line(text: string): void {
    this.#lines.push({ depth: this.#depth, text: clean(text) });
  }

  field(name: string, text: string): void {
    this.#lines.push({ depth: this.#depth, name: `${name}:`, text: clean(text) });
  }

  /** The first beside its name, the others below it. */
  entries(name: string, values: readonly string[]): void {
    this.field(name, values[0] ?? "<none>");
    for (const value of values.slice(1)) {
      this.#lines.push({ depth: this.#depth, name: "", text: clean(value) });
    }
  }

  table(header: readonly string[], rows: readonly (readonly string[])[]): void {
    const isUsed = (column: number) => rows.some((row) => row[column] !== "");
    const columns = header
      .map((_, column) => column)
      .filter((column) => column < 2 || isUsed(column));
    const pick = (row: readonly string[]) => columns.map((column) => row[column] ?? "");
    this.block(printTable(pick(header), rows.map(pick)));
  }

  /** Text that is laid out already. */
  block(text: string): void {
    for (const one of text.trimEnd().split("\n"))
      this.#lines.push({ depth: this.#depth, text: one });
  }

  print(): string {
    const widths = new Map<number, number>();
    for (const { depth, name } of this.#lines) {
      if (name !== undefined) widths.set(depth, Math.max(widths.get(depth) ?? 0, name.length));
    }
    const lines = this.#lines.map(({ depth, name, text }) => {
      const padded = name === undefined ? "" : `${name.padEnd(widths.get(depth) ?? 0)}  `;
      return `${"  ".repeat(depth)}${padded}${text}`.trimEnd();
    });
    return `${lines.join("\n")}\n`;
  }
}
