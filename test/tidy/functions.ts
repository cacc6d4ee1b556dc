// How long functions are, from their layout alone: both formatters put the closing brace under the
// first letter of the line that a function begins on.

export interface Measured {
  /** Its first line. */
  readonly line: number;
  readonly name: string;
  readonly lines: number;
}

const zigStart = /\bfn (\w+)\(|^\s*test (?:"([^"]+)"|(\w+)) \{|^(comptime) \{/;
const tsStart =
  /\bfunction\*? (\w+)|^\s*(?:(?:static|async|readonly|get|set|override) |\*)*(#?[\w.]+|\[[\w.]+\])\(.*(?:\)(?:: .+)?|=>) \{$|\b(\w+) = (?:async )?(?:\(|\w+ =>)|(?:\(|, |: |\? )(?:async )?(?:\([^()]*\)|\w+) => \{$/;
/** Statements that look like a call with a block, and groups of tests, which are lists. */
const notAFunction = /^\s*(?:\} )?(?:if|for|while|switch|catch|else|do|using|with|describe)\b/;

export function measureFunctions(lines: readonly string[], isZig: boolean): Measured[] {
  const start = isZig ? zigStart : tsStart;
  return lines.flatMap((line, index) => {
    const match = notAFunction.test(line) ? null : start.exec(line);
    if (match === null) return [];
    const end = endOf(lines, index);
    if (end === undefined) return [];
    const name = match.slice(1).find((group) => group !== undefined) ?? "a function without a name";
    return [{ line: index + 1, name, lines: end - index + 1 }];
  });
}

/** `undefined` where no block follows: a declaration, a type, or a body on one line. */
function endOf(lines: readonly string[], start: number): number | undefined {
  const indent = /^ */.exec(lines[start] ?? "")?.[0] ?? "";
  let isOpen = false;
  for (let index = start; index < lines.length; index += 1) {
    const line = lines[index] ?? "";
    const isOutside = index > start && line !== "" && !line.startsWith(`${indent} `);
    // A signature or an argument list that ends here may open the block: `) void {`.
    const closes = isOutside && /^ *[})\]]/.test(line) && line.startsWith(indent);
    if (isOutside && !closes) return undefined;
    if (isOpen && closes) return index;
    if (!isOpen && (index === start || closes)) {
      if (/\{$/.test(line)) isOpen = true;
      else if (closes || !/[([]$/.test(line)) return undefined;
    }
  }
  return undefined;
}
