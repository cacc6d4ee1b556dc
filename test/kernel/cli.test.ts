// The command line and a running pod: what it shows, what it runs there, terminals.

import { afterAll, beforeAll, describe, expect } from "bun:test";
import { existsSync } from "node:fs";
import { join } from "node:path";
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

describe("a detached pod", () => {
  beforeAll(async () => {
    if (hostMissing !== undefined) return;
    const file = cli.manifest("deta", {
      app: "echo out; echo err >&2; trap 'exit 0' TERM; while :; do sleep 0.05; done",
      shell: "trap 'exit 0' TERM; while :; do sleep 0.05; done",
    });
    const { out, err, status } = await peapod("up", "-d", file);
    if (status !== 0) throw new Error(`${out}${err}`);
    await eventually(
      () => peapod("logs", "deta"),
      (ran) => ran.out.includes("err"),
    );
  });
  afterAll(async () => {
    if (hostMissing !== undefined) return;
    const { err, status } = await peapod("down", "deta");
    expect({ err, status }).toEqual({ err: "", status: 0 });
  });

  test("is listed as kubectl lists it", async () => {
    const { out, err, status } = await peapod("ps");
    expect(out.replace(/\d+s$/m, "1s")).toBe(
      "NAME   READY   STATUS    RESTARTS   AGE\ndeta   2/2     Running   0          1s\n",
    );
    expect({ err, status }).toEqual({ err: "", status: 0 });
    expect((await peapod("get", "pods", "-A")).out).toMatch(/^NAMESPACE {3}NAME .*\ndefault +deta/);
    expect((await peapod("ps", "-q")).out).toBe("deta\n");
  });

  test("is a v1 List as JSON and YAML", async () => {
    const list = JSON.parse((await peapod("ps", "-o", "json")).out) as {
      kind: string;
      items: { kind: string; metadata: { name: string }; status: { phase: string } }[];
    };
    expect(list.kind).toBe("List");
    expect(list.items.map(({ metadata, status }) => [metadata.name, status.phase])).toEqual([
      ["deta", "Running"],
    ]);
    expect((await peapod("ps", "-oyaml")).out).toStartWith("apiVersion: v1\nkind: List\n");
  });

  test("cannot be started twice", async () => {
    const { err, status } = await peapod("up", join(cli.folder, "deta.json"));
    expect(err).toStartWith("error[pod.exists] ");
    expect(status).toBe(125);
  });

  test("shows the logs of its default container, and says which", async () => {
    expect(await peapod("logs", "de")).toEqual({
      out: "out\nerr\n",
      err: "container app of: app, shell (choose with -c, or --all-containers)\n",
      status: 0,
    });
    expect(await peapod("logs", "deta", "-c", "app", "--tail=1", "--prefix")).toEqual({
      ...{ out: "[pod/deta/app] err\n", err: "", status: 0 },
    });
    const stamped = await peapod("logs", "deta", "--all-containers", "--timestamps");
    expect(stamped.out).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{9}Z out\n/);
    expect((await peapod("logs", "deta", "-c", "app", "--since", "0s")).out).toBe("");
  });

  test("is followed until Ctrl-C, which leaves it running", async () => {
    const child = cli.start(["logs", "-f", "deta", "-c", "app"]);
    await child.untilOut("err");
    child.kill("SIGINT");
    const { out, err, status } = await child.ended;
    expect({ out, err, status }).toEqual({ out: "out\nerr\n", err: "", status: 130 });
    expect((await peapod("ps", "-q")).out).toBe("deta\n");
  });

  test("has no container of another name", async () => {
    for (const words of [
      ["logs", "deta"],
      ["attach", "deta"],
    ]) {
      const { err, status } = await peapod(...words, "-c", "nope");
      expect({ err, status }).toEqual({
        err: `error[container.unknown] pod deta has no container "nope"
  hint   it has app, shell
`,
        status: 125,
      });
    }
  });

  test("runs commands, whose output and status are their own", async () => {
    const words = ["sh", "-c", "echo $X; pwd; echo trouble >&2; exit 7"];
    expect(await peapod("exec", "deta", "-e", "X=y", "-w", "/tmp", "--", ...words)).toEqual({
      ...{ out: "y\n/tmp\n", err: "trouble\n", status: 7 },
    });
    expect((await peapod("exec", "deta", "--", "/no/such")).status).toBe(127);
    expect((await peapod("exec", "deta", "--", "/etc/passwd")).status).toBe(126);
  });

  test("passes stdin on with -i, and its end", async () => {
    const text = "line\n".repeat(100_000);
    const words = ["exec", "-i", "deta", "-c", "shell", "--", "wc", "-l"];
    const { out, err, status } = await cli.run(words, text);
    expect({ out, err, status }).toEqual({ out: "100000\n", err: "", status: 0 });
  });

  test("kills a command that takes too long", async () => {
    const { err, status } = await peapod("exec", "--timeout", "200ms", "deta", "--", "sleep", "60");
    expect({ err, status }).toEqual({ err: "killed after 200ms\n", status: 137 });
  });

  test("Ctrl-C reaches a command without a terminal", async () => {
    const script = "trap 'echo caught; exit 0' INT; echo ready; while :; do sleep 0.05; done";
    const child = cli.start(["exec", "deta", "--", "sh", "-c", script]);
    await child.untilOut("ready");
    child.kill("SIGINT");
    const { out, status } = await child.ended;
    expect({ out, status }).toEqual({ out: "ready\ncaught\n", status: 130 });
  });

  test("is inspected as an object of three parts", async () => {
    const { out } = await peapod("inspect", "deta");
    const { pod, sandbox, containers } = JSON.parse(out) as Record<string, unknown>;
    expect(pod).toMatchObject({ kind: "Pod", metadata: { name: "deta" } });
    expect(sandbox).toMatchObject({ keeperPid: expect.any(Number) });
    expect(containers).toMatchObject([{ name: "app" }, { name: "shell" }]);
  });

  test("shows what it shares, from the kernel", async () => {
    const rows = JSON.parse((await peapod("ns", "deta", "-o", "json")).out) as {
      namespace: string;
      containers: { sharing: string }[];
    }[];
    const table = rows.map((row) => [
      row.namespace,
      ...row.containers.map(({ sharing }) => sharing),
    ]);
    expect(table).toEqual([
      ["net", "pod", "pod"],
      ["ipc", "pod", "pod"],
      ["uts", "pod", "pod"],
      ["mnt", "own", "own"],
      ["pid", "own", "own"],
      ["cgroup", "own", "own"],
      ["user", "host", "host"],
      ["time", "host", "host"],
    ]);
    const tree = await peapod("ns", "--cgroups", "deta");
    expect(tree.out).toMatch(/^\/.*\n├─ app.*\n│ {2}[├└]─ \d+ sh -c echo out/);
  });

  test("has a terminal for exec: keys, size, changes of it, and ours back at the end", async () => {
    const script = "stty size; read line; echo got $line; read line; stty size; exit 5";
    await using terminal = cli.startInTerminal(["exec", "-it", "deta", "--", "sh", "-c", script], {
      rows: 30,
      columns: 100,
    });
    await terminal.until("30 100");
    terminal.write("hello\r");
    await terminal.until("got hello");
    terminal.resize({ rows: 22, columns: 77 });
    await Bun.sleep(200); // The size has no acknowledgement.
    terminal.write("\r");
    await terminal.until("22 77");
    expect(await terminal.ended).toEqual({ status: 5, isRestored: true });
  });

  test("Ctrl-C in a terminal is a key for the command", async () => {
    const script = "trap 'echo caught; exit 6' INT; echo ready; while :; do sleep 0.05; done";
    await using terminal = cli.startInTerminal(["exec", "-it", "deta", "--", "sh", "-c", script]);
    await terminal.until("ready");
    terminal.write("\x03");
    await terminal.until("caught");
    expect(await terminal.ended).toEqual({ status: 6, isRestored: true });
  });

  test("the terminal is given back when a signal ends exec", async () => {
    await using terminal = cli.startInTerminal([
      ...["exec", "-it", "deta", "--", "sh", "-c", "echo ready; exec sleep 60"],
    ]);
    await terminal.until("ready");
    terminal.killClient("SIGTERM");
    expect(await terminal.ended).toEqual({ status: 143, isRestored: true });
  });
});

