// Every code a user can meet, its meaning and its remedy. `docs/errors.md` is printed from this table.

interface Entry {
  /** What the code means, one sentence. */
  readonly meaning: string;
  /** What to do; `undefined` only where nothing general can be said (the thrower then says it). */
  readonly hint?: string;
}

const entries = {
  "cli.usage": { meaning: "The command line was not understood.", hint: "run peapod --help" },
  "manifest.unreadable": { meaning: "The manifest file could not be read." },
  "manifest.syntax": { meaning: "The manifest is not valid YAML or JSON." },
  "manifest.duplicate-key": {
    meaning: "A mapping in the manifest has the same key twice.",
    hint: "remove one of the two; YAML keeps only the last",
  },
  "manifest.too-large": {
    meaning: "The manifest is larger, or nested deeper, than any Pod needs to be.",
    hint: "split the file, and look for aliases that multiply its parts",
  },
  "manifest.no-pod": {
    meaning: "The manifest is empty, or holds no object.",
    hint: "a Pod starts with apiVersion: v1 and kind: Pod; see examples/hello.yaml",
  },
  "manifest.unsupported-kind": {
    meaning: "The manifest has an object that is not a Pod.",
    hint: "keep other objects in files of their own",
  },
  "manifest.unknown-field": {
    meaning: "The manifest has a field that the Pod API does not have.",
    hint: "docs/support.md lists every field of a Pod",
  },
  "manifest.unsupported-field": {
    meaning:
      "The Pod API has the field; peapod does not honour it yet and drops nothing in silence.",
    hint: "remove the field, or see docs/support.md for what is supported",
  },
  "manifest.invalid": { meaning: "A field of the manifest has a value that Kubernetes refuses." },
} as const satisfies Record<string, Entry>;

export type ErrorCode = keyof typeof entries;
export const catalog: Readonly<Record<ErrorCode, Entry>> = entries;
