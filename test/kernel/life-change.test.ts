// What is done to a pod that runs: containers run again, another image, one more to look at them.

import { expect } from "bun:test";
import { cpSync, writeFileSync } from "node:fs";
import { eventually, hostMissing, logOf, openTestHost } from "../support/host.ts";
import { journalOf, note, script, sleeper, tracedPod, traceOf } from "../support/life.ts";
import { testOrSkip } from "../support/must-run.ts";
import { errorOf, until } from "../support/pods.ts";

const kernelTest = testOrSkip(hostMissing === undefined, hostMissing ?? "");

kernelTest("restart runs containers again at once, whatever their policy", async () => {
  await using host = await openTestHost();
  await using pod = await host.up(
    tracedPod("restarted", {
      restartPolicy: "Never",
      containers: [
        script("one", `${note("one")}; exec sleep 60`),
        script("two", `${note("two")}; exec sleep 60`),
      ],
    }),
  );
  await until(async () => (await traceOf(host, pod)).length === 2);
  await pod.restart({ container: "two" });
  await until(async () => (await traceOf(host, pod)).length === 3);
  await pod.restart({ container: "two" });
  await until(async () => (await traceOf(host, pod)).length === 4);
  expect((await traceOf(host, pod)).toSorted()).toEqual(["one", "two", "two", "two"]);
  expect(journalOf(host, pod).containers["two"]?.attempt).toBe(2);
  expect((await errorOf(pod.restart({ container: "none" }))).message).toBe(
    'pod restarted has no container "none" that could be restarted',
  );
});

kernelTest("whoever does not own a pod asks its owner, or becomes it", async () => {
  await using host = await openTestHost();
  const manifest = tracedPod("asked", {
    containers: [script("main", `${note("main")}; exec sleep 60`)],
  });
  const { readPodManifest } = await import("../../src/read/pod-manifest/read.ts");
  const owner = host.another();
  const { uid } = await owner.up(readPodManifest(manifest), { lifetime: "detached" });
  const found = await host.pods.get(uid);
  await found.restart();
  await until(async () => (await traceOf(host, found)).length === 2);
  const refused = await errorOf(found.restart({ container: "none" }));
  expect([refused.code, refused.message]).toEqual([
    "container.unknown",
    'pod asked has no container "none" that could be restarted',
  ]);
  await owner[Symbol.asyncDispose]();
  await found.restart();
  await until(async () => (await traceOf(host, found)).length === 3);
  await host.pods.down(uid, { graceMs: 0 });
  await until(() => host.leaks().length === 0);
});

kernelTest("another image is a new run of that container alone", async () => {
  await using host = await openTestHost();
  const other = `${host.folder}/rootfs/other`;
  cpSync(`${host.rootfs}/probe`, `${other}/probe`);
  writeFileSync(`${other}/mark`, "another");
  const probe = (name: string, words: readonly string[]) => ({
    ...{ name, image: `rootfs:${host.rootfs}`, command: ["/probe", ...words] },
  });
  await using pod = await host.up(
    tracedPod("changed", { containers: [probe("main", ["pause"]), probe("still", ["pause"])] }),
  );
  const before = await pod.container("still").state();
  await pod.changeImage("main", `rootfs:${other}`);
  const mark = await pod.files.read("/mark", { container: "main" });
  expect(new TextDecoder().decode(mark)).toBe("another");
  expect((await pod.container("still").state()).pid).toBe(before.pid);
  expect(journalOf(host, pod).containers["main"]?.attempt).toBe(1);
  const { spec } = (await pod.object()) as { spec: { containers: { image: string }[] } };
  expect(spec.containers.map(({ image }) => image)).toEqual([
    `rootfs:${other}`,
    `rootfs:${host.rootfs}`,
  ]);
});

kernelTest("an ephemeral container sees its target's processes, and runs once", async () => {
  await using host = await openTestHost();
  await using pod = await host.up(tracedPod("looked-at", { containers: [sleeper("main")] }));
  const command = ["sh", "-c", "cat /proc/1/cmdline | tr '\\0' ' '; exit 3"];
  const container = { name: "debugger", image: "host", command, targetContainerName: "main" };
  expect(await pod.debug(container)).toBe("debugger");
  expect((await pod.container("debugger").exited).exitCode).toBe(3);
  expect(await logOf(pod, "debugger")).toBe("sleep 60 ");
  const { phase } = await pod.container("main").state();
  expect(phase).toBe("running");
  expect((await errorOf(pod.debug(container))).message).toBe(
    'pod looked-at has a container "debugger" already',
  );
  // Alone, it sees itself.
  await pod.debug({ name: "alone", image: "host", command: ["sh", "-c", "exit $(($$ + 40))"] });
  expect((await pod.container("alone").exited).exitCode).toBe(41);
  await eventually(
    () => journalOf(host, pod).containers["alone"]?.termination,
    (termination) => termination !== undefined,
  );
  expect(journalOf(host, pod).outcome).toBeUndefined();
});
