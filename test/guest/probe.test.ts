// The probe on the host, where Bun can check what it says against what it knows itself.

import { afterAll, beforeAll, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, readlinkSync, rmSync, statSync, writeFileSync } from "node:fs";
import { hostname, tmpdir } from "node:os";
import { join } from "node:path";
import { probeAnswers, probeLines, probePath } from "../support/probe.ts";

let folder = "";
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "peapod-probe-"));
  probePath();
}, 60_000);
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function ask(...words: string[]) {
  const run = Bun.spawnSync({
    cmd: [probePath(), ...words],
    env: { A: "1", B: 'x "y"' },
    cwd: folder,
  });
  const output = run.stdout.toString();
  return { output, answers: probeAnswers(output), exitCode: run.exitCode, signal: run.signalCode };
}

test("it names the namespaces by their inodes", () => {
  const inode = (name: string) => Number(readlinkSync(`/proc/self/ns/${name}`).replace(/\D/g, ""));
  const { answers } = ask("ns");
  expect(answers.ns).toMatchObject({
    mnt: inode("mnt"),
    net: inode("net"),
    pid: inode("pid"),
    user: inode("user"),
  });
});

test("it says who it is and what it may", () => {
  const status = readFileSync("/proc/self/status", "utf8");
  const { answers } = ask("ids", "caps", "security", "signals", "limits", "umask", "process");
  expect(answers.ids).toMatchObject({ ppid: process.pid, uid: Array(3).fill(process.getuid?.()) });
  expect(answers.caps).toMatchObject({ bounding: /CapBnd:\t(\w+)/.exec(status)?.[1] });
  expect(answers.security).toMatchObject({
    noNewPrivs: Number(/NoNewPrivs:\t(\d)/.exec(status)?.[1]),
  });
  expect(answers.signals).toHaveProperty("blocked", "0000000000000000");
  expect(answers.limits).toHaveProperty("NOFILE", [expect.anything(), expect.anything()]);
  expect(answers.umask).toMatch(/^0[0-7]{3}$/);
  expect(answers.process).toMatchObject({ dumpable: 1, keepCapabilities: 0, parentDeathSignal: 0 });
});

test("it repeats its surroundings", () => {
  const { answers } = ask("host", "cwd", "env", "argv", "terminal", "readlink", "/proc/self/exe");
  expect(answers.host).toMatchObject({ hostname: hostname() });
  expect(answers.cwd).toBe(folder);
  expect(answers.env).toEqual(["A=1", 'B=x "y"']);
  expect(answers.argv).toEqual([
    ...[probePath(), "host", "cwd", "env", "argv", "terminal", "readlink", "/proc/self/exe"],
  ]);
  expect(answers.terminal).toEqual({ isTerminal: [false, false, false], rows: 0, columns: 0 });
  expect(answers["readlink /proc/self/exe"]).toBe(probePath());
});

test("it lists descriptors, processes, interfaces and mounts", () => {
  const { answers } = ask("fds", "pids", "links", "mounts");
  expect(Object.keys(answers.fds as object)).toEqual(expect.arrayContaining(["0", "1", "2"]));
  expect(Object.keys(answers.pids as object)).toContain(String(process.pid));
  expect(answers.links).toMatchObject({ lo: { up: true, ipv4: "127.0.0.1" } });
  expect(answers.mounts).toContainEqual(
    expect.objectContaining({ target: "/proc", fstype: "proc" }),
  );
});

test("it reads and writes files, and names the errno of a refusal", () => {
  const file = join(folder, "file");
  const { answers } = ask(
    ...["create", file, "one", "append", file, " two", "read", file, "head", file, "3"],
    ...[
      "mkdir",
      join(folder, "sub"),
      "ls",
      folder,
      "stat",
      file,
      "create",
      file,
      "x",
      "read",
      "/nowhere",
    ],
    ...["await", file, "10", "await", "/nowhere", "10"],
  );
  expect(answers).toEqual({
    [`create ${file} one`]: 3,
    [`append ${file}  two`]: 4,
    [`read ${file}`]: "one two",
    [`head ${file} 3`]: "one",
    [`mkdir ${join(folder, "sub")}`]: "ok",
    [`ls ${folder}`]: { file: "file", sub: "directory" },
    [`stat ${file}`]: expect.objectContaining({ type: "file", size: 7, inode: statSync(file).ino }),
    [`create ${file} x`]: "EEXIST",
    "read /nowhere": "ENOENT",
    [`await ${file} 10`]: "ok",
    "await /nowhere 10": "ETIMEDOUT",
  });
});

