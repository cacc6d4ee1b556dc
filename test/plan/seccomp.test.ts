import { describe, expect, test } from "bun:test";
import { capabilities, defaultCapabilities } from "../../src/spec/capabilities.ts";
import { createAssembler } from "../../src/plan/seccomp/assembler.ts";
import { compileSeccomp } from "../../src/plan/seccomp/compile.ts";
import type { SeccompTarget } from "../../src/plan/seccomp/profile.ts";
import type { SeccompAction, SeccompArch, SeccompProfile } from "../../src/spec/seccomp.ts";
import { runtimeDefault } from "../../src/plan/seccomp/runtime-default.ts";
import { syscalls } from "../../src/plan/seccomp/syscalls.gen.ts";
import { type Call, runFilter } from "./bpf-machine.ts";

const auditArch = { x64: 0xc000003e, arm64: 0xc00000b7 };
const foreign = { i386: 0x40000003, arm: 0x40000028, x64: 0xc000003e, arm64: 0xc00000b7 };
const arches: readonly SeccompArch[] = ["x64", "arm64"];
const allow: SeccompAction = { kind: "allow" };
const eperm: SeccompAction = { kind: "errno", errno: 1 };
const enosys: SeccompAction = { kind: "errno", errno: 38 };

function target(arch: SeccompArch, held: readonly string[] = defaultCapabilities): SeccompTarget {
  return { arch, capabilities: new Set(held), kernel: [6, 1] };
}

const tables = { x64: syscalls.x64(), arm64: syscalls.arm64() };

function table(arch: SeccompArch): Readonly<Record<string, number>> {
  return tables[arch];
}

function decide(profile: SeccompProfile, to: SeccompTarget, call: Call): SeccompAction {
  const { result } = runFilter(compileSeccomp(profile, to), call);
  if (result === 0x7fff0000) return { kind: "allow" };
  if (result === 0x7ffc0000) return { kind: "log" };
  if (result === 0x80000000) return { kind: "kill-process" };
  if (result >>> 16 === 5) return { kind: "errno", errno: result & 0xffff };
  throw new Error(`the filter returned 0x${result.toString(16)}`);
}

/** What RuntimeDefault does with a call by name. */
function fate(name: string, args: readonly bigint[] = [], held?: readonly string[]): SeccompAction {
  const call = { number: table("x64")[name]!, auditArch: auditArch.x64, args };
  return decide(runtimeDefault, target("x64", held), call);
}

/** The profile's own words, read rule by rule: what every program must agree with. */
function interpret(profile: SeccompProfile, to: SeccompTarget, call: Call): SeccompAction {
  if (call.auditArch !== auditArch[to.arch]) return profile.foreignArch;
  const name = Object.keys(table(to.arch)).find((key) => table(to.arch)[key] === call.number);
  if (name === undefined) return profile.unknownNumber;
  for (const rule of profile.rules) {
    if (!rule.names.includes(name)) continue;
    if (rule.capability && !to.capabilities.has(rule.capability)) continue;
    if (rule.withoutCapability && to.capabilities.has(rule.withoutCapability)) continue;
    if (rule.arch && rule.arch !== to.arch) continue;
    if (rule.kernelMin && to.kernel[0] * 1000 + to.kernel[1] < version(rule.kernelMin)) continue;
    const [test] = rule.arguments ?? [];
    if (test) {
      const value = Number(BigInt.asUintN(32, call.args[test.index] ?? 0n));
      if (test.kind === "one-of" && !test.values.includes(value)) continue;
      if (test.kind === "none-of" && test.values.includes(value)) continue;
      if (test.kind === "masked" && (value & test.mask) >>> 0 !== test.equals) continue;
    }
    return rule.action;
  }
  return profile.otherwise;
}

function version([major, minor]: readonly [number, number]): number {
  return major * 1000 + minor;
}

const numbers = [
  ...Array.from({ length: 1025 }, (_, number) => number),
  ...[0, 1, 56, 59, 520, 1024].map((number) => 0x40000000 + number),
  0x3fffffff,
  0x7fffffff,
  0x80000000,
  0xffffffff,
];

/** Around every value that RuntimeDefault compares with, below and above bit 32. */
const arguments0 = [0, 1, 7, 8, 9, 37, 38, 39, 40, 41, 0x20000, 0x20008, 0x02000000, 0x10000000]
  .concat([0x7e020000, 0x7fffffff, 0x80000000, 0xffffffff, 0x00011200])
  .flatMap((low) => [BigInt(low), BigInt(low) | (1n << 32n)]);

function expectAgreement(profile: SeccompProfile, to: SeccompTarget): void {
  for (const number of numbers) {
    const call: Call = { number, auditArch: auditArch[to.arch], args: [] };
    const asked = profile.rules.some(
      (rule) => rule.arguments && rule.names.some((name) => table(to.arch)[name] === number),
    );
    for (const value of asked ? arguments0 : [0n, 38n]) {
      const args = Array.from({ length: 6 }, () => value);
      const compiled = decide(profile, to, { ...call, args });
      const expected = interpret(profile, to, { ...call, args });
      if (!Bun.deepEquals(compiled, expected)) {
        expect({ number, value, action: compiled }).toEqual({ number, value, action: expected });
      }
    }
  }
}

describe("the compiled default profile decides every call as its rules read", () => {
  const holders: readonly (readonly [string, readonly string[]])[] = [
    ["no capability", []],
    ["the default capabilities", defaultCapabilities],
    ["every capability", capabilities],
    ...capabilities.map((name) => [`${name} alone`, [name]] as const),
  ];
  for (const arch of arches) {
    test.each(holders)(`${arch}, with %s`, (_, held) => {
      expectAgreement(runtimeDefault, target(arch, held));
    });
  }
});

