// Many pods at once: they run, they weigh little, and they go away without a trace.

import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import type { Pod } from "../../src/pod/types.ts";
import { eventually, hostMissing, openTestHost, podOf } from "../support/host.ts";
import { testOrSkip } from "../support/must-run.ts";

const kernelTest = testOrSkip(hostMissing === undefined, hostMissing ?? "");
const isEmulated = process.env.PEAPOD_TEST_IN_VM === "1";
const pods = isEmulated ? 50 : 200;
const timeoutMs = 60_000;
const privateBytesMax = 100 * 1024;

/**
 * What would be free again if the process were gone: its private pages, clean or dirty, of every
 * mapping. Pages of the program itself are shared by all keepers (they come from one memfd), so
 * they count for none of them while two run.
 */
function privateBytes(pid: number): number {
  const rollup = readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const kibibytes = (name: string) =>
    Number(new RegExp(`^${name}:\\s+(\\d+) kB`, "m").exec(rollup)?.[1]);
  return (kibibytes("Private_Clean") + kibibytes("Private_Dirty")) * 1024;
}

async function keeperOf(pod: Pod): Promise<number> {
  return (await pod.inspect()).sandbox.keeperPid;
}

kernelTest(
  `${pods} pods run at once and leave nothing`,
  async () => {
    await using host = await openTestHost();
    const running: Pod[] = [];
    for (let started = 0; started < pods; started += 10) {
      const batch = Array.from({ length: 10 }, (_, index) =>
        host.up(podOf(host, `pod-${started + index}`, { only: ["pause"] })),
      );
      running.push(...(await Promise.all(batch)));
    }
    const states = await Promise.all(
      running.flatMap((pod) => pod.containers).map((c) => c.state()),
    );
    expect(states.filter(({ phase }) => phase === "running").length).toBe(pods);
    expect(new Set(states.map(({ pid }) => pid)).size).toBe(pods);
    // A keeper and a container each.
    expect(host.processes().length).toBe(2 * pods);
    await Promise.all(running.map((pod) => pod.down({ graceMs: 5000 })));
    expect(host.leaks()).toEqual([]);
  },
  timeoutMs,
);

kernelTest(
  "an idle keeper keeps less than 100 KB for itself, also after many commands and much output",
  async () => {
    await using host = await openTestHost();
    await using other = await host.up(podOf(host, "other", { only: ["pause"] }));
    await using pod = await host.up(podOf(host, "busy", { only: ["flood", "50000", "pause"] }));
    const pid = await keeperOf(pod);
    for (let round = 0; round < 20; round++) {
      const { exitCode } = await pod.exec(["/probe", "print", "100", "500"]).result;
      expect(exitCode).toBe(0);
    }
    const bytes = await eventually(
      () => privateBytes(pid),
      (value) => value < privateBytesMax,
      5000,
    );
    expect(bytes).toBeLessThan(privateBytesMax);
    expect(privateBytes(await keeperOf(other))).toBeLessThan(privateBytesMax);
    // The measure itself: this process has far more.
    expect(privateBytes(process.pid)).toBeGreaterThan(10 * privateBytesMax);
  },
  timeoutMs,
);
