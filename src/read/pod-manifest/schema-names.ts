// How a pod is called and how it finds others: host names, resolv.conf, hosts.

import * as z from "zod";
import { fields, later, once } from "./fate.ts";
import { listOf } from "./schema-values.ts";
import { DnsSubdomain, IpAddress, Search } from "./text.ts";

/** What resolv.conf takes: resolvers of the libc read no more. */
const nameserversMax = 3;
/** More would be another option of resolv.conf, or another line. */
const word = /^[!-~]*$/;
const oneWord = "must be one word";
const searchesMax = 32;

export const DnsPolicy = once(() =>
  z.enum(["ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"]),
);

export const DnsConfig = once(() =>
  fields({
    nameservers: later(() => listOf(IpAddress(), nameserversMax)),
    searches: later(() => listOf(Search(), searchesMax)),
    options: later(() =>
      listOf(
        fields({
          name: z.string().min(1, "required value").regex(word, oneWord),
          value: later(() => z.string().regex(word, oneWord)),
        }),
      ),
    ),
  }),
);

export const HostAliases = once(() =>
  listOf(fields({ ip: IpAddress(), hostnames: later(() => listOf(DnsSubdomain)) })),
);
