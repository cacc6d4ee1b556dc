// The manifest reader: whatever the text, it gives specs or PodErrors that name a place, in time
// that its length explains.

import { PodError } from "../../src/errors/pod-error.ts";
import { readPodManifest, readPodManifests } from "../../src/read/pod-manifest/read.ts";
import type { PodManifest } from "../../src/read/pod-manifest/read.ts";
import type { FuzzTarget } from "./fuzzer.ts";

const words = [
  ...["apiVersion: v1\n", "kind: Pod\n", "kind: List\n", "items:\n- ", "---\n", "spec:\n"],
  ...["metadata: {name: a}\n", "containers:\n- {name: a, image: host}\n", "  ", "\t", "- ", ": "],
  ...["{", "}", "[", "]", ", ", "'", '"', "|\n", ">-\n", "&a ", "*a", "<<: *a\n", "!!str ", "? "],
  ...["null", "~", "yes", "off", "0400", "0x1f", "1e999", "-1", "9007199254740993", ".inf", "1_0"],
  ...["500m", "1Gi", "-1Ki", "1.5e3", "$(A)", "$$(A)", "$(", "../..", "/a/../b", "\\", "\u0000"],
  ...["__proto__: {a: b}\n", "constructor: 1\n", "toString: 1\n", "\u2028", "é", "\ufeff", "🙂"],
  ...["command: [", "env: [{name: A, value: b}]", "volumes:\n- {name: v, emptyDir: {}}\n"],
  ...["resources: {limits: {cpu: 1}}", "ports: [{containerPort: 80}]", "hostUsers: false"],
];

const secondsMax = 2;

export const manifestTarget: FuzzTarget = {
  name: "manifest",
  words,
  seeds: [],
  decode: (input) => {
    const text = new TextDecoder().decode(input);
    const started = performance.now();
    const verdict = read(text);
    const seconds = (performance.now() - started) / 1000;
    if (seconds > secondsMax) throw new Error(`took ${seconds.toFixed(1)} s`);
    return verdict;
  },
};

function read(text: string): string {
  try {
    const specs = readPodManifests(text, "fuzz.yaml");
    // What was read once reads again, from the object that `-o yaml` prints.
    for (const { manifest, workload, objects } of specs) {
      const isAlone = objects.configMaps.size + objects.secrets.size + objects.claims.size === 0;
      if (isAlone && workload === undefined) readPodManifest(manifest as unknown as PodManifest);
    }
    return `specs ${specs.map(({ inert }) => inert.map(({ reason }) => reason)).join()}`;
  } catch (error) {
    if (!(error instanceof PodError)) throw error;
    const all = [error, ...error.others];
    const lost = all.find(({ code, origin }) => !origin?.line && code !== "manifest.no-pod");
    if (lost) throw new Error(`no place for: ${lost.message}`, { cause: lost });
    return all
      .map(({ code, message }) => `${code} ${message.replace(/"[^"]*"|[0-9]+/g, "x")}`)
      .join("; ");
  }
}
