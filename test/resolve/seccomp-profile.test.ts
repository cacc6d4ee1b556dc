// Profiles in Docker's and OCI's format, against a reading of their own words call by call.

import { expect, test } from "bun:test";
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

const target: ProfileTarget = {
  arch: "x64",
  kernel: [6, 1],
  capabilities: capabilityMask(["CHOWN", "SYS_PTRACE"]),
};

const fail = (why: string) => new Error(why);

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
const enosys = 0x00050000 | 38;

const compared: Readonly<Record<string, (arg: bigint, one: bigint, two: bigint) => boolean>> = {
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
function expectAgreement(profile: Profile): void {
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

const both = { architectures: ["SCMP_ARCH_X86_64", "SCMP_ARCH_X86", "SCMP_ARCH_X32"] };

test("every operator decides as it reads, on both halves of an argument", () => {
  const values = [0n, 1n, 0xffffffffn, 0x100000000n, 0x1ffffffffn, 0xffffffffffffffffn];
  for (const op of Object.keys(compared)) {
    for (const value of values) {
      expectAgreement({
        ...both,
        defaultAction: "SCMP_ACT_ERRNO",
        syscalls: [
          {
            names: ["read"],
            action: "SCMP_ACT_LOG",
            args: [{ index: 2, value, op, valueTwo: 1n }],
          },
        ],
      });
    }
  }
});

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

function randomProfile(seed: number): Profile {
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

test("thirty profiles decide every call as they read", () => {
  for (let seed = 1; seed <= 30; seed++) expectAgreement(randomProfile(seed));
}, 60_000);

function decide(
  profile: object,
  number: number,
  args: readonly bigint[] = [],
  auditArch = 0xc000003e,
) {
  const parsed = parseSeccompProfile(JSON.stringify(profile), target, fail);
  const program = compileProfile(parsed, { arch: "x64", kernel: [6, 1], capabilities: new Set() });
  return runFilter(program, { number, auditArch, args }).result;
}

const deny = { defaultAction: "SCMP_ACT_ERRNO" };
const allow = (...names: string[]) => ({ names, action: "SCMP_ACT_ALLOW" });

test("clone3 gets ENOSYS where the flags of clone are looked at, unless it is named", () => {
  const flags = [{ index: 0, value: 0x7e020000, valueTwo: 0, op: "SCMP_CMP_MASKED_EQ" }];
  const asking = { ...allow("clone"), args: flags };
  const { clone, clone3 } = syscalls.x64();
  const newest = allow("futex_requeue");
  expect(decide({ ...deny, syscalls: [asking, newest] }, clone3)).toBe(enosys);
  expect(decide({ ...deny, syscalls: [asking, newest] }, clone, [0x11n])).toBe(0x7fff0000);
  expect(decide({ ...deny, syscalls: [asking, newest] }, clone, [0x10000000n])).toBe(0x50001);
  expect(decide({ ...deny, syscalls: [allow("clone"), newest] }, clone3)).toBe(0x50001);
  expect(decide({ ...deny, syscalls: [asking, newest, allow("clone3")] }, clone3)).toBe(0x7fff0000);
});

test("a call newer than all that the profile names gets ENOSYS, an older one the default", () => {
  const { statx, openat2, clone3 } = syscalls.x64();
  expect(decide({ ...deny, syscalls: [allow("openat2")] }, statx)).toBe(0x50001);
  expect(decide({ ...deny, syscalls: [allow("statx")] }, openat2)).toBe(enosys);
  expect(decide({ ...deny, syscalls: [allow("statx")] }, clone3)).toBe(enosys);
  const log = { defaultAction: "SCMP_ACT_LOG", syscalls: [allow("statx")] };
  expect(decide(log, openat2)).toBe(0x7ffc0000);
});

test("an ABI that the profile does not list gets ENOSYS, whatever else it allows", () => {
  const profile = { defaultAction: "SCMP_ACT_ALLOW", syscalls: [] };
  for (const number of [1, 102, 0x40000001]) {
    const auditArch = number < 0x40000000 ? 0x40000003 : 0xc000003e;
    const expected = number < 0x40000000 ? enosys : 0x7fff0000;
    expect(decide(profile, number, [], auditArch)).toBe(expected);
  }
});

test("an archMap gives the machine's own line and its sub-architectures", () => {
  const archMap = [
    { architecture: "SCMP_ARCH_AARCH64", subArchitectures: ["SCMP_ARCH_ARM"] },
    { architecture: "SCMP_ARCH_X86_64", subArchitectures: ["SCMP_ARCH_X86"] },
  ];
  const { write } = foreignSyscalls.x86();
  expect(decide({ ...deny, archMap, syscalls: [allow("write")] }, write, [], 0x40000003)).toBe(
    0x7fff0000,
  );
});

test("a socket call of a 32-bit program through socketcall has the fate of its name", () => {
  const { socketcall } = foreignSyscalls.x86();
  const family = [{ index: 0, value: 38, op: "SCMP_CMP_NE" }];
  const ask = (syscallsOf: object[], call: bigint) =>
    decide({ ...deny, ...both, syscalls: syscallsOf }, socketcall, [call], 0x40000003);
  expect(ask([allow("socket", "bind")], 1n)).toBe(0x7fff0000);
  expect(ask([allow("socket", "bind")], 2n)).toBe(0x7fff0000);
  expect(ask([allow("socket", "bind")], 3n)).toBe(0x50001);
  // What a filter cannot see it does not let through.
  expect(ask([{ ...allow("socket"), args: family }, allow("bind")], 1n)).toBe(0x50001);
});

test("flags are those that the profile names, and without a word speculation stays on", () => {
  const flagsOf = (profile: object) =>
    parseSeccompProfile(JSON.stringify({ ...deny, ...profile }), target, fail).flags;
  expect(flagsOf({})).toBe(4);
  expect(flagsOf({ flags: [] })).toBe(0);
  expect(flagsOf({ flags: ["SECCOMP_FILTER_FLAG_LOG", "SECCOMP_FILTER_FLAG_TSYNC"] })).toBe(2);
});

const wrong: readonly (readonly [string, object | string, string | RegExp])[] = [
  ["no JSON", "{", /JSON/],
  ["no default", { syscalls: [] }, "it must have required properties defaultAction"],
  ["an unknown action", { defaultAction: "ALLOW" }, 'there is no action "ALLOW"'],
  [
    "a supervisor",
    { ...deny, syscalls: [{ names: ["mount"], action: "SCMP_ACT_NOTIFY" }] },
    "SCMP_ACT_NOTIFY: nobody here answers notifications",
  ],
  ["a listener", { ...deny, listenerPath: "/run/x" }, "listenerPath: nobody here listens"],
  [
    "both kinds of names",
    { ...deny, syscalls: [{ name: "a", ...allow("b") }] },
    "a rule has either name or names",
  ],
  [
    "both kinds of architectures",
    { ...deny, ...both, archMap: [{ architecture: "SCMP_ARCH_X86_64" }] },
    "it has both architectures and archMap",
  ],
  [
    "an unknown comparison",
    { ...deny, syscalls: [{ ...allow("read"), args: [{ index: 0, value: 1, op: "EQ" }] }] },
    'there is no comparison "EQ"',
  ],
  [
    "an argument that no call has",
    {
      ...deny,
      syscalls: [{ ...allow("read"), args: [{ index: 6, value: 1, op: "SCMP_CMP_EQ" }] }],
    },
    /^\/syscalls\/0\/args/,
  ],
  [
    "an unknown flag",
    { ...deny, flags: ["SECCOMP_FILTER_FLAG_NEW_LISTENER"] },
    'the flag "SECCOMP_FILTER_FLAG_NEW_LISTENER" is not supported',
  ],
  ["an unknown field", { ...deny, sycalls: [] }, "the format has no field /sycalls"],
];

for (const [what, profile, why] of wrong) {
  test(`a profile with ${what} is refused`, () => {
    const text = typeof profile === "string" ? profile : JSON.stringify(profile);
    expect(() => parseSeccompProfile(text, target, fail)).toThrow(why);
  });
}
