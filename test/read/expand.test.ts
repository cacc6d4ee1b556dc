import { expect, test } from "bun:test";
import { expandVariables } from "../../src/read/pod-manifest/expand.ts";
import { complaint, podText, readOne } from "./manifests.ts";

const variables = new Map([
  ["A", "one"],
  ["B", "$(A)"],
  ["EMPTY", ""],
  ["odd name", "odd"],
]);
const expand = (text: string) => expandVariables(text, variables, 1000);

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

test("a value sees the variables above it, command and args see all", () => {
  const spec = readOne(
    podText(
      `, env: [{name: LATE, value: "$(HOST):80"}, {name: HOST, value: web}, {name: URL, value: "http://$(HOST)"}, ` +
        `{name: HOST, value: db}], command: [echo, "$(HOST)"], args: ["$(URL)", "$(LATE)", "$$(URL)", "$(HOME)"]`,
    ),
  );
  expect(spec.containers[0]!.env).toEqual([
    { name: "LATE", value: "$(HOST):80" },
    { name: "HOST", value: "db" },
    { name: "URL", value: "http://web" },
  ]);
  expect(spec.containers[0]!.command).toEqual(["echo", "db"]);
  expect(spec.containers[0]!.args).toEqual(["http://web", "$(HOST):80", "$(URL)", "$(HOME)"]);
});

test("what the kernel would refuse as too long is refused with its place", () => {
  const line = (length: number) => podText(`, args: [${"x".repeat(length)}]`);
  expect(complaint(line(131_071))).toBe("");
  expect(complaint(line(131_072))).toBe(
    `error[manifest.invalid] spec.containers[0].args[0]: too long: may not be more than 131071 bytes
  from   web.yaml:5:48  spec.containers[0].args[0]`,
  );
  expect(complaint(podText(`, env: [{name: A, value: ${"x".repeat(131_070)}}]`))).toBe(
    `error[manifest.invalid] spec.containers[0].env[0]: too long: may not be more than 131071 bytes
  from   web.yaml:5:47  spec.containers[0].env[0]`,
  );
});

test("variables that multiply each other are refused before they are large", () => {
  const doubled = Array.from({ length: 40 }, (_, index) => {
    const value = index === 0 ? "x" : `$(V${index - 1})$(V${index - 1})`;
    return `{name: V${index}, value: "${value}"}`;
  });
  expect(complaint(podText(`, env: [${doubled.join(", ")}]`))).toStartWith(
    `error[manifest.invalid] spec.containers[0].env[17]: too long: may not be more than 131071 bytes`,
  );
  const many = Array(5).fill(`"${"x".repeat(110_000)}"`);
  expect(complaint(podText(`, args: [${many.join(", ")}]`))).toBe(
    `error[manifest.invalid] spec.containers[0]: too long: command, args and env are more than 524288 bytes
  from   web.yaml:5:16  spec.containers[0]`,
  );
  const words = Array(4000).fill("x").join(", ");
  expect(complaint(podText(`, args: [${words}], command: [${words}]`))).toBe(
    `error[manifest.invalid] spec.containers[0]: too many: command, args and env have more than 4096 entries
  from   web.yaml:5:16  spec.containers[0]`,
  );
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
