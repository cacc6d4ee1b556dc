// `up` of a pod that runs already: nothing for one that is as the manifest has it; what has changed
// is said before anything is done about it.

import type { Peapod } from "../open.ts";
import type { PodChanges } from "../pod/changes.ts";
import { restartedContainers } from "../pod/changes.ts";
import type { ResizeWish } from "../pod/shapes.ts";
import type { Pod } from "../pod/types.ts";
import type { PodSpec } from "../spec/pod-spec.ts";
import type { Io } from "./command.ts";
import { note } from "./open.ts";
import { isFinished, podObject } from "./pod-object.ts";
import { printTable } from "./table.ts";
import { clean, podLabel } from "./text.ts";

export interface Again {
  readonly spec: PodSpec;
  /** Undefined where there is no such pod yet. */
  readonly pod: Pod | undefined;
  readonly changes: PodChanges | undefined;
}

export async function compareAll(peapod: Peapod, specs: readonly PodSpec[]): Promise<Again[]> {
  return Promise.all(
    specs.map(async (spec) => {
      const found = await peapod.compare(spec);
      return { spec, pod: found?.pod, changes: found?.changes };
    }),
  );
}

/** The pod that stays as it is; undefined when it is to be started, and nothing is in the way. */
export async function keepOrEnd(
  peapod: Peapod,
  { spec, pod, changes }: Again,
  isForced: boolean,
  io: Io,
): Promise<Pod | undefined> {
  if (pod === undefined) return undefined;
  const hasFinished = isFinished(podObject(await pod.object()));
  if (!isForced && !hasFinished && changes?.changes.length === 0) {
    note(io, `${podLabel(spec)} is unchanged`);
    await peapod.renewPolicies(pod, spec);
    return pod;
  }
  const effect = isForced || hasFinished ? "recreate" : (changes?.effect ?? "recreate");
  const wishes = changes && resizeWishes(changes);
  if (changes && wishes && effect !== "recreate" && fitsAsk(spec)) {
    const restarted = restartedContainers(changes);
    note(io, `${podLabel(spec)}: ${whatOf(changes)}`);
    if (wishes.length > 0) await peapod.resize(`${pod.namespace}/${pod.name}`, wishes);
    await peapod.apply(pod, spec, restarted);
    await peapod.renewPolicies(pod, spec);
    return pod;
  }
  const why = isForced ? "as asked" : reasonsOf(changes) || "it has finished";
  note(io, `${podLabel(spec)} is started anew: ${why}`);
  await pod.down();
  return undefined;
}

/** Undefined where an amount goes away: only a pod that is started anew is without it. */
function resizeWishes({ changes }: PodChanges): readonly ResizeWish[] | undefined {
  const wishes = new Map<string, { requests: Amounts; limits: Amounts }>();
  for (const { container, field, to } of changes.filter(({ effect }) => effect === "resize")) {
    const [, list = "", amount = ""] = resizable.exec(field) ?? [];
    if (container === "" || amount === "" || typeof to !== "number") return undefined;
    const wish = wishes.get(container) ?? { requests: {}, limits: {} };
    wish[list === "limits" ? "limits" : "requests"][amount] = to;
    wishes.set(container, wish);
  }
  return Array.from(wishes, ([container, wish]) => ({ container, ...wish }));
}

const resizable = /\.resources\.(requests|limits)\.(cpuMilli|memoryBytes)$/;
type Amounts = Record<string, number>;

/** An owner is asked with at most 64 KiB. */
function fitsAsk({ manifest }: PodSpec): boolean {
  const bytesMax = 60 << 10;
  return Buffer.byteLength(JSON.stringify(manifest)) < bytesMax;
}

/** `restarted app (image), proxy (command)`; or what changes without a restart. */
function whatOf(changes: PodChanges): string {
  const names = restartedContainers(changes);
  if (names.length === 0) {
    const what = changes.effect === "resize" ? "resizing" : "changed";
    return `${what} ${reasonsOf(changes)}`;
  }
  const why = (name: string) =>
    changes.changes
      .filter(({ container, effect }) => container === name && effect === "restart")
      .map(({ field }) => field.replace(/^spec\.\w+\[\d+\]\./, ""))
      .join(", ");
  return `restarting ${names.map((name) => `${name} (${why(name)})`).join(", ")}`;
}

function reasonsOf(changes: PodChanges | undefined): string {
  const fields = (changes?.changes ?? []).map(({ field }) => field);
  const shown = fields.slice(0, 3).join(", ");
  return fields.length > 3 ? `${shown} and ${fields.length - 3} more` : shown;
}

/** One line a pod and its changes. */
export function printAgain(all: readonly Again[], isForced: boolean): string {
  const lines = all.map(({ spec, pod, changes }) => {
    const label = podLabel(spec);
    if (pod === undefined) return `${label} would be started\n`;
    if (isForced) return `${label} would be started anew: as asked\n`;
    if (changes?.changes.length === 0) return `${label} is unchanged\n`;
    if (changes && changes.effect !== "recreate" && resizeWishes(changes)) {
      return `${label}: ${whatOf(changes)}\n`;
    }
    return `${label} would be started anew: ${reasonsOf(changes)}\n`;
  });
  return lines.join("");
}

/** What differs, field by field. */
export function printChanges(all: readonly Again[]): string {
  const rows = all.flatMap(({ spec, changes }) =>
    (changes?.changes ?? []).map(({ field, from, to }) => [
      ...[podLabel(spec), field, shortly(from), shortly(to)],
    ]),
  );
  return rows.length === 0 ? "" : printTable(["POD", "FIELD", "RUNS", "WANTED"], rows);
}

const valueLengthMax = 40;

function shortly(value: unknown): string {
  const text = value === undefined ? "-" : clean(JSON.stringify(value));
  return text.length > valueLengthMax ? `${text.slice(0, valueLengthMax)}…` : text;
}
