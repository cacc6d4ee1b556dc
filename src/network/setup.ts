// The first pod with an address on a host: which ranges are free, and what the kernel can do. Runs
// once a boot and state directory; everything after reads what it found.

import { linkSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { PodError } from "../errors/pod-error.ts";
import { NetlinkError, NetlinkSocket } from "../native/netlink.ts";
import { SyscallError } from "../native/syscalls.ts";
import type { HostPath } from "../spec/paths.ts";
import type { Range } from "./address.ts";
import { formatRange, overlap, parseRange } from "./address.ts";
import type { NetworkRecord, NetworkWish } from "./host-network.ts";
import { readRecord, recordPath } from "./host-network.ts";
import { composeProbe } from "./link.ts";
import { composeTableRemoval } from "./rules-batch.ts";
import { RulesSocket } from "./rules-socket.ts";
import { composeTable } from "./table.ts";

/** Rarely used by others; podman, docker, k3s, flannel and kind have their own corners. */
const ranges4 = ["10.209.0.0/16", "10.210.0.0/16", "172.29.0.0/16", "192.168.209.0/24"];
/** Unique local, from a random number (RFC 4193). */
const ranges6 = ["fd52:da94:1b0c::/64", "fd52:da94:1b0d::/64"];
const [prefix4Max, prefix6Max] = [28, 96];

export function setUpNetwork(state: HostPath, wish: NetworkWish): NetworkRecord {
  mkdirSync(state, { recursive: true, mode: 0o700 });
  const { hasLinks, hasRules, hasV6, lacks } = examineHost();
  const [range4, range6] = chooseRanges(wish, hasV6);
  const record: NetworkRecord = {
    version: 1,
    wished: wish.range ?? "",
    range4: formatRange(range4),
    range6: range6 ? formatRange(range6) : "",
    mtu: uplinkMtu(),
    lacks,
    hasLinks,
    hasRules,
    switched: readRecord(state)?.switched ?? [],
  };
  return writeRecord(state, record, wish);
}

/** What this host can do for the network of pods, found out by trying. */
export function examineHost(): Pick<NetworkRecord, "hasLinks" | "hasRules" | "lacks"> & {
  readonly hasV6: boolean;
} {
  const lacks: string[] = [];
  const hasLinks = tryPart(lacks, "pods have only loopback", probeLinks);
  const hasRules =
    hasLinks &&
    tryPart(lacks, "pods do not reach beyond this host, and publish no ports", probeRules);
  return { hasLinks, hasRules, hasV6: isV6On(), lacks };
}

/** Two processes may be first: the second takes what the first has written. */
function writeRecord(state: HostPath, record: NetworkRecord, wish: NetworkWish): NetworkRecord {
  const path = recordPath(state);
  const draft = `${path}.${process.pid}.${crypto.randomUUID()}`;
  writeFileSync(draft, JSON.stringify(record), { mode: 0o600 });
  try {
    linkSync(draft, path);
  } catch {
    const other = readRecord(state);
    if (other && (wish.range === undefined || other.wished === wish.range)) return other;
    renameSync(draft, path);
  }
  rmSync(draft, { force: true });
  return record;
}

/** Whole, or as it was. */
export function replaceRecord(state: HostPath, record: NetworkRecord): void {
  const draft = `${recordPath(state)}.${process.pid}`;
  writeFileSync(draft, JSON.stringify(record), { mode: 0o600 });
  renameSync(draft, recordPath(state));
}

function tryPart(lacks: string[], consequence: string, probe: () => void): boolean {
  try {
    probe();
    return true;
  } catch (error) {
    if (!(error instanceof NetlinkError || error instanceof SyscallError)) throw error;
    lacks.push(`${consequence}: ${error.message}`);
    return false;
  }
}

/** A pair that no kernel makes, so that its refusal tells whether it would make others. */
function probeLinks(): void {
  using socket = new NetlinkSocket("route");
  try {
    socket.send(composeProbe());
  } catch (error) {
    if (!(error instanceof NetlinkError) || error.errno !== "EINVAL") throw error;
  }
}

/** The real table, under another name, for a moment. */
function probeRules(): void {
  using rules = new RulesSocket();
  const name = `peapod-probe-${process.pid}`;
  rules.send(composeTable({ name, group: 1, elements: [] }));
  rules.send(composeTableRemoval(name));
}

function chooseRanges(wish: NetworkWish, hasV6: boolean): [Range, Range | undefined] {
  const wished = wish.range === undefined ? [] : wish.range.split(",").map(readRange);
  const taken = routedRanges();
  const choose = (bytes: number, defaults: readonly string[]): Range => {
    const asked = wished.find(({ base }) => base.length === bytes);
    const candidates = asked ? [asked] : defaults.map(readRange);
    const free = candidates.find((range) => !taken.some((other) => overlap(range, other)));
    if (free) return free;
    const texts = candidates.map(formatRange).join(", ");
    throw new PodError({
      code: "network.range-taken",
      message: `this host has routes to addresses of ${texts}, so its pods can have none there`,
    });
  };
  return [choose(4, ranges4), hasV6 ? choose(16, ranges6) : undefined];
}

function readRange(text: string): Range {
  const range = parseRange(text.trim());
  const [bitsMin, bitsMax] = range?.base.length === 16 ? [8, prefix6Max] : [8, prefix4Max];
  if (range && range.prefix >= bitsMin && range.prefix <= bitsMax) return range;
  throw new PodError({
    code: "network.bad-range",
    message: `${JSON.stringify(text)} is no range of addresses for pods`,
  });
}

/** Destinations of the host's routes but those to everywhere, and to single pods. */
function routedRanges(): Range[] {
  const single = (range: Range) => range.prefix === range.base.length * 8;
  return [...routes4(), ...routes6()].filter((range) => range.prefix > 0 && !single(range));
}

function routes4(): Range[] {
  return lines("/proc/net/route")
    .slice(1)
    .map((line) => line.split("\t"))
    .filter((words) => words.length > 7)
    .map((words) => {
      // Hexadecimal in the order of this machine.
      const bytes = Uint8Array.from(Buffer.from(words[1] ?? "", "hex")).reverse();
      const mask = Number.parseInt(words[7] ?? "0", 16);
      return { base: bytes, prefix: mask.toString(2).replaceAll("0", "").length };
    });
}

function routes6(): Range[] {
  return lines("/proc/net/ipv6_route")
    .map((line) => line.split(/\s+/))
    .filter((words) => words.length > 9 && words.at(-1) !== "lo")
    .map((words) => ({
      base: Uint8Array.from(Buffer.from(words[0] ?? "", "hex")),
      prefix: Number.parseInt(words[1] ?? "0", 16),
    }));
}

function isV6On(): boolean {
  const off = lines("/proc/sys/net/ipv6/conf/all/disable_ipv6")[0];
  return off === "0";
}

/** A packet that fits the way out needs no fragments. */
function uplinkMtu(): number {
  const ethernet = 1500;
  const uplink = lines("/proc/net/route")
    .map((line) => line.split("\t"))
    .find((words) => words[1] === "00000000")?.[0];
  const mtu = Number(lines(`/proc/sys/net/ipv6/conf/${uplink}/mtu`)[0]);
  return mtu >= 1280 ? mtu : ethernet;
}

function lines(path: string): string[] {
  try {
    return readFileSync(path, "utf8").split("\n").filter(Boolean);
  } catch {
    return [];
  }
}
