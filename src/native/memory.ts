// The one place where JavaScript memory gets an address.

import { ptr } from "bun:ffi";

/**
 * Zeroed bytes whose address stays put. `new Uint8Array(n)` of up to 1000 bytes lives in the
 * garbage collector's heap and moves when its `buffer` is first touched or when its reader is
 * compiled (oven-sh/bun#32054).
 */
export function alloc(bytes: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(new ArrayBuffer(bytes));
}

/** Valid for as long as the caller holds on to `view`, which must come from `alloc`. */
export function addressOf(view: Uint8Array<ArrayBuffer>): number {
  return ptr(view);
}

/** NUL-terminated UTF-8. */
export function cString(text: string): Uint8Array<ArrayBuffer> {
  const bytes = new TextEncoder().encode(text);
  const copy = alloc(bytes.length + 1);
  copy.set(bytes);
  return copy;
}
