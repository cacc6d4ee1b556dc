// What a pod leaves within the reach of others, and what of the host comes within a container's.

import { expect } from "bun:test";
import { chmodSync, chownSync, readdirSync, statSync } from "node:fs";
import { join } from "node:path";
import { hostMissing, openTestHost, podOf } from "../support/host.ts";
import { testOrSkip } from "../support/must-run.ts";
import { errorOf, textOf } from "../support/pods.ts";
import { probeAnswers, probePath } from "../support/probe.ts";
import { Canary } from "./canary.ts";

const kernelTest = testOrSkip(hostMissing === undefined, hostMissing ?? "");
const somebody = 1000;

kernelTest(
  "somebody without rights sees nothing of a pod's state, layers and socket (CVE-2021-41103)",
  async () => {
    await using host = await openTestHost();
    chmodSync(host.folder, 0o755);
    await using pod = await host.up(podOf(host, "hidden", { only: ["pause"] }));
    const { state, root } = host.places;
    const places = [join(state, "pods"), join(state, "names"), join(root, "pods", pod.uid)];
    const words = places.flatMap((place) => ["ls", place]);
    const child = Bun.spawnSync([probePath(), ...words], { uid: somebody, gid: somebody });
    const seen = probeAnswers(child.stdout.toString());
    expect(seen).toEqual(Object.fromEntries(places.map((place) => [`ls ${place}`, "EACCES"])));
    // Root sees them: the places are right.
    const own = probeAnswers(Bun.spawnSync([probePath(), ...words]).stdout.toString());
    expect(Object.keys(own[`ls ${join(state, "pods")}`] as object)).toEqual([pod.uid]);
  },
);

kernelTest("no socket of ours has a name that hostNetwork could see (CVE-2020-15257)", async () => {
  await using host = await openTestHost();
  const manifest = podOf(
    host,
    "sockets",
    { only: ["read", "/proc/net/unix"] },
    { hostNetwork: true },
  );
  await using other = await host.up(podOf(host, "another", { only: ["pause"] }));
  const { only } = await host.answers(manifest);
  const lines = String(only?.["read /proc/net/unix"]).split("\n");
  expect(lines[0]).toContain("Path");
  expect(lines.filter((line) => line.includes(" @") && /peapod|keeper/.test(line))).toEqual([]);
  // Pathname sockets are in there, behind a directory of root's alone.
  const socket = join(host.places.state, "pods", other.uid, "socket");
  expect(lines.some((line) => /socket$/.test(line))).toBe(true);
  expect(statSync(join(socket, "..")).mode & 0o777).toBe(0o700);
});

kernelTest("pods that start together share no variable (CVE-2020-14370)", async () => {
  await using host = await openTestHost();
  const many = Array.from({ length: 12 }, (_, index) => index);
  const answers = await Promise.all(
    many.map((index) => {
      const env = [{ name: `OWN_${index}`, value: `${index}` }];
      return host.answers(podOf(host, `env-${index}`, { only: ["env"] }, {}, { env }));
    }),
  );
  const own = answers.map(({ only }) =>
    (only?.["env"] as string[]).filter((line) => line.startsWith("OWN_")),
  );
  expect(own).toEqual(many.map((index) => [`OWN_${index}=${index}`]));
});

kernelTest("the host's null device stays root's (fixed in runc 1.1.5)", async () => {
  await using host = await openTestHost();
  const before = statSync("/dev/null");
  await using pod = await host.up(podOf(host, "null", { only: ["pause"] }, { hostUsers: false }));
  await pod.exec(["/probe", "cwd"], { stdin: "none" }).result;
  const { uid, gid, mode, rdev } = statSync("/dev/null");
  const { uid: uidBefore, gid: gidBefore, mode: modeBefore } = before;
  expect({ uid, gid, mode }).toEqual({ uid: uidBefore, gid: gidBefore, mode: modeBefore });
  expect(rdev).toBe(before.rdev);
});

kernelTest("a command's directory is never a descriptor of ours (CVE-2024-21626)", async () => {
  await using host = await openTestHost();
  await using pod = await host.up(podOf(host, "directory", { only: ["pause"] }));
  for (let fd = 3; fd < 48; fd++) {
    const ways = [`/proc/self/fd/${fd}`, `/proc/self/fd/${fd}/../..`, `/proc/1/fd/${fd}`];
    for (const cwd of ways) {
      const execution = pod.exec(["/probe", "cwd", "ls", "."], { cwd });
      expect((await errorOf(execution.result)).code).toBe("container.bad-directory");
    }
  }
  const { stdout } = await pod.exec(["/probe", "cwd"], { cwd: "/proc/self" }).result;
  expect(textOf(stdout)).toContain('"answer":"/proc/');
});