test("bytes that are not UTF-8 still make valid JSON", () => {
  const file = join(folder, "bytes");
  writeFileSync(file, Uint8Array.of(0x22, 0x5c, 0x0a, 0x00, 0xff, 0xc3, 0xa9));
  expect(ask("read", file).answers[`read ${file}`]).toBe('"\\\n\u0000\u00ffé');
});

test("an attempt answers ok, an errno, or the signal that ended it", () => {
  const { answers } = ask(
    "try",
    "reboot",
    "try",
    "clone3",
    "0",
    "try",
    "open-read",
    "/nowhere",
    "try",
    "kill",
    "0x7fffffff",
    "0",
  );
  expect(answers["try reboot"]).toMatch(/^(EINVAL|EPERM)$/);
  expect(answers["try clone3 0"]).toBe("ok");
  expect(answers["try open-read /nowhere"]).toBe("ENOENT");
  expect(answers["try kill 0x7fffffff 0"]).toBe("ESRCH");
});

test("it ends as it is told", () => {
  expect(ask("exit", "7").exitCode).toBe(7);
  expect(ask("kill-self", "9").signal).toBe("SIGKILL");
  expect(ask("no-such-command").exitCode).toBe(64);
  expect(ask("read").exitCode).toBe(64);
});

test("it prints what it is told", () => {
  expect(ask("say", "hello", "print", "2", "10", "print-partial", "rest").output).toBe(
    "hello\n00000000..\n00000001..\nrest",
  );
  expect(ask("tick", "2", "1").output).toBe("00000000\n00000001\n");
});

test("it makes children and waits for them", () => {
  const { answers } = ask("spawn", "1", "spawn-orphan", "1", "reap", "fork-bomb", "3");
  expect(answers).toMatchObject({
    "spawn 1": expect.any(Number),
    "spawn-orphan 1": expect.any(Number),
    reap: 1,
  });
  expect(answers["fork-bomb 3"]).toEqual({ forked: 3, error: null });
});

test("it pauses until TERM, and says so first", async () => {
  const child = Bun.spawn({ cmd: [probePath(), "pause", "say", "never"], stdout: "pipe" });
  const decoder = new TextDecoder();
  let output = "";
  for await (const chunk of child.stdout) {
    output += decoder.decode(chunk, { stream: true });
    if (output === '{"ask":"pause","answer":"waiting"}\n') child.kill("SIGTERM");
  }
  expect(probeLines(output).at(-1)).toEqual({ ask: "pause", answer: 15 });
  expect(await child.exited).toBe(0);
});

test("it ignores TERM when told so", async () => {
  const child = Bun.spawn({
    cmd: [probePath(), "ignore-term", "signals", "signal"],
    stdout: "pipe",
  });
  const decoder = new TextDecoder();
  let output = "";
  for await (const chunk of child.stdout) {
    output += decoder.decode(chunk, { stream: true });
    if (!output.endsWith('"waiting"}\n')) continue;
    child.kill("SIGTERM");
    child.kill("SIGUSR1");
  }
  expect(probeAnswers(output)).toMatchObject({
    signals: { ignored: "0000000000004000" },
    signal: 10,
  });
});

test("two of them talk over TCP", async () => {
  const port = String(20_000 + (process.pid % 10_000));
  const server = Bun.spawn({ cmd: [probePath(), "tcp-listen", port], stdout: "ignore" });
  const { answers } = ask("tcp-await", port, "5000");
  expect(answers[`tcp-await ${port} 5000`]).toBe(`hello from ${hostname()}\n`);
  expect(await server.exited).toBe(0);
  expect(ask("tcp-connect", port).answers[`tcp-connect ${port}`]).toBe("ECONNREFUSED");
});
