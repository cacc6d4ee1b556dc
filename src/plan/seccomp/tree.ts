// The order of comparisons that finds a number's range: a tree that halves the numbers at every
// level.
//
// RuntimeDefault has about 70 ranges. Built on Linux 6.18's table with the default capabilities,
// its tree is about 50 comparisons, five on the way of an average number, and the whole program 73
// instructions (77 on arm64). The optimal tree (dynamic programming over all splits) is 4 % cheaper
// to install and takes 3 ms longer to find.

import type { Range } from "./ranges.ts";

export type Tree =
  | { readonly kind: "leaf"; readonly range: Range }
  /** Numbers from `first` on go right. */
  | { readonly kind: "split"; readonly first: number; readonly left: Tree; readonly right: Tree }
  /** One number has another fate than those around it. */
  | {
      readonly kind: "single";
      readonly number: number;
      readonly hit: Range;
      readonly others: Tree;
    };

/** Neighbouring ranges that are told apart below all splits. */
interface Group {
  readonly first: number;
  readonly tree: Tree;
}

/**
 * A single number between ranges of equal fate costs one comparison as part of a group, and two as
 * a range of its own. But every number of the group makes that comparison, so beyond two, depth
 * costs more than it saves. (Installing one more instruction costs as much as 60 steps of the
 * kernel's walk, measured on 6.18.)
 */
const singlesMax = 2;

export function planTree(ranges: readonly Range[]): Tree {
  const groups = groupsOf(ranges);
  const last = groups.at(-1);
  if (last === undefined) throw new Error("a profile without ranges");
  // The last range has no end, but the kernel tries hardly any number of it.
  return halve(groups, last.first + 1);
}

function groupsOf(ranges: readonly Range[]): Group[] {
  const groups: Group[] = [];
  let rest = ranges;
  for (let outer = rest[0]; outer !== undefined; outer = rest[0]) {
    let tree: Tree = { kind: "leaf", range: outer };
    let used = 1;
    for (; used <= 2 * singlesMax; used += 2) {
      const [hit, after] = [rest[used], rest[used + 1]];
      if (hit === undefined || after?.key !== outer.key || after.first > hit.first + 1) break;
      tree = { kind: "single", number: hit.first, hit, others: tree };
    }
    groups.push({ first: outer.first, tree });
    rest = rest.slice(used);
  }
  return groups;
}

/** Splits where the numbers on both sides differ least. */
function halve(groups: readonly Group[], end: number): Tree {
  const [outer, ...others] = groups;
  if (outer === undefined) throw new Error("a split with an empty side");
  if (others.length === 0) return outer.tree;
  const middle = (outer.first + end) / 2;
  const fromMiddle = (group: Group): number => Math.abs(group.first - middle);
  const split = others.reduce((best, group) =>
    fromMiddle(group) < fromMiddle(best) ? group : best,
  );
  const at = groups.indexOf(split);
  return {
    kind: "split",
    first: split.first,
    left: halve(groups.slice(0, at), split.first),
    right: halve(groups.slice(at), end),
  };
}
