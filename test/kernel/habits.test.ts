// What people try who know kubectl, docker compose or podman: one test for each habit.

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
// The leak check waits for the machine to reap keepers, longer than a hook may take by default.
afterAll(() => cli?.[Symbol.asyncDispose](), 60_000);

const peapod = (...words: string[]) => cli.run(words);

const calm = "trap 'exit 0' TERM; echo ready; while :; do sleep 0.05; done";
const counting =
  "trap 'exit 0' TERM; n=0; while :; do n=$((n+1)); echo $n > /tmp/count; sleep 0.01; done";

async function upDetached(
  name: string,
  scripts: Readonly<Record<string, string>>,
  metadata: Readonly<Record<string, unknown>> = {},
): Promise<void> {
  const file = cli.manifest(name, scripts);
  const pod = (await Bun.file(file).json()) as { metadata: object };
  await Bun.write(file, JSON.stringify({ ...pod, metadata: { ...pod.metadata, ...metadata } }));
  const { out, err, status } = await peapod("up", "-d", file);
  if (status !== 0) throw new Error(`${out}${err}`);
}

describe("kill", () => {
  test("sends one container the signal it is told, by name or number", async () => {
    await upDetached("killed", {
      app: "trap 'echo caught USR1' USR1; trap 'exit 0' TERM; echo ready; while :; do sleep 0.05; done",
      other: "trap 'echo other USR1' USR1; trap 'exit 0' TERM; while :; do sleep 0.05; done",
    });
    await eventually(
      () => peapod("logs", "killed", "-c", "app"),
      ({ out }) => out === "ready\n",
    );
    expect(await peapod("kill", "-s", "usr1", "killed", "-c", "app")).toEqual({
      ...{ out: "killed\n", err: "", status: 0 },
    });
    const { out } = await eventually(
      () => peapod("logs", "killed", "--all-containers"),
      (ran) => ran.out.includes("caught"),
    );
    expect(out).toBe("ready\ncaught USR1\n");
    expect((await peapod("kill", "killed")).status).toBe(0);
    const ended = await eventually(
      () => peapod("ps", "-a", "killed"),
      (ran) => ran.out.includes("0/2"),
    );
    expect(ended.out).toMatch(/^killed +0\/2 +Error /m);
    expect((await peapod("rm", "killed")).out).toBe("killed\n");
  });

  test("refuses what is no signal", async () => {
    const { err, status } = await peapod("kill", "-s", "NOPE", "web");
    expect({ err, status }).toEqual({
      ...{ err: 'error[cli.usage] --signal: "NOPE" is no signal\n  hint   HUP, SIGHUP, 1\n' },
      status: 2,
    });
  });
});

describe("pause and unpause", () => {
  test("freeze a pod and let it go on, and ps says so", async () => {
    await upDetached("ice", { app: counting });
    const pod = await cli.host.pods.get("ice");
    const count = async () =>
      Number(
        new TextDecoder().decode(await pod.files.read("/tmp/count").catch(() => new Uint8Array())),
      );
    await eventually(count, (n) => n > 2);
    expect((await peapod("pause", "ice")).out).toBe("ice\n");
    const before = await count();
    await Bun.sleep(100);
    expect(await count()).toBe(before);
    expect((await peapod("ps")).out).toMatch(/^ice +1\/1 +Paused /m);
    expect((await peapod("unpause", "ice")).out).toBe("ice\n");
    expect(await eventually(count, (n) => n > before)).toBeGreaterThan(before);
    expect((await peapod("ps")).out).toMatch(/^ice +1\/1 +Running /m);
  });

  test("down ends a paused pod in order", async () => {
    await peapod("pause", "ice");
    const started = performance.now();
    expect((await peapod("down", "ice")).status).toBe(0);
    expect(performance.now() - started).toBeLessThan(4000); // Of a grace of five seconds.
  });
});

describe("pods by label and namespace", () => {
  beforeAll(async () => {
    if (hostMissing !== undefined) return;
    await upDetached("one", { app: calm }, { labels: { app: "web", tier: "front" } });
    await upDetached("two", { app: calm }, { labels: { app: "web", tier: "back" } });
    await upDetached("three", { app: calm }, { namespace: "team", labels: { app: "db" } });
  });

  test("ps takes -l and -n, -q and -o name", async () => {
    const names = async (...words: string[]) =>
      (await peapod("ps", ...words)).out.split("\n").filter(Boolean).toSorted();
    expect(await names("-q", "-l", "app=web,tier!=back")).toEqual(["one"]);
    expect(await names("-q", "-n", "team")).toEqual(["team/three"]);
    expect(await names("-o", "name", "-l", "app")).toEqual([
      "pod/one",
      "pod/team/three",
      "pod/two",
    ]);
    expect((await peapod("ps", "--show-labels", "one")).out).toContain("app=web,tier=front");
    expect((await peapod("get", "pod", "two", "-o", "json")).out).toContain('"name": "two"');
  });

  test("a name is looked up in the namespace of -n, and may have its kind before it", async () => {
    expect((await peapod("logs", "-n", "team", "three")).out).toBe("ready\n");
    expect((await peapod("exec", "pod/one", "--", "echo", "hi")).out).toBe("hi\n");
    expect((await peapod("logs", "-n", "team", "one")).status).toBe(125);
  });

  test("ps -w has a line for every change", async () => {
    const child = cli.start(["ps", "-w", "-l", "tier=back"]);
    await child.untilOut("Running");
    await peapod("kill", "two");
    await child.untilOut("Error");
    await peapod("delete", "pod", "two");
    await child.untilOut("Deleted");
    child.kill("SIGINT");
    const { out, status } = await child.ended;
    expect(status).toBe(130);
    expect(out.split("\n").map((line) => line.replace(/ +/g, " ").replace(/\S+$/, ""))).toEqual([
      ...["NAMESPACE NAME READY STATUS RESTARTS ", "default two 1/1 Running 0 "],
      ...["default two 0/1 Error 0 ", "default two 0/1 Deleted 0 ", ""],
    ]);
  });

  test("rm refuses what runs, and down -l ends it", async () => {
    expect(await peapod("rm", "one")).toEqual({
      ...{ out: "", status: 125 },
      err: `error[pod.running] pod one runs, and rm removes what has ended
  hint   peapod down one ends it in order; rm --force kills it
`,
    });
    expect((await peapod("rm", "--all")).out).toBe("");
    expect((await peapod("down", "-l", "tier=front")).out).toBe("default/one\n");
    expect((await peapod("rm", "-f", "-n", "team", "three")).out).toBe("team/three\n");
    expect((await peapod("ps", "-aq")).out).toBe("");
  });

  test("names, labels and --all are three ways, of which one is taken", async () => {
    const said = async (...words: string[]) => (await peapod(...words)).err.split("\n")[0];
    const excluded = "error[cli.usage] names, --selector and --all exclude each other";
    expect(await said("down", "web", "--all")).toBe(excluded);
    expect(await said("kill", "-l", "a=b", "--all")).toBe(excluded);
    expect(await said("pause")).toBe("error[cli.usage] no pod is named");
  });
});

