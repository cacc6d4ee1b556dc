// Text → trees with the place of every field. The dialect is the one Kubernetes reads: YAML 1.1
// without dates and without base 60, of which JSON is a part. What a field means is not known here.

import { Lexer, LineCounter, isAlias, isMap, isScalar, isSeq, parseAllDocuments } from "yaml";
import type { Document, Pair, ParsedNode, Scalar, ScalarTag, TagId, Tags, YAMLMap } from "yaml";
import type { ErrorCode } from "../../errors/catalog.ts";
import { PodError } from "../../errors/pod-error.ts";
import type { Origin } from "../../errors/pod-error.ts";
import { depthMax, fieldOf, nodesMax, shorten, show } from "./tree.ts";
import type { Tree } from "./tree.ts";

/** One object of a file; an item of a List is one of its own. */
export interface ManifestObject {
  readonly tree: Tree;
  readonly origins: ReadonlyMap<string, Origin>;
}

export interface ManifestFile {
  readonly objects: readonly ManifestObject[];
  readonly problems: readonly PodError[];
}

/** The limit that the kubelet puts on a static pod's file. */
const bytesMax = 10 * 1024 * 1024;
/** Words, signs and stretches of white space. */
const lexemesMax = 1_000_000;

export function readObjects(text: string, file: string): ManifestFile {
  if (Buffer.byteLength(text) > bytesMax) {
    const message = `${file || "the manifest"} is larger than ${bytesMax} bytes`;
    return {
      objects: [],
      problems: [new PodError({ code: "manifest.too-large", message })],
    };
  }
  if (hasTooManyLexemes(text)) {
    const message = `${file || "the manifest"} has more than ${lexemesMax} words and signs`;
    return { objects: [], problems: [new PodError({ code: "manifest.too-large", message })] };
  }
  const lines = new LineCounter();
  const reading: Reading = {
    file,
    lines,
    mayShow: !/\bSecret/.test(text),
    anchors: new Map(),
    nodes: nodesMax,
    problems: [],
  };
  const objects: ManifestObject[] = [];
  for (const document of parse(text, reading)) {
    // The first flaw of a document; what follows from it is noise.
    const flaw = document.errors[0] ?? document.warnings[0];
    if (flaw) reportSyntax(reading, flaw.message, flaw.pos[0]);
    if (flaw) continue;
    // Anchors end with their document.
    reading.anchors.clear();
    for (const node of itemsOf(document)) objects.push(readObject(reading, node));
  }
  return { objects: objects.filter(({ tree }) => tree !== null), problems: reading.problems };
}

/** The parser needs a kilobyte and more for each; the lexer needs nothing, so it goes first. */
function hasTooManyLexemes(text: string): boolean {
  if (text.length < lexemesMax) return false;
  let count = 0;
  for (const _ of new Lexer().lex(text)) {
    if (++count > lexemesMax) return true;
  }
  return false;
}

interface Reading {
  readonly file: string;
  readonly lines: LineCounter;
  /** False in a file with a Secret: no message may quote what stands in it. */
  readonly mayShow: boolean;
  readonly anchors: Map<string, ParsedNode>;
  /** How many may still be read, aliases counted at every use. */
  nodes: number;
  readonly problems: PodError[];
}

function parse(text: string, reading: Reading): readonly Document.Parsed[] {
  try {
    const documents = parseAllDocuments(text, {
      version: "1.1",
      schema: "yaml-1.1",
      customTags: kubernetesTags,
      lineCounter: reading.lines,
      prettyErrors: false,
      // Checked here, where keys that are equal only as JSON count as equal too.
      uniqueKeys: false,
    });
    return "empty" in documents ? [] : documents;
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    reportSyntax(reading, "Maximum call stack", 0);
    return [];
  }
}

/** go-yaml reads dates and base 60 as strings, and Go's `0o17` as a number. */
function kubernetesTags(tags: Tags): Tags {
  const dropped = ["binary", "omap", "pairs", "set", "timestamp"];
  const kept = tags.filter((tag: ScalarTag | TagId | { tag: string; format?: string }) => {
    if (typeof tag === "string") return !dropped.includes(tag);
    if ("format" in tag && tag.format === "TIME") return false;
    return !dropped.some((name) => tag.tag.endsWith(`:${name}`));
  });
  return [...kept, goOctal];
}

