// Run by test/kernel/logs.test.ts in a mount namespace of its own: a pod whose logs are on a disk
// that fills. Prints a report as JSON.

import type { Pod } from "../../src/index.ts";
import type { TestHost } from "./host.ts";
import { openTestHost } from "./host.ts";
import { probe, textOf, up } from "./pods.ts";

const linesPrinted = 20_000;

export interface FullDiskReport {
  /** Of the container while its disk was full. */
  readonly phase: string;
  readonly execExitCode: number;
  /** Lines of the probe, lines that are neither, and lines of peapod's own. */
  readonly statuses: { readonly out: number; readonly garbage: number; readonly marks: number };
  readonly lines: "whole" | "in order" | "mixed up";
  readonly dropped: number;
  readonly downMs: number;
}

function mount(...words: readonly string[]): void {
  const { exitCode, stderr } = Bun.spawnSync(["mount", ...words]);
  if (exitCode !== 0) throw new Error(stderr.toString());
}

async function countLines(pod: Pod): Promise<Pick<FullDiskReport, "statuses" | "lines">> {
  const numbers: number[] = [];
  let [garbage, marks] = [0, 0];
  for await (const { line } of pod.logs()) {
    const text = textOf(line);
    if (/^\d{8}\.{91}$/.test(text)) numbers.push(Number(text.slice(0, 8)));
    else if (text.startsWith("[peapod: ")) marks++;
    else if (!/^(\{"ask":"signal".*|after)$/.test(text)) garbage++;
  }
  const isOrdered = numbers.every((number, index) => index === 0 || number > numbers[index - 1]!);
  const isWhole = isOrdered && numbers.length === linesPrinted;
  return {
    statuses: { out: numbers.length, garbage, marks },
    lines: isWhole ? "whole" : isOrdered ? "in order" : "mixed up",
  };
}

async function run(scenario: string): Promise<FullDiskReport> {
  const whenFull = scenario === "drop" ? "drop" : "block";
  await using host = await openTestHost({ containerLogs: { whenFull } });
  const { logs } = host.places;
  mount("-t", "tmpfs", "-o", "size=256k", "none", logs);
  try {
    return await watch(host, scenario);
  } finally {
    Bun.spawnSync(["umount", logs]);
  }
}

async function watch(host: TestHost, scenario: string): Promise<FullDiskReport> {
  const words = ["print", String(linesPrinted), "99", "signal", "say", "after"];
  const pod = await up(host, [probe(host, words)]);
  const main = pod.container("main");
  await Bun.sleep(300);
  const { phase } = await main.state();
  const { exitCode: execExitCode } = await pod.exec(["/probe", "exit", "4"]).result;
  if (scenario !== "down") {
    mount("-o", "remount,size=64m", host.places.logs);
    // Held output is tried again four times a second.
    await Bun.sleep(1000);
    await main.signal("SIGUSR1");
    await main.exited;
  }
  const counted = await countLines(pod);
  const { linesDropped: dropped } = await main.state();
  const before = performance.now();
  await pod.down({ graceMs: 0 });
  return { phase, execExitCode, dropped, downMs: performance.now() - before, ...counted };
}

const [scenario = ""] = process.argv.slice(2);
console.log(JSON.stringify(await run(scenario)));
