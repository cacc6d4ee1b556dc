// A virtual machine with a real cgroup v2 hierarchy and the oldest kernel that peapod supports: the
// host's own files under an overlay, every controller, root with every capability. It proves
// behaviour, not speed: the processor is emulated, because /dev/kvm may exist and not work.

import { mkdtempSync, rmSync, truncateSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { initramfs } from "./initramfs.ts";
import { findKernel, type Kernel } from "./kernel-package.ts";

export interface VmOptions {
  /** Run as root in the repository's folder, with nothing on standard input. */
  readonly command: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** The whole life of the machine, the boot of about 3 s included. */
  readonly timeoutMs: number;
  /** 2048 unless said: half of what a small CI machine has. */
  readonly memoryMiB?: number;
  /** Gives /var/lib/peapod an ext4 of this size; a tmpfs otherwise. */
  readonly diskMiB?: number;
  /** Kernel modules to load before the command, with what they depend on: `veth`, `nf_tables`. */
  readonly modules?: readonly string[];
  /**
   * A folder of the host that the command may write, as /run/exchange; a temporary one otherwise.
   */
  readonly exchange?: string;
  readonly onOutput?: (text: string) => void;
}

export interface VmResult {
  readonly exitCode: number;
  /** Standard output and error of the command, as they came. */
  readonly output: string;
}

const repository = resolve(import.meta.dir, "../..");

/** Why no machine can be booted here; `undefined` where one can. */
export function vmMissing(): string | undefined {
  if (process.env.PEAPOD_TEST_IN_VM === "1") return "this is the virtual machine";
  if (process.arch !== "x64") return "the virtual machine needs an x86-64 host";
  for (const program of ["qemu-system-x86_64", "busybox", "cpio", "modprobe", "mkfs.ext4"]) {
    const found = Bun.which(program, { PATH: `${process.env.PATH}:/usr/sbin:/sbin` });
    if (found === null) return `${program} is not installed: npm run test:setup`;
  }
  if (findKernel() === undefined) return "there is no kernel package to boot: npm run test:setup";
  return undefined;
}

/**
 * Boots, runs the command, and ends with it. Nothing of the machine is left on the host, whatever
 * happens.
 */
export async function bootVm(options: VmOptions): Promise<VmResult> {
  const missing = vmMissing();
  const kernel = findKernel();
  if (missing !== undefined || kernel === undefined) throw new Error(missing);

  const folder = mkdtempSync(join(tmpdir(), "peapod-vm-"));
  try {
    const exchange = options.exchange ?? folder;
    const marker = `peapod-vm-${crypto.randomUUID()}`;
    writeFileSync(join(exchange, "start.sh"), startScript(options, marker));
    if (options.diskMiB !== undefined) makeDisk(join(folder, "disk"), options.diskMiB);
    return await runMachine(
      options,
      qemuCommand(options, kernel, folder, exchange),
      marker,
      folder,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

/**
 * What PID 1 becomes. The marker's line is the last on the wire, so all output has arrived before
 * it.
 */
function startScript(options: VmOptions, marker: string): string {
  const env = {
    PATH: `${repository}/node_modules/.bin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin`,
    HOME: "/root",
    LANG: "C.UTF-8",
    // The wire is a terminal to the command, and its reader is not.
    NO_COLOR: "1",
    PEAPOD_TEST_IN_VM: "1",
    ...options.env,
  };
  const exports = Object.entries(env).map(([name, content]) => `export ${name}=${quote(content)}`);
  return [
    "exec </dev/null >/dev/ttyS1 2>&1",
    "/run/busybox stty -F /dev/ttyS1 raw -echo",
    ...exports,
    `cd ${quote(repository)}`,
    ...(options.modules ?? []).map((name) => `modprobe ${quote(name)}`),
    options.command.map(quote).join(" "),
    `printf '\\n%s %s\\n' ${marker} $?`,
    "exec /run/busybox reboot -f",
    "",
  ].join("\n");
}

function quote(word: string): string {
  return `'${word.replaceAll("'", `'\\''`)}'`;
}

/** Formatted on the host, where that takes milliseconds; the file is sparse. */
function makeDisk(file: string, sizeMiB: number): void {
  writeFileSync(file, "");
  truncateSync(file, sizeMiB * 1024 * 1024);
  const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
  const { exitCode, stderr } = Bun.spawnSync({ cmd: ["mkfs.ext4", "-q", "-F", file], env });
  if (exitCode !== 0) throw new Error(`mkfs.ext4: ${stderr.toString().trim()}`);
}

function qemuCommand(
  options: VmOptions,
  kernel: Kernel,
  folder: string,
  exchange: string,
): string[] {
  const append = [
    ...["console=ttyS0", "quiet", "panic=-1", "cgroup_no_v1=all", "psi=1", "mitigations=off"],
    ...[`peapod.kernel=${kernel.modules}`, `peapod.keep=${repository}`],
  ];
  const share = (path: string, tag: string, more: string) => [
    "-virtfs",
    `local,path=${path},mount_tag=${tag},security_model=none,multidevs=remap${more}`,
  ];
  const disk = `file=${join(folder, "disk")},format=raw,if=virtio,cache=unsafe`;
  return [
    // Should this process be killed, its machine must not run on.
    ...["setpriv", "--pdeathsig", "KILL"],
    ...["qemu-system-x86_64", "-accel", "tcg,thread=multi", "-cpu", "max", "-smp", "2"],
    ...["-m", String(options.memoryMiB ?? 2048), "-nodefaults", "-no-reboot", "-display", "none"],
    ...["-serial", `file:${join(folder, "console")}`, "-serial", "stdio"],
    ...["-kernel", kernel.image, "-initrd", initramfs(kernel), "-append", append.join(" ")],
    ...share("/", "host", ",readonly=on"),
    ...share(exchange, "exchange", ""),
    ...(options.diskMiB === undefined ? [] : ["-drive", disk]),
  ];
}

async function runMachine(
  options: VmOptions,
  cmd: string[],
  marker: string,
  folder: string,
): Promise<VmResult> {
  const machine = Bun.spawn({
    cmd,
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
    timeout: options.timeoutMs,
    killSignal: "SIGKILL",
  });
  const complaint = new Response(machine.stderr).text();
  const wire = await readWire(machine.stdout, marker, options.onOutput);
  await machine.exited;
  if (wire.exitCode !== undefined) return { exitCode: wire.exitCode, output: wire.output };

  const isLate = machine.signalCode === "SIGKILL";
  const what = isLate ? `did not end within ${options.timeoutMs} ms` : "ended early";
  const console = await Bun.file(join(folder, "console"))
    .text()
    .catch(() => "");
  throw new Error(
    [
      `the virtual machine ${what}`,
      ...[(await complaint).trim(), console.slice(-8000).trim(), wire.output.slice(-2000).trim()],
    ]
      .filter((part) => part !== "")
      .join("\n"),
  );
}

/** Passes output on as it comes, up to the line that holds the marker and the exit status. */
async function readWire(
  stream: ReadableStream<Uint8Array>,
  marker: string,
  onOutput: (text: string) => void = () => {},
): Promise<{ output: string; exitCode: number | undefined }> {
  const decoder = new TextDecoder();
  const end = new RegExp(`\\n${marker} (\\d+)\\n`);
  let output = "";
  let passed = 0;
  for await (const chunk of stream) {
    output += decoder.decode(chunk, { stream: true });
    const match = end.exec(output.slice(Math.max(0, passed - marker.length)));
    // The end of what has arrived may be the beginning of the marker's line.
    const safe =
      match === null ? output.length - marker.length - 8 : output.lastIndexOf(`\n${marker}`);
    if (safe > passed) {
      onOutput(output.slice(passed, safe));
      passed = safe;
    }
    if (match !== null) return { output: output.slice(0, safe), exitCode: Number(match[1]) };
  }
  return { output, exitCode: undefined };
}
