// Commands in running containers: their streams, their ends, their terminals.

import { afterAll, beforeAll, describe, expect } from "bun:test";
import { readdirSync } from "node:fs";
import type { ExecOptions, Pod } from "../../src/index.ts";
import type { TestHost } from "../support/host.ts";
import { hasUserNamespaces, hostMissing, noUserNamespaces, openTestHost } from "../support/host.ts";
import { testOrSkip } from "../support/must-run.ts";
import {
  errorOf,
  openDescriptors,
  probe as container,
  readUntil,
  textOf,
  until,
  up,
  writeTo,
} from "../support/pods.ts";
import { probeAnswers } from "../support/probe.ts";

const test = testOrSkip(hostMissing === undefined, hostMissing ?? "");
const newKernelTest = testOrSkip(
  hostMissing === undefined && hasUserNamespaces,
  hostMissing ?? noUserNamespaces,
);

let host: TestHost;
let pod: Pod;

beforeAll(async () => {
  if (hostMissing !== undefined) return;
  host = await openTestHost();
  const env = [{ name: "COLOUR", value: "red" }];
  const other = container(host, ["pause"], { name: "other" });
  pod = await up(host, [container(host, ["pause"], { env }), other]);
});

afterAll(() => host?.[Symbol.asyncDispose]());

const probe = (words: readonly string[], options: ExecOptions = {}) =>
  pod.exec(["/probe", ...words], options);

/** Answers to the probe's questions. */
async function ask(words: readonly string[], options: ExecOptions = {}) {
  const { stdout } = await probe(words, options).result;
  return probeAnswers(textOf(stdout));
}

/**
 * Not `expect().rejects`: that runs the event loop within itself, and streams of Bun's may miss
 * their end in there.
 */
const reasonOf = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => "none",
    (error: Error) => error.message,
  );

/** Every command has a control group, which goes with the last of its processes. */
async function commandsIn(inspected: Pod): Promise<number> {
  const [first] = (await inspected.inspect()).containers;
  return readdirSync(first?.cgroup ?? "").filter((name) => name.startsWith("exec-")).length;
}

describe("what a command says", () => {
  test("stdout and stderr are two streams, and the status is its own", async () => {
    const { stdout, stderr, ...rest } = await probe(["say", "out", "say-error", "err", "exit", "7"])
      .result;
    expect([textOf(stdout), textOf(stderr)]).toEqual(["out\n", "err\n"]);
    expect(rest).toEqual({
      exitCode: 7,
      signal: undefined,
      oomKilled: false,
      timedOut: false,
      truncated: false,
      wallMs: expect.any(Number),
      cpuMs: expect.any(Number),
      memoryPeakBytes: expect.any(Number),
    });
  });

  test("a command that a signal ended says which", async () => {
    const { exitCode, signal } = await probe(["kill-self", "15"]).result;
    expect([exitCode, signal]).toEqual([143, "SIGTERM"]);
  });

  test("what is collected ends at outputBytesMax, and the command does not notice", async () => {
    const { stdout, exitCode, truncated } = await probe(["print", "4000", "999", "exit", "3"], {
      outputBytesMax: 1000,
    }).result;
    expect([stdout.length, truncated, exitCode]).toEqual([1000, true, 3]);
  });

  test("exactly outputBytesMax is not too much", async () => {
    const { stdout, truncated } = await probe(["print", "1", "999"], { outputBytesMax: 1000 })
      .result;
    expect([stdout.length, truncated]).toEqual([1000, false]);
  });

  test("what comes at once, later, and last of all is collected in its order", async () => {
    const words = ["say", "1", "sleep", "1", "say", "2", "sleep", "20", "say", "3", "say", "4"];
    const { stdout, stderr } = await probe(words).result;
    expect([textOf(stdout), stderr.length]).toEqual(["1\n2\n3\n4\n", 0]);
  });

  test("more than a pipe holds is collected whole, however short the command is", async () => {
    const { stdout, truncated } = await probe(["print", "900", "999"]).result;
    expect([stdout.length, truncated]).toEqual([900_000, false]);
  });

  test("many short commands keep nothing open", async () => {
    await probe(["say", "warm"]).result;
    const before = openDescriptors();
    for (let round = 0; round < 50; round++) {
      const { stdout } = await probe(["say", `${round}`]).result;
      expect(textOf(stdout)).toBe(`${round}\n`);
    }
    await until(() => openDescriptors() <= before); // Fewer: a test before had some open.
  });

  test("a stream of the caller gets the output and stays open", async () => {
    const seen: Uint8Array[] = [];
    const stdout = new WritableStream<Uint8Array>({ write: (chunk) => void seen.push(chunk) });
    await probe(["say", "one"], { stdout }).result;
    await probe(["say", "two"], { stdout }).result;
    expect(textOf(new Uint8Array(Buffer.concat(seen)))).toBe("one\ntwo\n");
  });

  test("a piped stream that is read slowly loses nothing", async () => {
    await using running = probe(["print", "3000", "999"], { stdout: "pipe" });
    let bytes = 0;
    for await (const chunk of running.stdout ?? []) {
      if (bytes === 0) await Bun.sleep(50);
      bytes += chunk.length;
    }
    expect(bytes).toBe(3_000_000);
    expect((await running.result).exitCode).toBe(0);
  });
});

