// Starting and ending pods from the command line: what is printed, with which status it ends, and
// that nothing stays behind (the host looks).

import { afterAll, beforeAll, describe, expect } from "bun:test";
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

const forever = "trap 'echo bye; exit 0' TERM; echo ready; while :; do sleep 0.05; done";
const deaf = "trap '' TERM; echo ready; while :; do sleep 0.05; done";

describe("up in the foreground", () => {
  test("prints aligned logs, then ends with the first failing container's status", async () => {
    const file = cli.manifest("both", { app: "echo one; exit 3", sidecar: "sleep 0.2; exit 4" });
    const { out, err, status } = await peapod("up", file);
    expect(out).toBe("app     | one\n");
    // A busy machine is told of before the pod is up.
    expect(err.replace("both is starting\n", "").replace(/in [\d.]+ m?s/, "in 1 ms")).toBe(
      `both started in 1 ms: app, sidecar
app exited with status 3
sidecar exited with status 4
`,
    );
    expect(status).toBe(3);
    expect((await peapod("ps", "-a")).err).toBe("there are no pods\n");
  });

  test("is silent about success but for its output", async () => {
    const file = cli.manifest("good", { app: "printf 'no newline'" });
    const { out, status } = await peapod("up", "--no-prefix", file);
    expect({ out, status }).toEqual({ out: "no newline\n", status: 0 });
  });

  test("starts all pods of all files, and labels their lines", async () => {
    const files = [
      cli.manifest("one", { app: "echo 1" }),
      cli.manifest("two", { app: "echo 2; exit 2" }),
    ];
    const { out, status } = await peapod("up", ...files);
    expect(out.split("\n").toSorted()).toEqual(["", "one/app | 1", "two/app | 2"]);
    expect(status).toBe(2);
  });

  test("takes a manifest from stdin", async () => {
    const pod = await Bun.file(cli.manifest("piped", { app: "echo piped" })).text();
    const { out, status } = await cli.run(["up", "-"], pod);
    expect({ out, status }).toEqual({ out: "app | piped\n", status: 0 });
  });

  test("Ctrl-C lets the containers end, and says so", async () => {
    const child = cli.start(["up", cli.manifest("graceful", { app: forever })]);
    await child.untilOut("ready");
    child.kill("SIGINT");
    const { out, err, status } = await child.ended;
    expect(out).toBe("app | ready\napp | bye\n");
    expect(err).toEndWith("\nstopping; once more to kill\napp exited with status 0\n");
    expect(status).toBe(130);
  });

  test("a second Ctrl-C kills", async () => {
    const child = cli.start(["up", cli.manifest("deaf", { app: deaf })]);
    await child.untilOut("ready");
    child.kill("SIGINT");
    await child.untilErr("once more to kill");
    child.kill("SIGINT");
    const { err, status } = await child.ended;
    expect(err).toEndWith("\nkilling\napp was ended by SIGKILL (exit status 137)\n");
    expect(status).toBe(130);
  });

  test("SIGTERM ends it as gracefully", async () => {
    const child = cli.start(["up", cli.manifest("termed", { app: forever })]);
    await child.untilOut("ready");
    child.kill("SIGTERM");
    const { out, status } = await child.ended;
    expect({ out, status }).toEqual({ out: "app | ready\napp | bye\n", status: 143 });
  });

  test("SIGKILL leaves nothing behind either", async () => {
    const child = cli.start(["up", cli.manifest("orphan", { app: forever })]);
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
    const script = "trap 'exit 0' TERM; while echo y; do sleep 0.01; done";
    const child = cli.start(["up", cli.manifest("unread", { app: script })]);
    await child.untilOut("y\n");
    await child.closeOut();
    const { err, status } = await child.ended;
    expect(err).not.toContain("error");
    expect(status).toBe(141);
  });

  test("a command that is not there, or is none, has a status of its own", async () => {
    const file = cli.manifest("missing", { app: "" }, { command: ["/no/such"] });
    expect((await peapod("up", file)).status).toBe(127);
    const none = cli.manifest("no-program", { app: "" }, { command: ["/etc/passwd"] });
    expect((await peapod("up", none)).status).toBe(126);
    expect((await peapod("ps", "-a", "-q")).out).toBe("");
  });

  test("--trace prints where the time went and writes it for Chrome", async () => {
    const file = join(cli.folder, "trace.json");
    const { err, status } = await peapod(
      "up",
      `--trace=${file}`,
      cli.manifest("traced", { app: "true" }),
    );
    expect(status).toBe(0);
    expect(err).toMatch(/^app +make_overlay +█+ +\d+ µs/m);
    expect(err).toMatch(/^\d+ operations in [\d.]+ ms$/m);
    const { traceEvents } = (await Bun.file(file).json()) as { traceEvents: { ph: string }[] };
    expect(traceEvents.filter(({ ph }) => ph === "X").length).toBeGreaterThan(20);
  });
});

describe("up -d", () => {
  test("names what it has started before one fails, and leaves it running", async () => {
    const good = cli.manifest("first", { app: forever });
    const bad = cli.manifest("second", { app: "" }, { command: ["/no/such"] });
    const { out, status } = await peapod("up", "-d", good, bad);
    expect({ out, status }).toEqual({ out: "first\n", status: 127 });
    expect((await peapod("ps", "-a", "-q")).out).toBe("first\n");
    expect((await peapod("down", "first", "second")).status).toBe(0);
  });

  test("prints the pod with -o json", async () => {
    const { out } = await peapod(
      "up",
      "-d",
      "-o",
      "json",
      cli.manifest("object", { app: forever }),
    );
    expect(JSON.parse(out)).toMatchObject({
      ...{ kind: "Pod", metadata: { name: "object" }, status: { phase: "Running" } },
    });
    expect((await peapod("down", "object", "-o", "json")).out).toBe(
      `${JSON.stringify([{ name: "object", found: true }], undefined, 2)}\n`,
    );
  });
});

describe("down", () => {
  test("ends the pods of a manifest, and then has nothing to do", async () => {
    const file = cli.manifest("brief", { app: forever });
    await peapod("up", "-d", file);
    expect(await peapod("down", "-f", file)).toEqual({
      ...{ out: "default/brief\n", err: "", status: 0 },
    });
    expect(await peapod("down", "-f", file)).toEqual({
      ...{ out: "", err: "default/brief is not there; nothing to do\n", status: 0 },
    });
  });

  test("does not wait longer than it is told to", async () => {
    await peapod("up", "-d", cli.manifest("slow", { app: deaf }));
    const started = performance.now();
    expect((await peapod("down", "slow", "--grace-period", "0")).status).toBe(0);
    expect(performance.now() - started).toBeLessThan(3000);
  });
});
