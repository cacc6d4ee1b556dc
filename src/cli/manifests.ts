// Manifests as the command line names them: files, directories, addresses, and `-` for what comes
// in by stdin.

import { PodError } from "../errors/pod-error.ts";
import type { ManifestSet, ManifestText, ReadOptions } from "../read/pod-manifest/read.ts";
import type { FlagTable, FlagValues } from "./flags.ts";
import { usageError } from "./flags.ts";
import { clean } from "./text.ts";

/**
 * More than the reader takes; enough for it to say so. An endless file must not fill the memory
 * first.
 */
export const textBytesMax = 64 * 1024 * 1024;

/** Of every command that reads manifests. */
export const manifestFlags = {
  file: {
    kind: "texts",
    short: "f",
    value: "FILE",
    help: "a manifest: a file, a directory, an http(s) address, or - for stdin",
  },
  recursive: { kind: "switch", short: "R", help: "with a directory: those below it as well" },
  configmap: {
    kind: "texts",
    value: "FILE",
    help: "a manifest of ConfigMaps and Secrets that the pods may name",
  },
  "image-map": {
    kind: "texts",
    value: "FROM=TO",
    help: "run TO where a manifest names image FROM (or FROM*); or a file of such lines",
  },
  lenient: { kind: "switch", help: "leave out unknown fields, with a warning" },
} as const satisfies FlagTable;

export type ManifestFlags = FlagValues<typeof manifestFlags>;

/** Reads all of them, and fails with all that is wrong, before anything is done about any. */
export async function readManifests(
  names: readonly string[],
  flags: ManifestFlags,
  options: ReadOptions = {},
): Promise<ManifestSet> {
  const texts = await readTexts(names, flags);
  const reader = await import("../read/pod-manifest/read.ts");
  const set = reader.readManifests(texts, { ...(await readOptions(flags)), ...options });
  if (set.documents.some(reader.makesPods)) return set;
  throw reader.noPod(clean([...new Set(texts.map(({ file }) => file))].join(", ")));
}

/** The names of pods that manifests make, for commands that end or find them. */
export async function podNamesIn(
  files: readonly string[],
  { recursive }: Pick<ManifestFlags, "recursive">,
): Promise<readonly string[]> {
  if (files.length === 0) return [];
  const flags = { file: files, recursive, configmap: [], "image-map": [], lenient: true };
  const { pods } = await readManifests(files, flags, { mayLackObjects: true });
  return pods.map(({ namespace, name }) => `${namespace}/${name}`);
}

export async function readOptions(flags: ManifestFlags): Promise<ReadOptions> {
  const lenient = { lenient: flags.lenient };
  if (flags["image-map"].length === 0) return lenient;
  const { imageMap } = await import("./image-map.ts");
  return { ...lenient, imageFor: await imageMap(flags["image-map"]) };
}

/** Of those that are named, and of the ConfigMaps beside them. */
export async function readTexts(
  names: readonly string[],
  { recursive, configmap }: Pick<ManifestFlags, "recursive" | "configmap">,
): Promise<ManifestText[]> {
  const texts: ManifestText[] = [];
  for (const name of [...names, ...configmap]) {
    texts.push(...(await readNamed(name, recursive)));
  }
  return texts;
}

/** `FILE…` and `-f FILE` mean the same, and may be mixed. */
export function manifestNames(
  operands: readonly string[],
  files: readonly string[],
  usage: string,
): readonly string[] {
  const names = [...files, ...operands];
  if (names.length === 0) throw usageError("no manifest is given", `usage: peapod ${usage}`);
  if (names.filter((name) => name === "-").length > 1) {
    throw usageError("stdin can be read only once");
  }
  return names;
}

async function readNamed(name: string, isRecursive: boolean): Promise<readonly ManifestText[]> {
  if (/^https?:\/\//i.test(name)) {
    const { readAddress } = await import("./manifest-places.ts");
    return [await readAddress(name)];
  }
  try {
    return [await readText(name)];
  } catch (error) {
    // Most names are files: nobody asks what they are before they are opened.
    if (codeOf(error) !== "EISDIR") throw unreadable(name, error);
    const { filesOf } = await import("./manifest-places.ts");
    return await Promise.all(filesOf(name, isRecursive).map(readOne));
  }
}

async function readOne(name: string): Promise<ManifestText> {
  try {
    return await readText(name);
  } catch (error) {
    throw unreadable(name, error);
  }
}

async function readText(name: string): Promise<ManifestText> {
  const source = name === "-" ? Bun.stdin : Bun.file(name);
  const text = await collectText(source.stream());
  return { text, file: name === "-" ? "<stdin>" : name };
}

export async function collectText(stream: AsyncIterable<Uint8Array>): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of stream) {
    chunks.push(chunk);
    bytes += chunk.byteLength;
    if (bytes > textBytesMax) break;
  }
  return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks));
}

function codeOf(error: unknown): string {
  return error instanceof Error && "code" in error ? String(error.code) : "";
}

export function unreadable(name: string, error: unknown): PodError {
  const code = codeOf(error);
  const isBroken = error instanceof TypeError && code.includes("ENCODING");
  const reason = isBroken ? "it is not UTF-8 text" : (reasons[code] ?? String(error));
  return new PodError({
    code: "manifest.unreadable",
    message: `cannot read ${clean(name === "-" ? "<stdin>" : name)}: ${reason}`,
    ...(code === "ENOENT" && { hint: "check the name; - reads from stdin" }),
  });
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EACCES: "permission denied",
  EISDIR: "it is a directory",
  ELOOP: "too many symbolic links",
};
