import { expect, test } from "bun:test";
import { readManifests, readPodAgain, readPodManifest } from "../../src/read/pod-manifest/read.ts";
import type { ObjectManifest, PodManifest } from "../../src/read/pod-manifest/read.ts";
import { noObjects } from "../../src/spec/objects.ts";
import type { PodSpec } from "../../src/spec/pod-spec.ts";
import { originOf } from "../../src/spec/pod-spec.ts";
import { complaintOf } from "./manifests.ts";

const read = (text: string) => readManifests([{ text, file: "all.yaml" }]);

function complaints(text: string): string[] {
  return complaintOf(() => read(text))
    .split("\n")
    .filter((line) => line.startsWith("error["))
    .map((line) => line.replace(/^error\[manifest\.invalid\] /, ""));
}

const pod = (fields: string, metadata = "") => `
apiVersion: v1
kind: Pod
metadata: {name: web${metadata}}
spec: {containers: [{name: a, image: host}], ${fields}}
---
`;

const texts = (map: ReadonlyMap<string, unknown>) => Object.fromEntries(map);

test("a pod gets those ConfigMaps and Secrets of its namespace that it names, and no others", () => {
  const { pods } = read(`${pod("volumes: [{name: v, configMap: {name: a}}]")}
apiVersion: v1
kind: ConfigMap
metadata: {name: a}
data: {k: v, empty: }
binaryData: {b: AAH/}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: b}
---
apiVersion: v1
kind: ConfigMap
metadata: {name: a, namespace: other}
data: {k: other}
---
apiVersion: v1
kind: Secret
metadata: {name: a}
`);
  const { configMaps, secrets, claims } = pods[0]!.objects;
  expect([...configMaps.keys(), ...secrets.keys(), ...claims.keys()]).toEqual(["a"]);
  const { texts: data, binaries, type } = configMaps.get("a")!;
  expect({ data: texts(data), binaries: texts(binaries), type }).toEqual({
    data: { k: "v", empty: "" },
    binaries: { b: new Uint8Array([0, 1, 255]) },
    type: "",
  });
});

test("a Secret's data is decoded, and stringData wins", () => {
  const { pods } = read(`${pod("volumes: [{name: v, secret: {secretName: s}}]")}
apiVersion: v1
kind: Secret
metadata: {name: s}
data:
  text: aGVsbG8=
  folded: |
    aGVs
    bG8=
  both: eA==
  bytes: /w==
  empty: ""
stringData: {both: won, plain: words}
`);
  const { texts: data, binaries, type } = pods[0]!.objects.secrets.get("s")!;
  expect({ data: texts(data), binaries: texts(binaries), type }).toEqual({
    data: { text: "hello", folded: "hello", both: "won", empty: "", plain: "words" },
    binaries: { bytes: new Uint8Array([255]) },
    type: "Opaque",
  });
});

test("an object that is named and not there is an error at the line, unless it is optional", () => {
  const env = (entry: string) =>
    `{apiVersion: v1, kind: Pod, metadata: {name: web}, spec: {containers: [{name: a, image: host, ${entry}}]}}`;
  expect(complaints(env("env: [{name: A, valueFrom: {secretKeyRef: {name: s, key: k}}}]"))).toEqual(
    ['error[object.not-found] spec.containers[0].env[0]: secret "s" not found'],
  );
  expect(complaints(env("envFrom: [{configMapRef: {name: m}}]"))).toEqual([
    'error[object.not-found] spec.containers[0].envFrom[0]: configmap "m" not found',
  ]);
  expect(complaints(env("envFrom: [{configMapRef: {name: m, optional: true}}]"))).toEqual([]);
  expect(
    complaints(
      pod(
        "imagePullSecrets: [{name: none}], volumes: [{name: a, secret: {secretName: s}}, " +
          "{name: b, projected: {sources: [{configMap: {name: m}}, {secret: {name: o, optional: true}}]}}]",
      ),
    ),
  ).toEqual([
    'error[object.not-found] spec.volumes[0].secret: secret "s" not found',
    'error[object.not-found] spec.volumes[1].projected.sources[0].configMap: configmap "m" not found',
  ]);
});

