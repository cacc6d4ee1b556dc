// A file system whose server takes every question and answers none: what a dead NFS or FUSE server
// looks like. A process that has asked cannot even be killed (fs/fuse/dev.c, request_wait_answer).

import {
  closeSync,
  constants,
  mkdtempSync,
  openSync,
  readSync,
  rmdirSync,
  writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

export const fuseMissing: string | undefined = tryOpen() ? undefined : "needs /dev/fuse";

function tryOpen(): boolean {
  try {
    closeSync(open());
    return true;
  } catch {
    return false;
  }
}

function open(): number {
  return openSync("/dev/fuse", constants.O_RDWR | constants.O_NONBLOCK);
}

const initOpcode = 26;
const requestBytesMax = 1 << 20;

export class SilentMount implements AsyncDisposable {
  readonly path: string;
  readonly #fd: number;
  readonly #reader: ReturnType<typeof setInterval>;
  /** Questions that were taken. */
  asked = 0;

  /** Where nobody looks by chance: a look from this very process would wait for itself. */
  static async make(): Promise<SilentMount> {
    const path = mkdtempSync(join(tmpdir(), "peapod-silent-"));
    const fd = open();
    const options = "fd=3,rootmode=40000,user_id=0,group_id=0,allow_other";
    const mount = Bun.spawn(["mount", "-i", "-t", "fuse", "-o", options, "silent", path], {
      stdio: ["ignore", "ignore", "pipe", fd],
    });
    const said = await mount.stderr.text();
    if ((await mount.exited) !== 0) throw new Error(`no silent mount: ${said}`);
    return new SilentMount(path, fd);
  }

  constructor(path: string, fd: number) {
    this.path = path;
    this.#fd = fd;
    const everyMs = 2;
    this.#reader = setInterval(() => this.#take(), everyMs);
  }

  /** `struct fuse_in_header`: length, opcode, unique. Only the greeting is answered. */
  #take(): void {
    const request = Buffer.alloc(requestBytesMax);
    try {
      readSync(this.#fd, request);
    } catch {
      return; // Nothing was asked.
    }
    if (request.readUInt32LE(4) === initOpcode) this.#greet(request.readBigUInt64LE(8));
    else this.asked++;
  }

  /** `struct fuse_out_header` and `struct fuse_init_out` of version 7.31. */
  #greet(unique: bigint): void {
    const answer = Buffer.alloc(16 + 64);
    answer.writeUInt32LE(answer.length, 0);
    answer.writeBigUInt64LE(unique, 8);
    answer.writeUInt32LE(7, 16);
    answer.writeUInt32LE(31, 20);
    answer.writeUInt32LE(4096, 36);
    writeSync(this.#fd, answer);
  }

  /** The end of the server wakes everybody who waits for it. */
  async [Symbol.asyncDispose](): Promise<void> {
    clearInterval(this.#reader);
    closeSync(this.#fd);
    await Bun.spawn(["umount", "-l", this.path], { stderr: "ignore" }).exited;
    rmdirSync(this.path);
  }
}
