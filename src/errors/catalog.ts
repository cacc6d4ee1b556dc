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
  "manifest.duplicate-key": { meaning: "A mapping in the manifest has the same key twice." },
  "manifest.unknown-field": { meaning: "The manifest has a field that the Pod API does not have." },
  "manifest.unsupported-field": {
    meaning: "The Pod API has the field; peapod does not honour it yet and drops nothing in silence.",
  },
  "manifest.invalid": { meaning: "A field of the manifest has a value that Kubernetes refuses." },
} as const satisfies Record<string, Entry>;

export type ErrorCode = keyof typeof entries;
export const catalog: Readonly<Record<ErrorCode, Entry>> = entries;
