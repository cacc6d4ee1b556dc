// The table of packet rules with the first pod, and forwarding with it; and back again when the
// last pod has gone. Loaded when that happens.

import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { interfaceNumber } from "../native/interfaces.ts";
import { NetlinkError, NetlinkSocket } from "../native/netlink.ts";
import type { HostNetwork, NetworkRecord } from "./host-network.ts";
import { readRecord } from "./host-network.ts";
import type { SetElement } from "./rules-batch.ts";
import { composeTableQuestion } from "./rules-batch.ts";
import { replaceRecord } from "./setup.ts";
import { composeTable, sets } from "./table.ts";

/** False when another process was faster. */
export function makeTable(network: HostNetwork, elements: readonly SetElement[]): boolean {
  const { table: name, group } = network;
  const wanted = switchesWanted(network);
  using socket = new NetlinkSocket("netfilter");
  try {
    const opened = wanted.opened.map(({ set, number }) => openedElement(set, number));
    socket.send(composeTable({ name, group, elements: [...elements, ...opened] }));
  } catch (error) {
    if (!(error instanceof NetlinkError) || error.errno !== "EEXIST") throw error;
    return false;
  }
  // After the table: who takes the switches back looks for the table first and last.
  turnOn(network, wanted.switches);
  return true;
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

/** When the last pod has gone. What others rely on by now stays. */
export function turnBack(network: HostNetwork): void {
  const record = readRecord(network.state);
  if (!record || record.switched.length === 0 || hasTable(network)) return;
  restore(record);
  // A pod that came meanwhile found everything on, or made its table just now.
  if (hasTable(network)) {
    for (const [path] of record.switched) write(path, path.endsWith("accept_ra") ? "2" : "1");
  } else {
    replaceRecord(network.state, { ...record, switched: [] });
  }
}

function restore({ switched }: NetworkRecord): void {
  const isOn4 = read(`${ipv4}/ip_forward`) === "1";
  for (const [path, before] of switched.toReversed()) {
    if (!(isOn4 && path.startsWith(ipv4))) write(path, before);
  }
}

export function hasTable({ table }: HostNetwork): boolean {
  using socket = new NetlinkSocket("netfilter");
  try {
    socket.send(composeTableQuestion(table));
    return true;
  } catch (error) {
    if (error instanceof NetlinkError && error.errno === "ENOENT") return false;
    throw error;
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
