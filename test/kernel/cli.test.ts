// The command line against real pods: what is printed, with which status it ends, and that
// nothing stays behind (the test host looks).

import { afterAll, beforeAll, describe, expect } from "bun:test";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { runCli, startCli, startInTerminal } from "../support/cli.ts";
import type { TestHost } from "../support/host.ts";
import { eventually, hostMissing, openTestHost } from "../support/host.ts";
import { testOrSkip } from "../support/must-run.ts";

const test = testOrSkip(hostMissing === undefined, hostMissing ?? "");

let host: TestHost;
/** For manifests and traces: not a place of peapod's. */
const folder = mkdtempSync(join(tmpdir(), "peapod-cli-"));

beforeAll(async () => {
  if (hostMissing === undefined) host = await openTestHost();
});
afterAll(async () => {
  rmSync(folder, { recursive: true });
  if (hostMissing !== undefined) return;
  // Keepers outlive the command that started them: who adopts them may take its time to reap.
  await eventually(
    () => host.leaks(),
    (leaks) => leaks.length === 0,
    10_000,
  );
  await host[Symbol.asyncDispose]();
});

/** What a host without controllers warns about at every start is not what is tested here. */
async function peapod(...words: string[]) {
  const ran = await runCli([...host.flags, ...words]);
  return { ...ran, err: ran.err.replace(/^warning no cgroup controller .*\n/m, "") };
}

/** A file with one pod; a container is a shell script. */
function manifest(
  name: string,
  scripts: Readonly<Record<string, string>>,
  extra: Readonly<Record<string, unknown>> = {},
): string {
  const containers = Object.entries(scripts).map(([container, script]) => ({
    ...{ name: container, image: "host", command: ["sh", "-c", script], ...extra },
  }));
  const spec = { restartPolicy: "Never", terminationGracePeriodSeconds: 5, containers };
  const file = join(folder, `${name}.json`);
  const pod = { apiVersion: "v1", kind: "Pod", metadata: { name }, spec };
  writeFileSync(file, JSON.stringify(pod));
  return file;
}

const forever = "trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.05; done";
const deaf = "trap '' TERM; echo ready; while :; do sleep 0.05; done";

