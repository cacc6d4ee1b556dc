// NetworkPolicy: whose traffic, and which is allowed.

import * as z from "zod";
import { fields, inert, later, once } from "./fate.ts";
import { ObjectMetadata } from "./schema-metadata.ts";
import { LabelSelector } from "./schema-scheduling.ts";
import { listOf } from "./schema-values.ts";

const Text = once(() => z.string());

const Ports = once(() =>
  listOf(
    fields({
      protocol: later(() => z.enum(["SCTP", "TCP", "UDP"])),
      port: later(() => z.union([z.int(), z.string()])),
      endPort: later(() => z.int()),
    }),
  ),
);

const Peers = once(() =>
  listOf(
    fields({
      podSelector: later(LabelSelector),
      namespaceSelector: later(LabelSelector),
      ipBlock: later(() => fields({ cidr: Text(), except: later(() => listOf(Text())) })),
    }),
  ),
);

export const NetworkPolicy = once(() =>
  fields({
    apiVersion: later(Text),
    kind: later(Text),
    metadata: ObjectMetadata,
    spec: fields({
      podSelector: later(LabelSelector),
      policyTypes: later(() => listOf(Text())),
      ingress: later(() => listOf(fields({ from: later(Peers), ports: later(Ports) }))),
      egress: later(() => listOf(fields({ to: later(Peers), ports: later(Ports) }))),
    }),
    status: inert(() => z.unknown(), "the record of a policy that was kept elsewhere"),
  }),
);

export type CheckedNetworkPolicy = z.output<ReturnType<typeof NetworkPolicy>>;
