// Seccomp profiles in Docker's and OCI's format, read plainly by their own words: what a compiled
// program has to agree with, call by call.

import { expect } from "bun:test";
import { compileProfile } from "../../src/plan/seccomp/compile.ts";
import { foreignSyscalls } from "../../src/plan/seccomp/foreign-syscalls.gen.ts";
import { syscalls } from "../../src/plan/seccomp/syscalls.gen.ts";
import type { ProfileTarget } from "../../src/resolve/seccomp-profile.ts";
import { parseSeccompProfile } from "../../src/resolve/seccomp-profile.ts";
import { capabilityMask, capabilityNames } from "../../src/spec/capabilities.ts";
import { runFilter } from "../plan/bpf-machine.ts";

interface Arg {
  readonly index: number;
  readonly value: bigint;
  readonly valueTwo?: bigint;
  readonly op: string;
}

interface Rule {
  readonly names: readonly string[];
  readonly action: string;
  readonly errnoRet?: number;
  readonly args?: readonly Arg[];
  readonly includes?: Condition;
  readonly excludes?: Condition;
}

interface Condition {
  readonly caps?: readonly string[];
  readonly arches?: readonly string[];
  readonly minKernel?: string;
}

interface Profile {
  readonly defaultAction: string;
  readonly defaultErrnoRet?: number;
  readonly architectures?: readonly string[];
  readonly archMap?: readonly object[];
  readonly syscalls: readonly Rule[];
}

export const target: ProfileTarget = {
  arch: "x64",
  kernel: [6, 1],
  capabilities: capabilityMask(["CHOWN", "SYS_PTRACE"]),
};

export const fail = (why: string) => new Error(why);

/** Numbers of 64 bits are written as such: JSON has room for them. */
function printJson(profile: Profile): string {
  const marked = JSON.stringify(profile, (_, value: unknown) =>
    typeof value === "bigint" ? `#${value}` : value,
  );
  return marked.replace(/"#(\d+)"/g, "$1");
}

const returned: Readonly<Record<string, (errno: number) => number>> = {
  SCMP_ACT_ALLOW: () => 0x7fff0000,
  SCMP_ACT_LOG: () => 0x7ffc0000,
  SCMP_ACT_TRACE: (message) => 0x7ff00000 | message,
  SCMP_ACT_ERRNO: (errno) => 0x00050000 | errno,
  SCMP_ACT_TRAP: () => 0x00030000,
  SCMP_ACT_KILL: () => 0,
  SCMP_ACT_KILL_THREAD: () => 0,
  SCMP_ACT_KILL_PROCESS: () => 0x80000000,
};
export const enosys = 0x00050000 | 38;

export const compared: Readonly<
  Record<string, (arg: bigint, one: bigint, two: bigint) => boolean>
> = {
  SCMP_CMP_NE: (arg, one) => arg !== one,
  SCMP_CMP_LT: (arg, one) => arg < one,
  SCMP_CMP_LE: (arg, one) => arg <= one,
  SCMP_CMP_EQ: (arg, one) => arg === one,
  SCMP_CMP_GE: (arg, one) => arg >= one,
  SCMP_CMP_GT: (arg, one) => arg > one,
  SCMP_CMP_MASKED_EQ: (arg, one, two) => (arg & one) === (two & one),
};

/** What the profile says of a call, by the words of its format. */
function interpret(
  profile: Profile,
  table: Readonly<Record<string, number>>,
  number: number,
  args: readonly bigint[],
): number {
  const otherwise = returned[profile.defaultAction]!(profile.defaultErrnoRet ?? 1);
  const isPermissive = /ALLOW|LOG/.test(profile.defaultAction);
  const held = new Set(capabilityNames(target.capabilities).map((name) => `CAP_${name}`));
  const rules = profile.syscalls.filter(({ includes = {}, excludes = {} }) => {
    if (!(includes.caps ?? []).every((name) => held.has(name))) return false;
    if ((excludes.caps ?? []).some((name) => held.has(name))) return false;
    if (includes.arches && !includes.arches.includes("amd64")) return false;
    if (excludes.arches?.includes("amd64")) return false;
    if (includes.minKernel && includes.minKernel > "6.1") return false;
    return !(excludes.minKernel && excludes.minKernel <= "6.1");
  });
  const name = Object.keys(table).find((key) => table[key] === number);
  const newest = Math.max(
    -Infinity,
    ...rules.flatMap(({ names }) => names.map((one) => table[one] ?? -1)),
  );
  if (name === undefined) return isPermissive ? otherwise : enosys;
  for (const { names, action, errnoRet = 1, args: tests = [] } of rules) {
    if (!names.includes(name)) continue;
    const isRepeated = new Set(tests.map(({ index }) => index)).size < tests.length;
    const passes = ({ index, value, valueTwo = 0n, op }: Arg) =>
      compared[op]!(args[index] ?? 0n, value, valueTwo);
    const matches = isRepeated ? tests.some(passes) : tests.every(passes);
    if (matches) return returned[action]!(errnoRet);
  }
  const isNamed = rules.some(({ names }) => names.includes(name));
  return !isPermissive && !isNamed && number > newest && newest >= 0 ? enosys : otherwise;
}

