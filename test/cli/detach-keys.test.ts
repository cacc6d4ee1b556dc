import { expect, test } from "bun:test";
import { createDetachFilter } from "../../src/cli/detach-keys.ts";

/** What went on, and whether the keys were pressed, for each chunk of input. */
function read(...chunks: string[]): string[] {
  const filter = createDetachFilter();
  return chunks.map((chunk) => {
    const { forward, detached } = filter.read(new TextEncoder().encode(chunk));
    return new TextDecoder().decode(forward) + (detached ? "!" : "");
  });
}

test("ctrl-p ctrl-q detaches, in one chunk or two, and what came before goes on", () => {
  expect(read("ab\x10\x11cd")).toEqual(["ab!"]);
  expect(read("ab\x10", "\x11")).toEqual(["ab", "!"]);
});

test("a ctrl-p alone waits for the next key and then goes on with it", () => {
  expect(read("\x10", "x")).toEqual(["", "\x10x"]);
  expect(read("\x10\x10", "\x11")).toEqual(["\x10", "!"]);
});

test("ctrl-q alone, Ctrl-C and everything else go on", () => {
  expect(read("\x11", "\x03", "é\x00")).toEqual(["\x11", "\x03", "é\x00"]);
});
