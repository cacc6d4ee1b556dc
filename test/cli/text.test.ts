import { expect, test } from "bun:test";
import { createPaint, wantsColour } from "../../src/cli/paint.ts";
import { printTable } from "../../src/cli/table.ts";
import { clean, formatBytes, podLabel } from "../../src/cli/text.ts";

test("columns are as wide as their widest cell, and lines do not end in spaces", () => {
  const rows = [
    ["web", "1/1", ""],
    ["a-long-name", "0/1", "日本"],
  ];
  expect(printTable(["NAME", "READY", "NOTE"], rows)).toBe(
    ["NAME          READY   NOTE", "web           1/1", "a-long-name   0/1     日本", ""].join(
      "\n",
    ),
  );
});

test("colours do not move columns", () => {
  const paint = createPaint(true);
  const table = printTable(["A", "B"], [["one", "two"]], (cell, column) =>
    column === 0 ? paint("green", cell) : cell,
  );
  expect(table).toBe("A     B\n\x1b[32mone\x1b[0m   two\n");
});

test("a name cannot steer the terminal", () => {
  const name = "a\x1b[2Jb\rc\nd\u202ee\u0085";
  expect(clean(name)).toBe("a\\x1b[2Jb\\x0dc\\x0ad\\u202ee\\x85");
  expect(printTable(["NAME"], [[name]])).toBe("NAME\na\\x1b[2Jb\\x0dc\\x0ad\\u202ee\\x85\n");
});

test("colours are for terminals that want them", () => {
  expect(wantsColour(true, {})).toBe(true);
  expect(wantsColour(true, { NO_COLOR: "" })).toBe(true);
  expect(wantsColour(true, { NO_COLOR: "1" })).toBe(false);
  expect(wantsColour(true, { TERM: "dumb" })).toBe(false);
  expect(wantsColour(false, {})).toBe(false);
});

test("sizes use the suffixes of manifests", () => {
  expect([0, 512, 1024, 1536, 64 * 1024 ** 2, 5 * 1024 ** 4].map(formatBytes)).toEqual([
    ...["0", "512", "1Ki", "1.5Ki", "64Mi", "5Ti"],
  ]);
});

test("the default namespace goes without saying", () => {
  expect(podLabel({ namespace: "default", name: "web" })).toBe("web");
  expect(podLabel({ namespace: "team", name: "web" })).toBe("team/web");
});
