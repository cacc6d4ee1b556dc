// The objects that pods name: ConfigMaps, Secrets, claims. What is in a Secret's data is not for
// zod, whose messages show the value that they complain about.

import * as z from "zod";
import { fields, inert, later, once } from "./fate.ts";
import { ObjectMetadata, QuietMetadata } from "./schema-metadata.ts";
import { ClaimSpec } from "./schema-volume.ts";

const Text = once(() => z.string());
const Anything = once(() => z.unknown());
const neverChanged = "an object is read once, and again only with its manifest";

const head = () => ({ apiVersion: later(Text), kind: later(Text) });

export const ConfigMap = once(() =>
  fields({
    ...head(),
    metadata: ObjectMetadata,
    data: later(Anything),
    binaryData: later(Anything),
    immutable: inert(() => z.boolean(), neverChanged),
  }),
);

export const Secret = once(() =>
  fields({
    ...head(),
    metadata: QuietMetadata(),
    type: later(Anything),
    data: later(Anything),
    stringData: later(Anything),
    immutable: inert(() => z.boolean(), neverChanged),
  }),
);

export const PersistentVolumeClaim = once(() =>
  fields({
    ...head(),
    metadata: ObjectMetadata,
    spec: ClaimSpec(),
    status: inert(Anything, "the record of a claim that was bound elsewhere"),
  }),
);
