// The plan decoder: whatever the bytes, it prints them or refuses them.

import { encodePlan } from "../../src/plan/encode.ts";
import { planHeader, planMagic } from "../../src/plan/abi.gen.ts";
import type { Plan } from "../../src/plan/plan.ts";
import { podSlot } from "../../src/plan/slots.ts";
import { noSlot } from "../../src/plan/plan.ts";
import { describe } from "../support/describe.ts";
import type { FuzzTarget } from "./fuzzer.ts";

const EINVAL = -22;
const ENOSPC = -28;

/** A list, a text, bytes, a slot and flags: each kind of field. */
export const samplePlan: Plan = {
  kind: "container",
  steps: [
    {
      stage: "prepare",
      origin: "",
      op: {
        op: "open_volume",
        path: "/srv/www",
        sub_path: "a/b",
        base: noSlot,
        slot: podSlot.files,
        attributes: ["rdonly"],
        user_namespace: noSlot,
        expect: "directory",
        create_mode: 0,
        recursive: 1,
        top_attributes: ["nodev"],
        receives: 0,
        sends: 0,
      },
    },
    {
      stage: "build",
      origin: "",
      op: { op: "mount", type: "tmpfs", target: "/tmp", options: ["a=b", "c"], attributes: [] },
    },
    {
      stage: "limit",
      origin: "",
      op: { op: "set_seccomp", program: new Uint8Array(64), flags: 0 },
    },
    {
      stage: "exec",
      origin: "",
      op: {
        op: "exec",
        candidates: ["/bin/sh", "/sh"],
        arguments: ["sh", "-c", ""],
        environment: ["PATH=/bin"],
        directory: "/",
        create_directory: 1,
        umask: 0o022,
      },
    },
  ],
  rootUid: 0,
  rootGid: 0,
  deadlineMs: 1000,
  mayHang: false,
};

/** Most inputs keep a head that is right, so that what follows it is reached. */
export function repairHead(input: Uint8Array, offset = 0): void {
  if (input.length < offset + planHeader.size) return;
  const view = new DataView(input.buffer, input.byteOffset + offset, input.length - offset);
  view.setUint32(planHeader.fields.magic.offset, planMagic, true);
  view.setUint32(planHeader.fields.bytes.offset, view.byteLength, true);
}

export const planTarget: FuzzTarget = {
  name: "plan",
  words: ["\0", "/..", "\0\0\0\0", "\xff\xff\xff\xff", "/proc/self/fd/1"],
  seeds: [encodePlan(samplePlan)],
  repair: (input, random) => {
    if (random(8) > 0) repairHead(input);
  },
  decode: (input) => {
    const text = describe(input);
    if (typeof text === "string") return text.replace(/[0-9]+/g, "0");
    if (text !== EINVAL && text !== ENOSPC) throw new Error(`the decoder answered ${text}`);
    return String(text);
  },
};
