// Words and numbers for people. Nothing here writes; everything that came from a pod passes `clean`
// first.

// C0, DEL, C1, and the marks that reorder what follows them (UAX #9): a name must not steer the
// terminal.
const unprintable = /[\u0000-\u001f\u007f-\u009f\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;

/** What a terminal would obey, as visible text: `\x1b`, `\u202e`. */
export function clean(text: string): string {
  return text.replace(unprintable, (character) => {
    const code = character.charCodeAt(0);
    return code < 0x100
      ? `\\x${code.toString(16).padStart(2, "0")}`
      : `\\u${code.toString(16).padStart(4, "0")}`;
  });
}

/** As `clean`, for text of several lines. */
export function cleanLines(text: string): string {
  return text.split("\n").map(clean).join("\n");
}

/** `1 container`, `2 containers`. */
export function plural(count: number, noun: string): string {
  return `${count} ${noun}${count === 1 ? "" : "s"}`;
}

/** As every command accepts it back: the default namespace goes without saying. */
export function podLabel(pod: { readonly namespace: string; readonly name: string }): string {
  return clean(pod.namespace === "default" ? pod.name : `${pod.namespace}/${pod.name}`);
}

/** `512`, `64Mi`, `1.5Gi`: binary suffixes, as manifests write them, with at most one decimal. */
export function formatBytes(bytes: number): string {
  let value = bytes;
  for (const suffix of ["", "Ki", "Mi", "Gi", "Ti"]) {
    if (value < 1024 || suffix === "Ti") return `${Number(value.toFixed(1))}${suffix}`;
    value /= 1024;
  }
  return `${bytes}`;
}
