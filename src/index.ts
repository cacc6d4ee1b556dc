// The public module: names and nothing else. The command line uses the same.

export type * from "./pod/types.ts";
export type { ContainerStats, Pressure } from "./pod/stats.ts";
export type { PodChange, PodChanges } from "./pod/changes.ts";
export type { ResizableAmounts, ResizeWish, RestartOptions } from "./pod/shapes.ts";
export type { KeptVolume } from "./pod/kept-volumes.ts";
export type * from "./pod/description-types.ts";
export type { DoctorFinding } from "./pod/doctor.ts";
export type {
  ManifestDocument,
  ManifestSet,
  ManifestText,
  ObjectManifest,
  PodManifest,
  ReadOptions,
} from "./read/pod-manifest/read.ts";
export type { PodSpec } from "./spec/pod-spec.ts";
export type * from "./image/types.ts";
export type { ManifestOptions, Peapod } from "./open.ts";
export { openPeapod } from "./open.ts";
export { PodError, printError } from "./errors/pod-error.ts";
export {
  fates,
  readManifests,
  readPodManifest,
  readPodManifests,
} from "./read/pod-manifest/read.ts";
