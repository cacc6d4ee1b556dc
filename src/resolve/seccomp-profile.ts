// A profile of the host's administrator → rules. The format is that of Docker, which is that of OCI
// with conditions: those are answered here, for one container.

import { readFileSync } from "node:fs";
import Type from "typebox";
import { Compile } from "typebox/compile";
import type { Static } from "typebox";
import type { Origin } from "../errors/pod-error.ts";
import { PodError } from "../errors/pod-error.ts";
import { errnoName } from "../native/errno.ts";
import { closeFd, O_CLOEXEC, O_RDONLY, openBeneath } from "../native/syscalls.ts";
import { openDirectory } from "../native/tree.ts";
import { capabilityNames } from "../spec/capabilities.ts";
import { specAllow } from "../spec/seccomp.ts";
import type {
  ArgumentTest,
  CompareOperator,
  ForeignArch,
  SeccompAction,
  SeccompProfile,
  SeccompRule,
} from "../spec/seccomp.ts";

export interface ProfileTarget {
  readonly arch: "x64" | "arm64";
  readonly kernel: readonly [major: number, minor: number];
  readonly capabilities: bigint;
}

/** Docker's own has 14 KiB. */
const bytesMax = 1 << 20;

const Texts = Type.Array(Type.String());
const Condition = Type.Object({
  caps: Type.Optional(Texts),
  arches: Type.Optional(Texts),
  minKernel: Type.Optional(Type.String({ pattern: "^\\d+\\.\\d+$" })),
});
const Errno = Type.Integer({ minimum: 0, maximum: 4095 });
/** Numbers beyond 2⁵³ stand as decimal text; see `parse`. */
const Value = Type.Union([Type.Integer({ minimum: 0 }), Type.String({ pattern: "^\\d{1,20}$" })]);
const Syscall = Type.Object(
  {
    name: Type.Optional(Type.String()),
    names: Type.Optional(Texts),
    action: Type.String(),
    errnoRet: Type.Optional(Errno),
    args: Type.Optional(
      Type.Union([
        Type.Null(),
        Type.Array(
          Type.Object(
            {
              index: Type.Integer({ minimum: 0, maximum: 5 }),
              value: Value,
              valueTwo: Type.Optional(Value),
              op: Type.String(),
            },
            { additionalProperties: false },
          ),
        ),
      ]),
    ),
    comment: Type.Optional(Type.String()),
    includes: Type.Optional(Condition),
    excludes: Type.Optional(Condition),
  },
  { additionalProperties: false },
);
const Profile = Type.Object(
  {
    defaultAction: Type.String(),
    defaultErrnoRet: Type.Optional(Errno),
    defaultErrno: Type.Optional(Type.String()),
    architectures: Type.Optional(Texts),
    archMap: Type.Optional(
      Type.Array(
        Type.Object({
          architecture: Type.String(),
          subArchitectures: Type.Optional(Type.Union([Type.Null(), Texts])),
        }),
      ),
    ),
    flags: Type.Optional(Texts),
    listenerPath: Type.Optional(Type.String()),
    listenerMetadata: Type.Optional(Type.String()),
    syscalls: Type.Optional(Type.Array(Syscall)),
  },
  { additionalProperties: false },
);
type Syscall = Static<typeof Syscall>;
const isProfile = Compile(Profile);

/** Equal text for equal containers is equal data, so that its program is compiled once. */
const known = new Map<string, SeccompProfile>();
const knownMax = 64;

/** `name` is relative to `<root>/seccomp`, and stays beneath it. */
export function readSeccompProfile(
  root: string,
  name: string,
  origin: Origin,
  target: ProfileTarget,
): SeccompProfile {
  const fail = (why: string) =>
    new PodError({
      code: "host.seccomp-profile-unusable",
      message: `the seccomp profile ${root}/seccomp/${name} cannot be used: ${why}`,
      origin,
    });
  const bytes = readBytes(`${root}/seccomp`, name, fail);
  const digest = new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
  const key = `${digest} ${target.arch} ${target.kernel.join(".")} ${target.capabilities}`;
  let profile = known.get(key);
  if (profile === undefined) {
    profile = parseSeccompProfile(Buffer.from(bytes).toString("utf8"), target, fail);
    if (known.size >= knownMax) known.clear();
    known.set(key, profile);
  }
  return profile;
}

function readBytes(directory: string, name: string, fail: (why: string) => PodError): Uint8Array {
  let root = -1;
  let fd = -1;
  try {
    root = openDirectory(directory);
    fd = openBeneath(root, name, O_RDONLY | O_CLOEXEC, 0);
    const bytes = readFileSync(fd);
    if (bytes.length > bytesMax) throw fail(`it has more than ${bytesMax} bytes`);
    return bytes;
  } catch (error) {
    if (error instanceof PodError) throw error;
    const errno = error instanceof Error && "errno" in error ? Number(error.errno) : 0;
    throw fail(errno === 0 ? String(error) : errnoName(Math.abs(errno)));
  } finally {
    if (fd >= 0) closeFd(fd);
    if (root >= 0) closeFd(root);
  }
}

