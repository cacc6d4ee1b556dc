// The module as services use it: several at once, in Workers, with queues, aborts, events and
// hostile containers.

import { afterAll, beforeAll, describe, expect } from "bun:test";
import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { OpenOptions, Peapod, Pod, PodEvent } from "../../src/index.ts";
import { openPeapod } from "../../src/index.ts";
import type { TestHost } from "../support/host.ts";
import { hasUserNamespaces, hostMissing, noUserNamespaces, openTestHost } from "../support/host.ts";
import { testOrSkip } from "../support/must-run.ts";
import { errorOf, podOf, probe, textOf, until } from "../support/pods.ts";
import { probeAnswers } from "../support/probe.ts";

const test = testOrSkip(hostMissing === undefined, hostMissing ?? "");
const newKernelTest = testOrSkip(
  hostMissing === undefined && hasUserNamespaces,
  hostMissing ?? noUserNamespaces,
);

let host: TestHost;

beforeAll(async () => {
  if (hostMissing === undefined) host = await openTestHost();
});

afterAll(async () => {
  // The keepers of detached pods are reaped off every path.
  if (host !== undefined) await until(() => host.leaks().length === 0).catch(() => {});
  await host?.[Symbol.asyncDispose]();
});

const open = (options: OpenOptions = {}): Promise<Peapod> =>
  openPeapod({ ...host.places, ...options });
const sleeper = () => podOf([probe(host, ["pause"])]);
const podNames = () => readdirSync(join(host.places.state, "names"));

describe("disposal", () => {
  test("ends the pods of this object and leaves detached ones to the next", async () => {
    let owned: Pod;
    let detached: Pod;
    {
      await using peapod = await open();
      owned = await peapod.up(sleeper());
      detached = await peapod.up(sleeper(), { lifetime: "detached" });
      expect([owned.lifetime, detached.lifetime]).toEqual(["owner", "detached"]);
    }
    expect(podNames()).toEqual([`default_${detached.name}`]);
    await using next = await open();
    const found = await next.get(detached.name);
    expect((await found.exec(["/probe", "exit", "3"]).result).exitCode).toBe(3);
    expect(await next.down(detached.name, { graceMs: 0 })).toBe(true);
    expect(await next.down(detached.name)).toBe(false);
    expect(podNames()).toEqual([]);
  });

  test("of a pod ends it, unless it was detached", async () => {
    await using peapod = await open();
    {
      await using _ = await peapod.up(sleeper());
    }
    expect(podNames()).toEqual([]);
    let kept: Pod;
    {
      await using pod = await peapod.up(sleeper());
      await pod.detach();
      kept = pod;
    }
    expect(podNames()).toEqual([`default_${kept.name}`]);
    await peapod.down(kept.name, { graceMs: 0 });
  });

  test("waits for launches under way, and ends what they started", async () => {
    const peapod = await open();
    const starts = Promise.allSettled([1, 2, 3].map(() => peapod.up(sleeper())));
    await Bun.sleep(0);
    await peapod[Symbol.asyncDispose]();
    expect(podNames()).toEqual([]);
    // One that was fast enough has been ended; the others were told.
    for (const start of await starts) {
      if (start.status === "rejected") expect(start.reason.code).toBe("pod.closed");
    }
    expect((await errorOf(peapod.up(sleeper()))).code).toBe("pod.closed");
  });

  test("follows an abort of the signal that it was opened with", async () => {
    const controller = new AbortController();
    const peapod = await open({ signal: controller.signal });
    const pod = await peapod.up(sleeper());
    controller.abort();
    await pod.ended;
    expect((await errorOf(peapod.up(sleeper()))).code).toBe("pod.closed");
    await peapod[Symbol.asyncDispose]();
  });
});

describe("several at once", () => {
  test("two objects over one state see the same pods and end only their own", async () => {
    await using one = await open();
    const pod = await one.up(sleeper());
    {
      await using two = await open();
      const other = await two.up(sleeper());
      const seen = (await two.list()).map(({ name }) => name).sort();
      expect(seen).toEqual([pod.name, other.name].sort());
    }
    expect(podNames()).toEqual([`default_${pod.name}`]);
  });

  test("a name is taken once", async () => {
    await using peapod = await open();
    const manifest = sleeper();
    const starts = await Promise.allSettled([1, 2, 3].map(() => peapod.up(manifest)));
    const failed = starts.flatMap((start) => (start.status === "rejected" ? [start.reason] : []));
    expect(failed.map(({ code }) => code)).toEqual(["pod.exists", "pod.exists"]);
  });

  test("a Worker runs pods of its own", async () => {
    const script = join(host.folder, "worker.ts");
    const index = join(import.meta.dir, "../../src/index.ts");
    writeFileSync(
      script,
      `import { openPeapod } from ${JSON.stringify(index)};
       declare const self: Worker;
       self.onmessage = async ({ data: { places, manifest } }) => {
         const answer = {};
         {
           await using peapod = await openPeapod(places);
           await using pod = await peapod.up(manifest);
           const { stdout, exitCode } = await pod.exec(["/probe", "say", "hi", "exit", "4"]).result;
           Object.assign(answer, { said: new TextDecoder().decode(stdout), exitCode });
         }
         self.postMessage(answer);
       };`,
    );
    const workers = [1, 2].map(() => new Worker(script));
    const answers = workers.map((worker) => {
      const { promise, resolve, reject } = Promise.withResolvers<unknown>();
      worker.onmessage = ({ data }) => resolve(data);
      worker.onerror = ({ message }) => reject(new Error(message));
      worker.postMessage({ places: host.places, manifest: sleeper() });
      return promise;
    });
    const answer = { said: "hi\n", exitCode: 4 };
    expect(await Promise.all(answers)).toEqual([answer, answer]);
    expect(podNames()).toEqual([]);
    for (const worker of workers) await worker.terminate();
    rmSync(script);
    // A Worker's own descriptors are Bun's.
    host.before = { ...host.before, descriptors: host.snapshot().descriptors };
  });
});

