// peapod started as a command for each request: `up -d`, then `down`, from the source or as the
// compiled executable.
import { existsSync, statSync } from "node:fs";
import { mkdir, rm } from "node:fs/promises";
import { join, resolve } from "node:path";
import type { Cell, Job, Sample, Subject } from "../cell.ts";
import { cpuOfGroups } from "../cpu.ts";
import { fullShape } from "../shape.ts";
import { monotonicNs } from "../../src/native/syscalls.ts";
import { copyStamp, optionsBelow, readStamp, manifestOf, removeGroups, type Site } from "./site.ts";
import { lastStampUs, sampleOf, sinceUs, type Span } from "./spans.ts";

type Form = "source" | "compiled";

const repository = resolve(import.meta.dir, "../..");
const executable = join(repository, "dist/peapod");
const programs: Readonly<Record<Form, readonly string[]>> = {
  source: [
    process.execPath,
    "--no-env-file",
    "--config=/dev/null",
    "--tsconfig-override=/dev/null",
    join(repository, "pod.ts"),
  ],
  compiled: [executable],
};

export function commandSubject(form: Form): Subject {
  return {
    name: `peapod (${form})`,
    surface: "command",
    cpuCounts:
      "the command with all its threads, and whatever ran in the groups of keepers and pods",
    async version() {
      if (form === "source") return `pod.ts, Bun ${Bun.version}`;
      if (!existsSync(executable)) return { absent: "not built: bun run build" };
      return `dist/peapod of ${statSync(executable).mtime.toISOString()}`;
    },
    cell: (job) => commandCell(form, job),
  };
}

function commandCell(form: Form, job: Job): Cell {
  const directory = join(job.directory, `peapod-${form}-${process.pid}-${job.shape.containers}`);
  const below = optionsBelow(directory);
  const options = { ...below, cgroupRoot: `${below.cgroupRoot}-${form}` };
  return {
    async prepare() {
      const lack = lackOf(form, job);
      if (lack !== undefined) return { absent: lack };
      await mkdir(options.root, { recursive: true });
      await makeImage({ form, job, options });
      return undefined;
    },
    run: () => (job.work.kind === "launch" ? launchOnce : liveOnce)({ form, job, options }),
    async cleanup() {
      await rm(directory, { recursive: true, force: true });
      removeGroups(options.cgroupRoot);
    },
  };
}

function lackOf(form: Form, { work, shape }: Job): string | undefined {
  if (process.getuid?.() !== 0) return "needs root";
  if (form === "compiled" && !existsSync(executable)) return "not built: bun run build";
  if (work.kind !== "launch" && work.kind !== "lifecycle") return `no ${work.kind} as a command`;
  const { containers } = shape;
  const isFull = Bun.deepEquals({ ...fullShape, containers }, shape);
  return isFull ? undefined : "measured in the full shape only";
}

/** `plan` makes the built-in image, as the first `up` would; the stamp goes into it. */
async function makeImage(run: Run): Promise<void> {
  const file = join(run.options.root, "image.json");
  await Bun.write(file, JSON.stringify(manifestOf(run.job.shape)));
  await runCommand(run, ["plan", file]);
  const images = join(run.options.root, "host-image");
  for (const image of new Bun.Glob("*/root").scanSync({ cwd: images, onlyFiles: false }))
    await copyStamp(join(images, image));
}

type Run = { readonly form: Form; readonly job: Job; readonly options: Site["options"] };

async function launchOnce(run: Run): Promise<Sample> {
  const manifest = manifestOf(run.job.shape);
  const name = manifest.metadata.name;
  const file = join(run.options.root, `${name}.json`);
  await Bun.write(file, JSON.stringify(manifest));
  const up = await runCommand(run, ["up", "-d", file]);
  const stamps = await readStamps(run, name);
  const down = await runCommand(run, ["down", "--grace-period", "0", name]);
  return { ...sampleOf("up", [up]), first: [lastStampUs(up, stamps)], ...sampleOf("down", [down]) };
}

/** In the foreground `up` waits for the container's end and removes the pod. */
async function liveOnce(run: Run): Promise<Sample> {
  const manifest = manifestOf({ ...run.job.shape, containers: 1 }, ["/stamp", "exit"]);
  const file = join(run.options.root, `${manifest.metadata.name}.json`);
  await Bun.write(file, JSON.stringify(manifest));
  return sampleOf("lifecycle", [await runCommand(run, ["up", file])]);
}

async function readStamps({ job, options }: Run, name: string): Promise<bigint[]> {
  const [directory] = [
    ...new Bun.Glob(`default_${name}_*`).scanSync({
      cwd: options.logs,
      onlyFiles: false,
    }),
  ];
  if (directory === undefined) throw new Error(`${options.logs} has no logs of ${name}`);
  const containers = Array.from({ length: job.shape.containers }, (_, index) => `c${index}`);
  return await Promise.all(
    containers.map((each) => readStamp(join(options.logs, directory, each, "0.log"))),
  );
}

async function runCommand({ form, options }: Run, words: readonly string[]): Promise<Span<void>> {
  const { root, state, logs, cgroupRoot } = options;
  const places = ["--root", root, "--state", state, "--logs", logs, "--cgroup-root", cgroupRoot];
  const command = [...programs[form], ...words, ...places, "--missing-controllers=warn"];
  const before = cpuOfGroups([cgroupRoot]);
  const beganNs = monotonicNs();
  const child = Bun.spawn(command, { stdio: ["ignore", "ignore", "pipe"] });
  const status = await child.exited;
  const wallUs = sinceUs(beganNs, monotonicNs());
  if (status !== 0) throw new Error(`${words.join(" ")}: ${await child.stderr.text()}`);
  const own = Number(child.resourceUsage()?.cpuTime.total ?? 0n);
  const groups = cpuOfGroups([cgroupRoot]) - before;
  return { value: undefined, beganNs, wallUs, cpuUs: own + groups };
}
