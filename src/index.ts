// The public module: names and nothing else. The command line uses the same.

export type * from "./pod/types.ts";
export type { DoctorFinding } from "./pod/doctor.ts";
export type { PodManifest } from "./read/pod-manifest/read.ts";
export type { PodSpec } from "./spec/pod-spec.ts";
export type * from "./image/types.ts";
export type { Peapod } from "./open.ts";
export { openPeapod } from "./open.ts";
export { PodError, printError } from "./errors/pod-error.ts";
export { fates, readPodManifest, readPodManifests } from "./read/pod-manifest/read.ts";
