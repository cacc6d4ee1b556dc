// A container of a running pod as the target of its probes and hooks.

import type { KeeperClient } from "../../../launch/keeper-client.ts";
import type { PortSpec } from "../../../spec/pod-spec.ts";
import type { ExecOptions, Execution } from "../../types.ts";
import type { ProbeTarget } from "./target.ts";

export interface TargetParts extends Pick<
  ProbeTarget,
  "pod" | "container" | "attempt" | "startedMs" | "podIp"
> {
  readonly ports: readonly Pick<PortSpec, "name" | "containerPort">[];
  readonly client: () => Promise<KeeperClient>;
  readonly exec: (command: readonly string[], options: ExecOptions) => Execution;
}

export function podTarget({ ports, client, exec, ...names }: TargetParts): ProbeTarget {
  return {
    ...names,
    portOf: (ref) => {
      if (typeof ref === "number") return ref;
      const found = ports.find(({ name }) => name === ref);
      if (found) return found.containerPort;
      throw new Error(`container ${names.container} has no port ${JSON.stringify(ref)}`);
    },
    dial: async (address, timeoutMs) => (await client()).dial(address, timeoutMs),
    tryDial: async (address, timeoutMs) => (await client()).tryDial(address, timeoutMs),
    exec: async (command, { timeoutMs, outputBytesMax, signal }) => {
      await using running = exec(command, {
        container: names.container,
        outputBytesMax,
        ...(Number.isFinite(timeoutMs) && { timeoutMs }),
        ...(signal && { signal }),
      });
      const { exitCode, stdout, stderr, timedOut } = await running.result;
      const output = Buffer.concat([stdout, stderr]).subarray(0, outputBytesMax);
      return { exitCode, output: output.toString(), timedOut };
    },
  };
}
