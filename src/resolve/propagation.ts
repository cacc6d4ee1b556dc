// Whether mounts can travel between a volume and a container: the host's mount has to be shared,
// and that is the administrator's to decide.

import { readFileSync } from "node:fs";
import type { ContainerSpec, PodSpec, VolumeMountSpec } from "../spec/pod-spec.ts";
import type { ResolvedVolume } from "../spec/resolved.ts";
import { fault } from "./fault.ts";

/** Only called for a mount that asks for it. */
export function checkPropagation(
  spec: PodSpec,
  container: ContainerSpec,
  mount: VolumeMountSpec,
  volume: ResolvedVolume,
): void {
  const refuse = (message: string, hint: string) =>
    fault(spec, `${mount.field}.mountPropagation`, { code: "volume.denied", message, hint });
  const { propagation } = mount;
  const where = `volume ${volume.name} of container ${container.name}`;
  if (volume.kind !== "host" && volume.kind !== "claim") {
    throw refuse(
      `mounts cannot be passed on through ${where}: its files are in no mount of the host's`,
      "use a hostPath, or leave mountPropagation out",
    );
  }
  if (propagation === "Bidirectional" && spec.namespaces.user === "POD") {
    throw refuse(
      `mounts of ${where} cannot reach the host from a user namespace`,
      "leave hostUsers: false out, or use HostToContainer",
    );
  }
  const found = findMount(readFileSync("/proc/self/mountinfo", "utf8"), volume.path);
  if (found.isShared || (propagation === "HostToContainer" && found.isSlave)) return;
  throw refuse(
    `${volume.path} is mounted on ${found.point}, which is not a shared mount, so nothing is passed on`,
    `mount --make-rshared ${found.point}`,
  );
}

interface MountState {
  readonly point: string;
  readonly isShared: boolean;
  readonly isSlave: boolean;
}

/** The mount that a path is on: of those above it the nearest, and of those the last. */
export function findMount(mountinfo: string, path: string): MountState {
  let best: MountState = { point: "/", isShared: false, isSlave: false };
  for (const line of mountinfo.split("\n")) {
    const fields = line.split(" ");
    const point = unescapeOctal(fields[4] ?? "");
    const isAbove = point === "/" || path === point || path.startsWith(`${point}/`);
    if (point === "" || !isAbove || point.length < best.point.length) continue;
    // Optional fields stand before a lone hyphen (man 5 proc_pid_mountinfo).
    const optional = fields.slice(6, fields.indexOf("-"));
    best = {
      point,
      isShared: optional.some((tag) => tag.startsWith("shared:")),
      isSlave: optional.some((tag) => tag.startsWith("master:")),
    };
  }
  return best;
}

function unescapeOctal(text: string): string {
  return text.replace(/\\([0-7]{3})/g, (_, digits: string) =>
    String.fromCharCode(Number.parseInt(digits, 8)),
  );
}
