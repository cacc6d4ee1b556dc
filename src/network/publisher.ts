// Which pod has a published port: what its own state says.

import { readdirSync, readFileSync } from "node:fs";
import type { HostPath } from "../spec/paths.ts";
import type { PortSpec } from "../spec/pod-spec.ts";

/** `pod default/web`, for the sentence that refuses the port to another. */
export function findPublisher(state: HostPath, wanted: PortSpec): string {
  for (const uid of readdirSync(`${state}/pods`)) {
    const pod = readPublished(`${state}/pods/${uid}/pod.json`);
    const port = pod?.network?.ports.find(
      ({ hostPort, protocol }) => hostPort === wanted.hostPort && protocol === wanted.protocol,
    );
    if (pod && port) return `pod ${pod.namespace}/${pod.name}`;
  }
  return "another pod";
}

interface Published {
  readonly name: string;
  readonly namespace: string;
  readonly network?: { readonly ports: readonly PortSpec[] };
}

function readPublished(path: string): Published | undefined {
  try {
    return JSON.parse(readFileSync(path, "utf8")) as Published; // Written by peapod alone.
  } catch {
    return undefined;
  }
}
