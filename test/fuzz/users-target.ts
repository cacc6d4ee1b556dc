// The parser of an image's /etc/passwd and /etc/group: ids in range or a PodError.

import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PodError } from "../../src/errors/pod-error.ts";
import { resolveUser } from "../../src/image/user.ts";
import type { FuzzTarget } from "./fuzzer.ts";

const words = [
  ...["root:x:0:0:root:/root:/bin/sh\n", "1000:x:0:0::/:/bin/sh\n", "app:x:1000:100::/home/app:\n"],
  ...["wheel:x:10:root,app\n", ":", "::", "\n", "\r\n", "\0", "-1", "4294967295", "4294967296"],
  ...["0x0", " 0", "99999999999999999999", "+0", "0 ", "app", "root", ",", "\xff", "١"],
];
/** The largest an id can be: the one above means "leave it" to the kernel. */
const idMax = 2 ** 32 - 2;

export function usersTarget(): FuzzTarget & Disposable {
  const layer = mkdtempSync(join(tmpdir(), "peapod-fuzz-users-"));
  mkdirSync(join(layer, "etc"));
  return {
    name: "users",
    words,
    seeds: [],
    // The first line is who to look for, then passwd, a line of "=", group.
    decode: (input) => {
      const text = Buffer.from(input).toString("latin1");
      const cut = text.indexOf("\n");
      const [passwd = "", group = ""] = text.slice(cut + 1).split("\n=\n");
      writeFileSync(join(layer, "etc/passwd"), passwd, "latin1");
      writeFileSync(join(layer, "etc/group"), group, "latin1");
      return decide(text.slice(0, Math.max(cut, 0)), layer);
    },
    [Symbol.dispose]: () => rmSync(layer, { recursive: true }),
  };
}

function decide(wanted: string, layer: string): string {
  try {
    const { uid, gid, groups } = resolveUser(wanted, [layer], "fuzz");
    const ids = [uid, gid, ...groups];
    const odd = ids.find((id) => !Number.isInteger(id) || id < 0 || id > idMax);
    if (odd !== undefined) throw new Error(`the id ${odd}`);
    // CVE-2016-3697: what is written as a number is that number, whatever a file calls itself.
    const [user = "", group = ""] = wanted.split(":");
    const numbers = [
      [user, uid],
      [group, gid],
    ] as const;
    for (const [text, id] of numbers) {
      if (/^[0-9]{1,10}$/.test(text) && Number(text) <= idMax && id !== Number(text)) {
        throw new Error(`${text} became ${id}`);
      }
    }
    return `${uid}:${gid}:${groups.length}`;
  } catch (error) {
    if (error instanceof PodError) return error.code;
    throw error;
  }
}
