// Shared by the reader's tests: the smallest Pod, and the text of what is wrong with a manifest.

import { PodError, printError } from "../../src/errors/pod-error.ts";
import { readPodManifests } from "../../src/read/pod-manifest/read.ts";
import type { PodSpec } from "../../src/spec/pod-spec.ts";

/** A Pod of one container in flow style, with more fields for the container and for the spec. */
export function podText(container = "", spec = "", metadata = ""): string {
  return `apiVersion: v1
kind: Pod
metadata: {name: web${metadata}}
spec:
  containers: [{name: app, image: host${container}}]
${spec}`;
}

export function readOne(text: string): PodSpec {
  const [spec, ...others] = readPodManifests(text, "web.yaml");
  if (!spec || others.length > 0) throw new Error("not one Pod");
  return spec;
}

/** What a user reads when the text is refused; empty when it is not. */
export function complaint(text: string): string {
  return complaintOf(() => readPodManifests(text, "web.yaml"));
}

export function complaintOf(read: () => unknown): string {
  try {
    read();
    return "";
  } catch (error) {
    if (error instanceof PodError) return printError(error);
    throw error;
  }
}
