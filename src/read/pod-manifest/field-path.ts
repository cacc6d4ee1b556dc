// The paths of the downward API: which fields of a pod a variable or a file may show.

import { checkQualifiedName } from "./text.ts";
import { show } from "./tree.ts";

const common = ["metadata.name", "metadata.namespace", "metadata.uid"];
const inEnv = [
  ...common,
  "spec.nodeName",
  "spec.serviceAccountName",
  "status.hostIP",
  "status.hostIPs",
  "status.podIP",
  "status.podIPs",
];
const inFile = [...common, "metadata.annotations", "metadata.labels"];

export function checkEnvFieldPath(path: string): string | undefined {
  return checkSubscript(path) ?? checkKnown(path, inEnv);
}

export function checkFileFieldPath(path: string): string | undefined {
  return checkSubscript(path) ?? checkKnown(path, inFile);
}

/** `metadata.labels['example.com/team']`. */
function subscriptOf(path: string): string | undefined {
  return /^metadata\.(?:annotations|labels)\['(.*)'\]$/s.exec(path)?.[1];
}

function checkSubscript(path: string): string | undefined {
  const key = subscriptOf(path);
  if (key === undefined) return undefined;
  // Keys of annotations may be written in upper case.
  const isLabel = path.startsWith("metadata.labels");
  return checkQualifiedName(isLabel ? key : key.toLowerCase());
}

function checkKnown(path: string, known: readonly string[]): string | undefined {
  if (path === "") return "required value";
  if (subscriptOf(path) !== undefined || known.includes(path)) return undefined;
  const subscripts = ["metadata.annotations['<KEY>']", "metadata.labels['<KEY>']"];
  const values = [...known, ...subscripts].toSorted().map(show);
  return `supported values: ${values.join(", ")}`;
}

const resources = ["cpu", "memory", "ephemeral-storage"];

export function checkResourceName(name: string): string | undefined {
  if (name === "") return "required value";
  const [, kind = ""] = /^(?:limits|requests)\.(.+)$/.exec(name) ?? [];
  if (resources.includes(kind) || kind.startsWith("hugepages-")) return undefined;
  const values = ["limits", "requests"].flatMap((list) =>
    [...resources, "hugepages-<SIZE>"].map((resource) => show(`${list}.${resource}`)),
  );
  return `supported values: ${values.join(", ")}`;
}

const powers = ["1k", "1M", "1G", "1T", "1P", "1E"];
const binaryPowers = powers.map((power) => `${power === "1k" ? "1K" : power}i`);

/** Those that Kubernetes divides by: others would lose digits without saying so. */
export function checkDivisor(resource: string, divisor: string): string | undefined {
  const known = resource.endsWith(".cpu") ? ["1m", "1"] : ["1", ...powers, ...binaryPowers];
  if (divisor === "" || divisor === "0" || known.includes(divisor)) return undefined;
  return `supported values: ${known.map(show).join(", ")}`;
}
