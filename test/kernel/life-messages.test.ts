// Last words: the file that a container leaves, and the end of its log.

import { expect } from "bun:test";
import { existsSync } from "node:fs";
import type { TestHost } from "../support/host.ts";
import {
  eventually,
  hasUserNamespaces,
  hostMissing,
  noUserNamespaces,
  openTestHost,
} from "../support/host.ts";
import { journalOf, script, tracedPod } from "../support/life.ts";
import { testOrSkip } from "../support/must-run.ts";

const kernelTest = testOrSkip(hostMissing === undefined, hostMissing ?? "");
const never = { restartPolicy: "Never" } as const;
type Container = ReturnType<typeof script>;

/** What the owner has written down of each container's end. */
async function messagesOf(host: TestHost, containers: readonly Container[], more = {}) {
  const spec = { ...never, ...more, containers: [...containers] };
  await using pod = await host.up(tracedPod("last-words", spec));
  await pod.finished;
  const { containers: lives } = journalOf(host, pod);
  return containers.map(({ name }) => lives[name]?.termination?.message);
}

kernelTest(
  "what a container writes to its file is its message, however soon it exits",
  async () => {
    await using host = await openTestHost();
    const messages = await messagesOf(host, [
      script("default", "echo sorry > /dev/termination-log; exit 1"),
      script("elsewhere", "printf bye > /tmp/own/log", { terminationMessagePath: "/tmp/own/log" }),
      script("silent", "true"),
      script("long", "head -c 9000 /dev/zero | tr '\\0' x > /dev/termination-log"),
      script("read-only", "echo locked > /run/log", {
        terminationMessagePath: "/run/log",
        securityContext: { readOnlyRootFilesystem: true },
      }),
      script("nobody", "echo mine > /dev/termination-log", {
        securityContext: { runAsUser: 65_534 },
      }),
    ]);
    // Six share 12 KiB.
    expect(messages).toEqual(["sorry\n", "bye", "", "x".repeat(2048), "locked\n", "mine\n"]);
  },
);

kernelTest("no message is longer than 4096 bytes", async () => {
  await using host = await openTestHost();
  const [message] = await messagesOf(host, [
    script("long", "head -c 9000 /dev/zero | tr '\\0' x > /dev/termination-log"),
  ]);
  expect(message).toBe("x".repeat(4096));
});

kernelTest(
  "the end of the log stands in where asked for, for a failure without words",
  async () => {
    await using host = await openTestHost();
    const asked = { terminationMessagePolicy: "FallbackToLogsOnError" } as const;
    const lines = "for i in $(seq 100); do echo line $i; done";
    const messages = await messagesOf(host, [
      script("failed", `${lines}; exit 1`, asked),
      script("fine", `${lines}; exit 0`, asked),
      script("told", `${lines}; echo words > /dev/termination-log; exit 1`, asked),
      script("unasked", `${lines}; exit 1`),
    ]);
    const last = Array.from({ length: 80 }, (_, index) => `line ${index + 21}\n`).join("");
    expect(messages).toEqual([last, "", "words\n", ""]);
  },
);

kernelTest("each run has words of its own, and those of the run before stay", async () => {
  await using host = await openTestHost({ timeScale: 0.01 });
  const text = "echo run >> /trace/n; cat /trace/n > /dev/termination-log; exit 1";
  await using pod = await host.up(tracedPod("again", { containers: [script("main", text)] }));
  const life = await eventually(
    () => journalOf(host, pod).containers["main"],
    (main) => main?.termination?.attempt === 1,
  );
  expect(life?.lastTermination?.message).toBe("run\n");
  expect(life?.termination?.message).toBe("run\nrun\n");
  const directory = `${host.places.state}/pods/${pod.uid}`;
  await eventually(
    () => existsSync(`${directory}/message.0.0`),
    (isThere) => !isThere,
  );
  expect(existsSync(`${directory}/message.0.0`)).toBe(false);
});

testOrSkip(hostMissing === undefined && hasUserNamespaces, hostMissing ?? noUserNamespaces)(
  "with users of its own a container has its file, too",
  async () => {
    await using host = await openTestHost();
    const words = "echo mapped > /dev/termination-log";
    expect(await messagesOf(host, [script("main", words)], { hostUsers: false })).toEqual([
      "mapped\n",
    ]);
  },
);
