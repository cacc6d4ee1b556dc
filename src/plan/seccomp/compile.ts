// Profile → the bytes that seccomp(2) takes. Pure; programs are made once per process and shared.
// Those that containers get by default lie ready: compiling one takes a fresh process longer than
// the rest of its planning.
//
// When a filter is installed the kernel (kernel/seccomp.c, seccomp_is_const_allow) walks through it
// once for every system call number of both ABIs, to remember which calls are always allowed; those
// never run it again. So depth is paid at installation, by every container, and a tree over number
// ranges beats a list. That walk understands only the instructions of assembler.ts; any other would
// be run at every call.

import { isCapability } from "../../spec/capabilities.ts";
import type { Assembler, Label } from "./assembler.ts";
import { createAssembler } from "./assembler.ts";
import type {
  ArgumentTest,
  CompareOperator,
  ForeignArch,
  SeccompAction,
  SeccompProfile,
} from "../../spec/seccomp.ts";
import type { SeccompTarget } from "./profile.ts";
import { ruleApplies } from "./profile.ts";
import { programs as readyPrograms } from "./programs.gen.ts";
import type { Fate, Range } from "./ranges.ts";
import { foreignRanges, printBig, rangesOf } from "./ranges.ts";
import { runtimeDefault } from "./runtime-default.ts";
import type { Tree } from "./tree.ts";
import { planTree } from "./tree.ts";

/**
 * linux/audit.h: AUDIT_ARCH_X86_64 and AUDIT_ARCH_AARCH64, then I386 and ARM. x32 has the first of
 * them, and bit 30 in the number.
 */
const auditArch = { x64: 0xc000003e, arm64: 0xc00000b7 } as const;
const foreignAuditArch = { x86: 0x40000003, arm: 0x40000028 } as const;

/** Offsets in struct seccomp_data. */
const numberOffset = 0;
const archOffset = 4;
const argumentLowOffset = (index: number): number => 16 + 8 * index;
const argumentHighOffset = (index: number): number => argumentLowOffset(index) + 4;

const programs = new WeakMap<SeccompProfile, Map<string, Uint8Array>>();

/**
 * The program as an array of struct sock_filter. The bytes are shared by all callers: read them
 * only.
 */
export function compileSeccomp(profile: SeccompProfile, target: SeccompTarget): Uint8Array {
  for (const name of target.capabilities) {
    if (!isCapability(name)) throw new Error(`there is no capability ${JSON.stringify(name)}`);
  }
  let known = programs.get(profile);
  if (known === undefined) programs.set(profile, (known = new Map()));
  const key = programKey(profile, target);
  let program = known.get(key);
  if (program === undefined) {
    const ready = profile === runtimeDefault ? readyPrograms[key] : undefined;
    program = ready === undefined ? compileProfile(profile, target) : Buffer.from(ready, "base64");
    known.set(key, program);
  }
  return program;
}

/** Targets to which the same rules apply have the same program. */
export function programKey(profile: SeccompProfile, target: SeccompTarget): string {
  const applies = profile.rules.map((rule) => (ruleApplies(rule, target) ? "1" : "0"));
  return `${target.arch} ${applies.join("")}`;
}

export function compileProfile(profile: SeccompProfile, target: SeccompTarget): Uint8Array {
  const assembler = createAssembler();
  const emitFate = once((fate: Fate) => emitClauses(assembler, fate));
  const emitAbi = (ranges: readonly Range[]): Label =>
    assembler.load(numberOffset, emitTree(assembler, planTree(ranges), emitFate));

  const unlisted = emitFate([{ action: profile.foreignArch }]);
  const foreign = (profile.foreign ?? []).filter((arch) => isBeside(arch, target));
  const others = foreign.reduce<Label>(
    (next, arch) =>
      assembler.jump(
        "equal",
        foreignAuditArch[arch],
        emitAbi(foreignRanges(profile, target, arch)),
        next,
      ),
    unlisted,
  );
  const native = emitAbi(rangesOf(profile, target));
  const start = assembler.jump("equal", auditArch[target.arch], native, others);
  assembler.load(archOffset, start);
  return assembler.finish();
}

/** Machines of each kind have one further ABI, with an audit number of its own. */
function isBeside(arch: ForeignArch, target: SeccompTarget): arch is "x86" | "arm" {
  return arch === (target.arch === "x64" ? "x86" : "arm");
}

/** Equal fates share one piece of the program. */
function once(emit: (fate: Fate) => Label): (fate: Fate) => Label {
  const labels = new Map<string, Label>();
  return (fate) => {
    const key = JSON.stringify(fate, printBig);
    let label = labels.get(key);
    if (label === undefined) labels.set(key, (label = emit(fate)));
    return label;
  };
}

