// What a CNI network gave a pod (CNI spec 1.1, "ADD Success").

import Type from "typebox";
import { Compile } from "typebox/compile";
import type { Json } from "./plugin.ts";

const Result = Compile(
  Type.Object({
    interfaces: Type.Optional(
      Type.Array(Type.Object({ name: Type.String(), sandbox: Type.Optional(Type.String()) })),
    ),
    ips: Type.Optional(
      Type.Array(Type.Object({ address: Type.String(), interface: Type.Optional(Type.Integer()) })),
    ),
  }),
);

/** Addresses of interfaces in the pod, IPv4 first, without their prefixes. */
export function podAddresses(result: Json): string[] {
  if (!Result.Check(result)) return [];
  const { interfaces = [], ips = [] } = result;
  return ips
    .filter((ip) => ip.interface === undefined || interfaces[ip.interface]?.sandbox !== "")
    .map(({ address }) => address.split("/")[0] ?? "")
    .filter((address) => address !== "")
    .toSorted((a, b) => Number(a.includes(":")) - Number(b.includes(":")));
}
