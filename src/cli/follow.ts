// The foreground of `up`: output of all containers until they have ended, then the pods are taken
// down.

import type { Container, ExitStatus, Pod } from "../pod/types.ts";
import type { Io } from "./command.ts";
import type { Exits } from "./exits.ts";
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
  readonly exits: Exits;
}

/** What ends `up` besides the end of all pods, and what decides its exit status. */
export interface FollowEnd {
  /** The first end of a container ends everything. */
  readonly abortOnExit: boolean;
  /** This container's status is that of `up`. */
  readonly exitCodeFrom: string | undefined;
}

/** One container, and the name it goes by in the output. */
interface Followed {
  readonly pod: Pod;
  readonly container: Container;
  readonly label: string;
  readonly prefix: string;
}

/** Resolves to the exit status of `up` when nothing of the pods is left. */
export async function followPods(
  pods: readonly Pod[],
  style: FollowStyle,
  end: FollowEnd = { abortOnExit: false, exitCodeFrom: undefined },
): Promise<number> {
  const { io } = style;
  let interrupted: InterruptSignal | undefined;
  let isStopping = false;
  const downs: Promise<void>[] = [];
  const stop = (graceMs?: number): void => {
    isStopping = true;
    const ends = pods.map((pod) => pod.down(graceMs === undefined ? {} : { graceMs }));
    downs.push(...ends);
    // Awaited below; until then a failure is not unhandled.
    for (const one of ends) one.catch(() => undefined);
  };
  using _ = catchInterrupts((signal, count) => {
    interrupted ??= signal;
    if (count === 1) note(io, "stopping; once more to kill");
    if (count === 2) note(io, "killing");
    stop(count === 1 ? undefined : 0);
  });
  const printer = createLogPrinter(style);
  const onExit = ({ container, label }: Followed): void => {
    if (isStopping || !isRegular(container)) return;
    const isChosen = end.exitCodeFrom === undefined || end.exitCodeFrom === container.name;
    if (!end.abortOnExit && !(isChosen && end.exitCodeFrom !== undefined)) return;
    note(io, `stopping, since ${label} has ended`);
    stop();
  };
  const all = followedOf(pods, style);
  const followed = all.map((one) => follow(one, printer, style, onExit));
  const exits = await Promise.all(followed).catch((error: unknown) => {
    if (!isStopping) throw error;
    return []; // A pod that is being killed need not say how its containers ended.
  });
  if (!isStopping) stop();
  await Promise.all(downs);
  if (interrupted !== undefined) throw new Interrupted(interruptStatus(interrupted));
  return statusOf(all, exits, end);
}

function isRegular({ kind }: Container): boolean {
  return kind === "container";
}

/** Sidecars are ended when the others are done, so that how they end says nothing. */
function statusOf(
  all: readonly Followed[],
  exits: readonly (ExitStatus | undefined)[],
  { exitCodeFrom }: FollowEnd,
): number {
  const ended = all.map(({ container }, index) => ({ container, exit: exits[index] }));
  const chosen = ended.find(({ container }) => container.name === exitCodeFrom);
  if (chosen?.exit) return chosen.exit.exitCode;
  const counted = ended.filter(({ container }) => container.kind !== "sidecar");
  return counted.find(({ exit }) => exit && exit.exitCode !== 0)?.exit?.exitCode ?? 0;
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
      return follow({ pod, container, label, prefix }, printer, style, () => undefined);
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

/** The end of a run is told after its last line. How the last one ended. */
async function follow(
  followed: Followed,
  printer: LogPrinter,
  { io, exits }: FollowStyle,
  onExit: (followed: Followed) => void,
): Promise<ExitStatus | undefined> {
  const { pod, container, label, prefix } = followed;
  let last: ExitStatus | undefined;
  const onRunEnded = async (): Promise<void> => {
    io.stdout.write(printer.finish(label));
    last = await exits.next(pod, container);
    await io.stdout.drain();
    note(io, `${label} ${explainExit(last)}`);
    onExit(followed);
  };
  const records = pod.logs({ container: container.name, follow: true, onRunEnded });
  for await (const record of records) {
    await io.stdout.writeSlowly(printer.print(record, label, prefix));
  }
  return last;
}

export function explainExit({ exitCode, signal, oomKilled }: ExitStatus): string {
  if (oomKilled) return `was killed: out of memory (exit status ${exitCode})`;
  if (signal !== undefined) return `was ended by ${signal} (exit status ${exitCode})`;
  return `exited with status ${exitCode}`;
}
