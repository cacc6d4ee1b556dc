// The plan of a command that joins a running container, and of the pause that a shared PID
// namespace needs.

import type { HostFacts } from "../spec/host-facts.ts";
import type { ResolvedPod, ResolvedSecurity, ResolvedUser } from "../spec/resolved.ts";
import type { TerminalSize } from "./limits.ts";
import { planLabels, planLimits, planPauseLimits, planStreams } from "./limits.ts";
import type { Plan } from "./plan.ts";
import { noSlot } from "./plan.ts";
import { steps } from "./steps.ts";
import { PlanSlots, podSlot, targetCgroup, targetProcess } from "./slots.ts";

export interface ExecRequest {
  /** Unique in the pod: names the control group below the container's. */
  readonly process: number;
  readonly candidates: readonly string[];
  readonly argv: readonly string[];
  readonly env: readonly string[];
  readonly workingDir: string;
  readonly user: ResolvedUser;
  readonly security: ResolvedSecurity;
  readonly oomScoreAdj: number;
  readonly tty: TerminalSize | undefined;
  readonly deadlineMs: number;
  /** Somebody in the pod may trace others: see `mayTrace`. */
  readonly isHidden: boolean;
}

/** Born in a group of its own below the container's, so that ending it ends all that it started. */
export function planExec(
  pod: Pick<ResolvedPod, "ids" | "namespaces">,
  request: ExecRequest,
  facts: HostFacts,
): Plan {
  const group = new PlanSlots().take();
  const isUser = pod.namespaces.user === "POD";
  return {
    kind: "exec",
    steps: [
      ...steps("prepare", "", [
        {
          op: "make_cgroup",
          parent: targetCgroup,
          name: `exec-${request.process}`,
          slot: group,
        },
        {
          op: "spawn",
          namespaces: [],
          cgroup: group,
          pid_namespace: targetProcess,
          user_namespace: noSlot,
          target: targetProcess,
          join: isUser ? ["mnt", "cgroup", "user"] : ["mnt", "cgroup"],
          keep_process: noSlot,
          hidden: Number(request.isHidden),
        },
      ]),
      // Before the namespaces are joined: the host's procfs is out of reach from inside.
      ...steps("build", "", [
        { op: "set_oom_score", value: request.oomScoreAdj },
        ...planLabels(request.security),
        ...planStreams(request, pod.ids.firstId),
      ]),
      ...steps("limit", "", planLimits(facts, request)),
      ...steps("exec", "", [
        {
          op: "exec",
          candidates: request.candidates,
          arguments: request.argv,
          environment: request.env,
          directory: request.workingDir,
          create_directory: 0,
          umask: 0o022,
        },
      ]),
    ],
    rootUid: pod.ids.firstId,
    rootGid: pod.ids.firstId,
    deadlineMs: request.deadlineMs,
    mayHang: false,
  };
}

/**
 * PID 1 of a shared PID namespace: an empty root, no capability, nothing open
 * (docs/decisions/0011).
 */
export function planPause(pod: ResolvedPod, facts: HostFacts): Plan {
  const slots = new PlanSlots();
  const [group, empty] = [slots.take(), slots.take()];
  const isUser = pod.namespaces.user === "POD";
  const origin = "spec.shareProcessNamespace";
  return {
    kind: "container",
    steps: [
      ...steps("prepare", origin, [
        { op: "make_cgroup", parent: podSlot.podCgroup, name: ".pause", slot: group },
        {
          op: "make_tmpfs",
          slot: empty,
          bytes_max: 4096n,
          inodes_max: 2n,
          mode: 0o555,
          uid: 0,
          gid: 0,
          attributes: ["rdonly", "nosuid", "nodev", "noexec"],
          attached: 0,
          no_swap: 0,
        },
        {
          op: "spawn",
          namespaces: ["mnt", "pid"],
          cgroup: group,
          pid_namespace: noSlot,
          user_namespace: isUser ? podSlot.userNamespace : noSlot,
          target: noSlot,
          join: [],
          keep_process: podSlot.pause,
          hidden: 0,
        },
      ]),
      ...steps("build", origin, [{ op: "place_root", tree: empty }]),
      ...steps("enter", origin, [{ op: "enter_by_move" }]),
      ...steps("limit", origin, planPauseLimits(facts)),
      ...steps("exec", origin, [{ op: "exec_pause" }]),
    ],
    rootUid: pod.ids.firstId,
    rootGid: pod.ids.firstId,
    deadlineMs: pod.deadlineMs,
    mayHang: false,
  };
}
