// A canary in every place of a Secret: whatever is wrong with it, nobody reads it on a screen.

import { expect, test } from "bun:test";
import { readManifests } from "../../src/read/pod-manifest/read.ts";
import { complaintOf } from "./manifests.ts";

const read = (text: string) => readManifests([{ text, file: "all.yaml" }]);

const canary = "cAnArY-5ecret";

test("no message about a Secret shows what is in it", () => {
  const base64 = Buffer.from(canary).toString("base64");
  const secrets = [
    `data: {a: ${canary}}`,
    `data: ${canary}`,
    `data: [${canary}]`,
    `data: {a: {b: ${canary}}}`,
    `stringData: {a: [${canary}]}`,
    `stringData: ${canary}`,
    `stringdata: {a: ${canary}}`,
    `passwords: ${canary}`,
    `type: {a: ${canary}}`,
    `data: {a: ${base64}, a: ${base64}}`,
    `type: kubernetes.io/dockerconfigjson\nstringData: {.dockerconfigjson: ${canary}}`,
    `metadata: {name: b, annotations: ${canary}}`,
    `stringData: {a: !${canary} x}`,
    `stringData: {a: *${canary}}`,
    `stringData: {a: "${canary}}`,
    `stringData: {a: "\\q${canary}"}`,
    `stringData: {a: 'x' ${canary}}`,
    `stringData: {a: | ${canary}}`,
    `stringData:\n  a: |${canary}\n`,
    `stringData:\n a: b\n${canary}`,
    `stringData: {a: "x"}\n  ${canary}: [`,
    `stringData: {a: @${canary}}`,
  ];
  for (const text of secrets) {
    const complaint = complaintOf(() =>
      read(`apiVersion: v1\nkind: Secret\nmetadata: {name: a}\n${text}\n`),
    );
    expect(complaint).toStartWith("error[");
    expect(complaint).not.toContain(canary.slice(1));
    expect(complaint).not.toContain(base64);
  }
  const numbers = complaintOf(() =>
    read(
      "apiVersion: v1\nkind: Secret\nmetadata: {name: a}\nstringData: {pin: 9999999999999999991}",
    ),
  );
  expect(numbers).toContain("is too large for a number; quote it");
  expect(numbers).not.toContain("9999");
});

test("what is said of a pod with a Secret does not show it", () => {
  const { pods, documents } = read(`
apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  containers: [{name: a, image: host}]
  volumes: [{name: v, secret: {secretName: s}}]
---
apiVersion: v1
kind: Secret
metadata: {name: s, annotations: {kubectl.kubernetes.io/last-applied-configuration: "${canary}"}}
stringData: {a: ${canary}}
`);
  expect(pods[0]!.objects.secrets.get("s")!.texts.get("a")).toBe(canary);
  const said = [
    JSON.stringify(pods[0]!.manifest),
    JSON.stringify(pods[0]!.inert),
    JSON.stringify(documents.map((document) => ({ ...document, fields: document.fields() }))),
  ];
  for (const text of said) expect(text).not.toContain(canary);
});
