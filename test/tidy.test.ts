// The rules of ARCHITECTURE.md and CONTRIBUTING.md that a program can check. What breaks one is
// listed by file and line.

import { describe, expect, test } from "bun:test";
import { measureFunctions } from "./tidy/functions.ts";
import { importsOf, wrongImports } from "./tidy/layers.ts";
import { isGenerated, isZig, linesWhere, root, type Source, sources } from "./tidy/sources.ts";

const columnsMax = 100;
const fileLinesMax = 400;
const functionLinesMax = 60;
const exportsMax = 8;

const written = sources.filter((source) => !isGenerated(source));
const typescript = written.filter((source) => !isZig(source));
const zig = written.filter(isZig);
const inFolder = (folder: string) => written.filter(({ path }) => path.startsWith(`${folder}/`));

/** What is still long after `bun fmt` is a text that nothing can break. zig fmt breaks no lines. */
function mayBeLong(source: Source, line: string): boolean {
  return !isZig(source) && !/^\s*(\/\/|\/?\*)/.test(line);
}

describe("layers", () => {
  test("imports go one way", () => {
    expect(written.flatMap(wrongImports)).toEqual([]);
  });

  test("only src/native imports bun:ffi", () => {
    const importers = inFolder("src").filter((source) => importsOf(source).includes("bun:ffi"));
    expect(importers.filter(({ path }) => !path.startsWith("src/native/"))).toEqual([]);
  });

  test("only src/native/memory.ts takes the address of JavaScript memory", () => {
    const users = typescript.filter(({ text }) => /\bptr\(/.test(text.replaceAll(/`[^`]*`/g, "")));
    expect(users.map(({ path }) => path)).toEqual(["src/native/memory.ts"]);
  });

  test("the planner does no input or output, and knows no clock and no chance", () => {
    const impure =
      /\b(Date\.now|new Date\(\)|performance\.|Math\.random|randomUUID|process\.|Bun\.|await )/;
    const outside = (source: Source) =>
      importsOf(source)
        .filter((path) => /^(node|bun):/.test(path))
        .map((path) => `${source.path} imports ${path}`);
    expect([
      ...inFolder("src/plan").flatMap(outside),
      ...inFolder("src/plan").flatMap((source) => linesWhere(source, (line) => impure.test(line))),
    ]).toEqual([]);
  });

  test("the Zig that a child runs has no allocator, no log and no thread", () => {
    const forbidden = /\bstd\.(heap|log|mem\.Allocator|Thread)\b/;
    const files = ["zig/kernel", "zig/plan", "zig/executor", "zig/keeper"].flatMap(inFolder);
    expect(files.flatMap((file) => linesWhere(file, (line) => forbidden.test(line)))).toEqual([]);
  });
});

describe("sizes", () => {
  test(`lines have at most ${columnsMax} columns`, () => {
    const wrong = written.flatMap((source) =>
      linesWhere(source, (line) => [...line].length > columnsMax && !mayBeLong(source, line)),
    );
    expect(wrong).toEqual([]);
  });

  test(`files have at most ${fileLinesMax} lines`, () => {
    const wrong = written.filter(({ lines }) => lines.length - 1 > fileLinesMax);
    expect(wrong.map(({ path, lines }) => `${path}: ${lines.length - 1}`)).toEqual([]);
  });

  test(`functions have at most ${functionLinesMax} lines`, () => {
    const wrong = written.flatMap((source) =>
      measureFunctions(source.lines, isZig(source))
        .filter(({ lines }) => lines > functionLinesMax)
        .map(({ line, name, lines }) => `${source.path}:${line} ${name}: ${lines}`),
    );
    expect(wrong).toEqual([]);
  });

  test(`the library has at most ${exportsMax} exports`, () => {
    const library = zig.find(({ path }) => path === "zig/lib.zig");
    const names = [...(library?.text ?? "").matchAll(/^(?:pub )?export fn (\w+)/gm)];
    expect(names.map(([, name]) => name).slice(exportsMax)).toEqual([]);
  });
});

describe("words", () => {
  test("every file outside the tests says in its first line what belongs there", () => {
    const silent = written.filter(
      ({ path, lines }) => !/^(\/\/|#!)/.test(lines[0] ?? "") && !/^test\/|^build\.zig$/.test(path),
    );
    expect(silent.map(({ path }) => path)).toEqual([]);
  });

  test("there is an issue or nothing, never a note to do something", () => {
    const note = new RegExp(`\\b(${["TO" + "DO", "FIX" + "ME", "XX" + "X"].join("|")})\\b`);
    expect(written.flatMap((source) => linesWhere(source, (line) => note.test(line)))).toEqual([]);
  });

  test("everything is exported by its name", () => {
    const unnamed = (line: string) => /^export (default\b|\*)/.test(line);
    expect(typescript.flatMap((source) => linesWhere(source, unnamed))).toEqual([]);
  });

  test("types are not switched off", () => {
    const isComment = (line: string) => /^\s*(\/\/|\/?\*)/.test(line);
    const any = /(: |<|as |\| |=> )any\b|\bany\[\]/;
    const trust = /[\w)\]]!([.;,)[]|$)/;
    const off = typescript.flatMap((source) =>
      linesWhere(source, (line) => {
        if (isComment(line) || source.path.startsWith("test/")) return false;
        return any.test(line) || trust.test(line);
      }),
    );
    expect(off).toEqual([]);
  });

  test("relative imports name the file with its ending", () => {
    const vague = typescript.flatMap((source) =>
      importsOf(source)
        .filter((path) => path.startsWith(".") && !/\.(ts|mjs|json)$/.test(path))
        .map((path) => `${source.path} imports ${path}`),
    );
    expect(vague).toEqual([]);
  });

  test("no file names the machine that it was written on", () => {
    const home = process.env["HOME"] ?? "";
    const places = [root, ...(home.startsWith("/home/") ? [home] : [])];
    const wrong = written.flatMap((source) =>
      linesWhere(source, (line) => places.some((place) => line.includes(`${place}/`))),
    );
    expect(wrong).toEqual([]);
  });
});

describe("the measure of functions", () => {
  const measure = (text: string, language = "ts") => {
    const lines = text.split("\n");
    return measureFunctions(lines, language === "zig").map(
      ({ name, lines: count }) => `${name} ${count}`,
    );
  };

  test("counts functions, methods and callbacks, and no statements or values", () => {
    const text = `export async function outer(
  argument: string,
): Promise<void> {
  if (argument) {
    items.map((item) => {
      return item;
    });
  }
}
const value = call({
  key: 1,
});
class Thing {
  close(): void {
    this.open = false;
  }
}`;
    expect(measure(text)).toEqual(["outer 9", "items.map 3", "close 3"]);
  });

  test("counts Zig's functions and tests, and no declarations", () => {
    const text = `extern fn declared(number: u64) u64;
const Wrapper = struct {
    pub fn method(
        self: *Wrapper,
    ) void {
        while (true) {
            break;
        }
    }
};
fn short() u8 { return 1; }
test "a rule" {
}`;
    expect(measure(text, "zig")).toEqual(["method 7", "a rule 2"]);
  });
});
