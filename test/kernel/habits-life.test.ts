// restart: containers end and start again in the same pod, whoever owns it.

import { afterAll, beforeAll, describe, expect } from "bun:test";
import type { CliHost } from "../support/cli-host.ts";
import { openCliHost } from "../support/cli-host.ts";
import { eventually, hostMissing } from "../support/host.ts";
import { testOrSkip } from "../support/must-run.ts";

const test = testOrSkip(hostMissing === undefined, hostMissing ?? "");

let cli: CliHost;
beforeAll(async () => {
  if (hostMissing === undefined) cli = await openCliHost();
});
afterAll(() => cli?.[Symbol.asyncDispose](), 60_000);

const peapod = (...words: string[]) => cli.run(words);
const calm = "trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.05; done";

async function upDetached(name: string, restartPolicy: string): Promise<string> {
  const file = cli.manifest(name, { app: calm, other: calm });
  const pod = (await Bun.file(file).json()) as { spec: object };
  await Bun.write(file, JSON.stringify({ ...pod, spec: { ...pod.spec, restartPolicy } }));
  const { err, status } = await peapod("up", "-d", file);
  if (status !== 0) throw new Error(err);
  return file;
}

interface PodObject {
  readonly metadata: { readonly uid: string };
  readonly status: {
    readonly containerStatuses: readonly {
      readonly name: string;
      readonly restartCount: number;
      readonly ready: boolean;
    }[];
  };
}

async function podOf(name: string): Promise<PodObject> {
  return (JSON.parse((await peapod("inspect", name)).out) as { pod: PodObject }).pod;
}

/** Restart counts by container, when all are ready. */
async function countsOf(name: string, wanted: Readonly<Record<string, number>>) {
  const counts = ({ status }: PodObject) =>
    Object.fromEntries(
      status.containerStatuses
        .filter(({ ready }) => ready)
        .map(({ name: container, restartCount }) => [container, restartCount]),
    );
  const pod = await eventually(
    () => podOf(name),
    (now) => Bun.deepEquals(counts(now), wanted),
    10_000,
  );
  return counts(pod);
}

describe("up again", () => {
  test("does nothing for what is unchanged, says what is not, and starts it anew", async () => {
    const file = await upDetached("again", "Always");
    const { uid } = (await podOf("again")).metadata;
    const uidNow = async () => (await podOf("again")).metadata.uid;
    expect(await peapod("up", "-d", file)).toEqual({
      ...{ out: "again\n", err: "again is unchanged\n", status: 0 },
    });
    expect(await uidNow()).toBe(uid);
    expect(await peapod("diff", file)).toEqual({ out: "", err: "", status: 0 });

    const text = await Bun.file(file).text();
    await Bun.write(file, text.replace('"terminationGracePeriodSeconds":5', '"hostname":"other"'));
    expect((await peapod("up", "-d", "--dry-run", file)).out).toBe(
      "again would be started anew: spec.hostname, spec.terminationGracePeriodSeconds\n",
    );
    expect(await uidNow()).toBe(uid);
    const differs = await peapod("diff", file);
    expect(differs.status).toBe(1);
    expect(differs.out).toMatch(/^again +spec\.hostname +- +"other"$/m);
    expect((await peapod("up", "-d", file)).err).toBe(
      "again is started anew: spec.hostname, spec.terminationGracePeriodSeconds\n",
    );
    const second = await uidNow();
    expect(second).not.toBe(uid);

    expect((await peapod("up", "-d", "--force-recreate", file)).err).toBe(
      "again is started anew: as asked\n",
    );
    expect(await uidNow()).not.toBe(second);
    await peapod("down", "again", "-t", "0");
    expect((await peapod("diff", file)).out).toBe("again would be started\n");
  }, 30_000);

  test("restarts a container whose command has changed, and only that one", async () => {
    const file = await upDetached("partly", "Always");
    const { uid } = (await podOf("partly")).metadata;
    await Bun.write(file, (await Bun.file(file).text()).replace("echo ready", "echo changed"));
    expect((await peapod("up", "-d", "--dry-run", file)).out).toBe(
      "partly: restarting app (command[2])\n",
    );
    const { out, err } = await peapod("up", "-d", file);
    expect({ out, err }).toEqual({
      ...{ out: "partly\n", err: "partly: restarting app (command[2])\n" },
    });
    expect(await countsOf("partly", { app: 1, other: 0 })).toEqual({ app: 1, other: 0 });
    expect((await podOf("partly")).metadata.uid).toBe(uid);
    const { out: log } = await eventually(
      () => peapod("logs", "partly", "-c", "app"),
      (ran) => ran.out !== "",
    );
    expect(log).toBe("changed\n");
    expect((await peapod("up", "-d", file)).err).toBe("partly is unchanged\n");
    // Its owner goes by the new one from here on.
    await peapod("restart", "partly", "-c", "app");
    await countsOf("partly", { app: 2, other: 0 });
    expect((await peapod("logs", "partly", "-c", "app")).out).toBe("changed\n");
    await peapod("down", "partly", "-t", "0");
  }, 30_000);
});

describe("debug and resize", () => {
  test("debug sees the processes of its target, and its status is its own", async () => {
    await upDetached("looked", "Always");
    const script = "grep -l 'echo ready' /proc/[0-9]*/cmdline | head -1; hostname; exit 5";
    const words = ["debug", "looked", "--image", "host", "--target", "app", "-c", "probe"];
    const { out, err, status } = await peapod(...words, "--", "sh", "-c", script);
    expect({ out, err, status }).toEqual({
      ...{ out: "/proc/1/cmdline\nlooked\n", err: "", status: 5 },
    });
    const twice = await peapod(...words, "--", "true");
    expect(twice.err).toContain('pod looked has a container "probe" already');
    await peapod("down", "looked", "-t", "0");
  }, 30_000);

  test("resize says what is no amount, and what may not be", async () => {
    await upDetached("sized", "Always");
    const wrong = await peapod("resize", "sized", "--cpu", "much");
    expect(wrong).toMatchObject({ out: "", status: 2 });
    expect((await peapod("resize", "sized")).err).toContain("no amount is given");
    const refused = await peapod("resize", "sized", "--memory", "64Mi");
    expect(refused).toMatchObject({ out: "", status: 125 });
    await peapod("down", "sized", "-t", "0");
  }, 30_000);
});

describe("restart", () => {
  for (const policy of ["Always", "Never"]) {
    test(`under the policy ${policy}`, async () => {
      const name = policy.toLowerCase();
      await upDetached(name, policy);
      const { uid } = (await podOf(name)).metadata;
      await eventually(
        () => peapod("logs", name, "-c", "app"),
        ({ out }) => out === "ready\n",
      );
      expect(await peapod("restart", name, "-c", "app")).toEqual({
        ...{ out: `${name}\n`, err: "", status: 0 },
      });
      expect(await countsOf(name, { app: 1, other: 0 })).toEqual({ app: 1, other: 0 });
      expect((await peapod("logs", "-p", name, "-c", "app")).out).toBe("ready\nbye\n");
      expect((await peapod("restart", name)).status).toBe(0);
      expect(await countsOf(name, { app: 2, other: 1 })).toEqual({ app: 2, other: 1 });
      expect((await podOf(name)).metadata.uid).toBe(uid);
      expect((await peapod("restart", name, "-c", "nope")).err).toContain(
        'pod never has no container "nope"'.replace("never", name),
      );
      await peapod("down", name, "-t", "0");
    }, 30_000);
  }
});
