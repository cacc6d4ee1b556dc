import { expect, test } from "bun:test";
import { listFields } from "../../src/read/pod-manifest/fate.ts";
import { fates } from "../../src/read/pod-manifest/read.ts";
import { Pod } from "../../src/read/pod-manifest/schema.ts";
import { complaint, podText, readOne } from "./manifests.ts";

const rows = listFields(Pod);

/** A Pod as JSON with one more field: `spec.containers[].ports[].hostIP`. */
function podWith(field: string, value: unknown): string {
  const pod: Record<string, unknown> = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: "web" },
    spec: {
      containers: [{ name: "app", image: "host" }],
      volumes: [{ name: "data" }],
    },
  };
  let place: Record<string, unknown> = pod;
  const keys = field.replace("hugepages-*", "hugepages-2Mi").replace("*/*", "e+com/gpu").split(".");
  const last = keys.pop()!;
  for (const key of keys) {
    const name = key.replace("[]", "");
    place[name] ??= key.endsWith("[]") ? [{}] : {};
    const next = place[name] as Record<string, unknown> | Record<string, unknown>[];
    place = Array.isArray(next) ? next[0]! : next;
  }
  place[last.replace("[]", "").replace("e+com", "example.com")] = value;
  return JSON.stringify(pod, undefined, 1);
}

const concrete = (field: string) =>
  field
    .replaceAll("[]", "[0]")
    .replace("hugepages-*", "hugepages-2Mi")
    .replace(".*/*", "[example.com/gpu]");

test.each(rows.filter((row) => row.fate === "refused").map((row) => [row.field, row.reason]))(
  "%s is refused by name",
  (field, reason) => {
    const text = podWith(field, "something");
    expect(complaint(text).split("error[")).toContainEqual(
      expect.stringMatching(
        new RegExp(
          `^manifest.unsupported-field\\] ${escape(`${concrete(field)}: ${reason}`)}\n` +
            `  from   web.yaml:\\d+:\\d+  ${escape(concrete(field))}\n` +
            "  hint   remove the field, or see docs/support.md for what is supported\n?$",
        ),
      ),
    );
  },
);

function escape(text: string): string {
  return text.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&");
}

test("a refused field that asks for what happens anyway is accepted and said to be inert", () => {
  const spec = readOne(
    podText(
      ", volumeDevices: []",
      "  ephemeralContainers: []\n  securityContext: {}\n  runtimeClassName: \n",
    ),
  );
  expect(spec.inert.map(({ origin, reason }) => `${origin.field}: ${reason}`)).toEqual(
    ["spec.containers[0].volumeDevices", "spec.ephemeralContainers", "spec.runtimeClassName"].map(
      (field) => `${field}: the same as leaving it out`,
    ),
  );
});

test("what a manifest from a cluster carries along is inert", () => {
  const spec = readOne(
    podText(
      ", imagePullPolicy: Always, ports: [{containerPort: 80, name: http, protocol: TCP}]",
      `  schedulerName: default-scheduler
  tolerations: [{key: a, operator: Exists}]
  enableServiceLinks: true
  hostname: web
  hostNetwork: true
status: {phase: Running}
`,
      ", uid: 1-2-3, creationTimestamp: 2026-01-01T00:00:00Z",
    ),
  );
  expect(
    spec.inert.map(({ origin, reason }) => `${origin.line} ${origin.field}: ${reason}`),
  ).toEqual([
    "3 metadata.uid: every launch gives the pod an id of its own",
    "3 metadata.creationTimestamp: there is no API server; nobody keeps it",
    "6 spec.schedulerName: there is one host; nothing is scheduled",
    "7 spec.tolerations: there is one host; nothing is scheduled",
    "8 spec.enableServiceLinks: there are no Services to link to",
    "9 spec.hostname: a pod with hostNetwork has the host's name",
    "11 status: the record of a pod that ran elsewhere",
  ]);
});

test("the fate of every field that is there can be listed", () => {
  const spec = readOne(
    podText(
      ", args: [a, b], resources: {}, volumeMounts: []",
      "  restartPolicy: OnFailure\n  nodeName: n1\n  volumes: [{name: data, emptyDir: }]\n",
      ", labels: {a.b/c: d}",
    ),
  );
  const lines = fates(spec).map(({ origin, fate, reason }) =>
    [`${origin.line}:${origin.column}`, origin.field, fate, reason ?? ""].join(" ").trim(),
  );
  expect(lines).toEqual([
    "1:1 apiVersion supported",
    "2:1 kind supported",
    "3:12 metadata.name supported",
    "3:32 metadata.labels[a.b/c] supported",
    "5:17 spec.containers[0].name supported",
    "5:28 spec.containers[0].image supported",
    "5:48 spec.containers[0].args[0] supported",
    "5:51 spec.containers[0].args[1] supported",
    "5:55 spec.containers[0].resources supported",
    "5:70 spec.containers[0].volumeMounts supported",
    "6:3 spec.restartPolicy supported",
    "7:3 spec.nodeName inert there is one host; nothing is scheduled",
    "8:14 spec.volumes[0].name supported",
    "8:26 spec.volumes[0].emptyDir supported",
  ]);
  expect(fates(readOne(podText("", "  restartPolicy: Never\n"))).at(-1)).toEqual({
    origin: { field: "spec.restartPolicy", file: "web.yaml", line: 6, column: 3 },
    fate: "supported",
  });
});

test("an unknown field is an error that names its neighbour", () => {
  const hints = (container: string, spec = "") =>
    complaint(podText(container, spec))
      .split("\n")
      .filter((line) => !line.startsWith("  from"));
  expect(hints(", imagee: x")).toEqual([
    "error[manifest.unknown-field] spec.containers[0].imagee: unknown field",
    "  hint   did you mean image?",
  ]);
  expect(hints(", arg: [x]")[1]).toBe("  hint   did you mean args?");
  expect(hints("", "  hostnetwork: true\n")[1]).toBe("  hint   did you mean hostNetwork?");
  expect(hints("", "  initContainer: []\n")[1]).toBe("  hint   did you mean initContainers?");
  expect(hints(", hostNetwork: true")[1]).toBe("  hint   hostNetwork belongs in spec");
  expect(hints("", "  workingDir: /\n")[1]).toBe(
    "  hint   workingDir belongs in spec.containers[]",
  );
  expect(hints("", "  build: .\n")[1]).toBe("  hint   docs/support.md lists every field of a Pod");
  expect(hints("", "  constructor: 1\n  __proto__: 2\n")).toEqual([
    "error[manifest.unknown-field] spec.constructor: unknown field",
    "  hint   docs/support.md lists every field of a Pod",
    "error[manifest.unknown-field] spec.__proto__: unknown field",
    "  hint   docs/support.md lists every field of a Pod",
  ]);
});
