// What there is of a pod on its host: processes, groups, namespaces.

import { readPodNetwork } from "./network-info.ts";
import type { PodState } from "./read-state.ts";
import type { KeeperRecord } from "./record.ts";
import { isKeeperAlive, namespacesOf } from "./record.ts";
import type { ContainerState, PodInspection } from "./types.ts";

export function inspectPod(
  pod: PodInspection["pod"],
  cgroup: string,
  record: KeeperRecord | undefined,
  states: readonly ContainerState[],
  state: Pick<PodState, "uid" | "network">,
): PodInspection {
  const keeperPid = isKeeperAlive(record) ? record.keeperPid : 0;
  const network = readPodNetwork(state, keeperPid);
  return {
    pod,
    sandbox: {
      id: state.uid,
      keeperPid,
      cgroup,
      lifetime: record?.isDetached ? "detached" : "owner",
      namespaces: namespacesOf(keeperPid),
      ...(network && { network }),
    },
    containers: states.map(({ name, id, pid, cgroup: own, logPath }) => ({
      ...{ name, id, pid, cgroup: own, logPath },
      namespaces: namespacesOf(pid),
    })),
  };
}
