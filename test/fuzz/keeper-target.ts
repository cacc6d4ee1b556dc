// The keeper's protocol: a real keeper gets the bytes of each input on its socket. It may refuse
// them and it may hang up; it ends by itself, with status 0, when we hang up.

import { spawnKeeper } from "../../src/native/keeper-process.ts";
import { alloc } from "../../src/native/memory.ts";
import { DescriptorSocket } from "../../src/native/socket.ts";
import { closeFd, trySyscall } from "../../src/native/syscalls.ts";
import {
  answerTags,
  frameHead,
  hello,
  launch,
  noProcess,
  planHeader,
  protocolVersion,
  reply,
  requestTags,
} from "../../src/plan/abi.gen.ts";
import { encodePlan } from "../../src/plan/encode.ts";
import { packStruct, unpackStruct } from "../../src/launch/layout.ts";
import type { FuzzTarget } from "./fuzzer.ts";
import { samplePlan } from "./plan-target.ts";

const patienceMs = 2000;
const answersBytesMax = 64 << 10;

/** Every request once, with a body of its size, and then all in one input. */
function seeds(): Uint8Array[] {
  const sizes = [8, 16, 24, 32];
  const frames = Object.values(requestTags).flatMap((tag) =>
    [0, ...sizes].map((size) => frameOf(tag, new Uint8Array(size).fill(1))),
  );
  const values = { version: protocolVersion, role: 0, layout: 0n };
  return [
    ...frames,
    Buffer.concat(frames),
    frameOf(requestTags.hello, packStruct(hello, values)),
    frameOf(requestTags.launch, launchBody()),
  ];
}

function launchBody(): Uint8Array {
  const wish = new Uint8Array(launch.size);
  new DataView(wish.buffer).setUint32(launch.fields.target.offset, noProcess, true);
  const plan = encodePlan(samplePlan);
  makeForeign(plan, 0);
  return Buffer.concat([wish, plan]);
}

function frameOf(tag: number, body: Uint8Array): Uint8Array {
  const bytes = frameHead.size + body.length;
  return Buffer.concat([packStruct(frameHead, { bytes, tag, request: 1, fds: 0 }), body]);
}

/** A plan of another layout is never carried out: a mutated one would be, on this very host. */
function makeForeign(input: Uint8Array, at: number): void {
  const offset = at + planHeader.fields.layout.offset;
  if (offset + 8 > input.length) return;
  new DataView(input.buffer, input.byteOffset).setBigUint64(offset, 0xdead_beefn, true);
}

/** Lengths of frames that are right, so that what is in them is reached. */
function repair(input: Uint8Array, random: (below: number) => number): void {
  const view = new DataView(input.buffer, input.byteOffset, input.length);
  const isHonest = random(8) > 0;
  let at = 0;
  while (at + frameHead.size <= input.length) {
    if (isHonest) {
      const said = view.getUint32(at, true);
      const left = input.length - at;
      const fits = said >= frameHead.size && said <= left && said % 8 === 0;
      if (!fits) view.setUint32(at, left - (left % 8), true);
    }
    const tag = view.getUint32(at + frameHead.fields.tag.offset, true);
    if (tag === requestTags.launch) makeForeign(input, at + frameHead.size + launch.size);
    const step = view.getUint32(at, true);
    if (step < frameHead.size) return;
    at += step;
  }
}

export const keeperTarget: FuzzTarget = {
  name: "keeper",
  words: ["\0\0\0\0", "\xff\xff\xff\xff", "\x10\0\0\0", "\x18\0\0\0\x02\0\0\0"],
  seeds: seeds(),
  repair,
  decode: async (input) => {
    // A seed of an older protocol may have become a plan of ours; it is not one after this.
    const bytes = alloc(input.length);
    bytes.set(input);
    repair(bytes, () => 0);
    const [socket, theirs] = DescriptorSocket.pair();
    const { pid, pidfd } = spawnKeeper({
      socket: theirs,
      cgroup: -1,
      seed: -1,
      namespaces: [],
      links: false,
    });
    closeFd(theirs);
    let answers = "";
    try {
      if (bytes.length > 0) socket.send(bytes);
      answers = receive(socket.fd);
    } catch (error) {
      answers = `gone: ${String(error)}`;
    } finally {
      socket[Symbol.dispose]();
    }
    const status = await statusOf(pid, pidfd);
    closeFd(pidfd);
    if (status !== "exited 0") throw new Error(`the keeper ${status} after ${answers}`);
    return answers;
  },
};

/** What is answered within a moment: tags and statuses. */
function receive(fd: number): string {
  const pollIn = 1;
  const entry = alloc(8);
  new DataView(entry.buffer).setInt32(0, fd, true);
  new DataView(entry.buffer).setInt16(4, pollIn, true);
  const momentMs = 20;
  if (trySyscall("poll", entry, 1, momentMs) <= 0) return "silence";
  const buffer = alloc(answersBytesMax);
  const length = trySyscall("read", fd, buffer, buffer.length);
  return length <= 0 ? "hung up" : describeAnswers(buffer.subarray(0, length));
}

function describeAnswers(bytes: Uint8Array): string {
  const seen = new Set<string>();
  let at = 0;
  while (at + frameHead.size <= bytes.length) {
    const head = unpackStruct(frameHead, bytes.subarray(at));
    const body = bytes.subarray(at + frameHead.size, at + head.bytes);
    const isReply = head.tag === answerTags.reply && body.length >= reply.size;
    seen.add(`${head.tag}:${isReply ? unpackStruct(reply, body).status : ""}`);
    if (head.bytes < frameHead.size) throw new Error("an answer shorter than its head");
    at += head.bytes;
  }
  return [...seen].join(" ");
}

/** Reaped; a keeper that does not end is killed. */
async function statusOf(pid: number, pidfd: number): Promise<string> {
  const [byPidfd, noHang, exited, siExited] = [3, 1, 4, 1];
  const info = alloc(128);
  const view = new DataView(info.buffer);
  const end = performance.now() + patienceMs;
  for (let wait = 0; ; wait = Math.min(wait + 1, 20)) {
    trySyscall("waitid", byPidfd, pidfd, info, exited | noHang, 0);
    if (view.getInt32(0, true) !== 0) {
      const how = view.getInt32(8, true) === siExited ? "exited" : "was killed by";
      return `${how} ${view.getInt32(24, true)}`;
    }
    if (performance.now() > end) break;
    await Bun.sleep(wait);
  }
  process.kill(pid, "SIGKILL");
  trySyscall("waitid", byPidfd, pidfd, info, exited, 0);
  return "did not end";
}
