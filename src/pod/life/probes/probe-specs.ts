// A container's probes as they are carried out.

import { expandProbeCommand } from "../../../resolve/environment.ts";
import type { ContainerSpec } from "../../../spec/pod-spec.ts";
import type { ProbeSpec } from "../../../spec/life.ts";
import type { ProbeSpecs } from "./container-probes.ts";

export function probeSpecsOf(container: Pick<ContainerSpec, "env" | "life">): ProbeSpecs {
  const { startupProbe, livenessProbe, readinessProbe } = container.life;
  const expand = (probe: ProbeSpec): ProbeSpec => {
    const { handler } = probe;
    if (handler.kind !== "exec") return probe;
    const command = expandProbeCommand(container, handler.command);
    return { ...probe, handler: { ...handler, command } };
  };
  return {
    ...(startupProbe && { startupProbe: expand(startupProbe) }),
    ...(livenessProbe && { livenessProbe: expand(livenessProbe) }),
    ...(readinessProbe && { readinessProbe: expand(readinessProbe) }),
  };
}
