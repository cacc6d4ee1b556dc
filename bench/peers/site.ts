// Where peers work: a directory, and a shell in mount and cgroup namespaces of its own. There
// /sys/fs/cgroup is plain cgroup2, because runtimes refuse a host that mounts v1 groups beside it,
// its top is a group made for this site, and /run is empty: nothing that a peer makes lies outside.
import { mkdirSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { findCgroupMount } from "../../src/native/host.ts";
import { endGroup } from "../../test/support/groups.ts";
import { inCrowd, leaveCrowd } from "../crowd.ts";

export type Answer = { readonly status: number; readonly output: string };

/** One shell; it does one line after the other. */
export type Lane = {
  /** The status of a line of sh, and what it wrote to standard error. */
  send(line: string): Promise<Answer>;
  /** The same, where only success will do. */
  must(line: string): Promise<void>;
};

export type Site = AsyncDisposable & {
  readonly directory: string;
  /** On the host: the group that all of it is in, the shells in `caller`. */
  readonly group: string;
  readonly lane: Lane;
  /** A further shell in the same namespaces, for what happens at the same time. */
  addLane(): Promise<Lane>;
};

export async function openSite(options: {
  readonly name: string;
  readonly directory: string;
  readonly hostMounts: number;
  /** For programs that look for the group of process 1 and must find it. */
  readonly seesAllGroups?: boolean;
}): Promise<Site> {
  // It would be hidden with what is in there.
  if (options.directory.startsWith("/run/")) throw new Error("peers can't work in /run");
  mkdirSync(options.directory, { recursive: true });
  const directory = mkdtempSync(join(options.directory, `${options.name}-`));
  const mount = findCgroupMount();
  if (mount === undefined) throw new Error("no cgroup v2 hierarchy is mounted");
  const group = join(mount.path, `peapod-bench-${basename(directory)}`);
  mkdirSync(group);
  const isOwnTop = options.seesAllGroups !== true;
  const caller = `/sys/fs/cgroup${isOwnTop ? "" : `/${basename(group)}`}/caller`;
  const namespaces = `--mount --propagation private${isOwnTop ? " --cgroup" : ""}`;
  const enter =
    `echo $$ > ${group}/cgroup.procs && ` +
    `exec unshare ${namespaces} sh -c "$1" ${directory}/errors 0`;
  // When nobody is left to give it lines, all that was started here ends with it.
  const last = `echo 1 >${dirname(caller)}/cgroup.kill`;
  const script = `${privateView} && mkdir ${caller} && ${moveTo(caller)} && ${loop}; ${last}`;
  const command = ["sh", "-c", enter, "sh", script];
  const first = openLane(inCrowd(command, { mounts: options.hostMounts, directory }), group);
  await first.send(":"); // Its namespaces are there when it answers.
  const lanes = [first];
  return {
    directory,
    group,
    lane: first,
    async addLane() {
      const place = ["nsenter", "--target", String(first.pid), "--mount", "--cgroup"];
      const number = String(lanes.length);
      const line = `${moveTo(caller)} && ${loop}`;
      const shell = ["sh", "-c", line, `${directory}/errors-${number}`, number];
      const lane = openLane([...place, ...shell], group);
      lanes.push(lane);
      return lane;
    },
    async [Symbol.asyncDispose]() {
      for (const lane of lanes.toReversed()) await lane.end();
      await removeGroup(group);
      await leaveCrowd(directory);
      rmSync(directory, { recursive: true, force: true });
    },
  };
}

const privateView =
  "umount --recursive --lazy /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup && " +
  "mount -t tmpfs none /run && mkdir -m 1777 /run/lock";

const moveTo = (group: string): string => `echo $$ > ${group}/cgroup.procs`;

/**
 * The shell knows its own number. Standard error goes to a file: containers keep it open, and a
 * pipe would never end.
 */
const loop =
  'lane=$1; while read -r line; do { eval "$line"; } </dev/null >/dev/null 2>"$0"; status=$?; ' +
  '[ $status = 0 ] && echo 0 || echo "$status $(tr "\\n" " " < "$0")"; done';

const lineTimeoutMs = 30_000;

function openLane(command: readonly string[], group: string) {
  const child = Bun.spawn([...command], { stdin: "pipe", stdout: "pipe", stderr: "inherit" });
  const reader = child.stdout.getReader();
  const decoder = new TextDecoder();
  const send = async (line: string): Promise<Answer> => {
    child.stdin.write(`${line}\n`);
    await child.stdin.flush();
    // A peer may wait for ever (youki does, once in a while, for a container that ended early).
    const timer = setTimeout(() => endProgramsOf(group), lineTimeoutMs);
    let answer = "";
    while (!answer.endsWith("\n")) {
      const { done, value } = await reader.read();
      if (done) throw new Error("the shell of a peer ended");
      answer += decoder.decode(value, { stream: true });
    }
    clearTimeout(timer);
    const [status = "1", ...output] = answer.trim().split(" ");
    return { status: Number(status), output: output.join(" ") };
  };
  return {
    pid: child.pid,
    send,
    async must(line: string): Promise<void> {
      const { status, output } = await send(line);
      if (status !== 0) throw new Error(`${output} (status ${status} of ${line.slice(0, 60)})`);
    },
    async end(): Promise<void> {
      await child.stdin.end();
      await child.exited;
    },
  };
}

/** The shells go on, and answer that the line failed. */
function endProgramsOf(group: string): void {
  for (const pid of readFileSync(`${group}/caller/cgroup.procs`, "utf8").split("\n")) {
    const isShell = pid === "" || readFileSync(`/proc/${pid}/comm`, "utf8") === "sh\n";
    if (!isShell) process.kill(Number(pid), "SIGKILL");
  }
}

/** With whatever a peer has left in it. */
export async function removeGroup(group: string): Promise<void> {
  await endGroup(group, 400);
}
