// `image: host`: a root made of the host's /usr, read-only, and a small /etc of its own. Nothing
// else of the host is seen.

import {
  copyFileSync,
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readlinkSync,
  realpathSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
  chmodSync,
} from "node:fs";
import { dirname, join } from "node:path";
import type { GuestPath, HostPath } from "../spec/paths.ts";
import type { ResolvedRoot } from "../spec/resolved.ts";

/** Counted up when what is built here changes. */
const version = 1;
const links = ["bin", "sbin", "lib", "lib32", "lib64", "libx32"] as const;
const emptyDirectories = ["dev", "home", "mnt", "proc", "run", "sys", "usr", "var", "var/lib"];

export function resolveHostImage(root: string): ResolvedRoot {
  const skeleton = findSkeleton(join(root, "host-image"));
  return {
    layers: [`${skeleton}/root` as HostPath],
    binds: [
      { source: "/usr" as HostPath, target: "/usr" as GuestPath, readOnly: true },
      // The host's own is a place for anything at all; this one holds Bun and nothing else.
      {
        source: `${skeleton}/local` as HostPath,
        target: "/usr/local" as GuestPath,
        readOnly: true,
      },
      { source: bunPath(), target: "/usr/local/bin/bun" as GuestPath, readOnly: true },
    ],
  };
}

let known: string | undefined;

/**
 * Built once for each state of the host's files; whole or not there, whoever else builds it at the
 * same time.
 */
function findSkeleton(parent: string): string {
  if (known !== undefined && existsSync(known)) return known;
  const target = join(parent, skeletonKey());
  if (!existsSync(target)) {
    mkdirSync(parent, { recursive: true, mode: 0o755 });
    const draft = mkdtempSync(join(parent, ".draft-"));
    chmodSync(draft, 0o755);
    buildSkeleton(draft);
    try {
      renameSync(draft, target);
    } catch {
      rmSync(draft, { recursive: true, force: true }); // Somebody else was faster.
    }
  }
  known = target;
  return target;
}

/** Files of /etc that programs need to run and that hold no secret. */
const copied = [
  "/etc/alternatives",
  "/etc/debian_version",
  "/etc/ld.so.cache",
  "/etc/ld.so.conf",
  "/etc/ld.so.conf.d",
  "/etc/localtime",
  "/etc/mime.types",
  "/etc/os-release",
  "/etc/pki/tls/certs",
  "/etc/pki/ca-trust/extracted",
  "/etc/protocols",
  "/etc/services",
  "/etc/ssl/certs",
  "/etc/ssl/openssl.cnf",
  "/etc/timezone",
] as const;

const written: Readonly<Record<string, string>> = {
  passwd: "root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/nonexistent:/bin/false\n",
  group: "root:x:0:\ntty:x:5:\nnogroup:x:65534:\n",
  "nsswitch.conf": "passwd: files\ngroup: files\nhosts: files dns\n",
  hosts: "",
  hostname: "",
  "resolv.conf": "",
};

function skeletonKey(): string {
  const hasher = new Bun.CryptoHasher("sha256");
  hasher.update(`${version} ${links.map((name) => linkOf(`/${name}`)).join(" ")}`);
  for (const path of copied) {
    const stat = lstatSync(path, { throwIfNoEntry: false });
    hasher.update(`${path} ${stat?.mtimeMs ?? 0} ${stat?.size ?? 0}\n`);
  }
  return hasher.digest("hex").slice(0, 16);
}

function linkOf(path: string): string {
  const stat = lstatSync(path, { throwIfNoEntry: false });
  return stat?.isSymbolicLink() ? readlinkSync(path) : "";
}

function buildSkeleton(draft: string): void {
  const root = join(draft, "root");
  mkdirSync(root, { mode: 0o755 });
  for (const name of emptyDirectories) mkdirSync(join(root, name), { mode: 0o755 });
  mkdirSync(join(root, "root"), { mode: 0o700 });
  for (const name of ["tmp", "var/tmp"]) {
    mkdirSync(join(root, name));
    chmodSync(join(root, name), 0o1777);
  }
  symlinkSync("../run", join(root, "var/run"));
  for (const name of links) {
    const target = linkOf(`/${name}`);
    if (target !== "") symlinkSync(target, join(root, name));
  }
  mkdirSync(join(root, "etc"), { mode: 0o755 });
  for (const [name, text] of Object.entries<string>(written)) {
    writeFileSync(join(root, "etc", name), text, { mode: 0o644 });
  }
  for (const path of copied) copyPublic(path, join(root, path));
  mkdirSync(join(draft, "local/bin"), { recursive: true, mode: 0o755 });
  writeFileSync(join(draft, "local/bin/bun"), "", { mode: 0o755 });
}

/** Links stay links, so that alternatives and certificates mean what they mean on the host. */
function copyPublic(source: string, target: string): void {
  const stat = lstatSync(source, { throwIfNoEntry: false });
  if (!stat) return;
  mkdirSync(dirname(target), { recursive: true, mode: 0o755 });
  if (stat.isSymbolicLink()) {
    symlinkSync(readlinkSync(source), target);
  } else if (stat.isDirectory()) {
    mkdirSync(target, { mode: 0o755 });
    for (const name of readdirSync(source)) copyPublic(join(source, name), join(target, name));
  } else if (stat.isFile() && (stat.mode & 0o004) !== 0) {
    copyFileSync(source, target);
    chmodSync(target, 0o644);
  }
}

let bun: HostPath | undefined;

/** The running Bun, or the compiled peapod that has one inside. */
function bunPath(): HostPath {
  bun ??= realpathSync(process.execPath) as HostPath;
  return bun;
}

/** The environment that an image would bring. */
export const hostImageEnv: readonly string[] = [
  "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
  // The compiled peapod is a Bun, too, and this is how it is asked to be one.
  ...(Bun.isStandaloneExecutable ? ["BUN_BE_BUN=1"] : []),
];
