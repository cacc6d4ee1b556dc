// The rules that a keeper lives by: who may speak to it, what its containers inherit.

import { expect } from "bun:test";
import { chmodSync, readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { dirname, join } from "node:path";
import { eventually, hostMissing, openTestHost, podOf } from "../support/host.ts";
import { testOrSkip } from "../support/must-run.ts";
import { probeAnswers, probePath } from "../support/probe.ts";

const kernelTest = testOrSkip(hostMissing === undefined, hostMissing ?? "");
const setpriv = Bun.which("setpriv", { PATH: `${process.env.PATH}:/usr/bin` });
const userTest = testOrSkip(
  hostMissing === undefined && setpriv !== null,
  hostMissing ?? "setpriv is not installed",
);

/** Connects, says nothing, and tells how that ended: by the keeper, or by its own patience. */
const client = `
  const ended = Promise.withResolvers();
  const socket = { data() {}, open() {}, close: () => ended.resolve("closed"), error: () => {} };
  Bun.connect({ unix: process.argv.at(-1), socket }).then(
    () => setTimeout(() => ended.resolve("kept"), 500),
    (error) => ended.resolve(error.code),
  );
  console.log(await ended.promise);
  process.exit(0);
`;

userTest("a keeper hangs up on other users, even where they reach its socket", async () => {
  await using host = await openTestHost();
  await using pod = await host.up(podOf(host, "heard", { only: ["pause"] }));
  const socket = `${host.places.state}/pods/${pod.uid}/socket`;
  const connectAs = async (uid: number): Promise<string> => {
    const who = [setpriv ?? "", `--reuid=${uid}`, `--regid=${uid}`, "--clear-groups"];
    const child = Bun.spawn([...who, process.execPath, "-e", client, socket], {
      stdout: "pipe",
      stderr: "inherit",
      cwd: "/",
    });
    return (await child.stdout.text()).trim();
  };
  expect(await connectAs(65_534)).toBe("EACCES");
  for (let path = socket; path.startsWith(host.folder); path = dirname(path)) {
    chmodSync(path, path === socket ? 0o666 : 0o755);
  }
  expect(["closed", "ECONNRESET"]).toContain(await connectAs(65_534));
  expect(await connectAs(0)).toBe("kept");
});

kernelTest("the containers of a pod share a session keyring that is nobody else's", async () => {
  await using host = await openTestHost();
  const securityContext = { seccompProfile: { type: "Unconfined" as const } };
  const ask = async (name: string) => {
    const words = { first: ["keyring"], second: ["keyring"] };
    const answers = await host.answers(podOf(host, name, words, {}, { securityContext }));
    return [answers["first"]?.["keyring"], answers["second"]?.["keyring"]];
  };
  const [[one, same], [other]] = [await ask("one"), await ask("other")];
  expect(one).toBe(same);
  expect(one).not.toBe(other);
  const { stdout } = Bun.spawnSync([probePath(), "keyring"]);
  const ours = probeAnswers(stdout.toString())["keyring"];
  // A process without one has the keyring of its user.
  expect([one, other]).not.toContain(ours);
  expect(one).toBeNumber();
});

userTest("what a keeper has open is not for everyone with its user id", async () => {
  await using host = await openTestHost();
  await using pod = await host.up(podOf(host, "kept", { only: ["pause"] }));
  const { keeperPid } = (await pod.inspect()).sandbox;
  const status = readFileSync(`/proc/${keeperPid}/status`, "utf8");
  const line = (name: string) => new RegExp(`^${name}:\\t(.*)$`, "m").exec(status)?.[1];
  // Its children would inherit what it has of these.
  expect([line("Seccomp"), line("NoNewPrivs"), line("Threads")]).toEqual(["0", "0", "1"]);
  const look = (pid: number, ...without: string[]) =>
    Bun.spawnSync([setpriv ?? "", ...without, "readlink", `/proc/${pid}/fd/0`]).stdout.toString();
  expect(look(keeperPid)).toBe("/dev/null\n");
  expect(look(keeperPid, "--bounding-set=-sys_ptrace")).toBe("");
  // The control: who is dumpable shows it to who has no more than itself.
  const sleep = [setpriv ?? "", "--bounding-set=-sys_ptrace", "sleep", "60"];
  const child = Bun.spawn(sleep, { stdin: "ignore" });
  const { pid } = child;
  try {
    const seen = await eventually(
      () => look(pid, "--bounding-set=-sys_ptrace"),
      (text) => text !== "",
    );
    expect(seen).toBe("/dev/null\n");
  } finally {
    child.kill("SIGKILL");
    await child.exited;
  }
});

const taskset = Bun.which("taskset", { PATH: `${process.env.PATH}:/usr/bin` });
const boundTest = testOrSkip(
  hostMissing === undefined && taskset !== null && availableParallelism() > 1,
  hostMissing ?? "needs taskset and two processors",
);

boundTest("containers may use every processor, whatever who started them is tied to", async () => {
  await using host = await openTestHost();
  host.opensItself = false;
  const manifest = podOf(host, "tied", { only: ["read", "/proc/self/status"] });
  const up = [process.execPath, join(import.meta.dir, "../../pod.ts"), ...host.flags, "up", "-"];
  const command = Bun.spawnSync([taskset ?? "", "--cpu-list", "0", ...up], {
    stdin: Buffer.from(JSON.stringify(manifest)),
  });
  const allowed = (status: string) => /^Cpus_allowed_list:\t(.*)$/m.exec(status)?.[1];
  const said = /\{"ask".*\}/.exec(command.stdout.toString())?.[0] ?? "{}";
  const status = String(probeAnswers(said)["read /proc/self/status"]);
  expect(allowed(status)).toBe(allowed(readFileSync("/proc/1/status", "utf8")));
});
