// Profiles in Docker's and OCI's format, against a reading of their own words call by call.

import { expect, test } from "bun:test";
import { compileProfile } from "../../src/plan/seccomp/compile.ts";
import { foreignSyscalls } from "../../src/plan/seccomp/foreign-syscalls.gen.ts";
import { syscalls } from "../../src/plan/seccomp/syscalls.gen.ts";
import { parseSeccompProfile } from "../../src/resolve/seccomp-profile.ts";
import { runFilter } from "../plan/bpf-machine.ts";
import {
  both,
  compared,
  enosys,
  expectAgreement,
  fail,
  randomProfile,
  target,
} from "../support/seccomp-words.ts";

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