const goOctal: ScalarTag = {
  tag: "tag:yaml.org,2002:int",
  default: true,
  format: "GO-OCT",
  test: /^[-+]?0[oO][0-7_]+$/,
  resolve: (text) => {
    const digits = Number.parseInt(text.replaceAll("_", "").replace(/^([-+]?)0[oO]/, ""), 8);
    return text.startsWith("-") ? -digits : digits;
  },
};

/** The objects in a document: itself, or the items of a `List`. */
function itemsOf(document: Document.Parsed): readonly (ParsedNode | null)[] {
  const node = document.contents;
  if (!isMap(node)) return [node];
  const kind: unknown = node.get("kind");
  const items: unknown = node.get("items", true);
  return (kind === "List" || kind === "PodList") && isSeq<ParsedNode>(items) ? items.items : [node];
}

function readObject(reading: Reading, node: ParsedNode | null): ManifestObject {
  const origins = new Map<string, Origin>();
  const tree = convert({ reading, origins, depth: depthMax }, node, "");
  if (node) origins.set("", originAt(reading, "", node.range[0]));
  return { tree, origins };
}

interface Walk {
  readonly reading: Reading;
  readonly origins: Map<string, Origin>;
  /** Levels that are still allowed; a loop of aliases ends here. */
  readonly depth: number;
}

function convert(walk: Walk, node: ParsedNode | null, field: string): Tree {
  const { reading } = walk;
  if (!node || !isWithinLimits(walk, node, field)) return null;
  const at = node.range[0];
  if (isAlias(node))
    return convert({ ...walk, depth: walk.depth - 1 }, target(reading, node.source, at), field);
  if (node.anchor !== undefined) reading.anchors.set(node.anchor, node);
  if (isScalar(node)) return scalar(reading, node, field, at);
  const inner = { ...walk, depth: walk.depth - 1 };
  if (isMap(node)) return Object.fromEntries(mapping(inner, node, field));
  return node.items.map((item, index) => {
    const path = fieldOf(field, index);
    walk.origins.set(path, originAt(reading, path, item.range[0]));
    return convert(inner, item, path);
  });
}

function isWithinLimits({ reading, depth }: Walk, node: ParsedNode, field: string): boolean {
  reading.nodes--;
  const message =
    reading.nodes === -1
      ? `more than ${nodesMax} values`
      : depth === 0
        ? `nested deeper than ${depthMax} levels`
        : undefined;
  if (message === undefined) return reading.nodes >= 0;
  report(reading, "manifest.too-large", message, node.range[0], shorten(field));
  reading.nodes = -1;
  return false;
}

/** The parser has already refused an alias without an anchor. */
function target(reading: Reading, name: string, at: number): ParsedNode | null {
  const node = reading.anchors.get(name);
  const shown = reading.mayShow ? ` ${name}` : "";
  if (!node) report(reading, "manifest.syntax", `unknown anchor${shown}`, at);
  return node ?? null;
}

function scalar(reading: Reading, node: Scalar.Parsed, field: string, at: number): Tree {
  const value: unknown = isText(node) ? node.source : node.value;
  if (typeof value === "string" || typeof value === "boolean") return value;
  if (value === null || value === undefined) return null;
  const source = reading.mayShow ? show(node.source) : "this";
  if (typeof value !== "number" || !Number.isFinite(value)) {
    report(reading, "manifest.syntax", `${source} is not a value that JSON knows`, at, field);
    return null;
  }
  if (Number.isInteger(value) && !Number.isSafeInteger(value) && !/[.eE]/.test(node.source)) {
    report(reading, "manifest.syntax", `${source} is too large for a number; quote it`, at, field);
  }
  return value;
}

