import { expect, test } from "bun:test";
import { alignedPrefixes, createLogPrinter, printLogJson } from "../../src/cli/log-printer.ts";
import { createPaint } from "../../src/cli/paint.ts";

const text = (line: string) => new TextEncoder().encode(line);
const record = {
  ...({ container: "app", stream: "stdout", isPartial: false } as const),
  timeNs: 1_700_000_000_000_000_007n,
  line: text("hi"),
};

test("the bytes of a line go through as they are", () => {
  const line = Uint8Array.of(0x1b, 0x5b, 0x31, 0x6d, 0xff, 0x0d);
  const printer = createLogPrinter({ timestamps: false });
  expect([...printer.print({ ...record, line }, "app", "")]).toEqual([...line, 0x0a]);
});

test("prefix and time stand before a line", () => {
  const printer = createLogPrinter({ timestamps: true });
  expect(new TextDecoder().decode(printer.print(record, "app", "app | "))).toBe(
    "app | 2023-11-14T22:13:20.000000007Z hi\n",
  );
});

test("a prompt is not a line, and ends where another stream goes on", () => {
  const printer = createLogPrinter({ timestamps: false });
  const say = (source: string, line: string, isPartial = false) =>
    new TextDecoder().decode(
      printer.print({ ...record, line: text(line), isPartial }, source, `${source} | `),
    );
  expect([
    say("a", "name? ", true),
    say("a", "bob"),
    say("a", "age? ", true),
    say("b", "hello"),
    say("a", "42", true),
    printer.finish("b"),
    printer.finish("a"),
    printer.finish("a"),
  ]).toEqual(["a | name? ", "bob\n", "a | age? ", "\nb | hello\n", "a | 42", "", "\n", ""]);
});

test("prefixes are aligned, each in a colour of its own", () => {
  expect(alignedPrefixes(["app", "sidecar"], createPaint(false))).toEqual([
    ...["app     | ", "sidecar | "],
  ]);
  expect(alignedPrefixes(["app", "sidecar"], createPaint(true))).toEqual([
    ...["\x1b[36mapp     | \x1b[0m", "\x1b[33msidecar | \x1b[0m"],
  ]);
});

test("for programs every line is an object", () => {
  expect(printLogJson({ ...record, line: text('say "hi"') })).toBe(
    '{"time":"2023-11-14T22:13:20.000000007Z","container":"app","stream":"stdout",' +
      '"line":"say \\"hi\\""}\n',
  );
});
