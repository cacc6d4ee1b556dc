// The table of packet rules with the first pod, and forwarding with it; and back again when nobody
// needs it any more. Loaded when that happens.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { interfaceNumber } from "../native/interfaces.ts";
import { NetlinkError, NetlinkSocket } from "../native/netlink.ts";
import { nthAddress } from "./address.ts";
import { hostAddress } from "./attach.ts";
import { gatewayNumber, hasClaims } from "./claims.ts";
import type { HostNetwork, NetworkRecord } from "./host-network.ts";
import { readRecord } from "./host-network.ts";
import { composeGateways } from "./link.ts";
import type { SetElement } from "./rules-batch.ts";
import { composeTableRemoval } from "./rules-batch.ts";
import { replaceRecord } from "./setup.ts";
import { composeTable, sets } from "./table.ts";

export function makeTable(network: HostNetwork): void {
  const { table: name, group, rules } = network;
  const wanted = switchesWanted(network);
  const elements = wanted.opened.map(({ set, number }) => openedElement(set, number));
  // Before the table: who finds that counts on all the rest.
  moveGateways(network, "add");
  try {
    rules.send(composeTable({ name, group, elements }));
  } catch (error) {
    // Another process was faster, and does the rest.
    if (error instanceof NetlinkError && error.errno === "EEXIST") return;
    throw error;
  }
  // After the table, which keeps everything else from being forwarded.
  turnOn(network, wanted.switches);
}

function openedElement(set: string, number: number): SetElement {
  const key = new Uint8Array(Uint32Array.of(number).buffer);
  return { set, key, label: `interface ${number}` };
}

const ipv4 = "/proc/sys/net/ipv4";
const ipv6 = "/proc/sys/net/ipv6";

interface Switches {
  /** In order, with what each is to be. */
  readonly switches: readonly (readonly [path: string, value: string])[];
  readonly opened: readonly { readonly set: string; readonly number: number }[];
}

/**
 * IPv4 is forwarded from the interfaces that say so, and each is switched on its own; the kernel
 * has one switch for all of IPv6, which also stops it from hearing routers unless told otherwise.
 */
function switchesWanted({ range6 }: HostNetwork): Switches {
  const names4 = read(`${ipv4}/ip_forward`) === "1" ? [] : interfaces(`${ipv4}/conf`);
  const off4 = names4.filter((name) => read(`${ipv4}/conf/${name}/forwarding`) === "0");
  const isOn6 = !range6 || read(`${ipv6}/conf/all/forwarding`) === "1";
  const names6 = isOn6 ? [] : interfaces(`${ipv6}/conf`);
  const listening = names6.filter((name) => read(`${ipv6}/conf/${name}/accept_ra`) === "1");
  return {
    switches: [
      ...off4.map((name) => [`${ipv4}/conf/${name}/forwarding`, "1"] as const),
      ...listening.map((name) => [`${ipv6}/conf/${name}/accept_ra`, "2"] as const),
      ...(isOn6 ? [] : [[`${ipv6}/conf/all/forwarding`, "1"] as const]),
    ],
    opened: [
      ...off4.map((name) => ({ set: sets.opened4, number: interfaceNumber(name) })),
      ...names6.map((name) => ({ set: sets.opened6, number: interfaceNumber(name) })),
    ],
  };
}

function interfaces(directory: string): string[] {
  const special = ["all", "default", "lo"];
  return readdirSync(directory).filter((name) => !special.includes(name));
}

/** Noted before they are turned, so that whoever comes after can turn them back. */
function turnOn(network: HostNetwork, switches: Switches["switches"]): void {
  const record = readRecord(network.state) ?? network.record;
  const known = new Set(record.switched.map(([path]) => path));
  const fresh = switches
    .filter(([path]) => !known.has(path))
    .map(([path]) => [path, read(path)] as const);
  replaceRecord(network.state, { ...record, switched: [...record.switched, ...fresh] });
  for (const [path, value] of switches) write(path, value);
}

/**
 * When no pod has an address any more: forwarding as it was before, then the table, which guarded
 * it to the end. What others rely on by now stays.
 */
export function removeTable(network: HostNetwork): void {
  const record = readRecord(network.state);
  if (!record || hasClaims(network.state)) return;
  if (record.switched.length > 0) {
    restore(record);
    replaceRecord(network.state, { ...record, switched: [] });
  }
  network.rules.trySend(composeTableRemoval(network.table));
  moveGateways(network, "remove");
  // A pod that came meanwhile found the table, and counts on it.
  if (hasClaims(network.state)) makeTable(network);
}

function moveGateways({ range4, range6 }: HostNetwork, kind: "add" | "remove"): void {
  const ranges = [range4, ...(range6 ? [range6] : [])];
  const gateways = ranges.map((range) => {
    const address = nthAddress(range, gatewayNumber);
    return { address, isOnly: hostAddress(address.length) === undefined };
  });
  using socket = new NetlinkSocket("route");
  try {
    socket.send(composeGateways(kind, gateways));
  } catch (error) {
    // Gone already.
    if (!(error instanceof NetlinkError) || kind === "add") throw error;
  }
}

function restore({ switched }: NetworkRecord): void {
  const isOn4 = read(`${ipv4}/ip_forward`) === "1";
  for (const [path, before] of switched.toReversed()) {
    if (!(isOn4 && path.startsWith(ipv4))) write(path, before);
  }
}

function read(path: string): string {
  try {
    return readFileSync(path, "utf8").trim();
  } catch {
    return "";
  }
}

/** An interface may have gone meanwhile. */
function write(path: string, value: string): void {
  try {
    writeFileSync(path, value);
  } catch {
    // Its switch went with it.
  }
}
