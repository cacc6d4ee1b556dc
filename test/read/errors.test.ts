import { expect, test } from "bun:test";
import { readPodManifest } from "../../src/read/pod-manifest/read.ts";
import { complaint, complaintOf, podText } from "./manifests.ts";

/** Each complaint about a field as `line:column message`. */
function problems(text: string): string[] {
  const [, ...errors] = complaint(text).split(/^error\[manifest\.invalid\] /m);
  return errors.map((error) => {
    const [, message, place] = /^(.*)\n {2}from {3}web\.yaml:(\S+)/.exec(error)!;
    return `${place} ${message}`;
  });
}

test("all problems of a file are reported at once, in the order of its lines", () => {
  const text = `apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  hostPID: true
  shareProcessNamespace: true
  containers:
  - name: app
    imagee: host
    volumeDevices: [{}]
    tty: tru
---
apiVersion: batch/v1
kind: CronJob
`;
  expect(complaint(text))
    .toBe(`error[manifest.invalid] spec.shareProcessNamespace: invalid value true: ShareProcessNamespace and HostPID cannot both be enabled
  from   web.yaml:6:3  spec.shareProcessNamespace
error[manifest.invalid] spec.containers[0].image: required value
  from   web.yaml:8:5  spec.containers[0].image
error[manifest.unknown-field] spec.containers[0].imagee: unknown field
  from   web.yaml:9:5  spec.containers[0].imagee
  hint   did you mean image?
error[manifest.unsupported-field] spec.containers[0].volumeDevices: not supported yet
  from   web.yaml:10:5  spec.containers[0].volumeDevices
  hint   remove the field, or see docs/support.md for what is supported
error[manifest.invalid] spec.containers[0].tty: invalid value "tru": must be true or false
  from   web.yaml:11:5  spec.containers[0].tty
error[manifest.unsupported-kind] kind: "CronJob" is not supported; nothing starts by the clock; write its jobTemplate as a Job
  from   web.yaml:14:1  kind
  hint   keep other objects in files of their own`);
});

test("more problems than anyone reads are counted", () => {
  const lines = Array.from({ length: 60 }, (_, index) => `  field${index}: 1\n`).join("");
  const text = complaint(podText("", lines));
  expect(text.match(/^error/gm)).toHaveLength(51);
  expect(text.split("\n").at(-1)).toBe("error[manifest.invalid] and 10 problems more");
});

test("an object's problems name the field without a file", () => {
  const read = () =>
    readPodManifest({
      metadata: { name: "Web" },
      spec: { containers: [{ name: "a", image: "" }] },
    });
  expect(complaintOf(read))
    .toBe(`error[manifest.invalid] metadata.name: invalid value "Web": a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')
  from   metadata.name
error[manifest.invalid] spec.containers[0].image: required value
  from   spec.containers[0].image`);
});

test("text that is not YAML is refused where it breaks", () => {
  expect(complaint("a: [\nb: c\n"))
    .toBe(`error[manifest.syntax] Flow sequence in block collection must be sufficiently indented and end with a ]
  from   web.yaml:2:1`);
  expect(complaint("a: !secret x\n")).toBe(`error[manifest.syntax] Unresolved tag: !secret
  from   web.yaml:1:4`);
  expect(complaint("a: *nobody\n")).toContain(
    "error[manifest.syntax] unknown anchor nobody\n  from   web.yaml:1:4",
  );
  expect(complaint("? [a]\n: b\n")).toContain(
    "a key of a mapping must be a string\n  from   web.yaml:1:3",
  );
  expect(complaint(podText("", "  priority: .nan\n")))
    .toBe(`error[manifest.syntax] spec.priority: ".nan" is not a value that JSON knows
  from   web.yaml:6:13  spec.priority`);
  expect(complaint(podText("", "  priority: 9007199254740993\n"))).toContain(
    `"9007199254740993" is too large for a number; quote it`,
  );
  expect(complaint("just a sentence\n"))
    .toBe(`error[manifest.invalid] invalid value "just a sentence": a manifest is a mapping
  from   web.yaml:1:1`);
});

test("a repeated key is refused, also where only JSON sees that it is one", () => {
  expect(complaint(podText("", "  hostIPC: true\n  hostIPC: false\n")))
    .toBe(`error[manifest.duplicate-key] spec.hostIPC: the key "hostIPC" is already in this mapping, at line 6
  from   web.yaml:7:3  spec.hostIPC
  hint   remove one of the two; YAML keeps only the last`);
  expect(complaint(podText("", "", `, labels: {yes: a, "true": b}`))).toStartWith(
    `error[manifest.duplicate-key] metadata.labels.true: the key "true" is already in this mapping`,
  );
});

test("a file without a Pod says so", () => {
  for (const text of ["", "---\n", "# nothing\n", "apiVersion: v1\nkind: List\nitems: []\n"]) {
    expect(complaint(text)).toBe(`error[manifest.no-pod] no Pod in web.yaml
  hint   a Pod starts with apiVersion: v1 and kind: Pod; see examples/hello.yaml`);
  }
  expect(problems("{metadata: {name: a}}")).toEqual([
    "1:1 apiVersion: required value",
    "1:1 kind: required value",
  ]);
});

test("two Pods of one name in a file are refused", () => {
  expect(problems(`${podText()}---\n${podText()}`)).toEqual([
    `9:12 metadata.name: duplicate value: "default/web"`,
  ]);
});

test("a manifest that is too large or too deep is refused in bounded time", () => {
  const hint = "\n  hint   split the file, and look for aliases that multiply its parts";
  expect(complaint("x".repeat(10 * 1024 * 1024 + 1))).toBe(
    `error[manifest.too-large] web.yaml is larger than 10485760 bytes${hint}`,
  );
  expect(complaint(`[${"1,".repeat(500_001)}]`)).toBe(
    `error[manifest.too-large] web.yaml has more than 1000000 words and signs${hint}`,
  );
  expect(complaint("[".repeat(50_000))).toMatch(
    /^error\[manifest\.too-large\] nested deeper than 64 levels\n/,
  );
  expect(complaint(podText(`, args: ${"[".repeat(70)}${"]".repeat(70)}`))).toContain(
    "nested deeper than 64 levels",
  );
  const letters = [..."abcdefgh"];
  const bomb = (use: (name: string) => string) =>
    letters
      .map((name, at) => `${name}: &${name} ${at === 0 ? "{x: y}" : use(letters[at - 1]!)}\n`)
      .join("");
  const tenfold = (name: string) => `[${Array(10).fill(`*${name}`).join(",")}]`;
  expect(complaint(bomb(tenfold))).toContain(": more than 1000000 values\n");
  expect(complaint(bomb((name) => `{<<: ${tenfold(name)}}`))).toContain(
    ": more than 1000000 values\n",
  );
  expect(complaint("a: &a [*a]\n")).toContain(": nested deeper than 64 levels\n");
  expect(complaint("a: &a {<<: *a}\n")).toContain(": nested deeper than 64 levels\n");
});
