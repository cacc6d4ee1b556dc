// Names that are swapped while a runtime works (CVE-2021-30465, CVE-2024-45310, CVE-2025-52881 and
// their kin). An attacker with a volume of two containers exchanges a directory with a link as fast
// as the kernel does it; how often either side was met is printed, for a race that never happened
// proves nothing.

import { expect } from "bun:test";
import { cpSync, lstatSync, mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PodError } from "../../src/errors/pod-error.ts";
import type { Pod } from "../../src/index.ts";
import type { TestHost } from "../support/host.ts";
import { answersOf, hostMissing, openTestHost, podOf } from "../support/host.ts";
import { testOrSkip } from "../support/must-run.ts";
import { probePath } from "../support/probe.ts";
import { Canary, secret } from "./canary.ts";

const kernelTest = testOrSkip(hostMissing === undefined, hostMissing ?? "");
const raceMs = 3000;
const triesMax = 400;

interface Race {
  readonly tries: number;
  /** Tries that found the directory, and those that met the link. */
  readonly through: number;
  readonly refused: number;
}

/**
 * Exchanges `shared/name`, a directory with a file of its own, with a link to `to`, while `attempt`
 * goes on. An attempt says what it could see, or throws a PodError.
 */
async function race(
  shared: string,
  to: string,
  attempt: (nth: number) => Promise<string>,
): Promise<Race> {
  mkdirSync(join(shared, "name"));
  mkdirSync(join(shared, "name/inner"));
  writeFileSync(join(shared, "name/file"), "own");
  symlinkSync(to, join(shared, "other"));
  const words = ["flip", join(shared, "name"), join(shared, "other"), String(raceMs)];
  const flipper = Bun.spawn(["taskset", "1", probePath(), ...words], { stdout: "pipe" });
  const end = performance.now() + raceMs;
  const counts = { through: 0, refused: 0 };
  let tries = 0;
  for (; tries < triesMax && performance.now() < end - 200; tries++) {
    try {
      expect(await attempt(tries)).not.toContain(secret);
      counts.through++;
    } catch (error) {
      if (!(error instanceof PodError)) throw error;
      counts.refused++;
    }
  }
  flipper.kill();
  await flipper.exited;
  const isFlipped = lstatSync(join(shared, "name")).isSymbolicLink();
  rmSync(join(shared, isFlipped ? "other" : "name"), { recursive: true });
  rmSync(join(shared, isFlipped ? "name" : "other"));
  return { tries, ...counts };
}

function tell(name: string, { tries, through, refused }: Race): void {
  console.log(`${name}: ${tries} tries, ${through} found the directory, ${refused} met the link`);
}

/** What a container of a pod saw; the pod is gone when this returns. */
async function seenBy(pod: Promise<Pod>): Promise<string> {
  await using running = await pod;
  return JSON.stringify(await answersOf(running));
}

function sharedVolume(host: TestHost, canary: Canary): { shared: string; image: string } {
  const shared = join(canary.scratch, "shared");
  const root = join(canary.scratch, "root");
  mkdirSync(shared);
  cpSync(host.rootfs, root, { recursive: true });
  return { shared, image: `rootfs:${root}` };
}

for (const hostUsers of [true, false]) {
  const where = hostUsers ? "" : ", in a user namespace";

  kernelTest(
    `a mount target that is swapped never lands outside${where} (CVE-2021-30465)`,
    async () => {
      await using host = await openTestHost();
      using canary = new Canary();
      const { shared, image } = sharedVolume(host, canary);
      const spec = {
        hostUsers,
        volumes: [
          { name: "shared", hostPath: { path: shared } },
          { name: "inner", emptyDir: {} },
        ],
      };
      const container = {
        image,
        volumeMounts: [
          { name: "shared", mountPath: "/vol" },
          { name: "inner", mountPath: "/vol/name/inner/deep" },
        ],
      };
      const words = ["create", "/vol/name/inner/deep/made", "x", "ls", "/vol/name"];
      const manifest = podOf(host, "race", { only: words }, spec, container);
      const result = await race(shared, canary.place, () => seenBy(host.up(manifest)));
      tell("mount target", result);
      expect(canary.changes()).toEqual([]);
      expect(Math.min(result.through, result.refused)).toBeGreaterThan(0);
    },
    30_000,
  );

  kernelTest(
    `a subPath that is swapped never shows what is outside${where} (CVE-2017-1002101)`,
    async () => {
      await using host = await openTestHost();
      using canary = new Canary();
      const { shared, image } = sharedVolume(host, canary);
      const volumes = [{ name: "shared", hostPath: { path: shared } }];
      const volumeMounts = [{ name: "shared", mountPath: "/sub", subPath: "name/inner" }];
      const words = ["ls", "/sub", "ls", "/sub/..", "read", "/sub/file"];
      const spec = { hostUsers, volumes };
      const manifest = podOf(host, "race", { only: words }, spec, { image, volumeMounts });
      const result = await race(shared, canary.place, () => seenBy(host.up(manifest)));
      tell("subPath", result);
      expect(canary.changes()).toEqual([]);
      expect(Math.min(result.through, result.refused)).toBeGreaterThan(0);
    },
    30_000,
  );
}

kernelTest(
  "a file that is written into or read from a container stays in it while its way is swapped",
  async () => {
    await using host = await openTestHost();
    using canary = new Canary();
    const { shared, image } = sharedVolume(host, canary);
    const volumes = [{ name: "shared", hostPath: { path: shared } }];
    const volumeMounts = [{ name: "shared", mountPath: "/vol" }];
    const container = { image, volumeMounts };
    await using pod = await host.up(
      podOf(host, "race", { only: ["pause"] }, { volumes }, container),
    );
    const result = await race(shared, canary.place, async (nth) => {
      if (nth % 2 === 0) await pod.files.write("/vol/name/made", "x");
      return new TextDecoder().decode(await pod.files.read("/vol/name/file"));
    });
    tell("files", result);
    expect(canary.changes()).toEqual([]);
    expect(Math.min(result.through, result.refused)).toBeGreaterThan(0);
  },
  30_000,
);

kernelTest(
  "a working directory that is swapped is never one outside (CVE-2024-21626)",
  async () => {
    await using host = await openTestHost();
    using canary = new Canary();
    const { shared, image } = sharedVolume(host, canary);
    const volumes = [{ name: "shared", hostPath: { path: shared } }];
    const volumeMounts = [{ name: "shared", mountPath: "/vol" }];
    const container = { image, volumeMounts };
    await using pod = await host.up(
      podOf(host, "race", { only: ["pause"] }, { volumes }, container),
    );
    const result = await race(shared, "/proc/self/fd/3", async () => {
      const { stdout } = await pod.exec(["/probe", "cwd", "ls", "."], { cwd: "/vol/name" }).result;
      const text = new TextDecoder().decode(stdout);
      expect(text).toContain('{"ask":"cwd","answer":"/vol/');
      return text;
    });
    tell("working directory", result);
    expect(canary.changes()).toEqual([]);
    expect(Math.min(result.through, result.refused)).toBeGreaterThan(0);
  },
  30_000,
);