describe("generate", () => {
  test("prints a manifest that up takes again, and it is the same pod", async () => {
    const labels = { app: "web" };
    await upDetached("origin", { app: calm }, { labels, annotations: { note: "kept" } });
    const before = (await peapod("generate", "origin")).out;
    expect(before).toStartWith("apiVersion: v1\nkind: Pod\nmetadata:\n  name: origin\n");
    await peapod("down", "origin", "-t", "0");
    expect((await cli.run(["up", "-d", "-"], before)).status).toBe(0);
    expect((await peapod("generate", "origin")).out).toBe(before);
    await peapod("down", "origin", "-t", "0");
  });

  test("prints a unit whose command starts the manifest", async () => {
    const file = cli.manifest("unit", { app: "echo from the unit" });
    const { out } = await peapod("generate", "systemd", file);
    const line = /^ExecStart=(.*)$/m.exec(out)?.[1] ?? "";
    expect(out).toContain("KillMode=mixed");
    // What systemd would do with it: words in quotes.
    const words = [...line.matchAll(/"([^"]*)"|(\S+)/g)].map(
      ([, quoted, bare]) => quoted ?? bare ?? "",
    );
    const up = words.indexOf("up");
    const child = Bun.spawnSync([...words.slice(0, up), ...cli.host.flags, ...words.slice(up)]);
    expect(child.stdout.toString()).toBe("app | from the unit\n");
  });
});

describe("volumes", () => {
  test("of claims outlive their pods, and go when they are told to", async () => {
    const claim = {
      volumes: [{ name: "data", persistentVolumeClaim: { claimName: "store" } }],
    };
    const mount = { volumeMounts: [{ name: "data", mountPath: "/data" }] };
    const file = cli.manifest("keeps", { app: "echo kept >> /data/file; sleep 60" }, mount);
    const pod = (await Bun.file(file).json()) as { spec: object };
    await Bun.write(file, JSON.stringify({ ...pod, spec: { ...pod.spec, ...claim } }));
    const writes = async () => {
      expect((await peapod("up", "-d", file)).status).toBe(0);
      const read = () => peapod("exec", "-T", "keeps", "--", "cat", "/data/file");
      return (await eventually(read, ({ out }) => out !== "")).out;
    };
    expect(await writes()).toBe("kept\n");
    expect((await peapod("volumes")).out).toMatch(/^default +store +\S+ +default\/keeps +\//m);
    expect(await peapod("volumes", "rm", "store")).toEqual({
      ...{ out: "", status: 125 },
      err: `error[volume.in-use] volume default/store is used by default/keeps
  hint   end the pods first; peapod down -v removes their volumes with them
`,
    });
    await peapod("down", "keeps", "-t", "0");
    expect(await writes()).toBe("kept\nkept\n");
    const { err } = await peapod("down", "-v", "-f", file, "-t", "0");
    expect(err).toBe("removed volume store\n");
    expect((await peapod("volumes", "-q")).out).toBe("");
    expect((await peapod("volumes", "rm", "store")).err).toContain("error[volume.not-found]");
    expect(await writes()).toBe("kept\n");
    await peapod("down", "keeps", "-t", "0");
    expect((await peapod("volumes", "rm", "--all")).out).toBe("store\n");
  });
});

describe("exec", () => {
  test("runs as another user with -u, and has a terminal where its caller has one", async () => {
    await upDetached("who", { app: calm });
    expect((await peapod("exec", "-u", "1234:99", "who", "--", "id", "-u")).out).toBe("1234\n");
    expect((await peapod("exec", "-u", "nobody", "who", "--", "id", "-un")).out).toBe("nobody\n");
    expect((await peapod("exec", "-u", "nosuch", "who", "--", "id")).err).toContain("nosuch");
    {
      await using terminal = cli.startInTerminal(["exec", "who", "--", "sh", "-c", "tty; read x"]);
      await terminal.until("/dev/pts/");
      terminal.write("\r");
      expect((await terminal.ended).status).toBe(0);
    }
    {
      await using terminal = cli.startInTerminal(["exec", "-T", "who", "--", "tty"]);
      await terminal.until("not a tty");
      expect((await terminal.ended).status).toBe(1);
    }
    expect((await peapod("down", "who")).status).toBe(0);
  });
});
