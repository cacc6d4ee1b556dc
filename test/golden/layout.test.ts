// The format of a plan is defined in Zig alone: what TypeScript encodes, Zig reads as the same
// text.

import { expect, test } from "bun:test";
import { fileTypes, ops, planBytesMax, slotsMax, stages } from "../../src/plan/abi.gen.ts";
import { encodePlan } from "../../src/plan/encode.ts";
import type { Op, Plan, Stage, Step } from "../../src/plan/plan.ts";
import { noSlot } from "../../src/plan/plan.ts";
import { printPlan } from "../../src/plan/print.ts";
import { describe } from "../support/describe.ts";

const EINVAL = -22;
const ENOSPC = -28;
const oddText = `/a "quoted" back\\slash\nline \x01\x1f\x7f tab\t é ✓`;

/** Values at the ends of what each type can hold, and one between. */
const extremes: Readonly<Record<string, readonly unknown[]>> = {
  u32: [0, 1, 0xffff_ffff],
  i32: [-(2 ** 31), 0, 2 ** 31 - 1],
  u64: [0n, 1n, 0xffff_ffff_ffff_ffffn],
  i64: [-(2n ** 63n), 0n, 2n ** 63n - 1n],
  slot: [0, slotsMax - 1, noSlot],
  text: ["", oddText, "x".repeat(4095)],
  texts: [[], ["", oddText, "y".repeat(4095)], Array.from({ length: 300 }, (_, i) => `word${i}`)],
  bytes: [new Uint8Array(0), new Uint8Array(1), new Uint8Array(65_536).fill(255)],
  attributes: [[], ["nodev"], ["rdonly", "nosuid", "nodev", "noexec"]],
  namespaces: [[], ["uts"], ["net", "ipc", "uts", "mnt", "pid", "cgroup", "user"]],
  fileType: [fileTypes[0], fileTypes[1], fileTypes[fileTypes.length - 1]],
};

interface OpTable {
  readonly stages: readonly Stage[];
  readonly fields: Readonly<Record<string, { readonly type: string }>>;
}

function operationAt(name: string, fields: OpTable["fields"], extreme: number): Op {
  const values = Object.entries(fields).map(([field, { type }]) => {
    const known = extremes[type];
    if (!known) throw new Error(`no extremes for the type ${type}`);
    return [field, known[extreme]];
  });
  return { op: name, ...Object.fromEntries(values) } as Op; // As many fields as the table has.
}

/** Every operation in every stage that allows it, at each extreme. */
const every: readonly Step[] = stages.flatMap((stage) =>
  Object.entries<OpTable>(ops)
    .filter(([, { stages: allowed }]) => allowed.includes(stage))
    .flatMap(([name, { fields }]) =>
      [0, 1, 2].map((extreme) => ({ stage, op: operationAt(name, fields, extreme), origin: "" })),
    ),
);

function planOf(steps: readonly Step[], more: Partial<Plan> = {}): Plan {
  const head = { rootUid: 0, rootGid: 0, deadlineMs: 60_000, mayHang: false };
  return { kind: "container", steps, ...head, ...more };
}

for (const step of every) {
  const index = every.filter(({ op }) => op.op === step.op.op).indexOf(step);
  test(`${step.stage} ${step.op.op} reads the same in Zig, ${index}`, () => {
    const plan = planOf([step]);
    expect(describe(encodePlan(plan))).toBe(printPlan(plan));
  });
}

test("all operations in one plan, and a head at its ends, read the same in Zig", () => {
  const max = 0xffff_ffff;
  const head = { rootUid: max, rootGid: max, deadlineMs: max, mayHang: true };
  const plan = planOf(every, { kind: "exec", ...head });
  expect(describe(encodePlan(plan))).toBe(printPlan(plan));
});

test("a plan without operations is a plan", () => {
  const plan = planOf([], { kind: "teardown" });
  expect(describe(encodePlan(plan))).toBe(printPlan(plan));
});

test("one that goes back to an earlier stage is refused", () => {
  const attach = every.find(({ op }) => op.op === "attach");
  const open = every.find(({ op }) => op.op === "open_directory");
  if (!attach || !open) throw new Error("both are operations");
  expect(describe(encodePlan(planOf([open, attach])))).toBeString();
  expect(describe(encodePlan(planOf([attach, open])))).toBe(EINVAL);
});

test("an operation in a stage that is not its own is refused", () => {
  const open = every.find(({ op }) => op.op === "open_directory");
  if (!open) throw new Error("it is an operation");
  expect(describe(encodePlan(planOf([{ ...open, stage: "exec" }])))).toBe(EINVAL);
});

test("a plan cut short anywhere, or with more behind it, is refused", () => {
  const bytes = encodePlan(planOf(every.slice(0, 12)));
  for (let length = 0; length < bytes.length; length += 8) {
    expect(describe(bytes.slice(0, length))).toBe(EINVAL);
  }
  expect(describe(new Uint8Array([...bytes, 0, 0, 0, 0, 0, 0, 0, 0]))).toBe(EINVAL);
});

test("a plan larger than the limit is refused before it is read", () => {
  const bytes = new Uint8Array(planBytesMax + 8);
  bytes.set(encodePlan(planOf([])));
  new DataView(bytes.buffer).setUint32(4, bytes.length, true);
  expect(describe(bytes)).toBe(EINVAL);
});

/** xorshift32: the same numbers in every run. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return state >>> 0;
  };
}

test("mutated plans are described or refused, and never end the process", () => {
  const small = every.filter(({ op }) => JSON.stringify(op, bigints).length < 2000);
  const original = encodePlan(planOf(small));
  const random = randomFrom(20_261_121);
  const counts = { described: 0, refused: 0 };
  for (let round = 0; round < 4000; round++) {
    const bytes = original.slice();
    const flips = 1 + (random() % 4);
    for (let flip = 0; flip < flips; flip++) {
      // Half of them in the head and the records, which are what decides.
      const at = random() % (random() % 2 === 0 ? bytes.length : 400);
      bytes[at] = random() % 3 === 0 ? random() & 255 : (bytes[at] ?? 0) ^ (1 << (random() % 8));
    }
    const said = describe(bytes);
    if (typeof said === "string") counts.described++;
    else {
      expect([EINVAL, ENOSPC]).toContain(said);
      counts.refused++;
    }
  }
  // Both ways are taken often enough to mean something.
  expect(counts.described).toBeGreaterThan(200);
  expect(counts.refused).toBeGreaterThan(200);
});

function bigints(_: string, value: unknown): unknown {
  return typeof value === "bigint" ? String(value) : value;
}
