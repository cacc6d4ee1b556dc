// A profile, seen by number: neighbouring system calls with the same fate, merged.

import type {
  ArgumentTest,
  ForeignArch,
  SeccompAction,
  SeccompArch,
  SeccompProfile,
} from "../../spec/seccomp.ts";
import type { SeccompTarget } from "./profile.ts";
import { ruleApplies } from "./profile.ts";
import { syscalls } from "./syscalls.gen.ts";

/**
 * What becomes of a call: the first clause whose tests all pass decides. The last clause has none.
 */
export type Fate = readonly {
  readonly arguments?: readonly ArgumentTest[];
  readonly action: SeccompAction;
}[];

/** All numbers from `first` up to the next range's `first`; the last range reaches to 2³²−1. */
export interface Range {
  readonly first: number;
  readonly fate: Fate;
  /** Equal for equal fates. */
  readonly key: string;
}

/** Of the machine's own ABI, x32 among it: that shares its number in `struct seccomp_data`. */
export function rangesOf(profile: SeccompProfile, target: SeccompTarget): Range[] {
  const tables = { x64: syscalls.x64(), arm64: syscalls.arm64() };
  // A call of one architecture may be named for both, as profiles do; one that neither has is a
  // typing error.
  if (!profile.isImported) refuseUnknown(profile, tables);
  const own = rangesOfTable(profile, target, tables[target.arch]);
  const hasX32 = target.arch === "x64" && profile.foreign?.includes("x32");
  return hasX32 ? [...own, ...foreignRanges(profile, target, "x32").slice(1)] : own;
}

export function foreignRanges(
  profile: SeccompProfile,
  target: SeccompTarget,
  arch: ForeignArch,
): Range[] {
  // Only profiles that name such an ABI have a use for its table.
  const tables: typeof import("./foreign-syscalls.gen.ts") = require("./foreign-syscalls.gen.ts");
  return rangesOfTable(profile, target, tables.foreignSyscalls[arch]());
}

function refuseUnknown(
  profile: SeccompProfile,
  tables: Readonly<Record<SeccompArch, Readonly<Record<string, number>>>>,
): void {
  for (const { names } of profile.rules) {
    const unknown = names.find((name) => !(name in tables.x64) && !(name in tables.arm64));
    if (unknown === undefined) continue;
    throw new Error(`a seccomp profile names the unknown call ${unknown}`);
  }
}

function rangesOfTable(
  profile: SeccompProfile,
  target: SeccompTarget,
  table: Readonly<Record<string, number>>,
): Range[] {
  const byName = fatesByName(profile, target);
  const unknown: Fate = [{ action: profile.unknownNumber }];
  const otherwise: Fate = [{ action: profile.otherwise }];
  const calls = Object.entries<number>(table).toSorted(([, a], [, b]) => a - b);
  const named = calls.filter(([name]) => byName.has(name)).map(([, number]) => number);
  const newest = profile.isImported ? (named.at(-1) ?? Infinity) : Infinity;
  const ranges: Range[] = [];
  const begin = (first: number, fate: Fate) => {
    const key = JSON.stringify(fate, printBig);
    if (ranges.at(-1)?.key !== key) ranges.push({ first, fate, key });
  };
  let next = 0;
  for (const [name, number] of calls) {
    if (number > next) begin(next, unknown);
    begin(number, byName.get(name) ?? (number > newest ? unknown : otherwise));
    next = number + 1;
  }
  // It stands for all numbers that follow.
  begin(next, unknown);
  return ranges;
}

/** Tests of 64 bits have numbers that JSON has no way to write. */
export function printBig(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? `0x${value.toString(16)}` : value;
}

function fatesByName(profile: SeccompProfile, target: SeccompTarget): Map<string, Fate> {
  const fates = new Map<string, Fate>();
  for (const rule of profile.rules) {
    if (!ruleApplies(rule, target)) continue;
    for (const name of rule.names) {
      const fate = fates.get(name) ?? [];
      if (isDecided(fate)) continue;
      const { arguments: tests = [], action } = rule;
      fates.set(name, [...fate, tests.length === 0 ? { action } : { arguments: tests, action }]);
    }
  }
  for (const [name, fate] of fates) {
    if (!isDecided(fate)) fates.set(name, [...fate, { action: profile.otherwise }]);
  }
  return fates;
}

function isDecided(fate: Fate): boolean {
  const last = fate.at(-1);
  return last !== undefined && last.arguments === undefined;
}
