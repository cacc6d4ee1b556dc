// `npm run test:setup`: what the full test run wants from Debian. It may be run again at any time;
// what is there stays.

import { readFileSync } from "node:fs";
import { fetchKernel, findKernel } from "../test/vm/kernel-package.ts";

/** Package to the reason why the tests want it. */
const packages: Readonly<Record<string, string>> = {
  buildah: "images as others build them",
  "busybox-static": "the virtual machine's first programs",
  "containernetworking-plugins": "networks of CNI plugins",
  cpio: "packs the virtual machine's initramfs",
  crun: "the peer in comparisons",
  "docker-registry": "a real registry for images",
  e2fsprogs: "an ext4 inside the virtual machine",
  fish: "reads the completion that is made for it",
  iproute2: "tests that look at links and routes",
  iptables: "the portmap plugin's rules",
  kmod: "finds and loads kernel modules",
  openssl: "a certificate for the registry",
  runc: "shows that the tests of escapes can fail",
  skopeo: "images as others copy them",
  strace: "tests that count system calls",
  umoci: "images as others make and unpack them",
  zsh: "reads the completion that is made for it",
  "xz-utils": "unpacks the virtual machine's kernel",
  ...(process.arch === "x64" ? { "qemu-system-x86": "the virtual machine" } : {}),
};

function isDebian(): boolean {
  try {
    return /^ID(_LIKE)?=.*debian/m.test(readFileSync("/etc/os-release", "utf8"));
  } catch {
    return false;
  }
}

function isInstalled(name: string): boolean {
  const { stdout } = Bun.spawnSync([
    "dpkg-query",
    "--show",
    "--showformat=${db:Status-Status}",
    name,
  ]);
  return stdout.toString() === "installed";
}

function apt(...words: string[]): void {
  console.log(`apt-get ${words.join(" ")}`);
  const { exitCode } = Bun.spawnSync(["apt-get", "--quiet", "--yes", ...words], {
    env: { ...process.env, DEBIAN_FRONTEND: "noninteractive" },
    stdio: ["ignore", "inherit", "inherit"],
  });
  if (exitCode !== 0) throw new Error(`apt-get ${words[0]} ended with status ${exitCode}`);
}

function setUp(): void {
  if (!isDebian() || process.getuid?.() !== 0) {
    throw new Error("test:setup installs Debian packages: run it as root on Debian 12 or later");
  }
  const wanted = Object.keys(packages).filter((name) => !isInstalled(name));
  for (const name of wanted) console.log(`wanted: ${name} (${packages[name]})`);
  const needsKernel = process.arch === "x64" && findKernel() === undefined;
  if (wanted.length > 0 || needsKernel) apt("update");
  if (wanted.length > 0) apt("install", "--no-install-recommends", ...wanted);
  if (needsKernel) {
    console.log(
      "downloading and unpacking Debian's kernel for the virtual machine (70 MB; not installed)",
    );
    console.log(`the virtual machine boots ${fetchKernel().image}`);
  }
  console.log("everything that the tests want is there");
}

try {
  setUp();
} catch (error) {
  console.error(`error: ${error instanceof Error ? error.message : String(error)}`);
  process.exitCode = 1;
}
