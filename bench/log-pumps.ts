// What takes a container's output to a file, as subjects of the benchmark of logs: peapod's keeper,
// conmon, and the least that could do it. All get their lines from the same program.
import { copyFileSync, readFileSync } from "node:fs";
import { chmod, mkdir, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { findCgroupMount } from "../src/native/host.ts";
import { PodHost } from "../src/pod/peapod.ts";
import { readPodManifest } from "../src/read/pod-manifest/read.ts";

/** What one writer writes. */
export type Load = {
  readonly lineBytes: number;
  readonly lines: number;
  /** Of one write(2): a multiple of `lineBytes`. */
  readonly writeBytes: number;
};

export type Flow = {
  /** Of the pump: whose CPU time counts. */
  readonly pid: number;
  /** The directory of the files that are written. */
  readonly folder: string;
  end(): Promise<void>;
};

export type Pump = {
  readonly name: string;
  /** What is done once. Says why, if this machine can't. */
  prepare(directory: string): Promise<{ readonly absent: string } | undefined>;
  /** Answers when the writer runs; it waits a while before its first line. */
  start(load: Load): Promise<Flow>;
  cleanup(): Promise<void>;
};

const writerName = "log-writer";

/** One static program: as a container's it needs nothing else. */
export async function buildWriter(directory: string): Promise<string> {
  const zig = join(import.meta.dir, "..", "node_modules", ".bin", "zig");
  const program = join(directory, writerName);
  const flags = ["-O", "ReleaseFast", "-mcpu=baseline", "-fstrip", "-fsingle-threaded"];
  const source = join(import.meta.dir, "log-writer.zig");
  const build = Bun.spawn([zig, "build-exe", ...flags, `-femit-bin=${program}`, source], {
    stdout: "ignore",
    stderr: "pipe",
  });
  const message = await new Response(build.stderr).text();
  if ((await build.exited) !== 0) throw new Error(`${source} does not build:\n${message}`);
  return program;
}

const wordsOf = ({ lineBytes, lines, writeBytes }: Load): string[] =>
  ["write", lineBytes, lines, writeBytes].map(String);

export function peapodPump(writer: string): Pump {
  let host: PodHost | undefined;
  let folder = "";
  let round = 0;
  const cgroupRoot = `${findCgroupMount()?.path ?? "/sys/fs/cgroup"}/peapod-logs-${process.pid}`;
  return {
    name: "peapod",
    async prepare(directory) {
      if (process.getuid?.() !== 0) return { absent: "needs root" };
      folder = join(directory, "peapod");
      await mkdir(join(folder, "rootfs"), { recursive: true });
      copyFileSync(writer, join(folder, "rootfs", writerName));
      const [root, state, logs] = ["root", "state", "logs"].map((name) => join(folder, name));
      if (root === undefined || state === undefined || logs === undefined) return undefined;
      host = new PodHost({ root, state, logs, cgroupRoot, missingControllers: "warn" });
      return undefined;
    },
    async start(load) {
      if (host === undefined) throw new Error("peapod was not prepared");
      round += 1;
      const container = {
        name: "main",
        image: `rootfs:${join(folder, "rootfs")}`,
        command: [`/${writerName}`, ...wordsOf(load)],
      };
      const spec = { terminationGracePeriodSeconds: 0, containers: [container] };
      const name = `logs-${round}`;
      const manifest = readPodManifest({
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name },
        spec: { ...spec, restartPolicy: "Never" },
      });
      const pod = await host.up(manifest, {});
      const { logPath } = await pod.container("main").state();
      const pid = (await pod.inspect()).sandbox.keeperPid;
      return { pid, folder: join(logPath, ".."), end: () => pod.down({ graceMs: 0 }) };
    },
    async cleanup() {
      await host?.[Symbol.asyncDispose]();
      await rm(folder, { recursive: true, force: true });
      const groups = ["burstable", "besteffort", "keepers"].map((name) => join(cgroupRoot, name));
      await Bun.$`rmdir ${groups} ${cgroupRoot}`.quiet().nothrow();
    },
  };
}

/**
 * conmon starts a "runtime" that leaves a writer behind, as an OCI runtime leaves a container: what
 * is measured is conmon and nothing else. Its k8s-file format is the CRI's, as ours.
 */
export function conmonPump(writer: string): Pump {
  let folder = "";
  return {
    name: "conmon",
    async prepare(directory) {
      if (Bun.which("conmon") === null) return { absent: "not installed" };
      folder = join(directory, "conmon");
      return undefined;
    },
    async start(load) {
      await mkdir(join(folder, "files"), { recursive: true });
      const runtime = join(folder, "runtime");
      const script = `#!/bin/sh
while [ $# -gt 0 ]; do [ "$1" = --pid-file ] && file=$2; shift; done
${writer} ${wordsOf(load).join(" ")} &
echo $! > "$file"
`;
      await writeFile(runtime, script);
      await chmod(runtime, 0o755);
      const pidFile = join(folder, "pid");
      const names = ["--cid", "writer", "--cuuid", "writer", "--name", "writer"];
      const places = ["--bundle", folder, "--socket-dir-path", folder, "--runtime", runtime];
      const log = ["--log-path", `k8s-file:${join(folder, "files", "log")}`];
      const size = ["--log-size-max", String(10 << 20), "--no-sync-log"];
      const words = ["--sync", ...names, ...places, ...log, ...size, "--container-pidfile"];
      const child = Bun.spawn(["conmon", ...words, pidFile], {
        stdio: ["ignore", "ignore", "ignore"],
      });
      while (!(await Bun.file(pidFile).exists())) {
        if (child.exitCode !== null) throw new Error(`conmon ended with ${child.exitCode}`);
        await Bun.sleep(5);
      }
      return {
        pid: child.pid,
        folder: join(folder, "files"),
        async end() {
          process.kill(Number(readFileSync(pidFile, "utf8")), "SIGKILL");
          await child.exited;
          await rm(folder, { recursive: true });
        },
      };
    },
    async cleanup() {
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/**
 * A loop of two system calls, or of one: no format, no other streams, no client. `longer` writes
 * as many bytes as the format would have.
 */
export function floorPump(writer: string, by: "copy" | "splice" | "longer"): Pump {
  let folder = "";
  return {
    name: `floor (${by})`,
    async prepare(directory) {
      folder = join(directory, by);
      return undefined;
    },
    async start(load) {
      await mkdir(folder, { recursive: true });
      const [, ...numbers] = wordsOf(load);
      const child = Bun.spawn([writer, by, ...numbers, folder], {
        stdio: ["ignore", "ignore", "ignore"],
      });
      return {
        pid: child.pid,
        folder,
        async end() {
          child.kill("SIGKILL");
          await child.exited;
          await rm(folder, { recursive: true });
        },
      };
    },
    async cleanup() {
      await rm(folder, { recursive: true, force: true });
    },
  };
}