test("objects have Kubernetes' rules", () => {
  const object = (kind: string, fields: string) =>
    complaints(`apiVersion: v1\nkind: ${kind}\nmetadata: {name: a}\n${fields}\n`);
  expect(
    object("ConfigMap", "data: {..a: b, a/b: c, k: 1}\nbinaryData: {k2: '*'}\nimmutable: 1"),
  ).toEqual([
    `data[..a]: invalid key "..a": must not start with '..'`,
    `data[a/b]: invalid key "a/b": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name',  or 'KEY_NAME',  or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')`,
    "data.k: must be a string",
    "binaryData.k2: must be base64, of the standard alphabet and padded",
    "immutable: invalid value 1: must be true or false",
  ]);
  expect(object("ConfigMap", "data: {k: a}\nbinaryData: {k: eA==}")).toEqual([
    "data.k: duplicate value: it is a key of binaryData too",
  ]);
  expect(object("ConfigMap", `data: {k: ${"x".repeat(1024 * 1024 + 1)}}`)).toEqual([
    "data: too long: may not be more than 1048576 bytes",
  ]);
  expect(object("Secret", "type: kubernetes.io/tls\nstringData: {tls.crt: x}")).toEqual([
    "data[tls.key]: required value",
  ]);
  expect(
    object("Secret", "type: kubernetes.io/dockerconfigjson\nstringData: {.dockerconfigjson: nope}"),
  ).toEqual(["data[.dockerconfigjson]: must be JSON"]);
  expect(object("Secret", "type: kubernetes.io/basic-auth\nstringData: {a: b}")).toEqual([
    "data: required value: username or password",
  ]);
  expect(object("PersistentVolumeClaim", "spec: {accessModes: [ReadWrite]}")).toEqual([
    "spec.resources.requests.storage: required value",
    'spec.accessModes[0]: unsupported value "ReadWrite": supported values: "ReadOnlyMany", "ReadWriteMany", "ReadWriteOnce", "ReadWriteOncePod"',
  ]);
  expect(complaints("{apiVersion: v2, kind: ConfigMap, metadata: {name: a}}")).toEqual([
    'apiVersion: unsupported value "v2": supported values: "v1"',
  ]);
  const twice = "{apiVersion: v1, kind: Secret, metadata: {name: a}}\n---\n";
  expect(complaints(twice + twice)).toEqual(['metadata.name: duplicate value: "default/a"']);
});

const deployment = (spec: string, kind = "Deployment") => `apiVersion: apps/v1
kind: ${kind}
metadata: {name: shop, namespace: team}
spec:
  selector: {matchLabels: {app: shop}}
  template:
    metadata: {labels: {app: shop}, annotations: {a: b}}
    spec:
      tolerations: [{operator: Exists}]
      containers: [{name: a, image: host}]
${spec}`;

const summary = ({ name, namespace, labels, workload, hostname, subdomain }: PodSpec) => ({
  name,
  namespace,
  labels,
  workload,
  hostname,
  subdomain,
});

test("a Deployment makes pods with names that stay", () => {
  const { pods, documents } = read(deployment("  replicas: 2\n  strategy: {type: Recreate}\n"));
  const expected = (index: number) => ({
    name: `shop-${index}`,
    namespace: "team",
    labels: { app: "shop" },
    workload: { kind: "Deployment", name: "shop", index },
    hostname: undefined,
    subdomain: undefined,
  });
  expect(pods.map(summary)).toEqual([expected(0), expected(1)] as never);
  expect(pods[0]!.annotations).toEqual({ a: "b" });
  expect(pods[0]!.manifest).toEqual({
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name: "shop-0",
      namespace: "team",
      labels: { app: "shop" },
      annotations: { a: "b" },
    },
    spec: {
      tolerations: [{ operator: "Exists" }],
      containers: [{ name: "a", image: "host" }],
    },
  });
  // What goes wrong with a pod is said of the template's line.
  expect(originOf(pods[1]!, "spec.containers[0].image")).toEqual({
    field: "spec.template.spec.containers[0].image",
    file: "all.yaml",
    line: 10,
    column: 30,
  });
  expect(pods[0]!.inert.map(({ origin }) => origin.field)).toEqual([
    "spec.template.spec.tolerations",
  ]);
  const fields = documents[0]!.fields().map(({ origin, fate }) => `${origin.field} ${fate}`);
  expect(fields).toContain("spec.strategy inert");
  expect(fields).toContain("spec.template.spec.tolerations inert");
  expect(fields).toContain("spec.replicas supported");
});