describe("up in the foreground", () => {
  test("prints aligned logs, then ends with the first failing container's status", async () => {
    const file = manifest("both", { app: "echo one; exit 3", sidecar: "sleep 0.2; exit 4" });
    const { out, err, status } = await peapod("up", file);
    expect(out).toBe("app     | one\n");
    expect(err.replace(/in [\d.]+ m?s/, "in 1 ms")).toBe(
      `both started in 1 ms: app, sidecar
app exited with status 3
sidecar exited with status 4
`,
    );
    expect(status).toBe(3);
    expect((await peapod("ps", "-a")).err).toBe("there are no pods\n");
  });

  test("is silent about success but for its output", async () => {
    const file = manifest("good", { app: "printf 'no newline'" });
    const { out, status } = await peapod("up", "--no-prefix", file);
    expect({ out, status }).toEqual({ out: "no newline\n", status: 0 });
  });

  test("starts all pods of all files, and labels their lines", async () => {
    const files = [manifest("one", { app: "echo 1" }), manifest("two", { app: "echo 2; exit 2" })];
    const { out, status } = await peapod("up", ...files);
    expect(out.split("\n").toSorted()).toEqual(["", "one/app | 1", "two/app | 2"]);
    expect(status).toBe(2);
  });

  test("takes a manifest from stdin", async () => {
    const pod = await Bun.file(manifest("piped", { app: "echo piped" })).text();
    const { out, status } = await runCli([...host.flags, "up", "-"], pod);
    expect({ out, status }).toEqual({ out: "app | piped\n", status: 0 });
  });

  test("Ctrl-C lets the containers end, and says so", async () => {
    const child = startCli([...host.flags, "up", manifest("graceful", { app: forever })]);
    await child.untilOut("ready");
    child.kill("SIGINT");
    const { out, err, status } = await child.ended;
    expect(out).toBe("app | ready\napp | bye\n");
    expect(err).toEndWith("\nstopping; once more to kill\napp exited with status 0\n");
    expect(status).toBe(130);
  });

  test("a second Ctrl-C kills", async () => {
    const child = startCli([...host.flags, "up", manifest("deaf", { app: deaf })]);
    await child.untilOut("ready");
    child.kill("SIGINT");
    await child.untilErr("once more to kill");
    child.kill("SIGINT");
    const { err, status } = await child.ended;
    expect(err).toEndWith("\nkilling\napp was ended by SIGKILL (exit status 137)\n");
    expect(status).toBe(130);
  });

  test("SIGTERM ends it as gracefully", async () => {
    const child = startCli([...host.flags, "up", manifest("termed", { app: forever })]);
    await child.untilOut("ready");
    child.kill("SIGTERM");
    const { out, status } = await child.ended;
    expect({ out, status }).toEqual({ out: "app | ready\napp | bye\n", status: 143 });
  });

  test("SIGKILL leaves nothing behind either", async () => {
    const child = startCli([...host.flags, "up", manifest("orphan", { app: forever })]);
    await child.untilOut("ready");
    child.kill("SIGKILL");
    await child.ended;
    const left = await eventually(
      () => peapod("ps", "-a", "-q"),
      ({ out }) => out === "",
    );
    expect(left.out).toBe("");
  });

  test("ends with its pod when nobody reads the output any more", async () => {
    const child = startCli([
      ...[
        ...host.flags,
        "up",
        manifest("unread", { app: "trap 'exit 0' TERM; while echo y; do sleep 0.01; done" }),
      ],
    ]);
    await child.untilOut("y\n");
    await child.closeOut();
    const { err, status } = await child.ended;
    expect(err).not.toContain("error");
    expect(status).toBe(141);
  });

  test("a command that is not there, or is none, has a status of its own", async () => {
    const file = manifest("missing", { app: "" }, { command: ["/no/such"] });
    expect((await peapod("up", file)).status).toBe(127);
    const none = manifest("no-program", { app: "" }, { command: ["/etc/passwd"] });
    expect((await peapod("up", none)).status).toBe(126);
    expect((await peapod("ps", "-a", "-q")).out).toBe("");
  });

  test("--trace prints where the time went and writes it for Chrome", async () => {
    const file = join(folder, "trace.json");
    const { err, status } = await peapod(
      ...["up", `--trace=${file}`, manifest("traced", { app: "true" })],
    );
    expect(status).toBe(0);
    expect(err).toMatch(/^app +make_overlay +█+ +\d+ µs/m);
    expect(err).toMatch(/^\d+ operations in [\d.]+ ms$/m);
    const { traceEvents } = (await Bun.file(file).json()) as { traceEvents: { ph: string }[] };
    expect(traceEvents.filter(({ ph }) => ph === "X").length).toBeGreaterThan(20);
  });
});

