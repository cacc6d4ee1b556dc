// Configuration lists of the Container Network Interface, as they lie in /etc/cni/net.d (CNI spec
// 1.1, section 1). A plugin's own part is passed on as it is written.

import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import Type from "typebox";
import type { Static } from "typebox";
import { Compile } from "typebox/compile";
import { PodError } from "../../errors/pod-error.ts";

const Plugin = Type.Object(
  { type: Type.String(), capabilities: Type.Optional(Type.Record(Type.String(), Type.Boolean())) },
  { additionalProperties: true },
);

const List = Type.Object(
  {
    cniVersion: Type.String(),
    name: Type.String(),
    disableCheck: Type.Optional(Type.Boolean()),
    disableGC: Type.Optional(Type.Boolean()),
    plugins: Type.Array(Plugin, { minItems: 1, maxItems: 64 }),
  },
  { additionalProperties: true },
);

export type CniPlugin = Static<typeof Plugin>;
export type CniList = Pick<
  Static<typeof List>,
  "cniVersion" | "name" | "disableCheck" | "disableGC" | "plugins"
>;

const lists = Compile(List);
const plugins = Compile(Plugin);
const bytesMax = 1 << 20;
/** By the first two numbers: results have had one form since 0.3, CHECK came with 0.4. */
const versions = ["0.4", "1.0", "1.1"];

/** The list of that name; without one the first by file name, as the kubelet's runtimes choose. */
export function findList(directory: string, name: string): CniList {
  const files = listFiles(directory);
  for (const file of files) {
    const list = readList(join(directory, file));
    if (name === "" || list.name === name) return checked(list, join(directory, file));
  }
  const wanted = name === "" ? "any network" : `the network ${JSON.stringify(name)}`;
  throw new PodError({
    code: "network.unknown",
    message: `no file of ${directory} has a CNI configuration of ${wanted}`,
  });
}

function listFiles(directory: string): string[] {
  try {
    return readdirSync(directory)
      .filter((file) => /\.(conflist|conf|json)$/.test(file))
      .toSorted();
  } catch (error) {
    throw unusable(directory, error instanceof Error ? error.message : String(error));
  }
}

function readList(path: string): CniList {
  let value: unknown;
  try {
    const text = readFileSync(path, "utf8");
    if (text.length > bytesMax) throw new Error(`it is longer than ${bytesMax} characters`);
    value = JSON.parse(text);
  } catch (error) {
    throw unusable(path, error instanceof Error ? error.message : String(error));
  }
  // A file of one plugin is a list of one (`.conf`).
  if (plugins.Check(value) && !("plugins" in value)) {
    const { cniVersion, name } = value as { cniVersion?: unknown; name?: unknown };
    value = { cniVersion, name, plugins: [value] };
  }
  if (lists.Check(value)) return value;
  const [first] = lists.Errors(value);
  throw unusable(path, first ? `${first.instancePath} ${first.message}` : "it is no list");
}

function checked(list: CniList, path: string): CniList {
  const [major = "", minor = ""] = list.cniVersion.split(".");
  if (!versions.includes(`${major}.${minor}`)) {
    throw unusable(path, `its cniVersion ${list.cniVersion} is none of ${versions.join(", ")}`);
  }
  for (const { type } of list.plugins) {
    const isName = /^[A-Za-z0-9][A-Za-z0-9._-]*$/.test(type);
    if (!isName) throw unusable(path, `${JSON.stringify(type)} is no plugin's name`);
  }
  return list;
}

function unusable(path: string, why: string): PodError {
  return new PodError({
    code: "network.bad-configuration",
    message: `the CNI configuration ${path} cannot be used: ${why}`,
  });
}

/** Whether a list of that version knows a command (CNI spec, "Version considerations"). */
export function knows({ cniVersion }: CniList, command: "CHECK" | "STATUS" | "GC"): boolean {
  return command === "CHECK" || cniVersion.startsWith("1.1");
}