describe("what a command gets", () => {
  test("no input is an empty one", async () => {
    const { stdout, exitCode } = await probe(["echo-stdin", "say", "end"]).result;
    expect([textOf(stdout), exitCode]).toEqual(["end\n", 0]);
  });

  test("a string", async () => {
    const { stdout } = await probe(["echo-stdin"], { stdin: "héllo" }).result;
    expect(textOf(stdout)).toBe("héllo");
  });

  test("bytes, more than any pipe holds", async () => {
    const bytes = crypto.getRandomValues(new Uint8Array(60_000));
    const stdin = new Uint8Array(Buffer.concat([bytes, bytes, bytes, bytes, bytes]));
    const { stdout } = await probe(["echo-stdin"], { stdin }).result;
    expect(Buffer.compare(stdout, stdin)).toBe(0);
  });

  test("a stream", async () => {
    const stdin = new Blob(["from ", "a ", "stream"]).stream();
    const { stdout } = await probe(["echo-stdin"], { stdin }).result;
    expect(textOf(stdout)).toBe("from a stream");
  });

  test("a pipe that the caller writes to and closes", async () => {
    await using running = probe(["echo-stdin", "say", "end"], { stdin: "pipe", stdout: "pipe" });
    await writeTo(running.stdin, "one");
    expect(await readUntil(running.stdout, "one")).toBe("one");
    await writeTo(running.stdin, "two");
    await running.stdin?.close();
    expect(await readUntil(running.stdout, "end\n")).toBe("twoend\n");
    expect((await running.result).exitCode).toBe(0);
  });

  test("input that nobody reads is no failure", async () => {
    const { exitCode } = await probe(["exit", "0"], { stdin: "x".repeat(1_000_000) }).result;
    expect(exitCode).toBe(0);
  });

  test("the container's environment, and more", async () => {
    const { env } = await ask(["env"], { env: { SHAPE: "round", COLOUR: "blue" } });
    expect(env).toEqual(expect.arrayContaining(["SHAPE=round", "COLOUR=blue"]));
    expect(env).not.toContain("COLOUR=red");
  });

  test("a directory", async () => {
    expect(await ask(["cwd"], { cwd: "/dev" })).toEqual({ cwd: "/dev" });
    expect(await ask(["cwd"])).toEqual({ cwd: "/" });
  });

  test("the container that it names", async () => {
    const inOther = await ask(["ns"], { container: "other" });
    const { containers } = await pod.inspect();
    expect(containers.map(({ namespaces }) => namespaces["mnt"])[1]).toBe(
      (inOther["ns"] as Record<string, number>)["mnt"],
    );
  });
});

