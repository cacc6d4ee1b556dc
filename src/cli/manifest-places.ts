// Manifests that are not one file: directories and addresses. Loaded when one is named.

import type { Dirent } from "node:fs";
import { readdirSync } from "node:fs";
import { PodError } from "../errors/pod-error.ts";
import type { ManifestText } from "../read/pod-manifest/read.ts";
import { collectText, unreadable } from "./manifests.ts";
import { clean } from "./text.ts";

const fetchTimeoutMs = 30_000;
/** A tree of manifests, not a file system. */
const depthMax = 32;
const filesMax = 10_000;

/** As kubectl takes a directory: by their names' endings, sorted. */
export function filesOf(directory: string, isRecursive: boolean): readonly string[] {
  const files: string[] = [];
  collect(directory.replace(/(.)\/+$/, "$1"), isRecursive ? depthMax : 0, files);
  if (files.length > 0) return files;
  throw new PodError({
    code: "manifest.unreadable",
    message: `cannot read ${clean(directory)}: it is a directory without manifests`,
    hint: "manifests end in .yaml, .yml or .json; --recursive looks into the directories below",
  });
}

/** A link to a directory is not followed: it may lead back. */
function collect(directory: string, depth: number, files: string[]): void {
  for (const entry of entriesOf(directory)) {
    const path = `${directory}/${entry.name}`;
    if (entry.isDirectory()) {
      if (depth > 0) collect(path, depth - 1, files);
    } else if (/\.(json|ya?ml)$/.test(entry.name) && files.length < filesMax) {
      files.push(path);
    }
  }
}

function entriesOf(directory: string): Dirent[] {
  try {
    const entries = readdirSync(directory, { withFileTypes: true });
    return entries.toSorted((a, b) => (a.name < b.name ? -1 : 1));
  } catch (error) {
    throw unreadable(directory, error);
  }
}

export async function readAddress(address: string): Promise<ManifestText> {
  try {
    const response = await fetch(address, { signal: AbortSignal.timeout(fetchTimeoutMs) });
    if (!response.ok) {
      await response.body?.cancel();
      throw refused(address, `the server answered ${response.status} ${response.statusText}`);
    }
    const text = response.body ? await collectText(response.body) : "";
    return { text, file: withoutCredentials(address) };
  } catch (error) {
    if (error instanceof PodError) throw error;
    throw refused(address, reasonOf(error));
  }
}

function refused(address: string, reason: string): PodError {
  return new PodError({
    code: "manifest.unreadable",
    message: `cannot read ${clean(withoutCredentials(address))}: ${clean(reason).trim()}`,
  });
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  if (error.name === "TimeoutError") return `no answer within ${fetchTimeoutMs / 1000} seconds`;
  const code = "code" in error ? String(error.code) : "";
  if (code.includes("ENCODING")) return "it is not UTF-8 text";
  return reasons[code] ?? error.message;
}

const reasons: Readonly<Record<string, string>> = {
  ECONNREFUSED: "nobody listens there",
  ENOTFOUND: "there is no such host",
};

/** A name and password in an address are nobody else's business. */
function withoutCredentials(address: string): string {
  return address.replace(/^(https?:\/\/)[^/?#]*@/i, "$1");
}
