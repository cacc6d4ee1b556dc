// What a pod's keeper holds for owners to come and for commands: the objects that the pod names,
// and the variables that came from Secrets. In memory alone, for a state directory may be a disk.

import { readSync, writeSync } from "node:fs";
import type { KeeperClient } from "../launch/keeper-client.ts";
import { closeFd, memoryFile, seal } from "../native/syscalls.ts";
import type { DataObject, ObjectTable } from "../spec/objects.ts";

/** Of the places that a keeper has for descriptors. */
const place = 0;

export interface Kept {
  readonly objects: ObjectTable;
  /** By process: `NAME=value`. */
  readonly secretEnv: ReadonlyMap<number, readonly string[]>;
}

/** The keeper has its own copy of the descriptor, which nobody can write to any more. */
export async function keepObjects(client: KeeperClient, kept: Kept): Promise<void> {
  const bytes = new TextEncoder().encode(JSON.stringify(encodeKept(kept)));
  const fd = memoryFile("peapod-objects");
  try {
    for (let done = 0; done < bytes.length;) done += writeSync(fd, bytes, done);
    seal(fd);
    const { status } = await client.keep(place, fd);
    if (status !== "ok") throw new Error(`the keeper does not take the pod's objects (${status})`);
  } finally {
    closeFd(fd);
  }
}

/** Undefined for a pod that names no objects. */
export async function fetchKept(client: KeeperClient): Promise<Kept | undefined> {
  const fd = await client.fetch(place);
  if (fd === undefined) return undefined;
  try {
    return decodeKept(JSON.parse(readAll(fd)));
  } finally {
    closeFd(fd);
  }
}

/** From the start, by position: all that have the descriptor share its offset. */
function readAll(fd: number): string {
  const parts: Uint8Array[] = [];
  for (let at = 0; ;) {
    const buffer = new Uint8Array(64 << 10);
    const length = readSync(fd, buffer, 0, buffer.length, at);
    if (length === 0) return Buffer.concat(parts).toString("utf8");
    parts.push(buffer.subarray(0, length));
    at += length;
  }
}

interface Written {
  readonly configMaps: readonly WrittenObject[];
  readonly secrets: readonly WrittenObject[];
  readonly claims: readonly { readonly name: string; readonly storageBytes: number }[];
  readonly secretEnv: readonly (readonly [process: number, env: readonly string[]])[];
}

interface WrittenObject {
  readonly name: string;
  readonly type: string;
  readonly texts: readonly (readonly [key: string, text: string])[];
  readonly binaries: readonly (readonly [key: string, base64: string])[];
}

function encodeKept({ objects, secretEnv }: Kept): Written {
  const write = ({ name, type, texts, binaries }: DataObject): WrittenObject => ({
    name,
    type,
    texts: [...texts],
    binaries: Array.from(binaries, ([key, bytes]) => [key, Buffer.from(bytes).toString("base64")]),
  });
  return {
    configMaps: Array.from(objects.configMaps.values(), write),
    secrets: Array.from(objects.secrets.values(), write),
    claims: [...objects.claims.values()],
    secretEnv: [...secretEnv],
  };
}

/** Written by a process of peapod's, and sealed. */
function decodeKept(written: Written): Kept {
  const read = (list: readonly WrittenObject[]) =>
    new Map(
      list.map(({ name, type, texts, binaries }) => [
        name,
        {
          name,
          type,
          texts: new Map(texts),
          binaries: new Map(
            binaries.map(([key, base64]) => [key, new Uint8Array(Buffer.from(base64, "base64"))]),
          ),
        },
      ]),
    );
  return {
    objects: {
      configMaps: read(written.configMaps),
      secrets: read(written.secrets),
      claims: new Map(written.claims.map((claim) => [claim.name, claim])),
    },
    secretEnv: new Map(written.secretEnv),
  };
}
