// `$(NAME)` in env values, command and args, as the kubelet expands it
// (third_party/forked/golang/expansion).

/**
 * The text with every known `$(NAME)` replaced; `undefined` when it would grow beyond `lengthMax`.
 */
export function expandVariables(
  text: string,
  variables: ReadonlyMap<string, string>,
  lengthMax: number,
): string | undefined {
  const parts: string[] = [];
  let length = 0;
  let done = 0;
  for (let dollar = text.indexOf("$"); dollar !== -1; dollar = text.indexOf("$", done)) {
    const read = readReference(text, dollar, variables);
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
  variables: ReadonlyMap<string, string>,
): { text: string; end: number } {
  const next = text[dollar + 1];
  if (next === "$") return { text: "$", end: dollar + 2 };
  if (next !== "(") return { text: "$", end: dollar + 1 };
  const close = text.indexOf(")", dollar + 2);
  // Without a closing parenthesis none of what follows can be a reference; `$$` still is an escape.
  if (close === -1) return { text: text.slice(dollar).replaceAll("$$", "$"), end: text.length };
  const reference = text.slice(dollar, close + 1);
  const value = variables.get(reference.slice(2, -1));
  return { text: value ?? reference, end: close + 1 };
}
