import { expect, test } from "bun:test";
import { alignedPrefixes, createLogPrinter, printLogJson } from "../../src/cli/log-printer.ts";
import { createPaint } from "../../src/cli/paint.ts";

const record = {
  ...({ container: "app", stream: "stdout", timeNs: 1_700_000_000_000_000_007n } as const),
  line: Uint8Array.of(0x1b, 0x5b, 0x31, 0x6d, 0xff, 0x0d),
};

test("the bytes of a line go through as they are", () => {
  const print = createLogPrinter({ prefix: "", timestamps: false });
  expect([...print(record)]).toEqual([...record.line, 0x0a]);
});

test("prefix and time stand before a line", () => {
  const print = createLogPrinter({ prefix: "app | ", timestamps: true });
  const line = new TextEncoder().encode("hi");
  expect(new TextDecoder().decode(print({ ...record, line }))).toBe(
    "app | 2023-11-14T22:13:20.000000007Z hi\n",
  );
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
  expect(printLogJson({ ...record, line: new TextEncoder().encode('say "hi"') })).toBe(
    '{"time":"2023-11-14T22:13:20.000000007Z","container":"app","stream":"stdout",' +
      '"line":"say \\"hi\\""}\n',
  );
});
