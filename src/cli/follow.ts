// The foreground of `up`: output of all containers until they have ended, then the pods are taken
// down.

import type { Container, ExitStatus, Pod } from "../pod/types.ts";
import type { Io } from "./command.ts";
import { Interrupted } from "./failure.ts";
import type { InterruptSignal } from "./interrupts.ts";
import { catchInterrupts, interruptStatus } from "./interrupts.ts";
import type { LogPrinter } from "./log-printer.ts";
import { alignedPrefixes, createLogPrinter } from "./log-printer.ts";
import { note } from "./open.ts";
import { podLabel } from "./text.ts";

export interface FollowStyle {
  readonly io: Io;
  readonly hasPrefix: boolean;
  readonly timestamps: boolean;
}

/** One container, and the name it goes by in the output. */
interface Followed {
  readonly pod: Pod;
  readonly container: Container;
  readonly label: string;
  readonly prefix: string;
}

/** Resolves to the exit status of `up` when nothing of the pods is left. */
export async function followPods(pods: readonly Pod[], style: FollowStyle): Promise<number> {
  const { io } = style;
  let interrupted: InterruptSignal | undefined;
  const downs: Promise<void>[] = [];
  const stop = (graceMs?: number): void => {
    const ends = pods.map((pod) => pod.down(graceMs === undefined ? {} : { graceMs }));
    downs.push(...ends);
    // Awaited below; until then a failure is not unhandled.
    for (const end of ends) end.catch(() => undefined);
  };
  using _ = catchInterrupts((signal, count) => {
    interrupted ??= signal;
    if (count === 1) note(io, "stopping; once more to kill");
    if (count === 2) note(io, "killing");
    stop(count === 1 ? undefined : 0);
  });
  const printer = createLogPrinter(style);
  const followed = followedOf(pods, style).map((one) => follow(one, printer, io));
  const exits = await Promise.all(followed).catch((error: unknown) => {
    if (interrupted === undefined) throw error;
    return []; // A pod that is being killed need not say how its containers ended.
  });
  if (interrupted === undefined) stop();
  await Promise.all(downs);
  if (interrupted !== undefined) throw new Interrupted(interruptStatus(interrupted));
  return exits.find(({ exitCode }) => exitCode !== 0)?.exitCode ?? 0;
}

/** Of one pod among others that come and go: resolves when its containers have ended. */
export async function followOutput(
  pod: Pod,
  printer: LogPrinter,
  style: FollowStyle,
): Promise<void> {
  const labels = pod.containers.map(({ name }) =>
    pod.containers.length === 1 ? podLabel(pod) : `${podLabel(pod)}/${name}`,
  );
  const prefixes = style.hasPrefix ? alignedPrefixes(labels, style.io.paintOut) : [];
  await Promise.all(
    pod.containers.map((container, index) => {
      const [label = "", prefix = ""] = [labels[index], prefixes[index]];
      return follow({ pod, container, label, prefix }, printer, style.io);
    }),
  );
}

function followedOf(pods: readonly Pod[], { io, hasPrefix }: FollowStyle): Followed[] {
  const all = pods.flatMap((pod) => pod.containers.map((container) => ({ pod, container })));
  const labels = all.map(({ pod, container }) =>
    pods.length === 1 ? container.name : `${podLabel(pod)}/${container.name}`,
  );
  const prefixes = hasPrefix ? alignedPrefixes(labels, io.paintOut) : [];
  return all.map((one, index) => ({
    ...one,
    label: labels[index] ?? "",
    prefix: prefixes[index] ?? "",
  }));
}

/** The end of a container is told after its last line. */
async function follow(
  { pod, container, label, prefix }: Followed,
  printer: LogPrinter,
  io: Io,
): Promise<ExitStatus> {
  // Read to the end even when nobody listens for the exit yet: it must not count as unhandled.
  container.exited.catch(() => undefined);
  for await (const record of pod.logs({ container: container.name, follow: true })) {
    await io.stdout.writeSlowly(printer.print(record, label, prefix));
  }
  io.stdout.write(printer.finish(label));
  const exit = await container.exited;
  await io.stdout.drain();
  note(io, `${label} ${explainExit(exit)}`);
  return exit;
}

export function explainExit({ exitCode, signal, oomKilled }: ExitStatus): string {
  if (oomKilled) return `was killed: out of memory (exit status ${exitCode})`;
  if (signal !== undefined) return `was ended by ${signal} (exit status ${exitCode})`;
  return `exited with status ${exitCode}`;
}
