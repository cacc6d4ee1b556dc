// What a status needs of the manifest that a pod's state keeps as it was written. It was checked
// when it was read.

import type { RestartRule } from "../../spec/life.ts";
import type { RestartPolicy } from "../life/restart.ts";
import type { PodState } from "../read-state.ts";

export type Json = Readonly<Record<string, unknown>>;

export interface ManifestContainer {
  readonly image: string;
  readonly ownPolicy: RestartPolicy | undefined;
  readonly rules: readonly RestartRule[];
  /** To run is not enough for it to be started, or to be ready. */
  readonly hasStartup: boolean;
  readonly hasReadiness: boolean;
  readonly resources: Json | undefined;
}

export interface ManifestView {
  readonly policy: RestartPolicy;
  readonly readinessGates: readonly string[];
  readonly containers: ReadonlyMap<string, ManifestContainer>;
}

export function viewManifest({ manifest }: Pick<PodState, "manifest">): ManifestView {
  const spec = asJson(manifest["spec"]);
  const lists = ["initContainers", "containers", "ephemeralContainers"] as const;
  const containers = lists.flatMap((list) => asList(spec[list])).map(asJson);
  return {
    policy: (spec["restartPolicy"] as RestartPolicy | undefined) ?? "Always",
    readinessGates: asList(spec["readinessGates"]).map((gate) =>
      String(asJson(gate)["conditionType"]),
    ),
    containers: new Map(containers.map((each) => [String(each["name"]), viewContainer(each)])),
  };
}

function viewContainer(container: Json): ManifestContainer {
  const hook = asJson(container["lifecycle"])["postStart"];
  return {
    image: String(container["image"] ?? ""),
    ownPolicy: container["restartPolicy"] as RestartPolicy | undefined,
    rules: asList(container["restartPolicyRules"]).map(asJson).map(viewRule),
    hasStartup: container["startupProbe"] !== undefined || hook !== undefined,
    hasReadiness: container["readinessProbe"] !== undefined,
    resources: container["resources"] === undefined ? undefined : asJson(container["resources"]),
  };
}

function viewRule(rule: Json): RestartRule {
  const exitCodes = asJson(rule["exitCodes"]);
  return {
    action: rule["action"] as RestartRule["action"],
    operator: (exitCodes["operator"] as RestartRule["operator"] | undefined) ?? "In",
    exitCodes: asList(exitCodes["values"]).map(Number),
  };
}

export function asJson(value: unknown): Json {
  return typeof value === "object" && value !== null ? (value as Json) : {};
}

function asList(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}
