// The seccomp compiler: any text is a profile or refused, what it becomes is a program that ends,
// and profiles made at random decide as their words do.

import { compileProfile } from "../../src/plan/seccomp/compile.ts";
import { parseSeccompProfile } from "../../src/resolve/seccomp-profile.ts";
import { runFilter } from "../plan/bpf-machine.ts";
import { expectAgreement, randomProfile, target } from "../support/seccomp-words.ts";
import type { FuzzTarget } from "./fuzzer.ts";

const words = [
  ...["SCMP_ACT_ALLOW", "SCMP_ACT_ERRNO", "SCMP_ACT_NOTIFY", "SCMP_ACT_KILL_PROCESS", "SCMP_ACT_X"],
  ...["SCMP_CMP_MASKED_EQ", "SCMP_CMP_GT", "SCMP_CMP_NE", "SCMP_ARCH_X86", "SCMP_ARCH_S390X"],
  ...['"errnoRet": 4096,', '"index": 6,', '"index": -1,', '"value": 18446744073709551615,'],
  ...['"value": 1e400,', '"names": [],', '"includes": {"minKernel": "x"},', '"clone", "clone3"'],
  ...[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    "null",
    "true",
    "__proto__",
    "0x1",
    "-0",
    "4.8",
    "CAP_X",
    "1.5",
  ],
];

const plain = {
  defaultAction: "SCMP_ACT_ERRNO",
  defaultErrnoRet: 1,
  architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86"],
  syscalls: [
    { names: ["read", "write", "openat"], action: "SCMP_ACT_ALLOW" },
    {
      names: ["clone"],
      action: "SCMP_ACT_ALLOW",
      args: [{ index: 0, value: 2114060288, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" }],
      includes: { caps: ["CAP_CHOWN"], minKernel: "4.8" },
      excludes: { arches: ["arm64"] },
    },
  ],
};

class Refused extends Error {}

const calls = [0, 1, 56, 435, 999, 0x4000_0000, 0xffff_ffff];

export const seccompTarget: FuzzTarget = {
  name: "seccomp",
  words,
  seeds: [new TextEncoder().encode(JSON.stringify(plain))],
  decode: (input) => {
    try {
      const text = new TextDecoder().decode(input);
      const profile = parseSeccompProfile(text, target, (why) => new Refused(why));
      const host = { arch: "x64", kernel: [6, 1], capabilities: new Set<string>() } as const;
      const program = compileProfile(profile, host);
      const args = [1n, 2n, 3n, 4n, 5n, 6n];
      const results = calls.map(
        (number) => runFilter(program, { number, auditArch: 0xc000003e, args }).result >>> 0,
      );
      return `${program.length > 400} ${results.map((result) => result.toString(16)).join()}`;
    } catch (error) {
      if (error instanceof Refused) return error.message.replace(/"[^"]*"|[0-9]+/g, "x");
      throw error;
    }
  },
};

export const seccompWordsTarget: FuzzTarget = {
  name: "seccomp-words",
  words: [],
  seeds: [new Uint8Array(8)],
  decode: (input) => {
    const profile = randomProfile(Number(Bun.hash.crc32(input)));
    expectAgreement(profile);
    return `${profile.defaultAction} ${profile.syscalls.length}`;
  },
};
