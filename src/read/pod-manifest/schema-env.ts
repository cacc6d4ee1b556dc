// Environment of a container: literal values, and references to objects, fields and files.

import * as z from "zod";
import { fields, later, once } from "./fate.ts";
import { checkEnvFieldPath, checkFileFieldPath, checkResourceName } from "./field-path.ts";
import { entriesMax, listOf } from "./schema-values.ts";
import { ConfigKey, DnsLabel, DnsSubdomain, EnvName, EnvPrefix, RelativePath } from "./text.ts";
import { text } from "./text.ts";

const Truth = once(() => z.boolean());

const ObjectKey = once(() =>
  fields({ name: DnsSubdomain, key: ConfigKey(), optional: later(Truth) }),
);

const ObjectRef = once(() => fields({ name: DnsSubdomain, optional: later(Truth) }));

function fieldRef(check: (path: string) => string | undefined) {
  return fields({ fieldPath: text(check), apiVersion: later(() => z.literal("v1")) });
}

/** In a volume, where more paths are open. */
export const FileFieldRef = once(() => fieldRef(checkFileFieldPath));

export const ResourceFieldRef = once(() =>
  fields({
    resource: text(checkResourceName),
    containerName: later(() => DnsLabel),
    // Checked together with the resource.
    divisor: later(() => z.union([z.string(), z.number()], { error: "must be a quantity" })),
  }),
);

const ValueFrom = once(() =>
  fields({
    fieldRef: later(() => fieldRef(checkEnvFieldPath)),
    resourceFieldRef: later(ResourceFieldRef),
    configMapKeyRef: later(ObjectKey),
    secretKeyRef: later(ObjectKey),
    fileKeyRef: later(() =>
      fields({
        volumeName: DnsLabel,
        path: RelativePath(),
        key: EnvName(),
        optional: later(Truth),
      }),
    ),
  }),
);

export const Env = once(() =>
  listOf(
    fields({ name: EnvName(), value: later(() => z.string()), valueFrom: later(ValueFrom) }),
    entriesMax,
  ),
);

export const EnvFrom = once(() =>
  listOf(
    fields({
      prefix: later(EnvPrefix),
      configMapRef: later(ObjectRef),
      secretRef: later(ObjectRef),
    }),
  ),
);
