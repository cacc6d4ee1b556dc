// Whether a container that has exited is to run again (kubelet, `ShouldContainerBeRestarted`).

import type { ContainerKind } from "../../spec/launches.ts";
import type { RestartRule } from "../../spec/life.ts";

export type RestartPolicy = "Always" | "OnFailure" | "Never";
export type Verdict = "no" | "restart" | "restart-all";

export interface RestartTerms {
  readonly kind: ContainerKind;
  readonly podPolicy: RestartPolicy;
  readonly ownPolicy?: RestartPolicy | undefined;
  readonly rules: readonly RestartRule[];
}

export interface Exit {
  readonly exitCode: number;
  /** A probe had it killed: then its exit code says nothing. */
  readonly isProbeKill: boolean;
}

export function judgeExit(terms: RestartTerms, exit: Exit): Verdict {
  if (terms.kind === "ephemeral") return "no";
  const rule = exit.isProbeKill ? undefined : terms.rules.find((each) => fits(each, exit));
  if (rule) return rule.action === "Restart" ? "restart" : "restart-all";
  switch (policyOf(terms)) {
    case "Always":
      return "restart";
    case "OnFailure":
      return exit.isProbeKill || exit.exitCode !== 0 ? "restart" : "no";
    default:
      return "no";
  }
}

/** An init container that has done its work is done, also in a pod that restarts always. */
function policyOf({ kind, podPolicy, ownPolicy }: RestartTerms): RestartPolicy {
  if (kind === "sidecar") return "Always";
  const policy = ownPolicy ?? podPolicy;
  return kind === "init" && policy === "Always" ? "OnFailure" : policy;
}

function fits({ operator, exitCodes }: RestartRule, { exitCode }: Exit): boolean {
  return exitCodes.includes(exitCode) === (operator === "In");
}
