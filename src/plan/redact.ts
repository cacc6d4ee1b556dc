// Secrets' values stay out of everything that is printed. Texts are known as a whole: a value is
// never looked for inside another text, where a short one would be found by accident.

/** Texts of a plan that hold a Secret's value. */
export type Secrets = ReadonlySet<string>;

export const noSecrets: Secrets = new Set();
const hidden = "<secret>";

export function redact(text: string, secrets: Secrets): string {
  return secrets.has(text) ? hidden : text;
}

/** The name of a variable is no secret. */
export function redactEntry(entry: string, secrets: Secrets): string {
  return secrets.has(entry) ? entry.slice(0, entry.indexOf("=") + 1) + hidden : entry;
}
