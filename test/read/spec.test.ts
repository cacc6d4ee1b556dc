import { expect, test } from "bun:test";
import { readPodManifest, readPodManifests } from "../../src/read/pod-manifest/read.ts";
import type { PodManifest } from "../../src/read/pod-manifest/read.ts";
import { plainLife } from "../../src/spec/life.ts";
import { noObjects } from "../../src/spec/objects.ts";
import { plainContainerSecurity, plainPodSecurity } from "../../src/spec/security.ts";
import { complaintOf, podText, readOne } from "./manifests.ts";

const text = `apiVersion: v1
kind: Pod
metadata:
  name: web.one
  namespace: team
  labels: {app: web, empty: }
  annotations: {example.com/Owner: me}
spec:
  hostname: front
  shareProcessNamespace: true
  hostUsers: false
  terminationGracePeriodSeconds: 0
  restartPolicy: Never
  containers:
  - name: app
    image: rootfs:/srv/root
    command: [serve]
    args: [--port, "80"]
    workingDir: /srv//www/./x/../
    tty: true
    stdin: true
    stdinOnce: true
    securityContext: { readOnlyRootFilesystem: true }
    env: [{name: A, value: b}, {name: EMPTY}]
    resources:
      requests: {cpu: 250m}
      limits: {cpu: 1.5, memory: 64Mi}
    volumeMounts:
    - {name: data, mountPath: /data/, readOnly: true, subPath: a//./b}
    - {name: cache, mountPath: cache}
    - {name: host, mountPath: /host, subPath: .}
  volumes:
  - name: data
  - {name: cache, emptyDir: {medium: Memory, sizeLimit: 1Mi}}
  - {name: host, hostPath: {path: /srv/www, type: Directory}}
`;

const path = (value: string) => value as never;

const podDefaults = {
  setHostnameAsFqdn: false,
  hostAliases: [],
  dns: { policy: "ClusterFirst", nameservers: [], searches: [], options: [] },
  readinessGates: [],
  overhead: {},
  pullSecrets: [],
  initContainers: [],
  objects: noObjects,
  security: plainPodSecurity,
} as const;
const containerDefaults = {
  restartOnResize: [],
  ports: [],
  life: plainLife,
  security: plainContainerSecurity,
} as const;
const mountDefaults = { propagation: "None", recursiveReadOnly: "Disabled" } as const;

const expected = {
  name: "web.one",
  namespace: "team",
  labels: { app: "web", empty: "" },
  annotations: { "example.com/Owner": "me" },
  hostname: "front",
  namespaces: { network: "POD", ipc: "POD", pid: "POD", user: "POD" },
  terminationGraceMs: 0,
  restartPolicy: "Never",
  ...podDefaults,
  volumes: [
    { name: "data", field: "spec.volumes[0]", kind: "emptyDir", medium: "" },
    {
      name: "cache",
      field: "spec.volumes[1]",
      kind: "emptyDir",
      medium: "Memory",
      sizeLimitBytes: 1048576,
    },
    {
      name: "host",
      field: "spec.volumes[2]",
      kind: "hostPath",
      path: path("/srv/www"),
      type: "Directory",
    },
  ],
  containers: [
    {
      name: "app",
      field: "spec.containers[0]",
      image: "rootfs:/srv/root",
      command: ["serve"],
      args: ["--port", "80"],
      workingDir: path("/srv/www"),
      env: [
        { field: "spec.containers[0].env[0]", kind: "value", name: "A", value: "b" },
        { field: "spec.containers[0].env[1]", kind: "value", name: "EMPTY", value: "" },
      ],
      resources: {
        requests: { cpuMilli: 250, memoryBytes: 67108864 },
        limits: { cpuMilli: 1500, memoryBytes: 67108864 },
      },
      volumeMounts: [
        {
          name: "data",
          field: "spec.containers[0].volumeMounts[0]",
          mountPath: path("/data"),
          readOnly: true,
          ...mountDefaults,
          subPath: "a/b",
        },
        {
          name: "cache",
          field: "spec.containers[0].volumeMounts[1]",
          mountPath: path("/cache"),
          readOnly: false,
          ...mountDefaults,
        },
        {
          name: "host",
          field: "spec.containers[0].volumeMounts[2]",
          mountPath: path("/host"),
          readOnly: false,
          ...mountDefaults,
        },
      ],
      ...containerDefaults,
      stdin: true,
      stdinOnce: true,
      readOnlyRoot: true,
      tty: true,
    },
  ],
  inert: [],
} as const;