describe("attach", () => {
  test("connects to a terminal and lets go with ctrl-p ctrl-q", async () => {
    const script = "while read line; do echo got $line; done";
    const file = cli.manifest("console", { app: script }, { tty: true, stdin: true });
    expect((await peapod("up", "-d", file)).status).toBe(0);
    {
      await using terminal = cli.startInTerminal(["attach", "-i", "console"]);
      await Bun.sleep(400); // Nothing says that the connection stands.
      terminal.write("one\r");
      await terminal.until("got one");
      terminal.write("\x10\x11");
      await terminal.until("detached from app");
      expect(await terminal.ended).toEqual({ status: 0, isRestored: true });
    }
    expect((await peapod("ps", "-q")).out).toBe("console\n");
    {
      await using terminal = cli.startInTerminal(["attach", "-i", "console"]);
      await Bun.sleep(400);
      terminal.write("\x04");
      expect(await terminal.ended).toEqual({ status: 0, isRestored: true });
    }
    expect((await peapod("ps", "-a")).out).toMatch(/^console +0\/1 +Completed /m);
    expect((await peapod("down", "console")).status).toBe(0);
  });
});

describe("without starting anything", () => {
  test("plan prints text and leaves nothing", async () => {
    const { out, err, status } = await peapod("plan", cli.manifest("planned", { app: "true" }));
    expect({ err, status }).toEqual({ err: "", status: 0 });
    expect(out).toContain("container app: container plan");
    expect(existsSync(join(cli.host.folder, "state/pods/planned"))).toBe(false);
  });

  test("doctor has a line for everything it looked at", async () => {
    const { out, status } = await peapod("doctor");
    expect(status).toBe(0);
    expect(out).toMatch(/^ok {7}library /m);
    expect(out.trimEnd().split("\n")).toSatisfy((lines) =>
      lines.every((line) => /^(ok|missing) +\S/.test(line)),
    );
  });

  test("a pod that is not there is an error of its own", async () => {
    expect(await peapod("inspect", "nope")).toEqual({
      out: "",
      err: `error[pod.not-found] there is no pod "nope"
  hint   peapod ps -a lists those there are
`,
      status: 125,
    });
  });
});