/** As much as a container gets to look at others with, short of being privileged. */
const tracer = {
  securityContext: {
    capabilities: { add: ["SYS_PTRACE"] },
    seccompProfile: { type: "Unconfined" },
  },
} as const;

for (const [where, spec, container] of [
  ["", {}, {}],
  [", in a user namespace", { hostUsers: false }, {}],
  [", in a shared PID namespace", { shareProcessNamespace: true }, {}],
  [", by one who may trace", {}, tracer],
  [", in a user namespace, by one who may trace", { hostUsers: false }, tracer],
  [", in a shared PID namespace, by one who may trace", { shareProcessNamespace: true }, tracer],
] as const) {
  kernelTest(
    `a command that joins has nothing of the host to take${where} (CVE-2016-9962)`,
    async () => {
      await using host = await openTestHost();
      await using pod = await host.up(
        podOf(host, "hunted", { only: ["hunt", "2500", "pause"] }, spec, container),
      );
      const end = performance.now() + 2000;
      let commands = 0;
      for (; performance.now() < end; commands++) {
        // Every other one fails, and ends inside (CVE-2026-46333).
        const words = commands % 2 === 0 ? ["/probe", "cwd"] : ["/nothing"];
        await pod.exec(words).result.catch(() => {});
      }
      await Bun.sleep(700);
      const log = await Array.fromAsync(pod.logs(), ({ line }) => textOf(line));
      const seen = probeAnswers(log.join("\n"))["hunt 2500"] as Record<string, unknown>;
      console.log(`hunt${where}: ${commands} commands, ${JSON.stringify(seen)}`);
      // Streams of the commands themselves are theirs to see; the program is sealed.
      const foreign = (seen["foreign"] as string[]).filter(
        (what) =>
          !/^((fd|pidfd) (pipe:\[\]|\/dev\/null|socket:\[\])|exe \/memfd:peapod-keeper.*)$/.test(
            what,
          ),
      );
      expect(foreign).toEqual([]);
      expect(seen["appeared"] as number).toBeGreaterThan(10);
    },
    20_000,
  );
}

kernelTest("a directory that a pod is given keeps what is beside it out of reach", async () => {
  await using host = await openTestHost();
  using canary = new Canary();
  chownSync(canary.place, somebody, somebody);
  const volumes = [{ name: "given", hostPath: { path: join(canary.place, "directory") } }];
  const volumeMounts = [{ name: "given", mountPath: "/given" }];
  const words = ["ls", "/given", "ls", "/given/..", "ls", "/given/../.."];
  const manifest = podOf(host, "given", { only: words }, { volumes }, { volumeMounts });
  const { only } = await host.answers(manifest);
  expect(Object.keys(only?.["ls /given"] as object)).toEqual(["file"]);
  expect(only?.["ls /given/.."]).toEqual(only?.["ls /given/../.."]);
  expect(readdirSync(canary.place)).toContain("hosts");
  expect(JSON.stringify(only)).not.toContain("hosts.deny");
});

kernelTest(
  "hidden on its way in, a command has its terminal and its exit like any other",
  async () => {
    await using host = await openTestHost();
    await using pod = await host.up(podOf(host, "traced", { only: ["pause"] }, {}, tracer));
    const { stdout, exitCode } = await pod.exec(["/probe", "terminal", "ids", "exit", "7"], {
      tty: { rows: 10, columns: 20 },
    }).result;
    const seen = probeAnswers(textOf(stdout).replaceAll("\r\n", "\n"));
    expect(exitCode).toBe(7);
    expect(seen["terminal"]).toEqual({ isTerminal: [true, true, true], rows: 10, columns: 20 });
    const { pid, sid, pgid } = seen["ids"] as Record<string, number>;
    expect({ sid, pgid }).toEqual({ sid: pid, pgid: pid });
    const failed = await errorOf(pod.exec(["/nothing"]).result);
    expect(failed.code).toBe("container.not-found");
    const killed = await pod.exec(["/probe", "pause"], { timeoutMs: 100 }).result;
    expect(killed.timedOut).toBe(true);
  },
);
