// What probes and hooks reach of a container: its commands, its ports, its pod's address.

import { PodError } from "../../errors/pod-error.ts";
import type { KeeperClient } from "../../launch/keeper-client.ts";
import type { PortRef } from "../../spec/life.ts";
import type { Pod } from "../types.ts";
import type { ProbeTarget } from "./probes/target.ts";
import type { Unit } from "./unit.ts";

export interface TargetSource {
  readonly pod: string;
  readonly podIp: string;
  readonly client: () => Promise<KeeperClient>;
  readonly exec: Pod["exec"];
}

export function probeTarget(unit: Unit, source: TargetSource): ProbeTarget {
  return {
    pod: source.pod,
    container: unit.name,
    attempt: unit.attempt,
    startedMs: unit.startedMs,
    podIp: source.podIp,
    portOf: (ref) => portOf(unit, ref),
    dial: async (address, timeoutMs) => (await source.client()).dial(address, timeoutMs),
    tryDial: async (address, timeoutMs) => (await source.client()).tryDial(address, timeoutMs),
    exec: async (command, { timeoutMs, outputBytesMax, signal }) => {
      await using execution = source.exec(command, {
        container: unit.name,
        outputBytesMax,
        ...(Number.isFinite(timeoutMs) && { timeoutMs }),
        ...(signal && { signal }),
      });
      const { exitCode, stdout, stderr, timedOut } = await execution.result;
      const output = Buffer.concat([stdout, stderr]).subarray(0, outputBytesMax).toString();
      return { exitCode, output, timedOut };
    },
  };
}

function portOf({ spec, name }: Unit, ref: PortRef): number {
  if (typeof ref === "number") return ref;
  const found = spec.ports.find((port) => port.name === ref);
  if (found) return found.containerPort;
  throw new PodError({
    code: "container.not-found",
    message: `container ${name} has no port that is named ${ref}`,
  });
}