/** The parser takes `.` and `1e999` for numbers that are none, and `<<` for a merge anywhere. */
function isText({ value, source }: Scalar.Parsed): boolean {
  const isNoNumber = typeof value === "number" && !Number.isFinite(value);
  return typeof value === "symbol" || (isNoNumber && !/^[-+]?\.(inf|nan)$/i.test(source));
}

function mapping(walk: Walk, map: YAMLMap.Parsed, field: string): Map<string, Tree> {
  const entries = new Map<string, Tree>();
  const merged: ParsedNode[] = [];
  for (const pair of map.items as Pair<ParsedNode, ParsedNode | null>[]) {
    if (isMerge(pair.key)) {
      if (pair.value) merged.push(pair.value);
      continue;
    }
    const key = keyOf(walk.reading, pair.key);
    if (key === undefined) continue;
    const path = fieldOf(field, key);
    const origin = originAt(walk.reading, path, pair.key.range[0]);
    if (entries.has(key)) reportDuplicate(walk, key, origin);
    else walk.origins.set(path, origin);
    entries.set(key, convert(walk, pair.value, path));
  }
  for (const source of merged) merge(walk, entries, source, field);
  return entries;
}

/**
 * YAML 1.1's `<<: *defaults`; keys of the mapping itself win, and then those of the first source.
 */
function merge(walk: Walk, entries: Map<string, Tree>, source: ParsedNode, field: string): void {
  if (!isWithinLimits(walk, source, field)) return;
  const node = isAlias(source) ? target(walk.reading, source.source, source.range[0]) : source;
  if (isSeq(node)) {
    const inner = { ...walk, depth: walk.depth - 1 };
    for (const item of node.items) merge(inner, entries, item, field);
  } else if (isMap(node)) {
    const origins = new Map<string, Origin>();
    const inner = { ...walk, origins, depth: walk.depth - 1 };
    for (const [key, tree] of mapping(inner, node, field)) {
      if (!entries.has(key)) entries.set(key, tree);
    }
    for (const [path, origin] of origins) {
      if (!walk.origins.has(path)) walk.origins.set(path, origin);
    }
  } else if (node) {
    const message = "map merge requires a mapping or a list of mappings as the value";
    report(walk.reading, "manifest.syntax", message, source.range[0], field);
  }
}

function isMerge(key: ParsedNode): boolean {
  return isScalar(key) && typeof key.value === "symbol";
}

/** As JSON writes it: `yes` is the key `true`, and `8080` a string. */
function keyOf(reading: Reading, key: ParsedNode): string | undefined {
  const node = isAlias(key) ? target(reading, key.source, key.range[0]) : key;
  const value: unknown = isScalar(node) ? node.value : undefined;
  if (typeof value === "string") return value;
  if (typeof value === "number" || typeof value === "boolean") return String(value);
  report(reading, "manifest.syntax", "a key of a mapping must be a string", key.range[0]);
  return undefined;
}

function reportSyntax(reading: Reading, message: string, at: number): void {
  if (message.startsWith("Maximum call stack")) {
    report(reading, "manifest.too-large", `nested deeper than ${depthMax} levels`, at);
  } else {
    // The parser quotes tokens, tags and names of anchors behind a colon, and escapes.
    const shown = reading.mayShow ? message : message.replace(/(?<=escape sequence|:) .*$/s, " …");
    report(reading, "manifest.syntax", shown, at);
  }
}

function reportDuplicate(walk: Walk, key: string, origin: Origin): void {
  const first = walk.origins.get(origin.field)?.line ?? 0;
  const problem = `the key ${show(key)} is already in this mapping, at line ${first}`;
  const message = `${origin.field}: ${problem}`;
  walk.reading.problems.push(new PodError({ code: "manifest.duplicate-key", message, origin }));
}

function report(reading: Reading, code: ErrorCode, message: string, at: number, field = ""): void {
  const origin = originAt(reading, field, at);
  const full = field === "" ? message : `${field}: ${message}`;
  reading.problems.push(new PodError({ code, message: full, origin }));
}

function originAt(reading: Reading, field: string, offset: number): Origin {
  const { line, col } = reading.lines.linePos(offset);
  return { field, file: reading.file, line, column: col };
}