/** `fail` makes the error that tells what is wrong with it. */
export function parseSeccompProfile(
  text: string,
  target: ProfileTarget,
  fail: (why: string) => Error,
): SeccompProfile {
  const value = parse(text, fail);
  if (!isProfile.Check(value)) {
    throw fail(complaintOf(isProfile.Errors(value)));
  }
  if (value.listenerPath !== undefined) throw fail("listenerPath: nobody here listens");
  const otherwise = actionOf(value.defaultAction, value.defaultErrnoRet, fail);
  const isPermissive = otherwise.kind === "allow" || otherwise.kind === "log";
  const rules = (value.syscalls ?? [])
    .filter((syscall) => applies(syscall, target))
    .flatMap((syscall) => rulesOf(syscall, fail));
  return {
    rules: [...rules, ...(isPermissive ? [] : cloneRule(rules))],
    otherwise,
    // Programs probe for new calls and take EPERM for a verdict.
    unknownNumber: isPermissive ? otherwise : enosys,
    isImported: true,
    foreignArch: enosys,
    foreign: foreignOf(value, target, fail),
    flags: flagsOf(value.flags, fail),
  };
}

function complaintOf([first]: ReturnType<typeof isProfile.Errors>): string {
  if (first === undefined) return "it is no profile";
  const { instancePath, message, keyword } = first;
  // What the format does not have is a schema that nothing fits.
  if (keyword === "boolean") return `the format has no field ${instancePath}`;
  return `${instancePath || "it"} ${message}`;
}

const enosys: SeccompAction = { kind: "errno", errno: 38 };

/** Numbers that JavaScript would round are kept as the text that they were. */
function parse(text: string, fail: (why: string) => Error): unknown {
  try {
    return JSON.parse(text.replace(/(:\s*)(\d{16,20})(?=\s*[,}\]])/g, '$1"$2"'));
  } catch (error) {
    throw fail(error instanceof Error ? error.message : String(error));
  }
}

/** What such a container meets; all that a condition names has to be so. */
function applies({ includes, excludes }: Syscall, target: ProfileTarget): boolean {
  const names = { x64: "amd64", arm64: "arm64" } as const;
  const arch = names[target.arch];
  const held = new Set(capabilityNames(target.capabilities).map((name) => `CAP_${name}`));
  const isNewEnough = (version: string) => isAtLeast(target.kernel, version);
  const { caps: needed = [], arches, minKernel } = includes ?? {};
  if (!needed.every((name) => held.has(name))) return false;
  if (arches !== undefined && arches.length > 0 && !arches.includes(arch)) return false;
  if (minKernel !== undefined && !isNewEnough(minKernel)) return false;
  const { caps: barred = [], arches: others = [], minKernel: end } = excludes ?? {};
  if (barred.some((name) => held.has(name)) || others.includes(arch)) return false;
  return end === undefined || !isNewEnough(end);
}

function isAtLeast([major, minor]: ProfileTarget["kernel"], version: string): boolean {
  const [wantedMajor = 0, wantedMinor = 0] = version.split(".").map(Number);
  return major > wantedMajor || (major === wantedMajor && minor >= wantedMinor);
}

function rulesOf(syscall: Syscall, fail: (why: string) => Error): SeccompRule[] {
  const { name, names: list, args } = syscall;
  if ((name === undefined) === (list === undefined)) {
    throw fail("a rule has either name or names");
  }
  const names = list ?? [name ?? ""];
  const action = actionOf(syscall.action, syscall.errnoRet, fail);
  const tests = (args ?? []).map((arg) => testOf(arg, fail));
  const indexes = new Set(tests.map(({ index }) => index));
  // Two questions about one argument are alternatives, by runc's reading; about several they go
  // together.
  const groups = indexes.size < tests.length ? tests.map((test) => [test]) : [tests];
  return [
    ...groups.map((group) => ({ names, action, ...(group.length > 0 && { arguments: group }) })),
    ...(tests.length === 0 ? multiplexed(names, action) : []),
  ];
}

type Arg = NonNullable<Syscall["args"]>[number];

const operators: Readonly<Record<string, CompareOperator>> = {
  SCMP_CMP_NE: "ne",
  SCMP_CMP_LT: "lt",
  SCMP_CMP_LE: "le",
  SCMP_CMP_EQ: "eq",
  SCMP_CMP_GE: "ge",
  SCMP_CMP_GT: "gt",
  SCMP_CMP_MASKED_EQ: "masked-eq",
};

/** For a masked comparison `value` is the mask. */
function testOf(
  { index, value, valueTwo = 0, op }: Arg,
  fail: (why: string) => Error,
): ArgumentTest {
  const operator = operators[op];
  if (operator === undefined) throw fail(`there is no comparison ${JSON.stringify(op)}`);
  const [first, second] = [BigInt(value), BigInt(valueTwo)];
  if (first >> 64n !== 0n || second >> 64n !== 0n) throw fail(`${value} has more than 64 bits`);
  return operator === "masked-eq"
    ? { kind: "compare", index, operator, value: second, mask: first }
    : { kind: "compare", index, operator, value: first, mask: 0n };
}

