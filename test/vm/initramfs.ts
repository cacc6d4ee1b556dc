// The virtual machine's initramfs: busybox, the init script, and the modules without which the
// host's files cannot be reached. Everything else is loaded from those files later.

import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
} from "node:fs";
import { basename, join } from "node:path";
import { cacheFolder, type Kernel } from "./kernel-package.ts";

const modulesWanted = ["virtio_pci", "virtio_blk", "9pnet_virtio", "9p", "overlay", "ext4"];
const initScript = join(import.meta.dir, "guest-init.sh");

/** Made once for each kernel and script; the file's name says which. */
export function initramfs(kernel: Kernel): string {
  const digest = Bun.hash(readFileSync(initScript) + modulesWanted.join()).toString(16);
  const file = join(cacheFolder(), `initramfs-${kernel.version}-${digest}`);
  if (existsSync(file)) return file;

  const tree = mkdtempSync(join(cacheFolder(), "initramfs."));
  try {
    for (const folder of ["bin", "dev", "proc", "modules"]) mkdirSync(join(tree, folder));
    cpSync("/bin/busybox", join(tree, "bin/busybox"));
    cpSync(initScript, join(tree, "init"));
    chmodSync(join(tree, "init"), 0o755);
    modulePaths(kernel).forEach((path, index) => {
      cpSync(path, join(tree, "modules", `${String(index).padStart(2, "0")}-${basename(path)}`));
    });
    renameSync(pack(tree), file);
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
  for (const old of readdirSync(cacheFolder())) {
    if (old.startsWith("initramfs-") && old !== basename(file)) rmSync(join(cacheFolder(), old));
  }
  return file;
}

/** In the order in which they must be loaded. */
function modulePaths(kernel: Kernel): string[] {
  const root = join(kernel.modules, "../..");
  const paths = modulesWanted.flatMap((name) => {
    const cmd = ["modprobe", "--show-depends", "-S", kernel.version, "-d", root, name];
    const env = { ...process.env, PATH: `${process.env.PATH}:/usr/sbin:/sbin` };
    const { exitCode, stdout, stderr } = Bun.spawnSync({ cmd, env });
    if (exitCode !== 0) throw new Error(`${cmd.join(" ")}: ${stderr.toString().trim()}`);
    return Array.from(stdout.toString().matchAll(/^insmod (\S+)/gm), (match) => match[1] ?? "");
  });
  return [...new Set(paths)];
}

function pack(tree: string): string {
  const names = new Bun.Glob("**/*").scanSync({ cwd: tree, onlyFiles: false, dot: true });
  const cmd = ["cpio", "--create", "--quiet", "--format=newc", "--owner=+0:+0", "--file=packed"];
  const { exitCode, stderr } = Bun.spawnSync({
    cmd,
    cwd: tree,
    stdin: Buffer.from([...names].sort().join("\n")),
  });
  if (exitCode !== 0) throw new Error(`cpio: ${stderr.toString().trim()}`);
  return join(tree, "packed");
}
