// What a container or a pod asks for and is held to.

import * as z from "zod";
import { fields, later, once, refused } from "./fate.ts";
import { listOf, none } from "./schema-values.ts";
import { quantity } from "./text.ts";

const devices = "there are no device plugins on this machine";
const Cpu = once(() => quantity("cpu"));
const Bytes = once(() => quantity("memory"));

const OneDevice = once(() =>
  z.union([z.literal(1), z.literal("1")], { error: "must be 1: a device is given, or it is not" }),
);

export const ResourceList = once(() =>
  fields({
    cpu: later(Cpu),
    memory: later(Bytes),
    "ephemeral-storage": later(Bytes),
    "hugepages-*": later(Bytes),
    // A device by its name in the Container Device Interface.
    "*=*": later(OneDevice),
    "*/*": refused(devices),
  }),
);

export const Resources = once(() =>
  fields({
    requests: later(ResourceList),
    limits: later(ResourceList),
    claims: refused(devices, none),
  }),
);

export const ResizePolicy = once(() =>
  listOf(
    fields({
      resourceName: z.enum(["cpu", "memory"]),
      restartPolicy: z.enum(["NotRequired", "RestartContainer"]),
    }),
  ),
);
