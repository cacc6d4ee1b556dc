// Pods as policies see them, and which of them a selector selects.

import type { LabelSelector, NetworkPolicySpec, PolicyPeer } from "../../spec/network-policy.ts";

export interface Member {
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly v4: string;
  /** Empty for none. */
  readonly v6: string;
  readonly ports: readonly NamedPort[];
}

export interface NamedPort {
  readonly name: string;
  readonly protocol: "TCP" | "UDP" | "SCTP";
  readonly port: number;
}

type PodPeer = Extract<PolicyPeer, { readonly kind: "pods" }>;

export function isAbout({ namespace, pods }: NetworkPolicySpec, member: Member): boolean {
  return namespace === member.namespace && selects(pods, member.labels);
}

/** `own` is the policy's namespace. */
export function isPeer({ namespaces, pods }: PodPeer, own: string, member: Member): boolean {
  const isThere = namespaces
    ? selects(namespaces, { "kubernetes.io/metadata.name": member.namespace })
    : member.namespace === own;
  return isThere && selects(pods, member.labels);
}

function selects(selector: LabelSelector, labels: Readonly<Record<string, string>>): boolean {
  const isEqual = Object.entries(selector.labels).every(([key, value]) => labels[key] === value);
  return isEqual && selector.expressions.every((expression) => fits(expression, labels));
}

function fits(
  { key, operator, values }: LabelSelector["expressions"][number],
  labels: Readonly<Record<string, string>>,
): boolean {
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case "In":
      return value !== undefined && values.includes(value);
    case "NotIn":
      return value === undefined || !values.includes(value);
    case "Exists":
      return value !== undefined;
    case "DoesNotExist":
      return value === undefined;
    default:
      return operator satisfies never;
  }
}