describe("a bound on pods", () => {
  test("further starts wait for a place, and one more is refused", async () => {
    await using peapod = await open({ podsMax: 1, queueMax: 1 });
    const first = await peapod.up(sleeper());
    const second = peapod.up(sleeper());
    const error = await errorOf(peapod.up(sleeper()));
    expect([error.code, error.message]).toEqual(["pod.queue-full", "1 pods run and 1 wait"]);
    await first.down({ graceMs: 0 });
    expect((await second).name).toBe((await peapod.list())[0]?.name ?? "");
  });

  test("an abort gives a waiting place back", async () => {
    await using peapod = await open({ podsMax: 1, queueMax: 1 });
    const first = await peapod.up(sleeper());
    const controller = new AbortController();
    const waiting = peapod.up(sleeper(), { signal: controller.signal });
    controller.abort(new Error("tired"));
    expect(await waiting.catch(({ message }: Error) => message)).toBe("tired");
    const next = peapod.up(sleeper());
    await first[Symbol.asyncDispose]();
    expect((await next).lifetime).toBe("owner");
  });

  test("a launch that failed gives its place back", async () => {
    await using peapod = await open({ podsMax: 1, queueMax: 0 });
    const wrong = podOf([{ ...probe(host, []), command: ["/nothing"] }]);
    expect((await errorOf(peapod.up(wrong))).code).toBe("container.not-found");
    expect((await peapod.up(sleeper())).containers.length).toBe(1);
  });
});

describe("an abort while a pod starts", () => {
  test("ends the launch at any moment, and nothing is left", async () => {
    await using peapod = await open();
    for (const delayMs of [0, 0.5, 1, 2, 3, 5]) {
      const controller = new AbortController();
      const starting = peapod.up(sleeper(), { signal: controller.signal });
      setTimeout(() => controller.abort(), delayMs);
      const pod = await starting.catch(() => undefined);
      await pod?.down({ graceMs: 0 });
      expect(podNames()).toEqual([]);
    }
  });

  test("is told as such", async () => {
    await using peapod = await open();
    const controller = new AbortController();
    const starting = errorOf(peapod.up(sleeper(), { signal: controller.signal }));
    queueMicrotask(() => controller.abort());
    expect((await starting).code).toBe("launch.aborted");
  });
});

test("events tell of starts, exits and ends, and stop with the object", async () => {
  const seen: string[] = [];
  const peapod = await open();
  const events = (async () => {
    for await (const event of peapod.events()) seen.push(describeEvent(event));
  })();
  await Bun.sleep(0);
  const pod = await peapod.up(podOf([probe(host, ["exit", "2"])]));
  await pod.container("main").exited;
  await peapod[Symbol.asyncDispose]();
  await events;
  expect(seen).toEqual(["started main", "exited main 2", "ended"]);
  for await (const _ of peapod.events()) throw new Error("there is nothing more to tell");
});

function describeEvent(event: PodEvent): string {
  switch (event.type) {
    case "started":
      return `started ${event.container}`;
    case "exited":
      return `exited ${event.container} ${event.exit.exitCode}`;
    case "ended":
      return "ended";
    default:
      return event satisfies never;
  }
}

