// Which kernel namespaces the containers of a pod share: with the host, with each other, with
// nobody.

import { readlinkSync } from "node:fs";
import type { NamespaceInodes, PodInspection } from "../pod/types.ts";
import type { Paint } from "./paint.ts";
import { printTable } from "./table.ts";

/** The rows, as DESIGN lists them. */
const kinds = ["net", "ipc", "uts", "mnt", "pid", "cgroup", "user", "time"] as const;
export type NamespaceKind = (typeof kinds)[number];

/** `none` where the container does not run. */
export type Sharing = "host" | "pod" | "own" | "none";

export interface NamespaceRow {
  readonly namespace: NamespaceKind;
  /** Inode of the namespace that peapod itself is in. */
  readonly host: number | undefined;
  readonly containers: readonly {
    readonly name: string;
    readonly inode: number | undefined;
    readonly sharing: Sharing;
  }[];
}

export function readNamespaceRows(inspection: PodInspection): NamespaceRow[] {
  const columns = inspection.containers.map(({ name, pid, namespaces }) => ({
    name,
    namespaces: pid > 0 ? { ...readInodes(pid), ...namespaces } : namespaces,
  }));
  return namespaceRows(readInodes("self"), columns);
}

/** Pure: from inode numbers to who shares what. */
export function namespaceRows(
  host: NamespaceInodes,
  containers: readonly { readonly name: string; readonly namespaces: NamespaceInodes }[],
): NamespaceRow[] {
  return kinds.map((namespace) => {
    const inodes = containers.map(({ namespaces }) => namespaces[namespace]);
    const cells = containers.map(({ name }, index) => {
      const inode = inodes[index];
      return { name, inode, sharing: sharingOf(inode, host[namespace], inodes) };
    });
    return { namespace, host: host[namespace], containers: cells };
  });
}

function sharingOf(
  inode: number | undefined,
  host: number | undefined,
  all: readonly (number | undefined)[],
): Sharing {
  if (inode === undefined) return "none";
  if (inode === host) return "host";
  return all.filter((other) => other === inode).length > 1 ? "pod" : "own";
}

export function printNamespaces(rows: readonly NamespaceRow[], paint: Paint): string {
  const names = (rows[0]?.containers ?? []).map(({ name }) => name);
  const cells = rows.map(({ namespace, host, containers }) => [
    namespace,
    host === undefined ? "-" : `${host}`,
    ...containers.map(({ inode, sharing }) =>
      inode === undefined ? "-" : `${inode} ${marks[sharing]}`,
    ),
  ]);
  return printTable(["NAMESPACE", "HOST", ...names], cells, (cell, column, row) => {
    const sharing = rows[row]?.containers[column - 2]?.sharing;
    if (sharing === "host") return paint("yellow", cell);
    return sharing === "pod" ? paint("cyan", cell) : cell;
  });
}

const marks: Readonly<Record<Sharing, string>> = {
  host: "= host",
  pod: "= pod",
  own: "own",
  none: "",
};

/** Links such as `net:[4026531840]`; those that may not be read are left out. */
function readInodes(pid: number | "self"): NamespaceInodes {
  const inodes: Record<string, number> = {};
  for (const kind of kinds) {
    try {
      const link = readlinkSync(`/proc/${pid}/ns/${kind}`);
      inodes[kind] = Number(/\[(\d+)\]$/.exec(link)?.[1]);
    } catch {
      continue;
    }
  }
  return inodes;
}
