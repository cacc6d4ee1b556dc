// The devices of the host's /dev, for privileged containers.

import { lstatSync, readdirSync, statSync } from "node:fs";
import type { Stats } from "node:fs";
import type { GuestPath } from "../spec/paths.ts";
import type { AllowedDevice, ResolvedDevice } from "../spec/resolved.ts";

/** File systems of their own, made for each container; containerd leaves out the same. */
const otherDirectories = new Set(["pts", "shm", "fd", "mqueue", ".lxc", ".lxd-mounts", ".udev"]);
/** Every container has these already, or a terminal in its place. */
const otherNodes = new Set([
  ...["/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"],
  ...["/dev/ptmx", "/dev/console"],
]);
/** Few enough for one plan. */
const devicesMax = 2000;

export function readHostDevices(field: string): ResolvedDevice[] {
  return nodesIn("/dev", field).slice(0, devicesMax);
}

/** Links are not followed; what goes away meanwhile is left out. */
function nodesIn(directory: string, field: string): ResolvedDevice[] {
  return readdirSync(directory)
    .toSorted()
    .flatMap((name) => {
      const path = `${directory}/${name}`;
      const stat = lstatSync(path, { throwIfNoEntry: false });
      if (stat?.isDirectory()) return otherDirectories.has(name) ? [] : nodesIn(path, field);
      const isNode = stat?.isCharacterDevice() || stat?.isBlockDevice();
      if (!stat || !isNode || otherNodes.has(path)) return [];
      return [describeDevice(path as GuestPath, stat, field)];
    });
}

/** Of a node that a volume names; none where it is no device, which the launch then tells. */
export function readDevice(path: string): AllowedDevice[] {
  const stat = statSync(path, { throwIfNoEntry: false });
  if (!stat?.isCharacterDevice() && !stat?.isBlockDevice()) return [];
  return [{ ...deviceNumbers(stat), access: "rwm" }];
}

export function deviceNumbers(stat: Stats): Pick<ResolvedDevice, "type" | "major" | "minor"> {
  const type = stat.isBlockDevice() ? "block_device" : "character_device";
  return { type, ...numbersOf(stat.rdev) };
}

function describeDevice(path: GuestPath, stat: Stats, field: string): ResolvedDevice {
  const { mode, uid, gid } = stat;
  return { field, path, ...deviceNumbers(stat), mode: mode & 0o777, uid, gid };
}

/** include/linux/kdev_t.h, as stat(2) has it for numbers of up to 32 bits. */
function numbersOf(rdev: number): { readonly major: number; readonly minor: number } {
  return { major: (rdev >>> 8) & 0xfff, minor: (rdev & 0xff) | ((rdev >>> 12) & 0xfff00) };
}
