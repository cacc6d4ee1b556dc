// Which pods a name means: those of one state directory, by their own names and by those of the
// workloads that they belong to. What is on the disk is asked, so that every process with pods
// gives the same answers.

import { readdirSync, readFileSync, readlinkSync } from "node:fs";
import type { HostPath } from "../../spec/paths.ts";

export const clusterDomain = "cluster.local";

interface KnownPod {
  readonly hostname: string;
  readonly subdomain: string;
  readonly podIPs: readonly string[];
}

/** Pods that went stay known until so many others came. */
const podsMax = 4096;

export class PodNames {
  readonly #state: HostPath;
  /** By uid: what a pod's state says never changes. */
  readonly #known = new Map<string, KnownPod | undefined>();

  constructor(state: HostPath) {
    this.#state = state;
  }

  /**
   * Addresses of the pods that a name means; undefined for a name that is not ours to answer, and
   * none for one of ours that nobody has. A name without its domain is looked for in the namespace
   * of who asks.
   */
  find(name: string, asker: string): readonly string[] | undefined {
    const labels = name.toLowerCase().replace(/\.$/, "").split(".");
    const own = withoutDomain(labels);
    if (own) return this.#addressesOf(own.labels, own.isService);
    if (labels.length > 1) return undefined;
    const found = this.#addressesOf([...labels, this.#namespaceOf(asker)], false);
    return found.length > 0 ? found : undefined;
  }

  /** `web.team`, `web-0.team`, and with a subdomain `front.web.team`. */
  #addressesOf(labels: readonly string[], isService: boolean): readonly string[] {
    const namespace = labels.at(-1) ?? "";
    const [first = "", second] = labels.slice(0, -1);
    if (labels.length < 2 || labels.length > 3 || (second !== undefined && !isService)) return [];
    const links = this.#links().filter((link) => link.startsWith(`${namespace}_`));
    const pods = links.flatMap((link) => {
      const pod = link.slice(namespace.length + 1);
      const isMeant = second === undefined ? isOf(pod, first) : true;
      const known = isMeant ? this.#read(link) : undefined;
      return known ? [{ pod, known }] : [];
    });
    const meant = pods.filter(({ pod, known }) =>
      second === undefined
        ? isOf(pod, first) || known.subdomain === first
        : known.hostname === first && (known.subdomain === second || isOf(pod, second)),
    );
    return meant.flatMap(({ known }) => known.podIPs);
  }

  #namespaceOf(asker: string): string {
    const link = this.#links().find((candidate) => this.#read(candidate)?.podIPs.includes(asker));
    return link?.split("_")[0] ?? "default";
  }

  #links(): string[] {
    try {
      return readdirSync(`${this.#state}/names`);
    } catch {
      return [];
    }
  }

  /** Undefined for a pod that is coming up or has gone. */
  #read(link: string): KnownPod | undefined {
    try {
      const uid = readlinkSync(`${this.#state}/names/${link}`).replace(/^.*\//, "");
      if (this.#known.has(uid)) return this.#known.get(uid);
      const text = readFileSync(`${this.#state}/pods/${uid}/pod.json`, "utf8");
      if (this.#known.size >= podsMax) this.#known.clear();
      const known = readPod(JSON.parse(text));
      this.#known.set(uid, known);
      return known;
    } catch {
      return undefined;
    }
  }
}

/** The pod of that name, or one of the numbered ones of a workload of that name. */
function isOf(pod: string, name: string): boolean {
  return pod === name || (pod.startsWith(`${name}-`) && /^\d+$/.test(pod.slice(name.length + 1)));
}

/** `web.team.svc.cluster.local` and `web-0.team.pod.cluster.local` → `web.team`, `web-0.team`. */
function withoutDomain(
  labels: readonly string[],
): { readonly labels: readonly string[]; readonly isService: boolean } | undefined {
  const domain = clusterDomain.split(".");
  const tail = labels.slice(-domain.length);
  if (tail.join(".") !== clusterDomain) return undefined;
  const rest = labels.slice(0, -domain.length);
  const kind = rest.at(-1);
  if (kind === "svc" || kind === "pod")
    return { labels: rest.slice(0, -1), isService: kind === "svc" };
  return { labels: [], isService: false };
}

type Tree = Readonly<Record<string, unknown>>;

const tree = (value: unknown): Tree =>
  typeof value === "object" && value !== null ? (value as Tree) : {};
const text = (value: unknown): string => (typeof value === "string" ? value : "");

/** By hand: a library that compiles a check would take longer to load than a pod to start. */
function readPod(state: unknown): KnownPod {
  const { hostname, network, manifest } = tree(state);
  const { podIPs } = tree(network);
  const { subdomain } = tree(tree(manifest)["spec"]);
  return {
    hostname: text(hostname),
    subdomain: text(subdomain),
    podIPs: Array.isArray(podIPs) ? podIPs.map(text).filter(Boolean) : [],
  };
}
