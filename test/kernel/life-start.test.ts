// The order in which a pod starts: init containers, sidecars, regular containers and their hooks.

import { expect } from "bun:test";
import { errorOf } from "../support/pods.ts";
import { eventually, hostMissing, openTestHost } from "../support/host.ts";
import { journalOf, note, script, sleeper, tracedPod, traceOf } from "../support/life.ts";
import { testOrSkip } from "../support/must-run.ts";

const kernelTest = testOrSkip(hostMissing === undefined, hostMissing ?? "");
const always = { restartPolicy: "Always" } as const;

kernelTest("init containers run one by one, to success, before the others", async () => {
  await using host = await openTestHost();
  await using pod = await host.up(
    tracedPod("ordered", {
      initContainers: [
        script("first", `${note("first-begins")}; sleep 0.1; ${note("first-ends")}`),
        script("second", `${note("second-begins")}; sleep 0.1; ${note("second-ends")}`),
      ],
      containers: [script("main", `${note("main")}; sleep 60`)],
    }),
  );
  const said = await eventually(
    () => traceOf(host, pod),
    (lines) => lines.includes("main"),
  );
  expect(said).toEqual(["first-begins", "first-ends", "second-begins", "second-ends", "main"]);
});

kernelTest(
  "an init container that fails is run again, with back-off, and then the next",
  async () => {
    await using host = await openTestHost({ timeScale: 0.01 });
    const flaky = `${note("try")}; test $(grep -c try /trace/all) = 3`;
    await using pod = await host.up(
      tracedPod("flaky", {
        initContainers: [script("init", flaky)],
        containers: [script("main", `${note("main")}; sleep 60`)],
      }),
    );
    await pod.ready;
    expect(await traceOf(host, pod)).toEqual(["try", "try", "try", "main"]);
    const { attempt, backOff, lastTermination } = journalOf(host, pod).containers["init"] ?? {};
    expect({ attempt, delayMs: backOff?.delayMs, code: lastTermination?.exitCode }).toEqual({
      ...{ attempt: 2, delayMs: 20_000, code: 1 },
    });
  },
);

kernelTest(
  "an init container that fails in a pod that restarts nothing fails the pod",
  async () => {
    await using host = await openTestHost();
    await using pod = await host.up(
      tracedPod("broken", {
        restartPolicy: "Never",
        initContainers: [script("sidecar", "sleep 60", always), script("init", "exit 3")],
        containers: [script("main", note("main"))],
      }),
    );
    expect((await errorOf(pod.ready)).message).toBe(
      "pod broken failed: container init exited with 3",
    );
    expect(await pod.finished).toMatchObject({ phase: "Failed", reason: "" });
    expect(await traceOf(host, pod)).toEqual([]);
    // Everything was ended, and is there to be looked at.
    const states = await Promise.all(pod.containers.map((container) => container.state()));
    expect(states.map(({ phase }) => phase)).toEqual(["terminated", "terminated", "waiting"]);
  },
);

kernelTest(
  "a sidecar counts when its startup probe has passed, and outlives the start",
  async () => {
    await using host = await openTestHost({ timeScale: 0.1 });
    const startupProbe = {
      ...{ exec: { command: ["test", "-e", "/trace/up"] }, periodSeconds: 1 },
      ...{ timeoutSeconds: 30, failureThreshold: 100 },
    };
    await using pod = await host.up(
      tracedPod("with-sidecar", {
        initContainers: [
          script("sidecar", `${note("sidecar")}; sleep 0.3; echo > /trace/up; sleep 60`, {
            ...always,
            startupProbe,
          }),
          script("init", `test -e /trace/up && ${note("init")}`),
        ],
        containers: [script("main", `${note("main")}; sleep 60`)],
      }),
    );
    await pod.ready;
    expect(await traceOf(host, pod)).toEqual(["sidecar", "init", "main"]);
    expect((await pod.container("sidecar").state()).phase).toBe("running");
  },
);

kernelTest("a container waits for the postStart hook of the one before it", async () => {
  await using host = await openTestHost();
  const hook = (text: string) => ({ postStart: { exec: { command: ["sh", "-c", text] } } });
  await using pod = await host.up(
    tracedPod("hooked", {
      containers: [
        script("first", `${note("first")}; sleep 60`, {
          lifecycle: hook(`sleep 0.2; ${note("hook")}`),
        }),
        script("second", `${note("second")}; sleep 60`),
      ],
    }),
  );
  await pod.ready;
  const said = await eventually(
    () => traceOf(host, pod),
    (lines) => lines.includes("second"),
  );
  expect(said).toEqual(["first", "hook", "second"]);
});

kernelTest("a postStart hook that fails has its container killed and restarted", async () => {
  await using host = await openTestHost({ timeScale: 0.01 });
  const command = ["sh", "-c", "test $(grep -c main /trace/all) = 2 || { echo no; exit 1; }"];
  await using pod = await host.up(
    tracedPod("bad-hook", {
      containers: [
        script("main", `${note("main")}; exec sleep 60`, {
          lifecycle: { postStart: { exec: { command } } },
        }),
      ],
    }),
  );
  await pod.ready;
  expect(await traceOf(host, pod)).toEqual(["main", "main"]);
  const { events, containers } = journalOf(host, pod);
  expect(containers["main"]?.attempt).toBe(1);
  expect(events.map(({ reason }) => reason)).toContain("FailedPostStartHook");
});

kernelTest(
  "a first launch that fails takes back everything, also behind init containers",
  async () => {
    await using host = await openTestHost();
    const error = await errorOf(
      host.up(
        tracedPod("not-there", {
          initContainers: [script("init", "true")],
          containers: [sleeper("good"), { ...sleeper("bad"), command: ["/no/such/program"] }],
        }),
      ),
    );
    expect(error.code).toBe("container.not-found");
    expect(await host.pods.list()).toEqual([]);
  },
);

kernelTest("a start that takes too long, or is given up, leaves nothing", async () => {
  await using host = await openTestHost();
  const slow = tracedPod("slow", {
    initContainers: [script("init", "sleep 60")],
    containers: [sleeper("main")],
  });
  const late = await errorOf(host.up(slow, { timeoutMs: 200 }));
  expect(late.message).toBe("pod slow did not start within 200 ms");
  const abort = new AbortController();
  const given = errorOf(host.up(slow, { signal: abort.signal }));
  await Bun.sleep(200);
  abort.abort();
  expect((await given).code).toBe("launch.aborted");
  expect(await host.pods.list()).toEqual([]);
});