test("a DaemonSet makes one pod, replicas: 0 none, a ReplicaSet one unless it says more", () => {
  const names = (text: string) => read(text).pods.map(({ name }) => name);
  expect(names(deployment("", "DaemonSet"))).toEqual(["shop-0"]);
  expect(names(deployment("", "ReplicaSet"))).toEqual(["shop-0"]);
  expect(names(deployment("  replicas: 0\n"))).toEqual([]);
});

test("pods of a StatefulSet have names, ordinals and claims of their own", () => {
  const { pods } = read(
    deployment(
      `  replicas: 2
  serviceName: db
  ordinals: {start: 3}
  volumeClaimTemplates:
  - metadata: {name: data}
    spec: {accessModes: [ReadWriteOnce], resources: {requests: {storage: 1Gi}}}
`,
      "StatefulSet",
    ).replace("image: host", "image: host, volumeMounts: [{name: data, mountPath: /data}]"),
  );
  expect(pods.map(summary)).toEqual(
    [3, 4].map((index) => ({
      name: `shop-${index}`,
      namespace: "team",
      labels: {
        app: "shop",
        "statefulset.kubernetes.io/pod-name": `shop-${index}`,
        "apps.kubernetes.io/pod-index": String(index),
      },
      workload: { kind: "StatefulSet", name: "shop", index },
      hostname: `shop-${index}`,
      subdomain: "db",
    })) as never,
  );
  expect(pods[1]!.volumes).toEqual([
    {
      name: "data",
      field: "spec.volumes[0]",
      kind: "persistentVolumeClaim",
      claim: "data-shop-4",
      readOnly: false,
    },
  ]);
  expect([...pods[1]!.objects.claims]).toEqual([
    ["data-shop-4", { name: "data-shop-4", storageBytes: 1024 ** 3 }],
  ]);
});

test("mistakes in a template are said where they stand", () => {
  const broken = deployment("")
    .replace("image: host", "imagee: host, livenessProbe: {periodSeconds: 1}")
    .replace("matchLabels: {app: shop}", "matchLabels: {app: web}")
    .replace("tolerations:", "restartPolicy: Never\n      tolerations:");
  expect(complaintOf(() => read(broken)))
    .toBe(`error[manifest.invalid] spec.template.metadata.labels: invalid value: \`selector\` does not match template \`labels\`
  from   all.yaml:7:16  spec.template.metadata.labels
error[manifest.invalid] spec.template.spec.restartPolicy: unsupported value "Never": supported values: "Always"
  from   all.yaml:9:7  spec.template.spec.restartPolicy
error[manifest.invalid] spec.template.spec.containers[0].image: required value
  from   all.yaml:11:20  spec.template.spec.containers[0].image
error[manifest.unknown-field] spec.template.spec.containers[0].imagee: unknown field
  from   all.yaml:11:30  spec.template.spec.containers[0].imagee
  hint   did you mean image?
error[manifest.invalid] spec.template.spec.containers[0].livenessProbe: required value: must specify a handler type
  from   all.yaml:11:44  spec.template.spec.containers[0].livenessProbe`);
  expect(
    complaints(deployment("").replace("selector: {matchLabels: {app: shop}}", "selector: {}")),
  ).toEqual(["spec.selector: invalid value: empty selector is invalid for this kind"]);
  expect(complaints(deployment("  replicas: 1001\n"))).toEqual([
    "spec.replicas: too many: must be at most 1000",
  ]);
});

