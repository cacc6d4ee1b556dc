// What the keeper arbitrates: who owns a pod, what others ask of the owner, and what one owner
// leaves to the next.

import { expect } from "bun:test";
import { openSync, readFileSync } from "node:fs";
import type { Ask } from "../../src/launch/keeper-client.ts";
import { closeFd } from "../../src/native/syscalls.ts";
import { connectKeeper } from "../../src/pod/keepers.ts";
import { readPodState } from "../../src/pod/read-state.ts";
import type { Pod } from "../../src/pod/types.ts";
import type { TestHost } from "../support/host.ts";
import { eventually, hostMissing, openTestHost, podOf } from "../support/host.ts";
import { testOrSkip } from "../support/must-run.ts";

const kernelTest = testOrSkip(hostMissing === undefined, hostMissing ?? "");

/** A detached pod that nobody owns, and ways to connect to it. */
async function openPod(host: TestHost) {
  await using starter = host.another();
  const { readPodManifest } = await import("../../src/read/pod-manifest/read.ts");
  const spec = readPodManifest(podOf(host, "relayed", { main: ["pause"] }));
  const { uid } = await starter.up(spec, { lifetime: "detached" });
  const { places } = readPodState(`${host.places.state}/pods/${uid}`);
  const connect = async (asked?: (ask: Ask) => void) => {
    let vacancies = 0;
    const client = connectKeeper(places, {
      ...{ exited() {}, ended() {}, closed() {} },
      ...(asked && { asked }),
      vacant: () => void vacancies++,
    });
    await client.listen();
    return { client, vacancies: () => vacancies };
  };
  return { uid, connect };
}

async function end(host: TestHost, { uid }: Pick<Pod, "uid">) {
  await host.pods.down(uid, { graceMs: 0 });
  // The starter reaps the keeper a moment after it has gone.
  const left = () => host.leaks();
  await eventually(left, (leaks) => leaks.length === 0);
}

kernelTest("one connection at a time owns a pod", async () => {
  await using host = await openTestHost();
  const pod = await openPod(host);
  const [one, other] = [await pod.connect(), await pod.connect()];
  await other.client.subscribe();
  expect(await one.client.hello("supervisor")).toMatchObject({ isOurs: true });
  expect(await other.client.hello("supervisor")).toMatchObject({ isOurs: false });
  expect(other.vacancies()).toBe(0);
  one.client[Symbol.dispose]();
  while (other.vacancies() === 0) await Bun.sleep(1);
  expect(await other.client.hello("supervisor")).toMatchObject({ isOurs: true });
  other.client[Symbol.dispose]();
  await end(host, pod);
});

kernelTest("an ask reaches the owner, and its answer who asked", async () => {
  await using host = await openTestHost();
  const pod = await openPod(host);
  const asker = await pod.connect();
  expect(await asker.client.ask({ ask: "anything" })).toBeUndefined();
  const heard: unknown[] = [];
  const owner = await pod.connect((ask) => {
    heard.push(ask.body);
    if (heard.length < 3) void ask.answer({ heard: ask.body });
  });
  await owner.client.hello("supervisor");
  const long = "x".repeat(60_000);
  const answers = await Promise.all([asker.client.ask({ n: 1 }), asker.client.ask({ long })]);
  expect(answers).toEqual([{ heard: { n: 1 } }, { heard: { long } }]);
  const unanswered = asker.client.ask({ n: 3 });
  while (heard.length < 3) await Bun.sleep(1);
  owner.client[Symbol.dispose]();
  expect(await unanswered).toBeUndefined();
  asker.client[Symbol.dispose]();
  await end(host, pod);
});

kernelTest("what an owner keeps with the keeper its successor fetches", async () => {
  await using host = await openTestHost();
  const pod = await openPod(host);
  const owner = await pod.connect();
  await owner.client.hello("supervisor");
  expect(await owner.client.fetch(0)).toBeUndefined();
  const file = openSync("/proc/self/comm", "r");
  await owner.client.keep(0, file);
  owner.client[Symbol.dispose]();
  const next = await pod.connect();
  const fd = await next.client.fetch(0);
  expect(readFileSync(`/proc/self/fd/${fd}`, "utf8")).toBe(readFileSync("/proc/self/comm", "utf8"));
  closeFd(fd ?? -1);
  expect((await next.client.keep(0, file)).status).toBe("refused");
  closeFd(file);
  next.client[Symbol.dispose]();
  await end(host, pod);
});
