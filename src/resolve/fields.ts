// Values that a pod tells its containers about itself: fieldRef and resourceFieldRef, in env and in
// files of a downwardAPI volume.

import { statfsSync } from "node:fs";
import { cpus, hostname, networkInterfaces } from "node:os";
import type { HostFacts } from "../spec/host-facts.ts";
import type { ResolvedNetwork } from "../spec/network.ts";
import { noNetwork } from "../spec/network.ts";
import type { ContainerSpec, PodSpec, ResourceList } from "../spec/pod-spec.ts";
import type { FieldRef, ResourceFieldRef } from "../spec/volume-spec.ts";
import { fault } from "./fault.ts";
import type { ResolveOptions } from "./pod.ts";

/** What only the start of a pod knows. */
export interface SandboxFacts {
  /** The primary one first. */
  readonly podIPs: readonly string[];
  readonly hostIPs: readonly string[];
  readonly nodeName: string;
}

export interface FieldSource {
  readonly spec: PodSpec;
  readonly uid: string;
  readonly sandbox: SandboxFacts;
  readonly memoryBytes: number;
  /** A directory on the file system that pods write to. */
  readonly root: string;
}

/** Where the pod is started, or its files brought up to date. */
export function fieldSource(
  spec: PodSpec,
  facts: Pick<HostFacts, "memoryBytes">,
  options: Pick<ResolveOptions, "uid" | "places" | "network">,
): FieldSource {
  return {
    spec,
    uid: options.uid,
    sandbox: sandboxFacts(spec.namespaces.network, options.network ?? noNetwork),
    memoryBytes: facts.memoryBytes,
    root: options.places.root,
  };
}

/**
 * A pod without addresses of its own has the loopback and its own name for it. With hostNetwork the
 * node's addresses are the pod's.
 */
function sandboxFacts(
  network: "POD" | "NODE",
  { podIPs, hostIPs: known }: ResolvedNetwork,
): SandboxFacts {
  let hostIPs: readonly string[] | undefined;
  const addresses = () => (hostIPs ??= hostAddresses());
  return {
    get podIPs() {
      if (podIPs.length > 0) return podIPs;
      return network === "NODE" ? addresses() : ["127.0.0.1"];
    },
    get hostIPs() {
      return known.length > 0 ? known : addresses();
    },
    get nodeName() {
      return nodeName();
    },
  };
}

/** As the kubelet names its node. */
export function nodeName(): string {
  return hostname().trim().toLowerCase();
}

/** At most one of each family, as a node reports them. */
function hostAddresses(): string[] {
  const all = Object.values(networkInterfaces())
    .flatMap((entries) => entries ?? [])
    .filter(({ internal, scopeid }) => !internal && !scopeid);
  const found = (["IPv4", "IPv6"] as const).flatMap((family) => {
    const first = all.find((entry) => entry.family === family);
    return first ? [first.address] : [];
  });
  return found.length > 0 ? found : ["127.0.0.1"];
}

/** `field` is where the reference stands, for the error. */
export function readReference(
  source: FieldSource,
  ref: FieldRef | ResourceFieldRef,
  container: ContainerSpec | undefined,
  field: string,
): string {
  return ref.kind === "fieldRef"
    ? readField(source, ref.path, field)
    : readResource(source, ref, container, field);
}

function readField(source: FieldSource, path: string, field: string): string {
  const { spec, sandbox } = source;
  const keyed = /^metadata\.(labels|annotations)\['(.*)'\]$/s.exec(path);
  if (keyed) {
    const [, kind, key = ""] = keyed;
    const map = kind === "labels" ? spec.labels : spec.annotations;
    return Object.hasOwn(map, key) ? (map[key] ?? "") : "";
  }
  switch (path) {
    case "metadata.name":
      return spec.name;
    case "metadata.namespace":
      return spec.namespace;
    case "metadata.uid":
      return source.uid;
    case "metadata.labels":
      return printMap(spec.labels);
    case "metadata.annotations":
      return printMap(spec.annotations);
    case "spec.nodeName":
      return sandbox.nodeName;
    case "spec.serviceAccountName":
      return serviceAccountOf(spec);
    case "status.hostIP":
      return sandbox.hostIPs[0] ?? "";
    case "status.hostIPs":
      return sandbox.hostIPs.join(",");
    case "status.podIP":
      return sandbox.podIPs[0] ?? "";
    case "status.podIPs":
      return sandbox.podIPs.join(",");
    default:
      throw fault(source.spec, field, {
        code: "manifest.invalid",
        message: `${JSON.stringify(path)} is no field that a container can be told`,
      });
  }
}

/** Nothing else is done with it: there is no API server to talk to. */
function serviceAccountOf({ manifest }: PodSpec): string {
  const { serviceAccountName: name } = (manifest["spec"] ?? {}) as Record<string, unknown>;
  return typeof name === "string" && name !== "" ? name : "default";
}

