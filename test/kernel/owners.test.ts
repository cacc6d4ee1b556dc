// Owners that are killed, at any moment of a pod's life: the next one goes on, nothing is run
// twice, no restart is lost, and the pod can always be ended.

import { expect } from "bun:test";
import { resolve } from "node:path";
import { readRecord } from "../../src/pod/record.ts";
import { names } from "../../src/pod/state.ts";
import type { PodManifest } from "../../src/read/pod-manifest/read.ts";
import type { TestHost } from "../support/host.ts";
import { eventually, hostMissing, openTestHost } from "../support/host.ts";
import { note, script, tracedPod } from "../support/life.ts";
import { testOrSkip } from "../support/must-run.ts";
import type { OwnerWish } from "../support/owner.ts";

const kernelTest = testOrSkip(hostMissing === undefined, hostMissing ?? "");
const program = resolve(import.meta.dir, "../support/owner.ts");
const rounds = Number(process.env.PEAPOD_ROUNDS ?? 6);
const firstSeed = Number(process.env.PEAPOD_SEED ?? Date.now() % 1_000_000);
const timeScale = 0.01;

/** Lehmer's: the same seed, the same kills. */
function chance(seed: number): () => number {
  let state = (seed % 2_147_483_646) + 1;
  return () => (state = (state * 48_271) % 2_147_483_647) / 2_147_483_647;
}

async function spawnOwner(host: TestHost, wish: Omit<OwnerWish, "open">) {
  const text = JSON.stringify({ ...wish, open: { ...host.places, timeScale } });
  const child = Bun.spawn([process.execPath, program, text], { stdout: "pipe", stderr: "inherit" });
  const reader = child.stdout.getReader();
  await reader.read(); // It is open.
  return child;
}

/** Init containers, one of them flaky; a sidecar; one container that crashes, one with a hook. */
function manifestOf(host: TestHost, name: string): { manifest: PodManifest; trace: string } {
  const path = `${host.rootfs}/${name}`;
  const exec = (text: string) => ({ exec: { command: ["sh", "-c", text] } });
  const manifest = tracedPod(name, {
    terminationGracePeriodSeconds: 60,
    volumes: [{ name: "trace", hostPath: { path, type: "DirectoryOrCreate" } }],
    initContainers: [
      script("flaky", `${note("flaky")}; sleep 0.05; test $(grep -c flaky /trace/all) -ge 2`),
      script("sidecar", `${note("sidecar")}; exec sleep 60`, { restartPolicy: "Always" }),
      script("init", `${note("init")}; sleep 0.05; ${note("init-done")}`),
    ],
    containers: [
      script("crash", `${note("crash")}; sleep 0.05; exit 1`),
      script("main", `trap 'exit 0' TERM; ${note("main")}; while :; do sleep 0.02; done`, {
        lifecycle: { preStop: exec(`${note("hook")}; sleep 0.1; ${note("hook-done")}`) },
        readinessProbe: { ...exec("true"), periodSeconds: 5, timeoutSeconds: 100 },
      }),
    ],
  });
  return { manifest, trace: `${path}/all` };
}

async function told(trace: string): Promise<string[]> {
  const file = Bun.file(trace);
  return (await file.exists()) ? (await file.text()).trim().split("\n") : [];
}

/** How often each container has been launched, as the keeper has it. */
function launches(host: TestHost, uid: string): number[] {
  const record = readRecord(`${host.places.state}/pods/${uid}`);
  return [0, 1, 2, 3, 4].map((process) => (record?.processes.get(process)?.attempt ?? -1) + 1);
}

const containerNames = ["flaky", "sidecar", "init", "crash", "main"];

/** Every launch was one run, and none came before its turn. */
async function checkRuns(host: TestHost, uid: string, trace: string, why: string) {
  // A run says that it runs a moment after the record has it.
  const counts = (lines: string[]) =>
    containerNames.map((name) => lines.filter((line) => line === name).length);
  const [before, said] = [launches(host, uid), await told(trace)];
  const after = await eventually(
    async () => counts(await told(trace)),
    (seen) => before.every((count, index) => (seen[index] ?? 0) >= count),
  );
  const limit = launches(host, uid);
  for (const [index, name] of containerNames.entries()) {
    const context = `${why} ${name}`;
    expect([context, (after[index] ?? 0) >= (before[index] ?? 0)]).toEqual([context, true]);
    expect([context, (counts(said)[index] ?? 0) <= (limit[index] ?? 0)]).toEqual([context, true]);
  }
  const lines = await told(trace);
  if (lines.includes("main")) {
    expect([why, lines.indexOf("init-done") < lines.indexOf("main")]).toEqual([why, true]);
    expect([why, lines.filter((line) => line === "init")]).toEqual([why, ["init"]]);
  }
}

for (let round = 0; round < rounds; round++) {
  const seed = firstSeed + round;
  kernelTest(
    `owners may be killed at any moment (PEAPOD_SEED=${firstSeed}, round ${round})`,
    async () => {
      await using host = await openTestHost({ timeScale });
      const random = chance(seed);
      const { manifest, trace } = manifestOf(host, `owned-${round}`);
      const why = `seed ${seed}`;
      let owner = await spawnOwner(host, { manifest });
      const pods = () => names(`${host.places.state}/pods`);
      const [uid = ""] = await eventually(pods, (found) => found.length > 0);
      await eventually(
        () => launches(host, uid)[0] ?? 0,
        (count) => count > 0,
      );
      for (let kill = 0; kill < 3; kill++) {
        await Bun.sleep(random() * 700);
        owner.kill("SIGKILL");
        await owner.exited;
        await checkRuns(host, uid, trace, `${why} kill ${kill}`);
        owner = await spawnOwner(host, { uid });
      }
      // It goes on: the one that crashes crashes on.
      const crashes = launches(host, uid)[3] ?? 0;
      const later = await eventually(
        () => launches(host, uid)[3] ?? 0,
        (count) => count > crashes,
        10_000,
      );
      expect([why, later > crashes]).toEqual([why, true]);
      const isEnding = random() < 0.7;
      if (isEnding) {
        // Who ends it is killed over it, and who owns it, too.
        const ender = await spawnOwner(host, { uid, isEnding: true });
        await Bun.sleep(random() * 300);
        for (const child of [ender, owner]) child.kill("SIGKILL");
        await Promise.all([ender.exited, owner.exited]);
      }
      const wasThere = pods().length > 0;
      await host.pods.down(uid, {});
      owner.kill("SIGKILL");
      await owner.exited;
      const said = await told(trace);
      if (wasThere && said.includes("main")) {
        expect([why, said.includes("hook-done")]).toEqual([why, true]);
      }
      expect([why, pods()]).toEqual([why, []]);
      await eventually(
        () => host.leaks(),
        (leaks) => leaks.length === 0,
      );
    },
    60_000,
  );
}