test("a 32-bit program gets ENOSYS for every call", () => {
  for (const arch of arches) {
    for (const other of Object.values(foreign)) {
      if (other === auditArch[arch]) continue;
      for (const number of [0, 1, 102, 120, 200]) {
        const call = { number, auditArch: other, args: [] };
        expect(decide(runtimeDefault, target(arch), call)).toEqual(enosys);
      }
    }
  }
});

test("an x32 number and a number newer than the table get ENOSYS, a refused call EPERM", () => {
  const call = (number: number): Call => ({ number, auditArch: auditArch.x64, args: [] });
  expect(decide(runtimeDefault, target("x64"), call(0x40000000))).toEqual(enosys);
  expect(decide(runtimeDefault, target("x64"), call(471))).toEqual(enosys);
  expect(decide(runtimeDefault, target("x64"), call(400))).toEqual(enosys);
  expect(fate("io_uring_setup")).toEqual(eperm);
  expect(fate("keyctl")).toEqual(eperm);
  expect(fate("pivot_root", [], capabilities)).toEqual(eperm);
});

test("a clone that makes a namespace needs CAP_SYS_ADMIN, and clone3 falls back to clone", () => {
  expect(fate("clone", [0x00011200n])).toEqual(allow);
  expect(fate("clone", [0x10000000n])).toEqual(eperm);
  expect(fate("clone3")).toEqual(enosys);
  expect(fate("clone", [0x10000000n], ["SYS_ADMIN"])).toEqual(allow);
  expect(fate("clone3", [], ["SYS_ADMIN"])).toEqual(allow);
});

test("AF_ALG and AF_VSOCK sockets are refused, also with a bit set that the kernel ignores", () => {
  expect(fate("socket", [2n])).toEqual(allow);
  expect(fate("socket", [39n])).toEqual(allow);
  expect(fate("socket", [38n])).toEqual(eperm);
  expect(fate("socket", [40n])).toEqual(eperm);
  expect(fate("socket", [(1n << 32n) | 38n])).toEqual(eperm);
});

test("a filter for the default capabilities stays below 80 instructions and 20 steps a call", () => {
  const lengths: Record<string, number> = {};
  for (const arch of arches) {
    const program = compileSeccomp(runtimeDefault, target(arch));
    lengths[arch] = program.length / 8;
    for (const number of numbers) {
      const { steps } = runFilter(program, { number, auditArch: auditArch[arch], args: [] });
      expect(steps).toBeLessThanOrEqual(20);
    }
  }
  expect(lengths).toEqual({ x64: 73, arm64: 77 });
});

test("a program is compiled once for all capabilities that the profile does not ask about", () => {
  const program = compileSeccomp(runtimeDefault, target("x64"));
  expect(compileSeccomp(runtimeDefault, target("x64", ["NET_RAW", "CHOWN"]))).toBe(program);
  expect(compileSeccomp(runtimeDefault, target("x64", ["SYS_TIME"]))).not.toBe(program);
  expect(compileSeccomp(runtimeDefault, target("arm64"))).not.toBe(program);
});

test("a capability or a call that does not exist is refused", () => {
  expect(() => compileSeccomp(runtimeDefault, target("x64", ["CAP_SYS_ADMIN"]))).toThrow(
    'there is no capability "CAP_SYS_ADMIN"',
  );
  const profile = { ...runtimeDefault, rules: [{ names: ["raed"], action: allow }] };
  expect(() => compileSeccomp(profile, target("x64"))).toThrow(
    "a seccomp profile names the unknown call raed",
  );
});

test("several tests on one call are asked in the order of the rules", () => {
  const profile: SeccompProfile = {
    ...runtimeDefault,
    rules: [
      {
        names: ["socket", "ioctl"],
        action: { kind: "kill-process" },
        arguments: [{ index: 1, kind: "masked", mask: 0xff, equals: 0x12 }],
      },
      {
        names: ["ioctl"],
        action: { kind: "log" },
        arguments: [{ index: 0, kind: "one-of", values: [0x112, 41] }],
      },
      { names: ["ioctl"], action: allow, kernelMin: [6, 1] },
      { names: ["ioctl"], action: eperm },
      { names: ["read"], action: allow, kernelMin: [6, 2] },
    ],
  };
  for (const arch of arches) expectAgreement(profile, target(arch));
  const ioctl = (...args: bigint[]): SeccompAction =>
    decide(profile, target("x64"), { number: 16, auditArch: auditArch.x64, args });
  expect(ioctl(41n, 0x512n)).toEqual({ kind: "kill-process" });
  expect(ioctl(41n, 0n)).toEqual({ kind: "log" });
  expect(ioctl(40n, 0n)).toEqual(allow);
});

test("a profile with another fate for every call jumps further than eight bits reach", () => {
  for (const arch of arches) {
    const profile: SeccompProfile = {
      ...runtimeDefault,
      rules: Object.keys(table(arch)).map((name, index) => ({
        names: [name],
        action: { kind: "errno", errno: 1 + (index % 300) },
        arguments: [{ index: 0, kind: index % 3 === 0 ? "one-of" : "none-of", values: [38, 40] }],
      })),
    };
    expectAgreement(profile, target(arch));
  }
});

test("a program longer than the kernel takes is refused", () => {
  const assembler = createAssembler();
  let label = assembler.ret(0);
  for (let index = 0; index < 4096; index++) label = assembler.load(0, label);
  expect(() => assembler.finish()).toThrow("a filter of 4097 instructions: the kernel takes 4096");
});