describe("a detached pod", () => {
  beforeAll(async () => {
    if (hostMissing !== undefined) return;
    const file = manifest("deta", {
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
    if (hostMissing === undefined) await peapod("down", "deta");
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
    const { err, status } = await peapod("up", join(folder, "deta.json"));
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
    const child = startCli([...host.flags, "logs", "-f", "deta", "-c", "app"]);
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
    const { out, err, status } = await runCli([...host.flags, ...words], text);
    expect({ out, err, status }).toEqual({ out: "100000\n", err: "", status: 0 });
  });

  test("kills a command that takes too long", async () => {
    const { err, status } = await peapod("exec", "--timeout", "200ms", "deta", "--", "sleep", "60");
    expect({ err, status }).toEqual({ err: "killed after 200ms\n", status: 137 });
  });

  test("Ctrl-C reaches a command without a terminal", async () => {
    const script = "trap 'echo caught; exit 0' INT; echo ready; while :; do sleep 0.05; done";
    const child = startCli([...host.flags, "exec", "deta", "--", "sh", "-c", script]);
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
    await using terminal = startInTerminal(
      [...host.flags, "exec", "-it", "deta", "--", "sh", "-c", script],
      { rows: 30, columns: 100 },
    );
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
    await using terminal = startInTerminal(
      ...[[...host.flags, "exec", "-it", "deta", "--", "sh", "-c", script]],
    );
    await terminal.until("ready");
    terminal.write("\x03");
    await terminal.until("caught");
    expect(await terminal.ended).toEqual({ status: 6, isRestored: true });
  });

  test("the terminal is given back when a signal ends exec", async () => {
    await using terminal = startInTerminal([
      ...[...host.flags, "exec", "-it", "deta", "--", "sh", "-c", "echo ready; exec sleep 60"],
    ]);
    await terminal.until("ready");
    terminal.killClient("SIGTERM");
    expect(await terminal.ended).toEqual({ status: 143, isRestored: true });
  });
});

describe("up -d", () => {
  test("names what it has started before one fails, and leaves it running", async () => {
    const good = manifest("first", { app: forever });
    const bad = manifest("second", { app: "" }, { command: ["/no/such"] });
    const { out, status } = await peapod("up", "-d", good, bad);
    expect({ out, status }).toEqual({ out: "first\n", status: 127 });
    expect((await peapod("ps", "-a", "-q")).out).toBe("first\n");
    expect((await peapod("down", "first", "second")).status).toBe(0);
  });

  test("prints the pod with -o json", async () => {
    const { out } = await peapod("up", "-d", "-o", "json", manifest("object", { app: forever }));
    expect(JSON.parse(out)).toMatchObject({
      ...{ kind: "Pod", metadata: { name: "object" }, status: { phase: "Running" } },
    });
    expect((await peapod("down", "object", "-o", "json")).out).toBe(
      `${JSON.stringify([{ name: "object", found: true }], undefined, 2)}\n`,
    );
  });
});

describe("attach", () => {
  test("connects to a terminal and lets go with ctrl-p ctrl-q", async () => {
    const script = "while read line; do echo got $line; done";
    const file = manifest("console", { app: script }, { tty: true, stdin: true });
    expect((await peapod("up", "-d", file)).status).toBe(0);
    {
      await using terminal = startInTerminal([...host.flags, "attach", "-i", "console"]);
      await Bun.sleep(400); // Nothing says that the connection stands.
      terminal.write("one\r");
      await terminal.until("got one");
      terminal.write("\x10\x11");
      await terminal.until("detached from app");
      expect(await terminal.ended).toEqual({ status: 0, isRestored: true });
    }
    expect((await peapod("ps", "-q")).out).toBe("console\n");
    {
      await using terminal = startInTerminal([...host.flags, "attach", "-i", "console"]);
      await Bun.sleep(400);
      terminal.write("\x04");
      expect(await terminal.ended).toEqual({ status: 0, isRestored: true });
    }
    expect((await peapod("ps", "-a")).out).toMatch(/^console +0\/1 +Completed /m);
    expect((await peapod("down", "console")).status).toBe(0);
  });
});

describe("down", () => {
  test("ends the pods of a manifest, and then has nothing to do", async () => {
    const file = manifest("brief", { app: forever });
    await peapod("up", "-d", file);
    expect(await peapod("down", "-f", file)).toEqual({
      ...{ out: "default/brief\n", err: "", status: 0 },
    });
    expect(await peapod("down", "-f", file)).toEqual({
      ...{ out: "", err: "default/brief is not there; nothing to do\n", status: 0 },
    });
  });

  test("does not wait longer than it is told to", async () => {
    await peapod("up", "-d", manifest("slow", { app: deaf }));
    const started = performance.now();
    expect((await peapod("down", "slow", "--grace-period", "0")).status).toBe(0);
    expect(performance.now() - started).toBeLessThan(3000);
  });
});

describe("without starting anything", () => {
  test("plan prints text and leaves nothing", async () => {
    const { out, err, status } = await peapod("plan", manifest("planned", { app: "true" }));
    expect({ err, status }).toEqual({ err: "", status: 0 });
    expect(out).toContain("container app: container plan");
    expect(existsSync(join(host.folder, "state/pods/planned"))).toBe(false);
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