/** Sorted lines `key="value"`, the value quoted as Go quotes it (kubelet, fieldpath.FormatMap). */
function printMap(map: Readonly<Record<string, string>>): string {
  return Object.entries<string>(map)
    .map(([key, value]) => `${key}=${quoteGo(value)}`)
    .toSorted()
    .join("\n");
}

const goEscapes: Readonly<Record<string, string>> = {
  "\u0007": "\\a",
  "\b": "\\b",
  "\f": "\\f",
  "\n": "\\n",
  "\r": "\\r",
  "\t": "\\t",
  "\v": "\\v",
  "\\": "\\\\",
  '"': '\\"',
};

/** strconv.Quote: printable characters stay, the others become escapes. */
function quoteGo(text: string): string {
  const printable = /^[\p{L}\p{M}\p{N}\p{P}\p{S} ]$/u;
  let quoted = "";
  for (const character of text) {
    const escape = goEscapes[character];
    const code = character.codePointAt(0) ?? 0;
    if (escape !== undefined) quoted += escape;
    else if (printable.test(character)) quoted += character;
    else if (code < 0x80) quoted += `\\x${hex(code, 2)}`;
    else if (code < 0x10000) quoted += `\\u${hex(code, 4)}`;
    else quoted += `\\U${hex(code, 8)}`;
  }
  return `"${quoted}"`;
}

function hex(code: number, digits: number): string {
  return code.toString(16).padStart(digits, "0");
}

/** Divisors that Kubernetes takes; those of a CPU are in thousandths. */
const cpuDivisors: Readonly<Record<string, number>> = { "1": 1000, "1m": 1 };
const byteDivisors: Readonly<Record<string, bigint>> = {
  "1": 1n,
  ...Object.fromEntries(
    ["k", "M", "G", "T", "P", "E"].flatMap((letter, index) => [
      [`1${letter}`, 1000n ** BigInt(index + 1)],
      [`1${letter.toUpperCase()}i`, 1024n ** BigInt(index + 1)],
    ]),
  ),
};

/** Rounded up: half a CPU in whole ones is one. */
function readResource(
  source: FieldSource,
  ref: ResourceFieldRef,
  own: ContainerSpec | undefined,
  field: string,
): string {
  const { spec } = source;
  const refuse = (message: string) => fault(spec, field, { code: "manifest.invalid", message });
  const all = [...spec.containers, ...spec.initContainers];
  const container = ref.container ? all.find(({ name }) => name === ref.container) : own;
  if (!container) throw refuse(`there is no container ${JSON.stringify(ref.container ?? "")}`);
  const [, kind, name = ""] = /^(limits|requests)\.(.+)$/.exec(ref.resource) ?? [];
  if (kind !== "limits" && kind !== "requests") {
    throw refuse(`${JSON.stringify(ref.resource)} is neither a limit nor a request`);
  }
  const amount = amountOf(source, container, kind, name);
  const divisor = ref.divisor === undefined || ref.divisor === "0" ? "1" : ref.divisor;
  const unit = name === "cpu" ? cpuDivisors[divisor] : byteDivisors[divisor];
  if (amount === undefined || unit === undefined) {
    throw refuse(
      amount === undefined
        ? `${JSON.stringify(ref.resource)} is no resource of a container`
        : `${JSON.stringify(divisor)} is no divisor of ${name}`,
    );
  }
  const [whole, part] = [BigInt(amount), BigInt(unit)];
  return String((whole + part - 1n) / part);
}

/** A limit that nobody set is the pod's, else all that the node has. */
function amountOf(
  source: FieldSource,
  container: ContainerSpec,
  kind: "limits" | "requests",
  name: string,
): number | undefined {
  const own = listed(container.resources[kind], name);
  if (own === undefined || own > 0 || kind === "requests") return own;
  const pod = listed(source.spec.resources?.limits ?? {}, name);
  return pod || allocatable(source, name);
}

/** 0 for what is not set, undefined for what is no resource. */
function listed(list: ResourceList, name: string): number | undefined {
  switch (name) {
    case "cpu":
      return list.cpuMilli ?? 0;
    case "memory":
      return list.memoryBytes ?? 0;
    case "ephemeral-storage":
      return list.ephemeralStorageBytes ?? 0;
    default:
      return name.startsWith("hugepages-")
        ? (list.hugepages?.[hugePageName(name)] ?? 0)
        : undefined;
  }
}

/** `hugepages-2Mi` → `2MB`, as the kernel's control group calls it. */
function hugePageName(resource: string): string {
  return resource.slice("hugepages-".length).replace(/i$/, "B");
}

function allocatable(source: FieldSource, name: string): number {
  switch (name) {
    case "cpu":
      return cpus().length * 1000;
    case "memory":
      return source.memoryBytes;
    case "ephemeral-storage": {
      const { blocks, bsize } = statfsSync(source.root);
      return blocks * bsize;
    }
    default:
      return 0;
  }
}
