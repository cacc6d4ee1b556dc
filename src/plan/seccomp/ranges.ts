// A profile, seen by number: neighbouring system calls with the same fate, merged.

import type { ArgumentTest, SeccompAction, SeccompProfile, SeccompTarget } from "./profile.ts";
import { ruleApplies } from "./profile.ts";
import { syscalls } from "./syscalls.gen.ts";

/**
 * What becomes of a call: the first clause whose test passes decides. The last clause has no test.
 */
export type Fate = readonly {
  readonly argument?: ArgumentTest;
  readonly action: SeccompAction;
}[];

/** All numbers from `first` up to the next range's `first`; the last range reaches to 2³²−1. */
export interface Range {
  readonly first: number;
  readonly fate: Fate;
  /** Equal for equal fates. */
  readonly key: string;
}

export function rangesOf(profile: SeccompProfile, target: SeccompTarget): Range[] {
  const tables = { x64: syscalls.x64(), arm64: syscalls.arm64() };
  // A call of one architecture may be named for both, as profiles do; one that neither has is a
  // typing error.
  const known = new Set([...Object.keys(tables.x64), ...Object.keys(tables.arm64)]);
  const byName = fatesByName(profile, target, known);
  const unknown: Fate = [{ action: profile.unknownNumber }];
  const otherwise: Fate = [{ action: profile.otherwise }];

  const names = namesByNumber(tables[target.arch]);
  const ranges: Range[] = [];
  // One number more than the table has: it stands for all that follow.
  for (let number = 0; number <= names.length; number++) {
    const name = names[number];
    const fate = name === undefined ? unknown : (byName.get(name) ?? otherwise);
    const key = JSON.stringify(fate);
    if (ranges.at(-1)?.key !== key) ranges.push({ first: number, fate, key });
  }
  return ranges;
}

function fatesByName(
  profile: SeccompProfile,
  target: SeccompTarget,
  known: ReadonlySet<string>,
): Map<string, Fate> {
  const fates = new Map<string, Fate>();
  for (const rule of profile.rules) {
    for (const name of rule.names) {
      if (!known.has(name)) throw new Error(`a seccomp profile names the unknown call ${name}`);
      if (!ruleApplies(rule, target)) continue;
      const fate = fates.get(name) ?? [];
      if (isDecided(fate)) continue;
      const { argument, action } = rule;
      fates.set(name, [...fate, argument === undefined ? { action } : { argument, action }]);
    }
  }
  for (const [name, fate] of fates) {
    if (!isDecided(fate)) fates.set(name, [...fate, { action: profile.otherwise }]);
  }
  return fates;
}

function isDecided(fate: Fate): boolean {
  const last = fate.at(-1);
  return last !== undefined && last.argument === undefined;
}

function namesByNumber(table: Readonly<Record<string, number>>): (string | undefined)[] {
  const names: (string | undefined)[] = [];
  for (const [name, number] of Object.entries(table)) names[number] = name;
  return names;
}
