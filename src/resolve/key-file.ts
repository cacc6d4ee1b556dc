// A file of `NAME='value'` lines in a volume, as fileKeyRef reads it. The grammar is the kubelet's
// (pkg/kubelet/util/env): a strict part of the shell's, so that any shell can write and source it.

/** The kubelet's scanner takes no longer line. */
const lineBytesMax = 64 << 10;

/** The key's first value, empty when the file has none; throws at a line that breaks a rule. */
export function readKeyFile(text: string, key: string): string {
  const lines = text.split(/\r?\n/);
  for (let at = 0; at < lines.length; at++) {
    const number = at + 1;
    const line = (lines[at] ?? "").replace(/^[ \t]+/, "");
    if (Buffer.byteLength(line) >= lineBytesMax) throw wrong(number, "is too long");
    if (line === "" || line.startsWith("#")) continue;
    const equals = line.indexOf("=");
    if (equals < 0) throw wrong(number, "has no '='");
    const name = line.slice(0, equals);
    if (name.trim() === "") throw wrong(number, "has no name before '='");
    if (/[ \t]$/.test(name)) throw wrong(number, "has a blank before '='");
    const rest = line.slice(equals + 1);
    if (/^[ \t]/.test(rest)) {
      // As in a shell: what follows the blank is not the value.
      if (name === key) return "";
      continue;
    }
    if (!rest.startsWith("'")) throw wrong(number, "has a value without single quotes");
    const value = readQuoted(lines, at, rest.slice(1));
    if (name === key) return value.text;
    at = value.lastLine;
  }
  return "";
}

function readQuoted(
  lines: readonly string[],
  first: number,
  start: string,
): { readonly text: string; readonly lastLine: number } {
  const parts: string[] = [];
  for (let at = first, line: string | undefined = start; line !== undefined; line = lines[++at]) {
    const close = line.indexOf("'");
    if (close < 0) {
      parts.push(line);
      continue;
    }
    if (!/^[ \t]*(#|$)/.test(line.slice(close + 1))) {
      throw wrong(at + 1, "goes on after the closing quote");
    }
    return { text: [...parts, line.slice(0, close)].join("\n"), lastLine: at };
  }
  throw wrong(first + 1, "has a quote that is never closed");
}

function wrong(line: number, what: string): Error {
  return new Error(`line ${line} ${what}`);
}
