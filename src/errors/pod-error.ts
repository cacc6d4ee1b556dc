// The one error class of peapod, and how it reads. It knows nothing of plans, files or the kernel:
// callers fill it in.

import type { ErrorCode } from "./catalog.ts";
import { catalog } from "./catalog.ts";

/** Where a wish stands in the user's own words. Line and column count from 1; 0 means "unknown". */
export interface Origin {
  /** Field path, as kubectl writes it: `spec.containers[0].volumeMounts[1]`. */
  readonly field: string;
  /** The file as the user named it; empty when the manifest came as an object. */
  readonly file: string;
  readonly line: number;
  readonly column: number;
}

export interface PodErrorParts {
  readonly code: ErrorCode;
  /**
   * What, in lower case, without a full stop: `cannot bind /srv/www on /data in container nginx`.
   */
  readonly message: string;
  readonly origin?: Origin;
  /**
   * What the kernel said and where: `3 of 12, prepare: open_tree failed with EACCES (permission
   * denied)`.
   */
  readonly step?: string;
  /** At most one. Overrides the catalog's hint when the remedy depends on the case. */
  readonly hint?: string;
  /** Further problems found in the same pass; a manifest reports all of its errors at once. */
  readonly others?: readonly PodError[];
}

/** Every failure that a user can see. Codes are stable; texts may improve. */
export class PodError extends Error {
  readonly code: ErrorCode;
  readonly origin: Origin | undefined;
  readonly step: string | undefined;
  readonly hint: string | undefined;
  readonly others: readonly PodError[];

  constructor(parts: PodErrorParts) {
    super(parts.message);
    this.name = "PodError";
    this.code = parts.code;
    this.origin = parts.origin;
    this.step = parts.step;
    const hint = parts.hint ?? catalog[parts.code].hint;
    this.hint = hint === "no hint" ? undefined : hint;
    this.others = parts.others ?? [];
  }

  /** The same facts for `-o json`, an OCI error or a gRPC status. */
  toJSON(): Record<string, unknown> {
    return {
      code: this.code,
      message: this.message,
      ...(this.origin && { origin: this.origin }),
      ...(this.step && { step: this.step }),
      ...(this.hint && { hint: this.hint }),
      ...(this.others.length > 0 && { others: this.others.map((other) => other.toJSON()) }),
    };
  }
}

/** The first in the order of the file carries the others; nothing happens without one. */
export function throwTogether(errors: readonly PodError[]): void {
  const [first, ...others] = errors.toSorted(
    (a, b) => (a.origin?.line ?? 0) - (b.origin?.line ?? 0),
  );
  if (!first) return;
  throw new PodError({
    code: first.code,
    message: first.message,
    ...(first.origin && { origin: first.origin }),
    others,
  });
}

/** `web.yaml:14:9  spec.containers[0]`, or the field alone when there is no file. */
export function printOrigin(origin: Origin): string {
  const place =
    origin.line > 0 ? `${origin.file || "<manifest>"}:${origin.line}:${origin.column}  ` : "";
  return `${place}${origin.field}`.trimEnd();
}

/** The text a user reads on stderr. */
export function printError(error: PodError): string {
  const lines = [`error[${error.code}] ${error.message}`];
  if (error.origin) lines.push(`  from   ${printOrigin(error.origin)}`);
  if (error.step) lines.push(`  step   ${error.step}`);
  if (error.hint) lines.push(`  hint   ${error.hint}`);
  return [lines.join("\n"), ...error.others.map(printError)].join("\n");
}
