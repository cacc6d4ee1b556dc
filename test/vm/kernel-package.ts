// Debian's kernel as an unpacked package in a cache folder: nothing is installed, nothing outside
// the folder changes.

import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";

/** A kernel to boot, and the folder that holds `VERSION/kernel/…/*.ko`. */
export interface Kernel {
  readonly version: string;
  readonly image: string;
  readonly modules: string;
}

export function cacheFolder(): string {
  return join(process.env.XDG_CACHE_HOME ?? join(homedir(), ".cache"), "peapod-test");
}

/** The newest unpacked kernel; `undefined` where `npm run test:setup` has not been run. */
export function findKernel(): Kernel | undefined {
  const modules = join(cacheFolder(), "kernel/lib/modules");
  if (!existsSync(modules)) return undefined;
  const version = readdirSync(modules).sort(Bun.semver.order).at(-1);
  if (version === undefined) return undefined;
  const boot = join(cacheFolder(), "kernel/boot");
  const plain = join(boot, `vmlinux-${version}`);
  return { version, image: existsSync(plain) ? plain : join(boot, `vmlinuz-${version}`), modules };
}

/**
 * Downloads and unpacks what `linux-image-amd64` depends on. The cloud flavour would be smaller,
 * but has no 9p. The folder appears under its name only when it is complete.
 */
export function fetchKernel(): Kernel {
  const found = findKernel();
  if (found !== undefined) return found;

  const work = join(cacheFolder(), `kernel.${process.pid}`);
  mkdirSync(work, { recursive: true });
  try {
    const depends = run(["apt-cache", "depends", "linux-image-amd64"], work);
    const name = /Depends: (linux-image-\S+)/.exec(depends)?.[1];
    if (name === undefined) throw new Error("apt knows no linux-image-amd64: run apt-get update");
    run(["apt-get", "download", "-q", name], work);
    const archive = readdirSync(work).find((file) => file.endsWith(".deb"));
    if (archive === undefined) throw new Error(`apt-get download left no package of ${name}`);
    run(["dpkg-deb", "--extract", archive, "unpacked"], work);
    const unpacked = join(work, "unpacked");
    for (const version of readdirSync(join(unpacked, "lib/modules"))) {
      run(["depmod", "--basedir", unpacked, version], work);
      unpackImage(join(unpacked, "boot"), version);
    }
    renameSync(unpacked, join(cacheFolder(), "kernel"));
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
  const kernel = findKernel();
  if (kernel === undefined) throw new Error("the kernel package holds no modules");
  return kernel;
}

/**
 * An emulated processor needs three seconds to unpack its kernel, and qemu can start the plain one
 * (PVH). Where it lies in the image: Documentation/x86/boot.rst, setup_sects, payload_offset and
 * payload_length.
 */
function unpackImage(boot: string, version: string): void {
  const image = readFileSync(join(boot, `vmlinuz-${version}`));
  const start = (image.readUInt8(0x1f1) + 1) * 512 + image.readUInt32LE(0x248);
  // The last four bytes are the unpacked size, which is no part of the stream.
  const payload = image.subarray(start, start + image.readUInt32LE(0x24c) - 4);
  if (payload.toString("latin1", 1, 5) !== "7zXZ") return;
  const { exitCode, stdout } = Bun.spawnSync({ cmd: ["xz", "--decompress"], stdin: payload });
  if (exitCode === 0) writeFileSync(join(boot, `vmlinux-${version}`), stdout);
}

function run(cmd: string[], cwd: string): string {
  const env = { ...process.env, LC_ALL: "C", PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
  const { exitCode, stdout, stderr } = Bun.spawnSync({ cmd, cwd, env });
  if (exitCode !== 0) throw new Error(`${cmd.join(" ")}: ${stderr.toString().trim()}`);
  return stdout.toString();
}