describe("how a command ends", () => {
  test("a timeout kills it and all that it started", async () => {
    const commands = ["spawn", "60000", "spawn-orphan", "60000", "say", "up", "sleep", "60000"];
    const { exitCode, signal, timedOut, stdout } = await probe(commands, { timeoutMs: 300 }).result;
    expect([exitCode, signal, timedOut]).toEqual([137, "SIGKILL", true]);
    expect(textOf(stdout)).toContain("up\n");
    expect(await commandsIn(pod)).toBe(0);
  });

  test("an abort does too, and is what the result rejects with", async () => {
    const controller = new AbortController();
    await using running = probe(["spawn", "60000", "sleep", "60000"], {
      signal: controller.signal,
    });
    await running.started;
    controller.abort(new Error("enough"));
    expect(await reasonOf(running.result)).toBe("enough");
    await until(async () => (await commandsIn(pod)) === 0);
  });

  test("an abort before the start starts nothing that stays", async () => {
    await using running = probe(["sleep", "60000"], {
      signal: AbortSignal.abort(new Error("never")),
    });
    expect(await reasonOf(running.result)).toBe("never");
    await until(async () => (await commandsIn(pod)) === 0);
  });

  test("what it left running in the background ends with it", async () => {
    const { exitCode, timedOut } = await probe(["spawn-orphan", "60000", "exit", "0"], {
      timeoutMs: 5000,
    }).result;
    expect([exitCode, timedOut]).toEqual([0, false]);
    expect(await commandsIn(pod)).toBe(0);
  });

  test("kill sends a signal to the command", async () => {
    await using running = probe(["pause"], { stdout: "pipe" });
    await readUntil(running.stdout, "waiting");
    await running.kill("SIGUSR1");
    expect(await readUntil(running.stdout, "10")).toContain("10");
    await running.kill();
    expect((await running.result).exitCode).toBe(0);
  });

  test("leaving its scope kills it", async () => {
    {
      await using running = probe(["spawn", "60000", "sleep", "60000"], { stdout: "pipe" });
      await running.started;
    }
    await until(async () => (await commandsIn(pod)) === 0);
  });

  test("leaving its scope frees streams that nobody has read", async () => {
    const before = openDescriptors();
    for (let round = 0; round < 5; round++) {
      const both = { stdin: "pipe", stdout: "pipe", stderr: "pipe" } as const;
      await using running = probe(["print", "100", "999", "sleep", "60000"], both);
      await running.started;
    }
    await until(() => openDescriptors() <= before);
  });
});

describe("what cannot be executed", () => {
  const codes = [
    ["a name that is not there", ["/nothing"], {}, "container.not-found"],
    ["a file that is not executable", ["/etc/hosts"], {}, "container.not-executable"],
    ["a directory", ["/dev"], {}, "container.not-executable"],
    ["nothing at all", [], {}, "container.not-found"],
    [
      "a directory to run in that is not there",
      ["/probe"],
      { cwd: "/x" },
      "container.bad-directory",
    ],
  ] as const;

  for (const [what, command, options, code] of codes) {
    test(what, async () => {
      const before = openDescriptors();
      await using running = pod.exec(command, { ...options, stdin: "pipe", stdout: "pipe" });
      expect((await errorOf(running.result)).code).toBe(code);
      expect((await errorOf(running.started)).code).toBe(code);
      await running[Symbol.asyncDispose]();
      await until(() => openDescriptors() <= before);
    });
  }

  test("a container that is not there", async () => {
    expect(() => pod.exec(["/probe"], { container: "nobody" })).toThrow("has no container");
  });
});

