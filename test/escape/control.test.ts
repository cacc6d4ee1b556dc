// The control: the same attacks on runc 1.1.5, as Debian 12 has it, do get out. What the other
// tests look at can therefore change, and what they try is an escape.

import { expect } from "bun:test";
import { cpSync, mkdirSync, readdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openSite } from "../../bench/peers/site.ts";
import { hostMissing } from "../support/host.ts";
import { testOrSkip } from "../support/must-run.ts";
import { probePath } from "../support/probe.ts";
import { Canary } from "./canary.ts";

const vulnerable = "1.1.5";
const found = Bun.which("runc");
const version = found ? /runc version (\S+)/.exec(run(found, "--version"))?.[1] : undefined;
const isVulnerable = version?.startsWith(vulnerable) ?? false;
const missing = hostMissing ?? `the control needs runc ${vulnerable}, and this is ${version}`;
const controlTest = testOrSkip(hostMissing === undefined && isVulnerable, missing);

function run(...command: string[]): string {
  return Bun.spawnSync(command).stdout.toString();
}

/**
 * Runs a container of a root with these links and without a /dev of its own, in a UTS namespace
 * made for it: the domain name that it has in the end.
 */
async function runInside(canary: Canary, links: Record<string, string>, words: string[]) {
  await using site = await openSite({ name: "control", directory: canary.scratch, hostMounts: 0 });
  const bundle = join(site.directory, "bundle");
  const root = join(bundle, "rootfs");
  mkdirSync(join(root, "proc"), { recursive: true });
  cpSync(probePath(), join(root, "probe"));
  for (const [path, target] of Object.entries(links)) {
    mkdirSync(join(root, path, ".."), { recursive: true });
    symlinkSync(target, join(root, path));
  }
  const config = {
    ociVersion: "1.0.2",
    root: { path: root },
    process: { args: ["/probe", ...words], cwd: "/", env: [], user: { uid: 0, gid: 0 } },
    mounts: [{ destination: "/proc", type: "proc", source: "proc" }],
    linux: {
      cgroupsPath: "/control",
      namespaces: ["mount", "pid", "ipc", "network"].map((type) => ({ type })),
      maskedPaths: ["/proc/timer_list"],
    },
  };
  writeFileSync(join(bundle, "config.json"), JSON.stringify(config));
  const state = join(site.directory, "state");
  const out = join(site.directory, "out");
  const command = `runc --root ${state} run --bundle ${bundle} control`;
  const look = `cat /proc/sys/kernel/domainname >${out}`;
  await site.lane.send(`unshare --uts sh -c '${command} >/dev/null 2>&1; ${look}'`);
  return await Bun.file(out).text();
}

controlTest("runc 1.1.5 follows an image's /dev out (CVE-2026-41579)", async () => {
  using canary = new Canary();
  await runInside(canary, { "/dev": canary.place }, ["cwd"]);
  expect(canary.changes().length).toBeGreaterThan(0);
  // It took one file away and made its own links.
  expect(readdirSync(canary.place)).toContain("stdin");
});

// What the container says goes into the sysctl too: the runtime took the link for the null device
// that its streams were (CVE-2026-88265).
controlTest(
  "runc 1.1.5 masks with what the image's /dev/null leads to (CVE-2025-31133)",
  async () => {
    using canary = new Canary();
    const links = { "/dev/null": "/proc/sys/kernel/domainname" };
    const words = ["append", "/proc/timer_list", "escaped"];
    expect(await runInside(canary, links, words)).toContain('{"ask":"append');
    expect(await runInside(canary, {}, words)).toBe("(none)\n");
  },
);
