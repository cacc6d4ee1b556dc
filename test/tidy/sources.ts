// Which files the project is written in, and what a reader of them may count on.

import { readFileSync } from "node:fs";
import { resolve } from "node:path";

export const root = resolve(import.meta.dir, "../..");

export interface Source {
  /** From the root of the package. */
  readonly path: string;
  readonly text: string;
  readonly lines: readonly string[];
}

const folders = "src,zig,test,scripts,bench,examples";
const patterns = [`{${folders}}/**/*.{ts,mjs,zig}`, "*.{ts,zig}"];

export const sources: readonly Source[] = patterns
  .flatMap((pattern) => [...new Bun.Glob(pattern).scanSync({ cwd: root })])
  .filter((path) => !/(^|\/)(node_modules|zig-out)\//.test(path))
  .sort()
  .map((path) => {
    const text = readFileSync(resolve(root, path), "utf8");
    return { path, text, lines: text.split("\n") };
  });

/** Printed by a program; nobody reads them from top to bottom. */
export function isGenerated({ path }: Source): boolean {
  return path.endsWith(".gen.ts");
}

export function isZig({ path }: Source): boolean {
  return path.endsWith(".zig");
}

/** `path:line` of every line that `isWrong`, so that an editor can jump there. */
export function linesWhere(source: Source, isWrong: (line: string) => boolean): string[] {
  return source.lines.flatMap((line, index) =>
    isWrong(line) ? [`${source.path}:${index + 1}`] : [],
  );
}