function emitTree(assembler: Assembler, tree: Tree, emitFate: (fate: Fate) => Label): Label {
  switch (tree.kind) {
    case "leaf":
      return emitFate(tree.range.fate);
    case "split": {
      const right = emitTree(assembler, tree.right, emitFate);
      const left = emitTree(assembler, tree.left, emitFate);
      return assembler.jump("atLeast", tree.first, right, left);
    }
    case "single": {
      const hit = emitFate(tree.hit.fate);
      const others = emitTree(assembler, tree.others, emitFate);
      return assembler.jump("equal", tree.number, hit, others);
    }
    default:
      return tree satisfies never;
  }
}

function emitClauses(assembler: Assembler, fate: Fate): Label {
  const returns = new Map<number, Label>();
  const emitReturn = (action: SeccompAction): Label => {
    const value = returnValue(action);
    const label = returns.get(value) ?? assembler.ret(value);
    returns.set(value, label);
    return label;
  };
  return fate.reduceRight<Label>((next, { arguments: tests = [], action }) => {
    const all = emitReturn(action);
    return tests.reduceRight<Label>((yes, test) => emitTest(assembler, test, yes, next), all);
  }, -1);
}

function emitTest(assembler: Assembler, test: ArgumentTest, yes: Label, no: Label): Label {
  const load = (next: Label): Label => assembler.load(argumentLowOffset(test.index), next);
  const anyOf = (values: readonly number[], hit: Label, miss: Label): Label =>
    values.reduceRight((next, value) => assembler.jump("equal", value, hit, next), miss);
  switch (test.kind) {
    case "one-of":
      return load(anyOf(test.values, yes, no));
    case "none-of":
      return load(anyOf(test.values, no, yes));
    case "masked":
      if (test.equals === 0) return load(assembler.jump("anyBit", test.mask, no, yes));
      return load(assembler.and(test.mask, assembler.jump("equal", test.equals, yes, no)));
    case "compare":
      return emitCompare(assembler, test, yes, no);
    default:
      return test satisfies never;
  }
}

type Compare = Extract<ArgumentTest, { readonly kind: "compare" }>;

/** Instructions see 32 bits, so the high half of an argument is asked before the low one. */
function emitCompare(assembler: Assembler, test: Compare, yes: Label, no: Label): Label {
  const { index, mask } = test;
  const masked = test.operator === "masked-eq" ? test.value & mask : test.value;
  const [high, low] = [Number(masked >> 32n), Number(masked & 0xffffffffn)];
  const onHigh = (next: Label): Label => assembler.load(argumentHighOffset(index), next);
  const onLow = (next: Label): Label => assembler.load(argumentLowOffset(index), next);
  const equal = (hit: Label, miss: Label): Label => {
    const lower = onLow(assembler.jump("equal", low, hit, miss));
    return onHigh(assembler.jump("equal", high, lower, miss));
  };
  const atLeast = (hit: Label, miss: Label): Label => {
    const lower = onLow(assembler.jump("atLeast", low, hit, miss));
    const higher = assembler.jump("atLeast", high, hit, miss);
    return onHigh(assembler.jump("equal", high, lower, higher));
  };
  const above = (hit: Label, miss: Label): Label => {
    const over = low === 0xffffffff ? miss : assembler.jump("atLeast", low + 1, hit, miss);
    const higher = assembler.jump("atLeast", high, hit, miss);
    return onHigh(assembler.jump("equal", high, onLow(over), higher));
  };
  const maskedEqual = (hit: Label, miss: Label): Label => {
    const [maskHigh, maskLow] = [Number(mask >> 32n), Number(mask & 0xffffffffn)];
    const lower = onLow(assembler.and(maskLow, assembler.jump("equal", low, hit, miss)));
    return onHigh(assembler.and(maskHigh, assembler.jump("equal", high, lower, miss)));
  };
  const emit: Readonly<Record<CompareOperator, () => Label>> = {
    eq: () => equal(yes, no),
    ne: () => equal(no, yes),
    ge: () => atLeast(yes, no),
    lt: () => atLeast(no, yes),
    gt: () => above(yes, no),
    le: () => above(no, yes),
    "masked-eq": () => maskedEqual(yes, no),
  };
  return emit[test.operator]();
}

/** linux/seccomp.h: SECCOMP_RET_*. */
function returnValue(action: SeccompAction): number {
  switch (action.kind) {
    case "allow":
      return 0x7fff0000;
    case "log":
      return 0x7ffc0000;
    case "trace":
      return 0x7ff00000 | action.message;
    case "errno":
      return 0x00050000 | action.errno;
    case "trap":
      return 0x00030000;
    case "kill-process":
      return 0x80000000;
    case "kill-thread":
      return 0;
    default:
      return action satisfies never;
  }
}