describe("a terminal", () => {
  const open = (commands: readonly string[], options: ExecOptions = {}) =>
    probe(commands, { tty: { rows: 30, columns: 100 }, stdin: "pipe", stdout: "pipe", ...options });

  test("is one, has a name in the container, and a size", async () => {
    await using running = open([
      "terminal",
      "readlink",
      "/proc/self/fd/0",
      "stat",
      "/dev/pts/0",
      "ids",
    ]);
    const answers = probeAnswers(await readUntil(running.stdout, '"ids"'));
    expect(answers["terminal"]).toEqual({ isTerminal: [true, true, true], rows: 30, columns: 100 });
    expect(answers["readlink /proc/self/fd/0"]).toBe("/dev/pts/0");
    expect(answers["stat /dev/pts/0"]).toMatchObject({ type: "character" });
    await running.result;
  });

  test("takes a new size, and tells the command", async () => {
    await using running = open(["signal", "terminal"]);
    await readUntil(running.stdout, "waiting");
    await running.resize({ rows: 11, columns: 22 });
    const text = await readUntil(running.stdout, "columns");
    expect(text).toContain("28"); // SIGWINCH
    expect(text).toContain('"rows":11,"columns":22');
    await running.result;
  });

  test("turns Ctrl-C into SIGINT", async () => {
    await using running = open(["pause"]);
    await readUntil(running.stdout, "waiting");
    await writeTo(running.stdin, "\x03");
    expect(await readUntil(running.stdout, '"answer":2')).toContain("^C");
    expect((await running.result).exitCode).toBe(0);
  });

  test("turns Ctrl-D into the end of the input", async () => {
    await using running = open(["echo-stdin", "say", "over"]);
    await writeTo(running.stdin, "line\n\x04");
    expect(await readUntil(running.stdout, "over")).toContain("line\r\nline\r\nover");
    await running.result;
  });

  test("ends with SIGHUP when its client goes away", async () => {
    const before = openDescriptors();
    {
      await using running = open(["sleep", "60000"]);
      await running.started;
    }
    await until(async () => (await commandsIn(pod)) === 0);
    await until(() => openDescriptors() <= before);
  });

  test("loses none of its output to a slow client", async () => {
    await using running = open(["print", "2000", "98", "say", "end"]);
    let text = "";
    for await (const chunk of running.stdout ?? []) {
      text += textOf(chunk);
      if (text.length < 100_000) await Bun.sleep(5);
    }
    expect(text.length).toBe(2000 * 100 + "end\r\n".length);
  });
});

describe("in other kinds of pods", () => {
  newKernelTest("a command in a user namespace is root there, and nobody here", async () => {
    await using own = await up(host, [container(host, ["pause"])], { hostUsers: false });
    const { stdout } = await own.exec(["/probe", "ids", "stat", "/probe"]).result;
    const answers = probeAnswers(textOf(stdout));
    expect(answers["ids"]).toMatchObject({ uid: [0, 0, 0], gid: [0, 0, 0] });
    expect(answers["stat /probe"]).toMatchObject({ uid: 0, gid: 0 });
    const [first] = (await own.inspect()).containers;
    expect(first?.namespaces["user"]).not.toBe((await pod.inspect()).sandbox.namespaces["user"]);
  });

  newKernelTest("a timeout in a user namespace kills the whole tree", async () => {
    await using own = await up(host, [container(host, ["pause"])], { hostUsers: false });
    await using running = own.exec(["/probe", "spawn", "60000", "sleep", "60000"], {
      timeoutMs: 200,
    });
    expect((await running.result).timedOut).toBe(true);
    expect(await commandsIn(own)).toBe(0);
  });

  test("in a shared PID namespace it sees the processes of all", async () => {
    const containers = [container(host, ["pause"]), container(host, ["pause"], { name: "other" })];
    await using shared = await up(host, containers, { shareProcessNamespace: true });
    const { stdout } = await shared.exec(["/probe", "pids"]).result;
    const { pids } = probeAnswers(textOf(stdout)) as { pids: Record<string, string> };
    expect(Object.values(pids).filter((name) => name === "probe").length).toBe(3);
  });
});

test("fifty commands at once", async () => {
  const before = openDescriptors();
  const results = await Promise.all(
    Array.from({ length: 50 }, async (_, index) => {
      const commands = ["say", String(index), "sleep", "50", "exit", String(index)];
      const { stdout, exitCode } = await probe(commands, { stdin: "input" }).result;
      return [textOf(stdout), exitCode];
    }),
  );
  expect(results).toEqual(Array.from({ length: 50 }, (_, index) => [`${index}\n`, index]));
  await until(() => openDescriptors() <= before);
});
