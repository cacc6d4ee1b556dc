// What a pod's owner is asked to do to it, by whoever does not own it.

import type { ErrorCode } from "../errors/catalog.ts";
import type { ResizeWish } from "./shapes.ts";

export type Question =
  | { readonly ask: "down"; readonly graceMs: number }
  /** All containers unless one is named. */
  | {
      readonly ask: "restart";
      readonly container?: string | undefined;
      readonly graceMs?: number | undefined;
    }
  | { readonly ask: "image"; readonly container: string; readonly image: string }
  | { readonly ask: "resize"; readonly wishes: readonly ResizeWish[] }
  /** As `spec.ephemeralContainers[]` of the Pod API. */
  | { readonly ask: "debug"; readonly container: Readonly<Record<string, unknown>> };

export const questions = ["down", "restart", "image", "resize", "debug"] as const;

export type Answer =
  | { readonly ok: true; readonly text: string }
  | { readonly ok: false; readonly text: string; readonly code: ErrorCode };
