// Which traffic of pods is allowed, as a NetworkPolicy says it.

export interface NetworkPolicySpec {
  readonly name: string;
  readonly namespace: string;
  /** The pods of its namespace that it is about. */
  readonly pods: LabelSelector;
  /** Undefined where it says nothing about what comes in; empty where nothing may. */
  readonly ingress?: readonly PolicyRule[];
  readonly egress?: readonly PolicyRule[];
}

/** Allowed is what any peer does at any port; an empty list is all of them. */
export interface PolicyRule {
  readonly peers: readonly PolicyPeer[];
  readonly ports: readonly PolicyPort[];
}

export type PolicyPeer =
  | { readonly kind: "block"; readonly cidr: string; readonly except: readonly string[] }
  | {
      readonly kind: "pods";
      /** Undefined for the policy's own. */
      readonly namespaces?: LabelSelector;
      readonly pods: LabelSelector;
    };

export interface PolicyPort {
  readonly protocol: "TCP" | "UDP" | "SCTP";
  /** The name of a container's port, a range, or undefined for every port. */
  readonly port?: string | { readonly first: number; readonly last: number };
}

/** All of it has to fit; an empty one selects everything. */
export interface LabelSelector {
  readonly labels: Readonly<Record<string, string>>;
  readonly expressions: readonly {
    readonly key: string;
    readonly operator: "In" | "NotIn" | "Exists" | "DoesNotExist";
    readonly values: readonly string[];
  }[];
}
