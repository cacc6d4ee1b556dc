// What a start says of what it passes over: nothing that a manifest has is dropped in silence.

import type { ManifestDocument } from "../read/pod-manifest/read.ts";
import type { PodSpec } from "../spec/pod-spec.ts";
import { printOrigin } from "../errors/pod-error.ts";
import type { Io } from "./command.ts";
import { note, warn } from "./open.ts";
import { plural, podLabel } from "./text.ts";

/**
 * Fields without a meaning on one machine are common in real manifests: one line, not one for each.
 * Unknown ones are mistakes, and each is said.
 */
export function noteInert(spec: PodSpec, io: Io): void {
  const unknown = spec.inert.filter(({ reason }) => reason.startsWith("unknown field"));
  for (const { origin, reason } of unknown) warn(io, `${printOrigin(origin)}: ${reason}`);
  const rest = spec.inert.length - unknown.length;
  if (rest === 0) return;
  const count = plural(rest, "field");
  note(io, `${podLabel(spec)}: ${count} without effect here; peapod validate says which and why`);
}

/** A line for each kind of object that is passed over. */
export function noteInertObjects(documents: readonly ManifestDocument[], io: Io): void {
  const byKind = Map.groupBy(
    documents.filter(({ inert }) => inert !== undefined),
    ({ kind }) => kind,
  );
  for (const [kind, [first, ...others]] of byKind) {
    const more = others.length > 0 ? ` and ${others.length} more` : "";
    if (first) note(io, `${kind} ${podLabel(first)}${more} has no effect: ${first.inert}`);
  }
}
