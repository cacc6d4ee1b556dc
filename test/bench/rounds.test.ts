// How rounds are run: order, failures, absences. The cells here are real; they only do nothing.

import { expect, test } from "bun:test";
import type { Cell } from "../../bench/cell.ts";
import { runRounds } from "../../bench/rounds.ts";

const plan = { rounds: 6, warmUps: 2, seed: 5, regime: "sustained" } as const;

function cell(log: string[], name: string, run: (round: number) => void = () => {}): Cell {
  let round = -plan.warmUps;
  return {
    prepare: async () => undefined,
    async run() {
      log.push(name);
      const own = round++;
      run(own);
      return { up: [own] };
    },
    async cleanup() {
      log.push(`end of ${name}`);
    },
  };
}

test("every round runs every cell once, in an order that its seed decides", async () => {
  const runOnce = async () => {
    const log: string[] = [];
    const entries = ["a", "b", "c"].map((name) => ({ name, cell: cell(log, name) }));
    const results = await runRounds(entries, plan);
    return { log, results };
  };
  const { log, results } = await runOnce();
  const rounds = Array.from({ length: 8 }, (_, round) => log.slice(round * 3, round * 3 + 3));
  for (const round of rounds) expect(round.toSorted()).toEqual(["a", "b", "c"]);
  expect(new Set(rounds.map((round) => round.join(""))).size).toBeGreaterThan(1);
  expect((await runOnce()).log).toEqual(log);
  expect(results.cells.get("b")?.samples).toEqual([0, 1, 2, 3, 4, 5].map((n) => ({ up: [n] })));
  expect(results.rounds).toHaveLength(6);
});

test("a failure is kept with its round, and the others go on", async () => {
  const log: string[] = [];
  const fails = (round: number) => {
    if (round === 1) throw new Error("no luck");
  };
  const results = await runRounds(
    [
      { name: "a", cell: cell(log, "a", fails) },
      { name: "b", cell: cell(log, "b") },
    ],
    plan,
  );
  const { samples = [], failures } = results.cells.get("a") ?? {};
  expect(failures).toEqual([{ round: 1, message: "no luck" }]);
  expect(samples.map((sample) => sample === undefined)).toEqual([0, 1, 0, 0, 0, 0].map(Boolean));
  expect(results.cells.get("b")?.samples).toHaveLength(6);
});

test("three failures in a row end a cell, which is still cleaned up", async () => {
  const log: string[] = [];
  const fails = (round: number) => {
    if (round >= 0) throw new Error(`failed ${round}`);
  };
  const results = await runRounds([{ name: "a", cell: cell(log, "a", fails) }], plan);
  expect(results.cells.get("a")?.failures).toHaveLength(3);
  expect(results.cells.get("a")?.samples).toEqual(Array(6).fill(undefined));
  expect(log).toEqual([...Array<string>(5).fill("a"), "end of a"]);
});

test("what can't be prepared is absent, with what it said", async () => {
  const log: string[] = [];
  const absent = { ...cell(log, "a"), prepare: async () => ({ absent: "not installed" }) };
  const broken = {
    ...cell(log, "b"),
    prepare: () => Promise.reject(new Error("no such file")),
  };
  const results = await runRounds(
    [
      { name: "a", cell: absent },
      { name: "b", cell: broken },
    ],
    plan,
  );
  expect(results.cells.get("a")).toMatchObject({ absent: "not installed", samples: [] });
  expect(results.cells.get("b")?.absent).toBe("could not be prepared: no such file");
  expect(log).toEqual(["end of b", "end of a"]);
});

test("a budget ends the rounds after the one in which it is spent", async () => {
  const results = await runRounds([{ name: "a", cell: cell([], "a") }], { ...plan, budgetMs: 0 });
  expect(results.rounds).toHaveLength(1);
});

test("an interrupt ends the run after the cell that is at it, which is cleaned up", async () => {
  const log: string[] = [];
  const interrupts = (round: number) => {
    if (round === 0) process.kill(process.pid, "SIGTERM");
  };
  const run = runRounds([{ name: "a", cell: slow(cell(log, "a", interrupts)) }], plan);
  expect(run).rejects.toThrow("ended by SIGTERM; cleaned up");
  await run.catch(() => {});
  expect(log).toEqual(["a", "a", "a", "end of a"]);
  expect(process.listenerCount("SIGTERM")).toBe(0);
});

/** Signals arrive between two turns of the event loop. */
function slow(inner: Cell): Cell {
  return {
    ...inner,
    async run() {
      const sample = await inner.run();
      await Bun.sleep(20);
      return sample;
    },
  };
}