describe("finding pods", () => {
  test("by name, namespace, prefix and uid; and not by what fits two", async () => {
    await using peapod = await open();
    const up = (name: string, namespace = "default") =>
      peapod.up({ ...sleeper(), metadata: { name, namespace } });
    const [web, , worker] = [await up("web-1"), await up("web-2"), await up("worker", "jobs")];
    const uidOf = async (name: string) => (await peapod.get(name)).uid;
    expect(await uidOf("web-1")).toBe(web.uid);
    expect(await uidOf("default/web-1")).toBe(web.uid);
    expect(await uidOf("jobs/worker")).toBe(worker?.uid ?? "");
    expect(await uidOf("wo")).toBe(worker?.uid ?? "");
    expect(await uidOf(web.uid.slice(0, 13))).toBe(web.uid);
    const { code, message, hint = "" } = await errorOf(peapod.get("web"));
    expect([code, message]).toEqual(["pod.ambiguous", '"web" fits 2 pods']);
    expect(hint.split(/it could be |, /).sort()).toEqual(["", "default/web-1", "default/web-2"]);
    expect((await errorOf(peapod.get("jobs/web-1"))).code).toBe("pod.not-found");
    expect((await errorOf(peapod.get(""))).code).toBe("pod.not-found");
  });

  test("inspect says what the kernel says", async () => {
    await using peapod = await open();
    const pod = await peapod.up(sleeper());
    const { pod: object, sandbox, containers } = await pod.inspect();
    expect(object).toMatchObject({
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: pod.name, namespace: "default", uid: pod.uid },
      status: { phase: "Running", containerStatuses: [{ name: "main", ready: true }] },
    });
    expect(sandbox).toMatchObject({ id: pod.uid, lifetime: "owner" });
    const [main] = containers;
    const { stdout } = await pod.exec(["/probe", "ns"]).result;
    expect(probeAnswers(textOf(stdout))["ns"]).toMatchObject({ ...main?.namespaces });
    expect(main?.namespaces["net"]).toBe(sandbox.namespaces["net"]);
    expect(main?.id).toMatch(/^[0-9a-f]{64}$/);
    expect(readFileSync(`/proc/${main?.pid}/cgroup`, "utf8")).toContain(`/pod${pod.uid}/main`);
    expect(readdirSync(main?.cgroup ?? "")).toContain("cgroup.procs");
  });
});

describe("files of a container", () => {
  const links = (words: readonly string[]) =>
    podOf([{ ...probe(host, []), image: "host", command: ["sh", "-c", words.join("; ")] }]);

  test("are written and read where the container sees them", async () => {
    await using peapod = await open();
    const pod = await peapod.up(sleeper());
    await pod.files.write("/note", "from outside");
    const { stdout } = await pod.exec(["/probe", "read", "/note"]).result;
    expect(probeAnswers(textOf(stdout))).toEqual({ "read /note": "from outside" });
    expect(textOf(await pod.files.read("/note"))).toBe("from outside");
    await pod.files.write("/note", "short");
    expect(textOf(await pod.files.read("/note"))).toBe("short");
  });

  test("links resolve inside, whatever they say", async () => {
    await using peapod = await open();
    const pod = await peapod.up(
      links([
        "ln -s /etc/passwd /tmp/absolute",
        "ln -s ../../../../../../etc/passwd /tmp/relative",
        "ln -s /proc/1/root/etc/passwd /tmp/magic",
        "mkfifo /tmp/fifo",
        "touch /tmp/ready",
        "sleep 60",
      ]),
    );
    await until(() =>
      pod.files.read("/tmp/ready").then(
        () => true,
        () => false,
      ),
    );
    const inside = textOf(await pod.files.read("/etc/passwd"));
    expect(inside).not.toBe(readFileSync("/etc/passwd", "utf8"));
    for (const name of ["absolute", "relative"]) {
      expect(textOf(await pod.files.read(`/tmp/${name}`))).toBe(inside);
      expect(textOf(await pod.files.read(`/../../tmp/${name}`))).toBe(inside);
    }
    for (const path of ["/tmp/magic", "/tmp/fifo", "/dev/null", "/tmp", "/tmp/nothing"]) {
      expect((await errorOf(pod.files.read(path))).code).toBe("file.unusable");
    }
    for (const path of ["/tmp/magic", "/tmp/fifo", "/dev/null", "/usr/bin/env", "/tmp"]) {
      expect((await errorOf(pod.files.write(path, "x"))).code).toBe("file.unusable");
    }
  });

  test("more bytes than asked for are an error", async () => {
    await using peapod = await open();
    const pod = await peapod.up(sleeper());
    await pod.files.write("/note", "12345");
    expect((await pod.files.read("/note", { bytesMax: 5 })).length).toBe(5);
    const error = await errorOf(pod.files.read("/note", { bytesMax: 4 }));
    expect([error.code, error.step]).toEqual([
      "file.unusable",
      "it has 5 bytes, more than the 4 allowed",
    ]);
    // A file of /proc does not say how large it is.
    expect((await errorOf(pod.files.read("/proc/mounts", { bytesMax: 9 }))).code).toBe(
      "file.unusable",
    );
  });

  newKernelTest("belong to the container's root in a user namespace", async () => {
    await using peapod = await open();
    const pod = await peapod.up(podOf([probe(host, ["pause"])], { hostUsers: false }));
    await pod.files.write("/note", "x");
    const { stdout } = await pod.exec(["/probe", "stat", "/note"]).result;
    expect(probeAnswers(textOf(stdout))["stat /note"]).toMatchObject({ uid: 0, gid: 0 });
  });
});
