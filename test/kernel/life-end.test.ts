// How a pod ends: hooks, the order of signals, patience, and what a second request changes.

import { expect } from "bun:test";
import type { TestHost } from "../support/host.ts";
import { hostMissing, openTestHost } from "../support/host.ts";
import { note, script, tracedPod } from "../support/life.ts";
import { testOrSkip } from "../support/must-run.ts";
import { until } from "../support/pods.ts";

const kernelTest = testOrSkip(hostMissing === undefined, hostMissing ?? "");
const always = { restartPolicy: "Always" } as const;

/** Notes outlive the pod: the trace is a directory of the test's. */
function watched(host: TestHost, name: string, spec: Parameters<typeof tracedPod>[1]) {
  const path = `${host.rootfs}/${name}`;
  const volumes = [{ name: "trace", hostPath: { path, type: "DirectoryOrCreate" as const } }];
  const told = async () => {
    const file = Bun.file(`${path}/all`);
    return (await file.exists()) ? (await file.text()).trim().split("\n") : [];
  };
  const manifest = tracedPod(name, { terminationGracePeriodSeconds: 30, ...spec, volumes });
  return { manifest, told };
}

/** Says that it runs and when it is asked to end; that takes it a while. */
const polite = (name: string, seconds = 0) =>
  `trap '${note(`${name}-asked`)}; sleep ${seconds}; ${note(`${name}-ends`)}; exit' TERM; ` +
  `${note(`${name}-runs`)}; while :; do sleep 0.02; done`;
/** Hears of no signal. */
const deaf = (name: string) =>
  `trap '' TERM; ${note(`${name}-runs`)}; while :; do sleep 0.02; done`;
const preStop = (text: string) => ({
  lifecycle: { preStop: { exec: { command: ["sh", "-c", text] } } },
});

kernelTest("a container's preStop hook runs before its signal, all hooks at once", async () => {
  await using host = await openTestHost();
  const { manifest, told } = watched(host, "hooked", {
    containers: [
      script("slow", polite("slow"), preStop(`sleep 0.4; ${note("slow-hook")}`)),
      script("quick", polite("quick"), preStop(note("quick-hook"))),
    ],
  });
  const pod = await host.up(manifest);
  await until(async () => (await told()).length === 2);
  await pod.down();
  expect((await told()).slice(2)).toEqual([
    ...["quick-hook", "quick-asked", "quick-ends", "slow-hook", "slow-asked", "slow-ends"],
  ]);
});

kernelTest("sidecars end after the others, the last of them first", async () => {
  await using host = await openTestHost();
  const { manifest, told } = watched(host, "ordered", {
    initContainers: [script("one", polite("one"), always), script("two", polite("two"), always)],
    containers: [script("main", polite("main", 0.3), preStop(note("main-hook")))],
  });
  const pod = await host.up(manifest);
  await until(async () => (await told()).length === 3);
  await pod.down();
  expect((await told()).slice(3)).toEqual([
    ...["main-hook", "main-asked", "main-ends", "two-asked", "two-ends", "one-asked", "one-ends"],
  ]);
});

kernelTest("a sidecar's preStop hook runs at once, its signal comes in its turn", async () => {
  await using host = await openTestHost();
  const { manifest, told } = watched(host, "early-hook", {
    initContainers: [
      script("sidecar", polite("sidecar"), { ...always, ...preStop(note("sidecar-hook")) }),
    ],
    containers: [script("main", polite("main", 0.3))],
  });
  const pod = await host.up(manifest);
  await until(async () => (await told()).length === 2);
  await pod.down();
  const said = (await told()).slice(2);
  expect(said.indexOf("sidecar-hook")).toBeLessThan(said.indexOf("main-ends"));
  expect(said.slice(-3)).toEqual(["main-ends", "sidecar-asked", "sidecar-ends"]);
});

kernelTest("a hook that fails is said so, and its container ends all the same", async () => {
  await using host = await openTestHost();
  const { manifest, told } = watched(host, "bad-hook", {
    containers: [script("main", polite("main"), preStop("exit 1"))],
  });
  const pod = await host.up(manifest);
  await until(async () => (await told()).length === 1);
  await pod.down();
  expect((await told()).slice(1)).toEqual(["main-asked", "main-ends"]);
});

