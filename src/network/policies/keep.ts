// Policies in force: those that living pods brought along, kept in a file of each such pod in the
// state directory. Whoever adds a pod or hears of an end makes the rules anew from all of them;
// of two who do so at once the kernel refuses the slower, which looks again.

import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  renameSync,
  rmdirSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { NetlinkError } from "../../native/netlink.ts";
import type { NetworkPolicySpec } from "../../spec/network-policy.ts";
import type { HostPath } from "../../spec/paths.ts";
import { addressesParent } from "../claims.ts";
import type { HostNetwork } from "../host-network.ts";
import { composePolicies, findTraces } from "./batch.ts";
import { compilePolicies } from "./compile.ts";
import type { Member, NamedPort } from "./member.ts";

/** `policies/UID.json`: a pod that came while there were policies, or with some. */
interface PolicyRecord {
  readonly createdMs: number;
  readonly member: Member;
  readonly brings: readonly NetworkPolicySpec[];
}

export function policiesParent(state: HostPath): HostPath {
  return `${state}/policies` as HostPath;
}

export function keepPolicies(
  state: HostPath,
  uid: string,
  member: Member,
  brings: readonly NetworkPolicySpec[],
): void {
  const record: PolicyRecord = { createdMs: Date.now(), member, brings };
  const path = `${policiesParent(state)}/${uid}.json`;
  mkdirSync(policiesParent(state), { recursive: true, mode: 0o700 });
  writeFileSync(`${path}.new`, JSON.stringify(record), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

const attemptsMax = 1000;

/** Throws a NetlinkError where the kernel lacks something. */
export function applyPolicies(network: HostNetwork): void {
  const { rules, state, table } = network;
  for (let attempt = 1; ; attempt++) {
    const traces = findTraces(rules, table);
    const { members, policies } = gather(state);
    const wanted = compilePolicies(members, policies);
    if (traces.chains.length + traces.sets.length + wanted.chains.length === 0) return;
    try {
      return rules.send(composePolicies(table, traces, wanted));
    } catch (error) {
      const isStale = error instanceof NetlinkError && error.errno === staleGeneration;
      if (!isStale || attempt === attemptsMax) throw error;
    }
  }
}

/** ERESTART, which node:os does not know. */
const staleGeneration = "errno 85";

interface Gathered {
  readonly members: readonly Member[];
  readonly policies: readonly NetworkPolicySpec[];
}

/** By the pod's id, for as long as its file is as it was. */
const known = new Map<string, { readonly changedMs: number; readonly record: PolicyRecord }>();

function gather(state: HostPath): Gathered {
  const kept = new Set(names(policiesParent(state)).filter((name) => name.endsWith(".json")));
  const parent = addressesParent(state);
  const living = names(parent).flatMap((claim) => uidOf(`${parent}/${claim}`) ?? []);
  const records = living.flatMap((uid) => {
    const changedMs = kept.has(`${uid}.json`) ? changedAt(state, uid) : 0;
    const before = known.get(uid);
    if (before?.changedMs === changedMs) return before.record;
    const record = readKept(state, uid) ?? readStarted(state, uid);
    if (record) known.set(uid, { changedMs, record });
    return record ?? [];
  });
  const policies = new Map<string, NetworkPolicySpec>();
  for (const { brings } of records.toSorted((a, b) => a.createdMs - b.createdMs)) {
    for (const policy of brings) policies.set(`${policy.namespace}/${policy.name}`, policy);
  }
  const alive = new Set(living);
  for (const name of kept) {
    const uid = name.slice(0, -".json".length);
    // Without policies those that live are found by their state.
    const isNeeded = alive.has(uid) && (policies.size > 0 || !hasState(state, uid));
    if (!isNeeded) rmSync(`${policiesParent(state)}/${name}`, { force: true });
  }
  if (policies.size === 0) tryRemove(policiesParent(state));
  for (const uid of known.keys()) if (!alive.has(uid)) known.delete(uid);
  return { members: records.map(({ member }) => member), policies: [...policies.values()] };
}

function changedAt(state: HostPath, uid: string): number {
  return statSync(`${policiesParent(state)}/${uid}.json`, { throwIfNoEntry: false })?.mtimeMs ?? 0;
}

function names(directory: string): string[] {
  return existsSync(directory) ? readdirSync(directory) : [];
}

function uidOf(claim: string): string | undefined {
  try {
    return readlinkSync(claim).split("/").at(-1);
  } catch {
    return undefined;
  }
}

function readKept(state: HostPath, uid: string): PolicyRecord | undefined {
  // Ours alone: the directory is 0700.
  return readJson(`${policiesParent(state)}/${uid}.json`) as PolicyRecord | undefined;
}

/** The part of `pod.json` that matters here. */
interface Started {
  readonly namespace: string;
  readonly createdMs: number;
  readonly network?: { readonly podIPs: readonly string[] };
  readonly manifest: {
    readonly metadata?: { readonly labels?: Readonly<Record<string, string>> };
    readonly spec?: Partial<Record<"containers" | "initContainers", readonly WithPorts[]>>;
  };
}

interface WithPorts {
  readonly ports?: readonly {
    readonly name?: string;
    readonly containerPort: number;
    readonly protocol?: NamedPort["protocol"];
  }[];
}

/** Undefined for one that is starting: it looks for policies when its state is written. */
function readStarted(state: HostPath, uid: string): PolicyRecord | undefined {
  const pod = readJson(statePath(state, uid)) as Started | undefined; // Written by peapod alone.
  const [v4, v6 = ""] = pod?.network?.podIPs ?? [];
  if (!pod || v4 === undefined) return undefined;
  const { metadata, spec } = pod.manifest;
  const containers = [...(spec?.initContainers ?? []), ...(spec?.containers ?? [])];
  const ports = containers.flatMap((container) =>
    (container.ports ?? []).flatMap(({ name, containerPort: port, protocol = "TCP" }) =>
      name === undefined ? [] : [{ name, port, protocol }],
    ),
  );
  const member = { namespace: pod.namespace, labels: metadata?.labels ?? {}, v4, v6, ports };
  return { createdMs: pod.createdMs, member, brings: [] };
}

function statePath(state: HostPath, uid: string): string {
  return `${state}/pods/${uid}/pod.json`;
}

function hasState(state: HostPath, uid: string): boolean {
  return existsSync(statePath(state, uid));
}

function readJson(path: string): unknown {
  try {
    return JSON.parse(readFileSync(path, "utf8"));
  } catch {
    return undefined;
  }
}

/** Somebody may have put another in it meanwhile. */
function tryRemove(directory: string): void {
  try {
    rmdirSync(directory);
  } catch {
    // It is needed, or was not there.
  }
}
