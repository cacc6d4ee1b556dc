// Imports go one way. Types count: to name a type of a higher layer is to know of it.

import { dirname, join } from "node:path/posix";
import { isZig, type Source } from "./sources.ts";

/** Folder of src/ to the folders that it may import besides itself. */
const below: Readonly<Record<string, readonly string[]>> = {
  errors: [],
  spec: ["errors"],
  native: ["errors"],
  read: ["spec", "errors"],
  image: ["spec", "native", "errors"],
  network: ["spec", "native", "errors"],
  resolve: ["spec", "native", "image", "network", "errors"],
  plan: ["spec", "errors"],
  launch: ["plan", "native", "errors"],
  pod: ["spec", "native", "image", "network", "resolve", "plan", "launch", "errors"],
  agent: ["pod", "spec", "native", "image", "network", "resolve", "plan", "launch", "errors"],
};

/** They are on top and may import every folder, and each other. */
const top = ["cli", "index.ts", "open.ts"];

/** Folder of zig/ to the folders that it may import besides itself and `std`. */
const zigBelow: Readonly<Record<string, readonly string[]>> = {
  kernel: [],
  plan: [],
  executor: ["kernel", "plan"],
  keeper: ["kernel", "plan", "executor"],
  guest: [],
};

/** A sentence for every import that goes the wrong way. */
export function wrongImports(source: Source): string[] {
  const [tree = "", place = ""] = source.path.split("/");
  if (tree === "zig") return wrongZigImports(source, place);
  if (tree !== "src" || top.includes(place)) return [];
  const allowed = below[place];
  if (allowed === undefined) return [`${source.path}: src/${place} has no layer`];
  return importsOf(source)
    .filter((path) => path.startsWith("."))
    .map((path) => join(dirname(source.path), path))
    .filter((path) => !isWithin(path, "src", [place, ...allowed]))
    .map((path) => `${source.path} imports ${path}`);
}

/** Files directly in zig/ are mains: they may import everything. */
function wrongZigImports(source: Source, place: string): string[] {
  if (place.endsWith(".zig")) return [];
  const allowed = zigBelow[place];
  if (allowed === undefined) return [`${source.path}: zig/${place} has no layer`];
  return importsOf(source)
    .filter((path) => path.endsWith(".zig"))
    .map((path) => join(dirname(source.path), path))
    .filter((path) => !isWithin(path, "zig", [place, ...allowed]))
    .map((path) => `${source.path} imports ${path}`);
}

function isWithin(path: string, tree: string, folders: readonly string[]): boolean {
  return folders.some((folder) => path.startsWith(`${tree}/${folder}/`));
}

export function importsOf(source: Source): string[] {
  const pattern = isZig(source)
    ? /@import\("([^"]+)"\)/g
    : /(?:^|\n)(?:import|export)\b[^"';]*?\bfrom\s*"([^"]+)"|\bimport\s*\(?\s*"([^"]+)"/g;
  return [...source.text.matchAll(pattern)].map(([, from, bare]) => from ?? bare ?? "");
}
