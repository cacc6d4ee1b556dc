// The metadata that every object of a manifest has.

import * as z from "zod";
import { fields, inert, later, once, refused } from "./fate.ts";
import { Texts } from "./schema-values.ts";
import { DnsLabel, DnsSubdomain } from "./text.ts";

const noApiServer = "there is no API server; nobody keeps it";
const Text = once(() => z.string());
const Count = once(() => z.number());
const Anything = once(() => z.array(z.unknown()).readonly());

export const Metadata = fields({
  name: DnsSubdomain,
  namespace: later(() => DnsLabel),
  labels: later(Texts),
  annotations: later(Texts),
  generateName: refused("a pod's name is what up and down find it by; write metadata.name"),
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
});
