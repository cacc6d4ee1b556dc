// What the kubelet calls a failure to have an image: the reason that a waiting container shows
// (kubelet, pkg/kubelet/images/types.go). When to try again is the supervisor's business.

import type { ErrorCode } from "../errors/catalog.ts";
import { PodError } from "../errors/pod-error.ts";

export type ImageReason =
  | "InvalidImageName"
  | "ErrImageNeverPull"
  | "ImageInspectError"
  | "RegistryUnavailable"
  | "ErrImagePull";

const reasons: Partial<Record<ErrorCode, ImageReason>> = {
  "image.invalid-name": "InvalidImageName",
  "image.never-pulled": "ErrImageNeverPull",
  "image.damaged": "ImageInspectError",
  "image.unreachable": "RegistryUnavailable",
  "image.not-found": "ErrImagePull",
  "image.denied": "ErrImagePull",
  "image.registry-failed": "ErrImagePull",
  "image.digest-mismatch": "ErrImagePull",
  "image.unsupported": "ErrImagePull",
  "image.refused": "ErrImagePull",
  "image.configuration": "ErrImagePull",
  "image.store-failed": "ErrImagePull",
};

/** Undefined for what is not the image's fault, or only shows when a container is made of it. */
export function imageReason(error: unknown): ImageReason | undefined {
  return error instanceof PodError ? reasons[error.code] : undefined;
}

/**
 * Only attempts to pull are spaced out, and wait as ImagePullBackOff; the other reasons cost
 * nothing to find again.
 */
export function isPullReason(reason: ImageReason): boolean {
  return reason === "ErrImagePull" || reason === "RegistryUnavailable";
}
