// OCI runtimes as cells: a pod is a sandbox container and joins by namespace path, each a `run
// --detach`, as an engine would do it. The root is a plain directory, so the runtime is spared the
// overlay that the floor mounts.
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import type { Cell, Job, Sample, Subject } from "../cell.ts";
import { bundleConfig, makeRoot } from "./bundle.ts";
import { fullShape } from "../shape.ts";

export type Runtime = "crun" | "runc";

type OciShape = {
  readonly runtime: Runtime;
  /** Beside the sandbox. */
  readonly containers: number;
  readonly directory: string;
};

export function ociSubject(runtime: Runtime): Subject {
  return {
    name: runtime,
    surface: "command",
    cpuCounts: "",
    async version() {
      const program = find(runtime);
      if (program === null) return { absent: "not installed" };
      const output = await Bun.$`${program} --version`.quiet().text();
      return output.split("\n")[0] ?? "";
    },
    cell: (job) => ociCell(runtime, job),
  };
}

const find = (runtime: Runtime): string | null =>
  Bun.which(runtime, { PATH: `${process.env.PATH}:/usr/sbin:/sbin` });

function ociCell(runtime: Runtime, job: Job): Cell {
  const shape: OciShape = {
    runtime,
    containers: job.shape.containers,
    directory: job.directory,
  };
  let host: { shell: Shell; directory: string } | undefined;
  return {
    async prepare() {
      const program = find(runtime);
      if (program === null) return { absent: "not installed" };
      if (process.getuid?.() !== 0) return { absent: "needs root" };
      const { containers: _, ...others } = job.shape;
      if (!isDeepStrictEqual({ ...others, containers: fullShape.containers }, fullShape))
        return { absent: "the bundle has one shape" };
      if (job.work.kind !== "launch") return { absent: `can't do ${job.work.kind}` };
      await mkdir(shape.directory, { recursive: true });
      const directory = await mkdtemp(join(shape.directory, `${shape.runtime}-`));
      const shell = openShell(directory);
      host = { shell, directory };
      await writeBundles(directory, shape);
      await shell.send(functions(program, directory, shape.containers));
      return await tryOut(shell);
    },
    async run() {
      if (host === undefined) throw new Error(`${shape.runtime} was not prepared`);
      return await measure(host.shell);
    },
    async cleanup() {
      if (host === undefined) return;
      await host.shell.send("down");
      await host.shell.send(`rmdir /sys/fs/cgroup/${groupOf(host.directory)}`);
      await host.shell.end();
      await rm(host.directory, { recursive: true, force: true });
    },
  };
}

async function tryOut(shell: Shell): Promise<{ absent: string } | undefined> {
  const up = await shell.send("up");
  const down = await shell.send("down");
  return up.status === 0 && down.status === 0 ? undefined : { absent: up.output || down.output };
}

async function measure(shell: Shell): Promise<Sample> {
  const began = Bun.nanoseconds();
  const up = await shell.send("up");
  const started = Bun.nanoseconds();
  const down = await shell.send("down");
  const ended = Bun.nanoseconds();
  if (up.status !== 0 || down.status !== 0) throw new Error(up.output || down.output);
  return { up: [(started - began) / 1000], down: [(ended - started) / 1000] };
}

const groupOf = (directory: string): string => `peapod-bench-${directory.split("/").at(-1)}`;

async function writeBundles(directory: string, shape: OciShape): Promise<void> {
  for (let index = 0; index <= shape.containers; index += 1) {
    const bundle = join(directory, `c${index}`);
    await makeRoot(join(bundle, "rootfs"));
    if (index === 0) await Bun.write(join(bundle, "config.json"), configOf(directory, 0));
  }
}

const configOf = (directory: string, index: number): string =>
  bundleConfig({ cgroup: `/${groupOf(directory)}/c${index}`, join: index > 0 });

/**
 * Shell functions `up` and `down`. The shell holds joining containers' configurations in pieces
 * and puts the sandbox's pid between them itself: no program but the runtime is started.
 */
function functions(program: string, directory: string, containers: number): string {
  const runtime = `${program} --root ${directory}/state`;
  const indexes = Array.from({ length: containers + 1 }, (_, index) => index);
  const id = (index: number) => `${groupOf(directory)}-c${index}`;
  const start = (index: number) => {
    const flags = `--bundle ${directory}/c${index} --pid-file ${directory}/pid`;
    return `${runtime} run --detach ${flags} ${id(index)} >/dev/null </dev/null`;
  };
  const joined = indexes.slice(1).map((index) => {
    // No configuration has a single quote in it.
    const pieces = configOf(directory, index).trim().split("@PID@");
    const words = pieces.map((_, piece) => `\${c${index}_${piece}}`).join("$pid");
    return {
      definitions: pieces.map((text, piece) => `c${index}_${piece}='${text}'; `).join(""),
      start: `printf '%s\\n' "${words}" > ${directory}/c${index}/config.json && ${start(index)}`,
    };
  });
  // runc ends its pid file without a line feed, for which read is not zero.
  const readPid = `{ read -r pid < ${directory}/pid || true; }`;
  const up = [start(0), readPid, ...joined.map((each) => each.start)].join(" && ");
  const down = indexes.toReversed().map((index) => `${runtime} delete --force ${id(index)}`);
  const definitions = joined.map((each) => each.definitions).join("");
  return `${definitions}up() { ${up}; }; down() { ${down.join("; ")}; }`;
}

type Shell = ReturnType<typeof openShell>;

/**
 * A shell in a mount namespace of its own in which /sys/fs/cgroup is plain cgroup2: runtimes refuse
 * a host that mounts v1 groups beside it. Nothing changes for the host.
 */
function openShell(directory: string) {
  const view =
    '[ "$(stat -fc %T /sys/fs/cgroup)" = cgroup2fs ] || ' +
    "{ umount -R -l /sys/fs/cgroup && mount -t cgroup2 none /sys/fs/cgroup; }";
  // Standard error goes to a file: containers keep it open, and a pipe would never end.
  const loop =
    'while read -r line; do eval "$line" >/dev/null 2>"$errors"; status=$?; ' +
    '[ $status = 0 ] && echo 0 || echo "$status $(tr "\\n" " " < "$errors")"; done';
  const script = `${view}\nread -r errors\n${loop}`;
  const child = Bun.spawn(["unshare", "--mount", "--propagation", "private", "sh", "-c", script], {
    stdin: "pipe",
    stdout: "pipe",
    stderr: "inherit",
  });
  child.stdin.write(`${directory}/errors\n`);
  const reader = child.stdout.getReader();
  const decoder = new TextDecoder();
  return {
    /** Runs one line and answers with its status and what it wrote to standard error. */
    async send(line: string): Promise<{ status: number; output: string }> {
      child.stdin.write(`${line}\n`);
      await child.stdin.flush();
      let answer = "";
      while (!answer.endsWith("\n")) {
        const { done, value } = await reader.read();
        if (done) throw new Error("the shell of the OCI runtime ended");
        answer += decoder.decode(value, { stream: true });
      }
      const [status = "1", ...output] = answer.trim().split(" ");
      return { status: Number(status), output: output.join(" ") };
    },
    async end(): Promise<void> {
      await child.stdin.end();
      await child.exited;
    },
  };
}