test("a kind that means nothing here is passed over with its reason, others are refused", () => {
  const { documents } = read(`${pod("")}
apiVersion: v1
kind: Service
metadata: {name: web}
spec: {anything: goes}
---
apiVersion: v1
kind: Namespace
metadata: {name: team}
`);
  expect(documents.map(({ kind, name, inert }) => [kind, name, inert])).toEqual([
    ["Pod", "web", undefined],
    [
      "Service",
      "web",
      "there is no cluster network; hostPort publishes a port, and containers of a pod share localhost",
    ],
    ["Namespace", "team", "a namespace is part of a name here; it need not exist"],
  ]);
  const kinds = [
    "batch/v1, kind: CronJob",
    "serving.knative.dev/v1, kind: Service",
    "example.com/v1, kind: Widget",
    "extensions/v1beta1, kind: Deployment",
  ];
  expect(kinds.flatMap((kind) => complaints(`{apiVersion: ${kind}, metadata: {name: a}}`))).toEqual(
    [
      'error[manifest.unsupported-kind] kind: "CronJob" is not supported; nothing starts by the clock; write its jobTemplate as a Job',
      'error[manifest.unsupported-kind] kind: "Service of serving.knative.dev/v1" is not supported; peapod runs Pods and the workloads that make them',
      'error[manifest.unsupported-kind] kind: "Widget of example.com/v1" is not supported; peapod runs Pods and the workloads that make them',
      'apiVersion: unsupported value "extensions/v1beta1": supported values: "apps/v1"',
    ],
  );
});

test("with lenient, unknown fields are left out and said to be", () => {
  const text = pod("restartPolice: Never, volumes: [{name: v, emptyDirr: {}}]");
  const { pods } = readManifests([{ text, file: "all.yaml" }], { lenient: true });
  expect(pods[0]!.inert.map(({ origin, reason }) => `${origin.field}: ${reason}`)).toEqual([
    "spec.restartPolice: unknown field, left out; did you mean restartPolicy?",
    "spec.volumes[0].emptyDirr: unknown field, left out; did you mean emptyDir?",
  ]);
  expect(pods[0]!.restartPolicy).toBe("Always");
});

test("a pod that is an object gets its objects as objects", () => {
  const manifest: PodManifest = {
    metadata: { name: "web", namespace: "team" },
    spec: {
      containers: [{ name: "a", image: "nginx", envFrom: [{ secretRef: { name: "s" } }] }],
    },
  };
  const objects: ObjectManifest[] = [
    { kind: "Secret", metadata: { name: "s", namespace: "team" }, stringData: { a: "b" } },
    { kind: "Secret", metadata: { name: "s" }, stringData: { a: "other" } },
  ];
  const spec = readPodManifest(manifest, { objects, imageFor: () => "host" });
  expect(texts(spec.objects.secrets.get("s")!.texts)).toEqual({ a: "b" });
  expect(spec.containers[0]!.image).toBe("host");
  expect(complaintOf(() => readPodManifest(manifest)))
    .toBe(`error[object.not-found] spec.containers[0].envFrom[0]: secret "s" not found
  from   spec.containers[0].envFrom[0]
  hint   give the object's manifest together with the pod's, or write optional: true`);
  const wrong: ObjectManifest = { kind: "Secret", metadata: { name: "s" }, data: { a: "-" } };
  expect(complaintOf(() => readPodManifest(manifest, { objects: [wrong] }))).toBe(
    "error[manifest.invalid] Secret s: data.a: must be base64, of the standard alphabet and padded",
  );
  // Who takes over a pod reads it again, whatever was let by when it started.
  const again = { ...manifest, spec: { ...manifest.spec, colour: "red" } };
  expect(readPodAgain(again as PodManifest, noObjects).containers).toHaveLength(1);
});
