// The keys that leave a container to itself: ctrl-p ctrl-q, as docker's.

const first = 0x10; // ctrl-p
const second = 0x11; // ctrl-q

export interface DetachFilter {
  /** What of the input goes on to the container, and whether the keys were pressed. */
  read(input: Uint8Array): { readonly forward: Uint8Array; readonly detached: boolean };
}

/** A ctrl-p is held back until the next key shows what it meant; another ctrl-p starts anew. */
export function createDetachFilter(): DetachFilter {
  let isHeld = false;
  return {
    read(input) {
      const forward: number[] = [];
      for (const byte of input) {
        if (isHeld && byte === second) {
          return { forward: Uint8Array.from(forward), detached: true };
        }
        if (isHeld) forward.push(first);
        isHeld = byte === first;
        if (!isHeld) forward.push(byte);
      }
      return { forward: Uint8Array.from(forward), detached: false };
    },
  };
}