function actionOf(
  name: string,
  errno: number | undefined,
  fail: (why: string) => Error,
): SeccompAction {
  switch (name) {
    case "SCMP_ACT_ALLOW":
      return { kind: "allow" };
    case "SCMP_ACT_LOG":
      return { kind: "log" };
    case "SCMP_ACT_TRAP":
      return { kind: "trap" };
    case "SCMP_ACT_KILL":
    case "SCMP_ACT_KILL_THREAD":
      return { kind: "kill-thread" };
    case "SCMP_ACT_KILL_PROCESS":
      return { kind: "kill-process" };
    case "SCMP_ACT_ERRNO":
      return { kind: "errno", errno: errno ?? 1 };
    case "SCMP_ACT_TRACE":
      return { kind: "trace", message: errno ?? 1 };
    case "SCMP_ACT_NOTIFY":
      throw fail("SCMP_ACT_NOTIFY: nobody here answers notifications");
    default:
      throw fail(`there is no action ${JSON.stringify(name)}`);
  }
}

/**
 * Its flags lie in memory, where a filter cannot see them: a profile that looks at those of clone
 * and says nothing of clone3 gets ENOSYS for it, so that libc falls back to clone.
 */
function cloneRule(rules: readonly SeccompRule[]): SeccompRule[] {
  const asks = rules.some((rule) => rule.arguments && rule.names.includes("clone"));
  const isNamed = rules.some(({ names }) => names.includes("clone3"));
  return asks && !isNamed ? [{ names: ["clone3"], action: enosys }] : [];
}

/** Numbers of the calls that 32-bit programs reach through one (linux/net.h, linux/ipc.h). */
const socketcalls = [
  ...["", "socket", "bind", "connect", "listen", "accept", "getsockname", "getpeername"],
  ...["socketpair", "send", "recv", "sendto", "recvfrom", "shutdown", "setsockopt", "getsockopt"],
  ...["sendmsg", "recvmsg", "accept4", "recvmmsg", "sendmmsg"],
];
const ipcs: Readonly<Record<string, number>> = {
  ...{ semop: 1, semget: 2, semctl: 3, semtimedop: 4, msgsnd: 11, msgrcv: 12, msgget: 13 },
  ...{ msgctl: 14, shmat: 21, shmdt: 22, shmget: 23, shmctl: 24 },
};

/** As libseccomp has it. The arguments of such a call are in memory: rules that ask stay out. */
function multiplexed(names: readonly string[], action: SeccompAction): SeccompRule[] {
  return names.flatMap((name) => {
    const socketcall = socketcalls.indexOf(name);
    const ipc = ipcs[name];
    if (socketcall > 0) return [{ names: ["socketcall"], action, arguments: [is(socketcall)] }];
    return ipc === undefined ? [] : [{ names: ["ipc"], action, arguments: [is(ipc)] }];
  });
}

function is(value: number): ArgumentTest {
  return { kind: "compare", index: 0, operator: "eq", value: BigInt(value), mask: 0n };
}

const nativeArch = { x64: "SCMP_ARCH_X86_64", arm64: "SCMP_ARCH_AARCH64" } as const;
const foreignArches: Readonly<Record<string, ForeignArch>> = {
  SCMP_ARCH_X86: "x86",
  SCMP_ARCH_X32: "x32",
  SCMP_ARCH_ARM: "arm",
};

function foreignOf(
  { architectures, archMap }: Static<typeof Profile>,
  { arch }: ProfileTarget,
  fail: (why: string) => Error,
): ForeignArch[] {
  if (architectures && archMap && architectures.length > 0 && archMap.length > 0) {
    throw fail("it has both architectures and archMap");
  }
  const own = archMap?.find(({ architecture }) => architecture === nativeArch[arch]);
  const names = [...(architectures ?? []), ...(own?.subArchitectures ?? [])];
  const others = names.flatMap((name) => foreignArches[name] ?? []);
  return [...new Set(others)].filter((other) => (other === "arm") === (arch === "arm64"));
}

function flagsOf(flags: readonly string[] | undefined, fail: (why: string) => Error): number {
  // What runc takes when nothing is said.
  if (flags === undefined) return specAllow;
  return flags.reduce((mask, flag) => {
    switch (flag) {
      case "SECCOMP_FILTER_FLAG_LOG":
        return mask | 2;
      case "SECCOMP_FILTER_FLAG_SPEC_ALLOW":
        return mask | specAllow;
      // There is one thread to install it for.
      case "SECCOMP_FILTER_FLAG_TSYNC":
        return mask;
      default:
        throw fail(`the flag ${JSON.stringify(flag)} is not supported`);
    }
  }, 0);
}
