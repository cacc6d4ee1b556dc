// The documents against the code: links, commands, examples, and files printed from tables.

import { afterAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { commands } from "../src/cli/commands.ts";

const root = join(import.meta.dir, "..");
const documents = ["*.md", "docs/**/*.md"].flatMap((pattern) => [
  ...new Bun.Glob(pattern).scanSync({ cwd: root }),
]);
// Inside the repository, where the compiler finds tsconfig.json and the module's name.
const scratch = mkdtempSync(join(root, "test/.docs-"));

afterAll(() => rmSync(scratch, { recursive: true }));

function read(path: string): string {
  return readFileSync(join(root, path), "utf8");
}

/** Without code, in which brackets are something else. */
function proseOf(path: string): string {
  return read(path)
    .replaceAll(/^```[^]*?^```$/gm, "")
    .replaceAll(/`[^`\n]*`/g, "");
}

describe("links", () => {
  test("every relative link leads to a file", () => {
    const broken = documents.flatMap((path) =>
      [...proseOf(path).matchAll(/\]\(([^)\s]+)\)/g)]
        .map(([, target = ""]) => target)
        .filter((target) => !/^(https?:|mailto:|#)/.test(target))
        .filter((target) => !existsSync(join(root, dirname(path), target.replace(/#.*/, ""))))
        .map((target) => `${path}: ${target}`),
    );
    expect(broken).toEqual([]);
  });

  test("every file that a document names in code exists", () => {
    const named =
      /`((?:src|zig|test|bench|scripts|docs|examples)\/[\w./-]*\.(?:ts|mjs|zig|md|yaml))`/g;
    const missing = documents
      .filter((path) => path !== "CHANGELOG.md")
      .flatMap((path) =>
        [...read(path).matchAll(named)]
          .map(([, file = ""]) => file)
          .filter((file) => !/NAME/.test(file) && !existsSync(join(root, file)))
          .map((file) => `${path}: ${file}`),
      );
    expect(missing).toEqual([]);
  });

  test("every decision is in the list of decisions", () => {
    const pages = documents.filter((path) => /^docs\/decisions\/\d/.test(path)).sort();
    const listed = [...read("docs/decisions/README.md").matchAll(/\]\((\d[^)]+)\)/g)];
    expect(listed.map(([, name]) => `docs/decisions/${name}`)).toEqual(pages);
  });
});

describe("README.md", () => {
  const readme = read("README.md");

  test("its table has every command of the command line and no other", () => {
    const table = /## Commands[^]*?\n\n(\|[^]*?)\n\n/.exec(readme)?.[1] ?? "";
    const named = [...table.matchAll(/`([a-z][a-z-]*)(?: [^`]*)?`/g)].map(([, name = ""]) => name);
    const firsts = [...table.matchAll(/^\| `([a-z][a-z-]*)/gm)].map(([, name = ""]) => name);
    expect([...new Set(firsts)]).toEqual(Object.keys(commands));
    expect(named.filter((name) => !(name in commands))).toEqual([]);
  });

  test("its TypeScript passes the compiler", async () => {
    const blocks = [...readme.matchAll(/^```ts\n([^]*?)^```$/gm)].map(([, block = ""]) => block);
    expect(blocks).not.toEqual([]);
    const files = blocks.map((block, index) => {
      const file = join(scratch, `readme-${index}.ts`);
      writeFileSync(file, block);
      return file;
    });
    const check = Bun.spawn([process.execPath, "check", "--no-script", "--no-pretty", ...files], {
      cwd: root,
      stdout: "pipe",
      stderr: "pipe",
    });
    const [out, err] = await Promise.all([check.stdout.text(), check.stderr.text()]);
    expect({ status: await check.exited, out, err }).toMatchObject({ status: 0 });
  });
});

test("every script that a document names is in package.json", () => {
  const { scripts } = JSON.parse(read("package.json")) as { scripts: Record<string, string> };
  const named = documents.flatMap((path) =>
    [...read(path).matchAll(/\b(?:npm|bun) run ([a-z:]+)\b(?![./])/g)].map(([, name = ""]) => name),
  );
  expect([...new Set(named)].filter((name) => !(name in scripts))).toEqual([]);
});

test.each(["scripts/errors.ts", "scripts/support.ts", "scripts/commands.ts"])(
  "%s has nothing new to print",
  (script) => {
    const { exitCode, stderr } = Bun.spawnSync([process.execPath, script, "--check"], {
      cwd: root,
    });
    expect({ said: stderr.toString(), exitCode }).toEqual({ said: "", exitCode: 0 });
  },
);
