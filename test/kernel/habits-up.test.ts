// up in the foreground and logs, of containers that are started again and of those that decide.

import { afterAll, beforeAll, describe, expect } from "bun:test";
import type { CliHost } from "../support/cli-host.ts";
import { openCliHost } from "../support/cli-host.ts";
import { eventually, hostMissing } from "../support/host.ts";
import { testOrSkip } from "../support/must-run.ts";

const test = testOrSkip(hostMissing === undefined, hostMissing ?? "");

let cli: CliHost;
beforeAll(async () => {
  process.env["PEAPOD_TIME_SCALE"] = "0.01";
  if (hostMissing === undefined) cli = await openCliHost();
});
afterAll(async () => {
  await cli?.[Symbol.asyncDispose]();
  delete process.env["PEAPOD_TIME_SCALE"];
}, 60_000);

const peapod = (...words: string[]) => cli.run(words);

async function manifest(
  name: string,
  scripts: Readonly<Record<string, string>>,
  spec: Readonly<Record<string, unknown>>,
): Promise<string> {
  const file = cli.manifest(name, scripts);
  const pod = (await Bun.file(file).json()) as { spec: object };
  await Bun.write(file, JSON.stringify({ ...pod, spec: { ...pod.spec, ...spec } }));
  return file;
}

/** Fails until the given run, by a counter in a volume that outlives the runs. */
const untilRun = (run: number, seconds: number) =>
  "n=$(cat /data/n 2>/dev/null || echo 0); echo $((n+1)) > /data/n; echo run $n; " +
  `sleep ${seconds}; [ $n = ${run} ]`;
const data = { volumes: [{ name: "data", emptyDir: {} }] };
const withData = { volumeMounts: [{ name: "data", mountPath: "/data" }] };

async function retrying(name: string, run: number, seconds = 0): Promise<string> {
  const file = cli.manifest(name, { app: untilRun(run, seconds) }, withData);
  const pod = (await Bun.file(file).json()) as { spec: object };
  const spec = { ...pod.spec, ...data, restartPolicy: "OnFailure" };
  await Bun.write(file, JSON.stringify({ ...pod, spec }));
  return file;
}

describe("up", () => {
  test("follows a container past its restarts, each end after its last line", async () => {
    const { out, err, status } = await peapod("up", await retrying("retry", 2));
    expect(out).toBe("app | run 0\napp | run 1\napp | run 2\n");
    expect(err.split("\n").filter((line) => line.startsWith("app "))).toEqual([
      ...["app exited with status 1", "app exited with status 1", "app exited with status 0"],
    ]);
    expect(status).toBe(0);
  });

  test("--exit-code-from ends all with one container, whose status is that of up", async () => {
    const calm = "trap 'exit 0' TERM; while :; do sleep 0.05; done";
    const file = await manifest("suite", { db: calm, test: "sleep 0.3; exit 7" }, {});
    const { err, status } = await peapod("up", "--exit-code-from", "test", file);
    expect(status).toBe(7);
    expect(err).toContain("stopping, since test has ended\n");
    expect(err).toContain("db exited with status 0\n");
    const wrong = await peapod("up", "--exit-code-from", "nope", file);
    expect(wrong).toMatchObject({ out: "", status: 2 });
    expect(wrong.err).toContain('--exit-code-from: no container is called "nope"');
  });

  test("--abort-on-container-exit ends all with the first", async () => {
    const calm = "trap 'exit 0' TERM; while :; do sleep 0.05; done";
    const file = await manifest("abort", { db: calm, job: "exit 3" }, {});
    const { err, status } = await peapod("up", "--abort-on-container-exit", file);
    expect(err).toContain("stopping, since job has ended\n");
    expect(status).toBe(3);
  });

  test("the end of a sidecar is no failure", async () => {
    const file = await manifest(
      "sided",
      { app: "echo done" },
      {
        initContainers: [
          { name: "proxy", image: "host", command: ["sleep", "600"], restartPolicy: "Always" },
          { name: "setup", image: "host", command: ["echo", "set up"] },
        ],
      },
    );
    const { out, status } = await peapod("up", file);
    expect(out.split("\n").toSorted()).toEqual(["", "app   | done", "setup | set up"]);
    expect(status).toBe(0);
  });
});

describe("logs", () => {
  test("-f goes on past restarts and ends with the pod's work; -p is the run before", async () => {
    // Long enough for a command to begin to follow the first run.
    const file = await retrying("relog", 2, 1.5);
    expect((await peapod("up", "-d", file)).status).toBe(0);
    expect((await peapod("logs", "-f", "relog")).out).toBe("run 0\nrun 1\nrun 2\n");
    expect((await peapod("logs", "relog")).out).toBe("run 2\n");
    expect((await peapod("logs", "-p", "relog")).out).toBe("run 1\n");
    const ps = await peapod("ps", "-a", "relog");
    expect(ps.out).toMatch(/^relog +0\/1 +Completed +2 /m);
    await peapod("down", "relog");
  });

  test("--since, --tail, -t and --prefix choose and mark lines of several containers", async () => {
    const loud = (word: string) => `echo ${word} 1; echo ${word} 2; sleep 600`;
    const file = await manifest("loud", { one: loud("one"), two: loud("two") }, {});
    await peapod("up", "-d", file);
    await eventually(
      () => peapod("logs", "loud", "--all-containers"),
      ({ out }) => out.split("\n").length === 5,
    );
    const { out } = await peapod("logs", "loud", "--all-containers", "--tail", "1", "--prefix");
    expect(out.split("\n").toSorted()).toEqual([
      ...["", "[pod/loud/one] one 2", "[pod/loud/two] two 2"],
    ]);
    expect((await peapod("logs", "-t", "--since", "1h", "loud", "-c", "one")).out).toMatch(
      /^\d{4}-\d\d-\d\dT[\d:.]+Z one 1\n\d{4}-\d\d-\d\dT[\d:.]+Z one 2\n$/,
    );
    expect((await peapod("logs", "-p", "loud", "-c", "one")).out).toBe("");
    await peapod("down", "loud", "-t", "0");
  });
});
