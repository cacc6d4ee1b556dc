// `$(NAME)` in env values, command, args, subPathExpr and probes' commands, as the kubelet expands
// it (third_party/forked/golang/expansion).

/** What a name stands for; `undefined` leaves the reference as it is written. */
export type Lookup = (name: string) => string | undefined;

/**
 * The text with every known `$(NAME)` replaced; `undefined` when it would grow beyond `lengthMax`.
 */
export function expandVariables(
  text: string,
  lookup: Lookup,
  lengthMax = Infinity,
): string | undefined {
  const parts: string[] = [];
  let length = 0;
  let done = 0;
  for (let dollar = text.indexOf("$"); dollar !== -1; dollar = text.indexOf("$", done)) {
    const read = readReference(text, dollar, lookup);
    const literal = text.slice(done, dollar);
    parts.push(literal, read.text);
    length += literal.length + read.text.length;
    if (length > lengthMax) return undefined;
    done = read.end;
  }
  const whole = parts.join("") + text.slice(done);
  return whole.length > lengthMax ? undefined : whole;
}

/**
 * What stands at a dollar: an escape, a reference, or a dollar. What is put in is not scanned
 * again.
 */
function readReference(
  text: string,
  dollar: number,
  lookup: Lookup,
): { text: string; end: number } {
  const next = text[dollar + 1];
  if (next === "$") return { text: "$", end: dollar + 2 };
  if (next !== "(") return { text: "$", end: dollar + 1 };
  const close = text.indexOf(")", dollar + 2);
  // Without a closing parenthesis none of what follows can be a reference; `$$` still is an escape.
  if (close === -1) return { text: text.slice(dollar).replaceAll("$$", "$"), end: text.length };
  const reference = text.slice(dollar, close + 1);
  const value = lookup(reference.slice(2, -1));
  return { text: value ?? reference, end: close + 1 };
}