const edges = [0n, 1n, 2n, 0x7fffffffn, 0x80000000n, 0xffffffffn].flatMap((low) =>
  [0n, 1n, 0x7fffffffn, 0x80000000n, 0xffffffffn].map((high) => (high << 32n) | low),
);

/** Around each number that the profile compares with. */
function valuesFor(profile: Profile): bigint[] {
  const named = profile.syscalls.flatMap(({ args = [] }) =>
    args.flatMap(({ value, valueTwo = 0n }) => [value, valueTwo, value | valueTwo]),
  );
  const near = named.flatMap((value) => [value - 1n, value, value + 1n, value ^ (1n << 40n)]);
  return [...new Set([...edges, ...near].map((value) => BigInt.asUintN(64, value)))];
}

const abis = [
  { auditArch: 0xc000003e, table: { ...syscalls.x64(), ...foreignSyscalls.x32() }, own: true },
  { auditArch: 0x40000003, table: foreignSyscalls.x86(), own: false },
];

/** Every number of each table, those around, and all values for the calls that are asked about. */
export function expectAgreement(profile: Profile): void {
  const parsed = parseSeccompProfile(printJson(profile), target, fail);
  const program = compileProfile(parsed, { arch: "x64", kernel: [6, 1], capabilities: new Set() });
  const values = valuesFor(profile);
  for (const { auditArch, table: all, own } of abis) {
    const numbers = Object.values<number>(all);
    const asked = new Set(
      profile.syscalls
        .filter(({ args }) => args)
        .flatMap(({ names }) => names.map((name) => (all as Record<string, number>)[name])),
    );
    for (const number of [...numbers, 999, 0x3fffffff, 0xffffffff]) {
      // The names of x32 are those of x64 with other numbers.
      const isX32 = own && number >= 0x40000000;
      const table = isX32 ? foreignSyscalls.x32() : own ? syscalls.x64() : all;
      for (const value of asked.has(number) || isX32
        ? values.slice(0, isX32 ? 3 : Infinity)
        : [7n]) {
        const args = Array.from({ length: 6 }, (_, index) =>
          index % 2 === 0 ? value : value ^ 1n,
        );
        const { result } = runFilter(program, { number, auditArch, args });
        const expected = interpret(profile, table, number, args);
        if (result >>> 0 !== expected >>> 0) {
          expect({ auditArch, number, value, result }).toEqual({
            ...{ auditArch, number, value },
            result: expected,
          });
        }
      }
    }
  }
}

export const both = { architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"] };

/** mulberry32: the same profiles at every run. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

export function randomProfile(seed: number): Profile {
  const next = random(seed);
  const pick = <T>(list: readonly T[]): T => list[Math.floor(next() * list.length)]!;
  const actions = Object.keys(returned);
  const names = Object.keys({ ...syscalls.x64(), ...foreignSyscalls.x86() }).filter(
    // What these stand for beside themselves is tested below.
    (name) => !/^(clone|clone3|socketcall|ipc)$/.test(name) && !isMultiplexed(name),
  );
  const values = [0n, 1n, 38n, 0x7e020000n, 0xffffffffn, 0x100000001n, 0xffffffff00000000n];
  const arg = (): Arg => ({
    index: Math.floor(next() * 6),
    value: pick(values),
    valueTwo: pick(values),
    op: pick(Object.keys(compared)),
  });
  const some = <T>(make: () => T, max: number): T[] =>
    Array.from({ length: 1 + Math.floor(next() * max) }, make);
  const rule = (): Rule => ({
    names: some(() => pick(names), 40),
    action: pick(actions),
    ...(next() < 0.5 && { errnoRet: Math.floor(next() * 4096) }),
    ...(next() < 0.5 && { args: some(arg, 3) }),
    ...(next() < 0.2 && { includes: { caps: [pick(["CAP_CHOWN", "CAP_BPF"])] } }),
    ...(next() < 0.2 && { excludes: { minKernel: pick(["4.8", "6.1", "6.2"]) } }),
    ...(next() < 0.1 && { includes: { arches: [pick(["amd64", "arm64"])] } }),
  });
  return {
    ...both,
    defaultAction: pick(actions),
    ...(next() < 0.5 && { defaultErrnoRet: 1 + Math.floor(next() * 100) }),
    syscalls: some(rule, 12),
  };
}

function isMultiplexed(name: string): boolean {
  return /^(sem|msg|shm|socket|bind|connect|listen|accept|getsock|getpeer|setsock|send|recv|shut)/.test(
    name,
  );
}
