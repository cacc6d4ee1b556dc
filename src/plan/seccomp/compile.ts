// Profile → the bytes that seccomp(2) takes. Pure; programs are made once per process and shared.
// Those that containers get by default lie ready: compiling one takes a fresh process longer than
// the rest of its planning.
//
// When a filter is installed the kernel (kernel/seccomp.c, seccomp_is_const_allow) walks through it
// once for every system call number of both ABIs, to remember which calls are always allowed; those
// never run it again. So depth is paid at installation, by every container, and a tree over number
// ranges beats a list. That walk understands only the instructions of assembler.ts; any other would
// be run at every call.

import { isCapability } from "../capabilities.ts";
import type { Assembler, Label } from "./assembler.ts";
import { createAssembler } from "./assembler.ts";
import type { ArgumentTest, SeccompAction, SeccompProfile, SeccompTarget } from "./profile.ts";
import { ruleApplies } from "./profile.ts";
import { programs as readyPrograms } from "./programs.gen.ts";
import type { Fate } from "./ranges.ts";
import { rangesOf } from "./ranges.ts";
import { runtimeDefault } from "./runtime-default.ts";
import type { Tree } from "./tree.ts";
import { planTree } from "./tree.ts";

/**
 * linux/audit.h: AUDIT_ARCH_X86_64 and AUDIT_ARCH_AARCH64. x32 has the former, and bit 30 in the
 * number.
 */
const auditArch = { x64: 0xc000003e, arm64: 0xc00000b7 } as const;

/** Offsets in struct seccomp_data. */
const numberOffset = 0;
const archOffset = 4;
const argumentLowOffset = (index: number): number => 16 + 8 * index;

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

  const foreign = emitFate([{ action: profile.foreignArch }]);
  const tree = emitTree(assembler, planTree(rangesOf(profile, target)), emitFate);
  const native = assembler.load(numberOffset, tree);
  const start = assembler.jump("equal", auditArch[target.arch], native, foreign);
  assembler.load(archOffset, start);
  return assembler.finish();
}

/** Equal fates share one piece of the program. */
function once(emit: (fate: Fate) => Label): (fate: Fate) => Label {
  const labels = new Map<string, Label>();
  return (fate) => {
    const key = JSON.stringify(fate);
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
  return fate.reduceRight<Label>((next, { argument, action }) => {
    const yes = emitReturn(action);
    return argument === undefined ? yes : emitTest(assembler, argument, yes, next);
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
    default:
      return test satisfies never;
  }
}

/** linux/seccomp.h: SECCOMP_RET_*. */
function returnValue(action: SeccompAction): number {
  switch (action.kind) {
    case "allow":
      return 0x7fff0000;
    case "log":
      return 0x7ffc0000;
    case "errno":
      return 0x00050000 | action.errno;
    case "kill-process":
      return 0x80000000;
    default:
      return action satisfies never;
  }
}
