// What a container or a pod asks for and is held to.

import * as z from "zod";
import { fields, later, once, refused } from "./fate.ts";
import { listOf, none } from "./schema-values.ts";
import { quantity } from "./text.ts";

const devices = "there are no device plugins on this machine";
const Cpu = once(() => quantity("cpu"));
const Bytes = once(() => quantity("memory"));

export const ResourceList = once(() =>
  fields({
    cpu: later(Cpu),
    memory: later(Bytes),
    "ephemeral-storage": later(Bytes),
    "hugepages-*": later(Bytes),
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
