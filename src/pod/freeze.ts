// Freezing a pod: cgroup v2's freezer, which every hierarchy has, with or without controllers.

import { readFileSync, writeFileSync } from "node:fs";
import { PodError } from "../errors/pod-error.ts";

/** The kernel freezes processes as they leave the kernel; one in a long call takes its time. */
const patienceMs = 5000;

/** Resolves when every process of the group stands still. */
export async function freezeGroup(group: string, pod: string): Promise<void> {
  write(group, "1", pod);
  const end = performance.now() + patienceMs;
  while (!/^frozen 1$/m.test(read(`${group}/cgroup.events`))) {
    if (performance.now() > end) {
      write(group, "0", pod);
      throw new PodError({
        code: "pod.not-paused",
        message: `a process of pod ${pod} did not stand still within ${patienceMs / 1000} s`,
      });
    }
    await Bun.sleep(1);
  }
}

export function thawGroup(group: string, pod: string): void {
  if (isFrozen(group)) write(group, "0", pod);
}

/** Asked to be, by `freezeGroup`. */
export function isFrozen(group: string): boolean {
  return read(`${group}/cgroup.freeze`).trim() === "1";
}

function write(group: string, value: "0" | "1", pod: string): void {
  try {
    writeFileSync(`${group}/cgroup.freeze`, value);
  } catch {
    throw new PodError({ code: "container.not-running", message: `pod ${pod} does not run` });
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch {
    return ""; // The group is gone.
  }
}
