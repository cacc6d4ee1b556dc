// What must not change while containers are attacked: a directory of the host, and the host's table
// of mounts.

import {
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { listTree } from "../support/trees.ts";

export const secret = "canary-7f3a9c";

/** Outside every root: `place` holds files with `secret` in them. */
export class Canary implements Disposable {
  readonly place: string;
  /** Empty; for what a test needs beside it. */
  readonly scratch: string;
  readonly #before: string;

  constructor() {
    this.scratch = mkdtempSync(join(tmpdir(), "peapod-canary-"));
    this.place = join(this.scratch, "outside");
    mkdirSync(join(this.scratch, "outside"));
    mkdirSync(join(this.place, "directory"));
    writeFileSync(join(this.place, "file"), secret);
    writeFileSync(join(this.place, "ptmx"), secret);
    writeFileSync(join(this.place, "null"), secret);
    writeFileSync(join(this.place, "hosts"), secret);
    writeFileSync(join(this.place, "directory/file"), secret);
    symlinkSync("directory", join(this.place, "link"));
    this.#before = this.#look();
  }

  /** Everything about it, and what is mounted anywhere. */
  #look(): string {
    const changes = Object.keys(listTree(this.place)).map((path) => {
      const { ctimeNs, ino } = lstatSync(join(this.place, path), { bigint: true });
      return `${path} ${ino} ${ctimeNs}`;
    });
    const mounts = readFileSync("/proc/self/mountinfo", "utf8");
    return JSON.stringify([listTree(this.place), changes, mounts], undefined, 1);
  }

  /** Lines that differ from the beginning; none, unless something got out. */
  changes(): string[] {
    const before = this.#before.split("\n");
    const after = this.#look().split("\n");
    return [
      ...before.filter((line) => !after.includes(line)).map((line) => `- ${line}`),
      ...after.filter((line) => !before.includes(line)).map((line) => `+ ${line}`),
    ];
  }

  [Symbol.dispose](): void {
    rmSync(this.scratch, { recursive: true });
  }
}
