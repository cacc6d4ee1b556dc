// The plan of a pod's way out, apart from the sandbox's: the keeper makes the interfaces while the
// first container builds its root, or long before when it waits in a pool.

import type { NetlinkBatch, ResolvedLink } from "../spec/network.ts";
import type { PodSpec } from "../spec/pod-spec.ts";
import type { Op, Plan, Step } from "./plan.ts";
import { namespacesAhead } from "./sandbox.ts";
import { steps } from "./steps.ts";

const deadlineMs = 60_000;

export function planLink(namespaces: PodSpec["namespaces"], link: ResolvedLink): Plan {
  return {
    kind: "network",
    steps: [
      // The keeper's own namespace has to be the pod's, or the host would talk to itself.
      ...steps("prepare", "spec", [
        { op: "enter_namespaces", namespaces: namespacesAhead(namespaces) },
      ]),
      ...linkSteps(link),
    ],
    rootUid: 0,
    rootGid: 0,
    deadlineMs,
    mayHang: false,
  };
}

/** The pair with its end on the host, then the pod's. */
export function linkSteps(link: ResolvedLink): Step[] {
  return steps("prepare", "spec.hostNetwork", [
    netlink("route", link.host),
    { ...netlink("route", link.pod), in_pod: 1 },
  ]);
}

type NetlinkOp = Extract<Op, { readonly op: "netlink" }>;

/** In the host's network namespace. */
export function netlink(family: "route" | "netfilter", batch: NetlinkBatch): NetlinkOp {
  return {
    op: "netlink",
    labels: batch.labels,
    messages: batch.messages,
    family: family === "route" ? 0 : 12,
    in_pod: 0,
    pid_at: batch.pidAt,
    may_fail: 0,
  };
}
