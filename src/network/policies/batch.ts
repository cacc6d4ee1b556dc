// The rules of policies as one request: those that are there go, those that are wanted come, and no
// packet sees anything between. It fails where somebody has changed rules since the last look.

import type { NetlinkBatch } from "../../spec/network.ts";
import { flag, NetlinkWriter } from "../netlink.ts";
import { inner, request, RulesBatch } from "../rules-batch.ts";
import type { RulesSocket } from "../rules-socket.ts";
import { composeBase, composeRule, hook, sizeOf, typeOf } from "../table.ts";
import type { PolicyRules, PolicySet } from "./compile.ts";
import { prefix } from "./compile.ts";
import { family } from "../expressions.ts";

/** include/uapi/linux/netfilter/nf_tables.h. */
const more = {
  getChain: 4,
  deleteChain: 5,
  deleteRule: 8,
  getSet: 10,
  deleteSet: 11,
  getGeneration: 16,
} as const;
const [nfTables, inetFamily] = [10, 1];

/** What there is of policies in a table, as of a generation of all rules. */
export interface PolicyTraces {
  readonly generation: number;
  readonly chains: readonly string[];
  readonly sets: readonly string[];
}

export function findTraces(rules: RulesSocket, table: string): PolicyTraces {
  // First, so that what is changed meanwhile is noticed.
  const generation = askGeneration(rules);
  return {
    generation,
    chains: namesOf(rules, more.getChain, table, 3),
    sets: namesOf(rules, more.getSet, table, 2),
  };
}

function askGeneration(rules: RulesSocket): number {
  const question = new NetlinkWriter().begin("", (nfTables << 8) | more.getGeneration, 0);
  const [{ body } = { body: new Uint8Array(0) }] = rules.ask(question.u32(0).finish());
  const [id = new Uint8Array(4)] = inner(body.subarray(4), 1);
  return new DataView(id.buffer, id.byteOffset).getUint32(0);
}

function namesOf(rules: RulesSocket, type: number, table: string, attribute: number): string[] {
  const writer = new NetlinkWriter().begin("", (nfTables << 8) | type, flag.dump);
  const question = writer.u32(inetFamily).attributeText(1, table).finish();
  const text = (bytes: Uint8Array | undefined) =>
    Buffer.from(bytes ?? [])
      .toString()
      .slice(0, -1);
  return rules
    .ask(question)
    .map(({ body }) => body.subarray(4))
    .filter((body) => text(inner(body, 1)[0]) === table)
    .map((body) => text(inner(body, attribute)[0]))
    .filter((name) => name.startsWith(prefix));
}

export function composePolicies(
  table: string,
  { generation, chains, sets }: PolicyTraces,
  wanted: PolicyRules,
): NetlinkBatch {
  const batch = new RulesBatch(table, generation);
  for (const chain of chains) {
    batch.begin(`rules of ${chain}`, more.deleteRule, 0).attributeText(2, chain);
  }
  // Maps hold chains, and rules hold maps.
  for (const set of sets) batch.begin(`set ${set}`, more.deleteSet, 0).attributeText(2, set);
  for (const chain of chains) {
    batch.begin(`chain ${chain}`, more.deleteChain, 0).attributeText(3, chain);
  }
  const create = flag.create | flag.exclusive;
  for (const { name, priority } of wanted.chains) {
    const writer = batch.begin(`chain ${name}`, request.newChain, create).attributeText(3, name);
    if (priority === undefined) continue;
    composeBase(writer, { type: "filter", hook: hook.forward, priority });
  }
  wanted.sets.forEach((set, index) => composePolicySet(batch, set, index + 1));
  for (const { name, rules } of wanted.chains) {
    for (const parts of rules) composeRule(batch, name, parts.flat());
  }
  return batch.finish();
}

const verdictType = 0xffff_ff00;
/** Elements in one request, whose length has sixteen bits. */
const elementsMax = 500;

function composePolicySet(batch: RulesBatch, set: PolicySet, id: number): void {
  const { name, isMap, elements, withPorts } = set;
  const address = set.family === family.v4 ? "address4" : "address6";
  const key = withPorts ? ([address, "protocol", "port"] as const) : ([address] as const);
  const create = flag.create | flag.exclusive;
  const writer = batch.begin(`set ${name}`, request.newSet, create);
  writer.attributeText(2, name).attributeBig32(3, isMap ? 8 : 0);
  writer.attributeBig32(4, typeOf(key)).attributeBig32(5, sizeOf(key));
  if (isMap) writer.attributeBig32(6, verdictType);
  writer.attributeBig32(10, id);
  for (let from = 0; from < elements.length; from += elementsMax) {
    const part = elements.slice(from, from + elementsMax);
    const adding = batch.begin(`elements of ${name}`, request.newElement, flag.create);
    adding.attributeText(2, name).nest(3, () => {
      for (const one of part) composeElement(adding, one);
    });
  }
}

function composeElement(writer: NetlinkWriter, { key, chain }: PolicySet["elements"][number]) {
  const jump = -3;
  writer.nest(1, () => {
    writer.nest(1, () => writer.attribute(1, key));
    if (chain === undefined) return;
    writer.nest(2, () =>
      writer.nest(2, () => writer.attributeBig32(1, jump).attributeText(2, chain)),
    );
  });
}
