import { expect, test } from "bun:test";
import { expandVariables } from "../../src/resolve/expand.ts";

const variables = new Map([
  ["A", "one"],
  ["B", "$(A)"],
  ["EMPTY", ""],
  ["odd name", "odd"],
]);
const expand = (text: string) => expandVariables(text, (name) => variables.get(name), 1000);

test("references, escapes and what only looks like one", () => {
  const table: readonly (readonly [string, string])[] = [
    ["$(A)", "one"],
    ["x$(A)y$(A)z", "xoneyonez"],
    ["$(B)", "$(A)"],
    ["$(EMPTY)", ""],
    ["$(odd name)", "odd"],
    ["$(UNKNOWN)", "$(UNKNOWN)"],
    ["$()", "$()"],
    ["$$(A)", "$(A)"],
    ["$$$(A)", "$one"],
    ["$$$$(A)", "$$(A)"],
    ["$$", "$"],
    ["$A ${A}", "$A ${A}"],
    ["$(A", "$(A"],
    ["$($$(", "$($("],
    ["cost: 5$", "cost: 5$"],
    ["$(date +%s)", "$(date +%s)"],
    ["$($(A))", "$($(A))"],
  ];
  expect(table.map(([text]) => [text, expand(text)])).toEqual(table.map((row) => [...row]));
});

test("any text expands as the kubelet expands it", () => {
  const alphabet = ["$", "$", "(", ")", "A", "B", "x"];
  for (let number = 0; number < alphabet.length ** 5; number++) {
    let text = "";
    for (let rest = number, at = 0; at < 5; at++, rest = Math.floor(rest / alphabet.length)) {
      text += alphabet[rest % alphabet.length];
    }
    expect(`${text} → ${expand(`${text}$(A)`)}`).toBe(`${text} → ${kubelet(`${text}$(A)`)}`);
  }
});

/** Kubernetes' third_party/forked/golang/expansion/expand.go, line by line. */
function kubelet(input: string): string {
  let output = "";
  let checkpoint = 0;
  for (let cursor = 0; cursor < input.length; cursor++) {
    if (input[cursor] !== "$" || cursor + 1 >= input.length) continue;
    output += input.slice(checkpoint, cursor);
    const rest = input.slice(cursor + 1);
    const close = rest.indexOf(")");
    let advance = 1;
    if (rest[0] === "$") {
      output += "$";
    } else if (rest[0] === "(" && close !== -1) {
      const name = rest.slice(1, close);
      output += variables.get(name) ?? `$(${name})`;
      advance = close + 1;
    } else {
      output += `$${rest[0]}`;
    }
    cursor += advance;
    checkpoint = cursor + 1;
  }
  return output + input.slice(checkpoint);
}
