// The metadata that every object of a manifest has.

import * as z from "zod";
import { fields, inert, later, once, refused } from "./fate.ts";
import { Texts } from "./schema-values.ts";
import { DnsLabel, DnsSubdomain } from "./text.ts";

const noApiServer = "there is no API server; nobody keeps it";
const Text = once(() => z.string());
const Count = once(() => z.number());
const Anything = once(() => z.array(z.unknown()).readonly());

/** What only an API server knows the use of. */
const kept = {
  uid: inert(Text, "every launch gives the pod an id of its own"),
  creationTimestamp: inert(Text, noApiServer),
  deletionTimestamp: inert(Text, noApiServer),
  deletionGracePeriodSeconds: inert(Count, noApiServer),
  resourceVersion: inert(Text, noApiServer),
  generation: inert(Count, noApiServer),
  selfLink: inert(Text, noApiServer),
  managedFields: inert(Anything, noApiServer),
  ownerReferences: inert(Anything, noApiServer),
  finalizers: inert(Anything, noApiServer),
};

const noName = refused("a name is what an object is found by; write metadata.name");

export const Metadata = fields({
  name: DnsSubdomain,
  namespace: later(() => DnsLabel),
  labels: later(Texts),
  annotations: later(Texts),
  generateName: noName,
  ...kept,
});

const unused = "pods have the labels and annotations of their own, or of their template";

export const ObjectMetadata = fields({
  name: DnsSubdomain,
  namespace: later(() => DnsLabel),
  labels: inert(Texts, unused),
  annotations: inert(Texts, unused),
  generateName: noName,
  ...kept,
});

/** An annotation may hold the manifest that was applied last, with every value of a Secret. */
export const QuietMetadata = once(() =>
  fields({
    name: DnsSubdomain,
    namespace: later(() => DnsLabel),
    labels: inert(Texts, unused),
    annotations: inert(() => z.unknown(), unused),
    generateName: noName,
    ...kept,
  }),
);
