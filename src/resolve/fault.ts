// An error of resolve: what is wrong, and the field of the manifest that it is wrong at.

import type { PodErrorParts } from "../errors/pod-error.ts";
import { PodError } from "../errors/pod-error.ts";
import type { PodSpec } from "../spec/pod-spec.ts";
import { originOf } from "../spec/pod-spec.ts";

export function fault(
  spec: Pick<PodSpec, "origins">,
  field: string,
  parts: Omit<PodErrorParts, "origin">,
): PodError {
  return new PodError({ ...parts, origin: originOf(spec, field) });
}
