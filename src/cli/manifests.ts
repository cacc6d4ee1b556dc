// Manifests as the command line names them: files, and `-` for what comes in by stdin.

import { PodError } from "../errors/pod-error.ts";
import type { PodSpec } from "../spec/pod-spec.ts";
import { usageError } from "./flags.ts";
import { clean } from "./text.ts";

/**
 * More than the reader takes; enough for it to say so. An endless file must not fill the memory
 * first.
 */
const textBytesMax = 64 * 1024 * 1024;

export interface ManifestFile {
  /** As the user named it; `<stdin>` for `-`. */
  readonly file: string;
  readonly specs: readonly PodSpec[];
}

/** Reads all of them, and fails with the first that is wrong, before anything is done about any. */
export async function readManifests(names: readonly string[]): Promise<ManifestFile[]> {
  const files: ManifestFile[] = [];
  for (const name of names) files.push(await readManifestFile(name));
  return files;
}

export async function readManifestFile(name: string): Promise<ManifestFile> {
  const file = name === "-" ? "<stdin>" : name;
  const text = await readText(name, file);
  const { readPodManifests } = await import("../read/pod-manifest/read.ts");
  return { file, specs: readPodManifests(text, file) };
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

async function readText(name: string, file: string): Promise<string> {
  const chunks: Uint8Array[] = [];
  let bytes = 0;
  try {
    const source = name === "-" ? Bun.stdin : Bun.file(name);
    for await (const chunk of source.stream()) {
      chunks.push(chunk);
      bytes += chunk.byteLength;
      if (bytes > textBytesMax) break;
    }
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks));
  } catch (error) {
    throw unreadable(file, error);
  }
}

function unreadable(file: string, error: unknown): PodError {
  const code = error instanceof Error && "code" in error ? String(error.code) : "";
  const reason =
    error instanceof TypeError ? "it is not UTF-8 text" : (reasons[code] ?? String(error));
  return new PodError({
    code: "manifest.unreadable",
    message: `cannot read ${clean(file)}: ${reason}`,
    ...(code === "ENOENT" && { hint: "check the name; - reads from stdin" }),
  });
}

const reasons: Readonly<Record<string, string>> = {
  ENOENT: "there is no such file",
  EACCES: "permission denied",
  EISDIR: "it is a directory",
};
