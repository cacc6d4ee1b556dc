// A plan's text as Zig prints it from the bytes.

import { library } from "../../src/native/library.ts";
import { alloc } from "../../src/native/memory.ts";

const textBytesMax = 8 << 20;

/** The text, or the errno with which the library refuses the bytes. */
export function describe(plan: Uint8Array): string | number {
  const bytes = alloc(plan.length);
  bytes.set(plan);
  const text = alloc(textBytesMax);
  const length = Number(
    library().peapod_describe(bytes, BigInt(bytes.length), text, BigInt(text.length)),
  );
  return length < 0 ? length : new TextDecoder().decode(text.subarray(0, length));
}