test("a manifest becomes a spec", () => {
  const { manifest: _manifest, origins: _origins, ...spec } = readOne(text);
  expect(spec).toEqual(expected);
});

test("what is left out has Kubernetes' defaults, and the manifest stays as written", () => {
  const { origins: _origins, ...spec } = readOne(podText());
  expect(spec).toEqual({
    name: "web",
    namespace: "default",
    labels: {},
    annotations: {},
    namespaces: { network: "POD", ipc: "POD", pid: "CONTAINER", user: "NODE" },
    terminationGraceMs: 30_000,
    restartPolicy: "Always",
    ...podDefaults,
    volumes: [],
    containers: [
      {
        name: "app",
        field: "spec.containers[0]",
        image: "host",
        env: [],
        resources: { requests: {}, limits: {} },
        volumeMounts: [],
        ...containerDefaults,
        stdin: false,
        stdinOnce: false,
        readOnlyRoot: false,
        tty: false,
      },
    ],
    manifest: {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { name: "web" },
      spec: { containers: [{ name: "app", image: "host" }] },
    },
    inert: [],
  });
});

test("an object means what the same text means", () => {
  const { origins: _textOrigins, ...fromText } = readOne(text);
  const { origins, ...fromObject } = readPodManifest(fromText.manifest as PodManifest);
  expect(fromObject).toEqual(fromText);
  expect(origins.size).toBe(0);
});

test("an object needs neither apiVersion nor kind, and may be read-only", () => {
  const manifest = {
    metadata: { name: "job" },
    spec: { containers: [{ name: "main", image: "host", args: ["a"], tty: undefined }] },
  } as const satisfies PodManifest;
  expect(readPodManifest(manifest).containers[0]!.args).toEqual(["a"]);
});

test("an object that is not JSON is refused with its field", () => {
  const withArgs = (args: readonly unknown[]): PodManifest => ({
    metadata: { name: "job" },
    spec: { containers: [{ name: "main", image: "host", args: args as string[] }] },
  });
  const complaints = [new Date(0), () => 1, 1n, Number.NaN, "a\0b", "\ud800", 5].map((word) =>
    complaintOf(() => readPodManifest(withArgs([word])))
      .split("\n")[0]!
      .replace(/^.*args\[0\]/, ""),
  );
  expect(complaints).toEqual([
    ": a Date is not a JSON value",
    ": a function is not a JSON value",
    ": a bigint is not a JSON value",
    ": NaN is not a number that JSON knows",
    ": must not contain NUL bytes",
    ": must be valid Unicode",
    ": invalid value 5: must be a string",
  ]);
  const loop: unknown[] = [];
  loop.push(loop);
  expect(complaintOf(() => readPodManifest(withArgs(loop)))).toContain(
    "nested deeper than 64 levels",
  );
});

test("the type refuses what the reader refuses", () => {
  const container = { name: "main", image: "host" };
  const manifests: PodManifest[] = [
    // @ts-expect-error A refused field has no type.
    { metadata: { name: "a" }, spec: { containers: [{ ...container, volumeDevices: [{}] }] } },
    // @ts-expect-error An unknown field is not part of the type.
    { metadata: { name: "a" }, spec: { containers: [container], contaners: [] } },
    // @ts-expect-error A value of the wrong type.
    { metadata: { name: "a" }, spec: { containers: [{ ...container, tty: "yes" }] } },
  ];
  for (const manifest of manifests) expect(() => readPodManifest(manifest)).toThrow();
});

test("the first example is a Pod that says everything it needs", async () => {
  const example = await Bun.file(`${import.meta.dir}/../../examples/hello.yaml`).text();
  const [spec] = readPodManifests(example, "examples/hello.yaml");
  expect(spec!.containers.map(({ name, image }) => [name, image])).toEqual([
    ["app", "host"],
    ["sidecar", "host"],
  ]);
  expect(spec!.inert).toEqual([]);
});
