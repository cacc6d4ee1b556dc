import { expect, test } from "bun:test";
import { readPodManifests } from "../../src/read/pod-manifest/read.ts";
import { originOf } from "../../src/spec/pod-spec.ts";
import { complaint, podText, readOne } from "./manifests.ts";

test("yes, no, on and off are booleans", () => {
  const spec = readOne(podText(", tty: yes, stdin: On", "  hostUsers: no\n  hostIPC: off\n"));
  expect(spec.containers[0]!.tty).toBe(true);
  expect(spec.containers[0]!.stdin).toBe(true);
  expect(spec.namespaces).toEqual({
    network: "POD",
    ipc: "POD",
    pid: "CONTAINER",
    user: "POD",
  });
  expect(readOne(podText(`, args: ["yes"]`)).containers[0]!.args).toEqual(["yes"]);
  expect(complaint(podText(", args: [yes]"))).toBe(
    `error[manifest.invalid] spec.containers[0].args[0]: invalid value true: must be a string
  from   web.yaml:5:48  spec.containers[0].args[0]
  hint   quote the value: without quotes YAML reads numbers, yes, no, on and off as what they are`,
  );
});

test("whole numbers are read as Go reads them", () => {
  const graceMs = (text: string) =>
    readOne(podText("", `  terminationGracePeriodSeconds: ${text}\n`)).terminationGraceMs;
  expect(["0400", "0o17", "0x1F", "0b101", "1_000", "08", "+7"].map(graceMs)).toEqual([
    256_000, 15_000, 31_000, 5_000, 1_000_000, 8_000, 7_000,
  ]);
  expect(
    readOne(podText(", resources: {limits: {memory: 0400}}")).containers[0]!.resources,
  ).toEqual({ requests: { memoryBytes: 256 }, limits: { memoryBytes: 256 } });
});

test("dates and base 60 are text", () => {
  const spec = readOne(podText(", args: [2001-01-01, 12:30, 1:20:30.5]"));
  expect(spec.containers[0]!.args).toEqual(["2001-01-01", "12:30", "1:20:30.5"]);
});

test("what only looks like a number is text", () => {
  const spec = readOne(podText(", args: [., -., 0b_, 123e4567, 1.2.3, <<, 0o8, 1-2, =]"));
  expect(spec.containers[0]!.args).toEqual([
    ".",
    "-.",
    "0b_",
    "123e4567",
    "1.2.3",
    "<<",
    "0o8",
    "1-2",
    "=",
  ]);
});

test("flow style with comments and trailing commas is read", () => {
  const spec = readOne(`---
{
  apiVersion: "v1",
  kind: "Pod",
  # A comment.
  metadata: {
    name: "web",
  },
  spec: {
    containers: [{
      name: "app",
      image: "host",
      args: [
        "a",
      ],
    }],
  },
}
`);
  expect(spec.containers[0]!.args).toEqual(["a"]);
  expect(originOf(spec, "spec.containers[0].args[0]")).toEqual({
    field: "spec.containers[0].args[0]",
    file: "web.yaml",
    line: 14,
    column: 9,
  });
});

test("JSON is read with places too", () => {
  const manifest = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "web" },
    spec: { containers: [{ name: "app", image: "host" }] },
  };
  const spec = readOne(JSON.stringify(manifest, undefined, 2));
  expect(spec.manifest).toEqual(manifest);
  expect(originOf(spec, "spec.containers[0].image")).toEqual({
    field: "spec.containers[0].image",
    file: "web.yaml",
    line: 11,
    column: 9,
  });
});

test("a file holds several documents, empty ones and Lists", () => {
  const pod = (name: string) => podText().replace("web", name);
  const list = `apiVersion: v1
kind: List
items:
- ${pod("three").trim().replaceAll("\n", "\n  ")}
- ${pod("four").trim().replaceAll("\n", "\n  ")}
`;
  const text = `---\n---\n${pod("one")}---\n# Nothing.\n---\n${pod("two")}...\n---\n${list}`;
  const specs = readPodManifests(text, "all.yaml");
  expect(specs.map((spec) => [spec.name, originOf(spec, "spec.containers[0]").line])).toEqual([
    ["one", 7],
    ["two", 15],
    ["three", 25],
    ["four", 30],
  ]);
});

test("a Windows file and a byte order mark change no place", () => {
  const spec = readOne(`\ufeff${podText().replaceAll("\n", "\r\n")}`);
  expect(originOf(spec, "spec").line).toBe(4);
});

test("anchors, aliases and merge keys are read", () => {
  const spec = readOne(`apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  containers:
  - &app
    name: app
    image: host
    args: &args [a, b]
  - <<: *app
    name: other
    command: *args
`);
  expect(
    spec.containers.map(({ name, image, command, args }) => [name, image, command, args]),
  ).toEqual([
    ["app", "host", undefined, ["a", "b"]],
    ["other", "host", ["a", "b"], ["a", "b"]],
  ]);
});

test("a place that is not in the document is its parent's", () => {
  const spec = readOne(podText("", "  volumes:\n  - name: data\n    emptyDir:\n"));
  expect(originOf(spec, "spec.volumes[0].emptyDir.medium")).toEqual({
    field: "spec.volumes[0].emptyDir.medium",
    file: "web.yaml",
    line: 8,
    column: 5,
  });
});
