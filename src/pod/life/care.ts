// What a container gets while it runs: its postStart hook, then its probes. What they find is told
// to the pod's owner.

import type { Clock } from "./clock.ts";
import type { TargetSource } from "./target.ts";
import { probeTarget } from "./target.ts";
import type { Unit } from "./unit.ts";

export interface CareEvents {
  /** `started` or `ready` of the container may be another. */
  changed(unit: Unit): void;
  warn(unit: Unit, reason: string, message: string): void;
  /** The container has to be ended, and its policy decides what then. */
  condemn(unit: Unit, reason: "Hook" | "Probe", message: string, graceMs?: number): void;
}

export interface CareContext {
  readonly source: TargetSource;
  readonly clock: Clock;
  readonly events: CareEvents;
}

/** From its start, or from where another owner had left it. */
export async function careFor(unit: Unit, context: CareContext, isResumed = false): Promise<void> {
  const { attempt } = unit;
  const { postStart } = unit.spec.life;
  if (postStart && unit.life.postStart !== "done") {
    unit.life.postStart = "running";
    context.events.changed(unit);
    const problem = await runHook(unit, "postStart", { ...context, warn: context.events.warn });
    if (unit.attempt !== attempt || unit.state !== "running") return;
    if (problem !== undefined) {
      context.events.warn(unit, "FailedPostStartHook", `PostStartHook failed: ${problem}`);
      return context.events.condemn(unit, "Hook", problem);
    }
    unit.life.postStart = "done";
  }
  await beginProbes(unit, context, isResumed);
}

export interface HookContext extends Pick<CareContext, "source" | "clock"> {
  readonly warn: CareEvents["warn"];
}

/** Its command runs in the container, with the container's own limits. What failed, if it did. */
export async function runHook(
  unit: Unit,
  which: "postStart" | "preStop",
  { source, clock, warn }: HookContext,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const handler = unit.spec.life[which];
  if (!handler) return undefined;
  const { runHandler } = await import("./probes/run-handler.ts");
  const abort = new AbortController();
  void unit.exited.then(() => abort.abort());
  const options = {
    timeoutMs: Infinity,
    clock,
    purpose: "hook",
    signal: signal ? AbortSignal.any([signal, abort.signal]) : abort.signal,
  } as const;
  try {
    const target = probeTarget(unit, source);
    const { ok, message, warning } = await runHandler(handler, target, options);
    if (warning) warn(unit, warning.reason, `${which}: ${warning.message}`);
    return ok ? undefined : message;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

async function beginProbes(unit: Unit, context: CareContext, isResumed: boolean): Promise<void> {
  const { spec, life, attempt } = unit;
  const { events, clock } = context;
  const isProbed =
    spec.life.startupProbe ?? spec.life.livenessProbe ?? spec.life.readinessProbe ?? false;
  if (!isProbed) {
    life.started = true;
    life.ready = unit.kind !== "ephemeral";
    return events.changed(unit);
  }
  const { ContainerProbes } = await import("./probes/container-probes.ts");
  const { probeSpecsOf } = await import("./probes/probe-specs.ts");
  if (unit.attempt !== attempt || unit.state !== "running" || unit.stopping) return;
  const probes = new ContainerProbes(
    probeSpecsOf(spec),
    {
      onStarted: () => {
        life.started = true;
        changed();
      },
      onReady: (isReady) => {
        life.ready = isReady;
        changed();
      },
      onUnhealthy: (_, message) => events.warn(unit, "Unhealthy", message),
      onWarning: (_, message) => events.warn(unit, "ProbeWarning", message),
      onFailed: (kind, _, graceMs) => {
        const message = `Container ${unit.name} failed ${kind} probe, will be restarted`;
        changed();
        events.condemn(unit, "Probe", message, graceMs);
      },
    },
    clock,
  );
  const changed = () => {
    life.probes = { ...probes.memories };
    events.changed(unit);
  };
  unit.probes = probes;
  const { started: isStarted, ready: isReady } = life;
  const resumed = isResumed ? { isStarted, isReady, memories: life.probes ?? {} } : undefined;
  probes.start(probeTarget(unit, context.source), resumed);
}