kernelTest("a hook may take the whole grace; then there are two seconds left", async () => {
  await using host = await openTestHost({ timeScale: 0.1 });
  const { manifest, told } = watched(host, "slow-hook", {
    terminationGracePeriodSeconds: 5,
    containers: [script("main", polite("main"), preStop("sleep 60"))],
  });
  const pod = await host.up(manifest);
  await until(async () => (await told()).length === 1);
  const startedMs = performance.now();
  await pod.down();
  const tookMs = performance.now() - startedMs;
  expect((await told()).slice(1)).toEqual(["main-asked", "main-ends"]);
  expect(tookMs).toBeGreaterThanOrEqual(490);
  expect(tookMs).toBeLessThan(1500);
});

kernelTest("who hears no signal is killed when the grace is over, sidecars after it", async () => {
  await using host = await openTestHost({ timeScale: 0.1 });
  const { manifest, told } = watched(host, "deaf", {
    terminationGracePeriodSeconds: 5,
    initContainers: [script("sidecar", deaf("sidecar"), always)],
    containers: [script("main", deaf("main"))],
  });
  const pod = await host.up(manifest);
  await until(async () => (await told()).length === 2);
  const startedMs = performance.now();
  await pod.down();
  const tookMs = performance.now() - startedMs;
  // The grace, and for the sidecar whose turn came with its end, two seconds by the rules.
  expect(tookMs).toBeGreaterThanOrEqual(690);
  expect(tookMs).toBeLessThan(2000);
});

kernelTest("a second request can shorten the grace, and not lengthen it", async () => {
  await using host = await openTestHost();
  const { manifest, told } = watched(host, "impatient", {
    containers: [script("main", deaf("main"), preStop("true"))],
  });
  const pod = await host.up(manifest);
  await until(async () => (await told()).length === 1);
  const startedMs = performance.now();
  const first = pod.down({ graceMs: 20_000 });
  await Bun.sleep(100);
  await Promise.all([first, pod.down({ graceMs: 500 }), pod.down({ graceMs: 60_000 })]);
  expect(performance.now() - startedMs).toBeLessThan(5000);
});

kernelTest("without a grace nobody is asked", async () => {
  await using host = await openTestHost();
  const { manifest, told } = watched(host, "at-once", {
    containers: [script("main", polite("main"), preStop(note("hook")))],
  });
  const pod = await host.up(manifest);
  await until(async () => (await told()).length === 1);
  await pod.down({ graceMs: 0 });
  expect(await told()).toEqual(["main-runs"]);
});

kernelTest("the owner ends a pod for whoever asks, and without one the asker does", async () => {
  await using host = await openTestHost();
  for (const isOwned of [true, false]) {
    const { manifest, told } = watched(host, `asked-${isOwned}`, {
      containers: [script("main", polite("main"), preStop(note("hook")))],
    });
    await using owner = host.another();
    const { readPodManifest } = await import("../../src/read/pod-manifest/read.ts");
    const { uid } = await owner.up(readPodManifest(manifest), { lifetime: "detached" });
    await until(async () => (await told()).length === 1);
    if (!isOwned) await owner[Symbol.asyncDispose]();
    expect(await host.pods.down(uid, {})).toBe(true);
    expect((await told()).slice(1)).toEqual(["hook", "main-asked", "main-ends"]);
    await owner[Symbol.asyncDispose]();
    await until(() => host.leaks().length === 0);
  }
});

kernelTest("stopSignal of the manifest goes before the image's", async () => {
  await using host = await openTestHost();
  const text = `trap '${note("usr1")}; exit' USR1; ${note("runs")}; while :; do sleep 0.02; done`;
  const { manifest, told } = watched(host, "usr1", {
    os: { name: "linux" },
    containers: [script("main", text, { lifecycle: { stopSignal: "SIGUSR1" } })],
  });
  const pod = await host.up(manifest);
  await until(async () => (await told()).length === 1);
  await pod.down();
  expect((await told()).slice(1)).toEqual(["usr1"]);
});
