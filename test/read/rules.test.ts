import { expect, test } from "bun:test";
import { readPodManifests } from "../../src/read/pod-manifest/read.ts";
import { complaint, podText } from "./manifests.ts";

/** Every complaint without its place and hint. */
function messages(text: string): string[] {
  return complaint(text)
    .split("\n")
    .filter((line) => line.startsWith("error["))
    .map((line) => line.replace(/^error\[manifest\.invalid\] /, ""));
}

const container = (fields: string) => messages(podText(`, ${fields}`));
const spec = (...lines: string[]) =>
  messages(podText("", lines.map((line) => `  ${line}\n`).join("")));
const containers = (list: string) => messages(podText().replace(/\[\{.*\}\]/, list));

test("names are labels and come once", () => {
  const label =
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must " +
    "start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for " +
    "validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')";
  expect(
    containers("[{name: App_1, image: host}, {name: a, image: host}, {name: a, image: host}]"),
  ).toEqual([
    `spec.containers[0].name: invalid value "App_1": ${label}`,
    `spec.containers[2].name: duplicate value: "a"`,
  ]);
  expect(
    containers(`[{name: "a\\nb", image: host}, {image: host}, {name: "", image: host}]`),
  ).toEqual([
    `spec.containers[0].name: invalid value "a\\nb": ${label}`,
    "spec.containers[1].name: required value",
    "spec.containers[2].name: required value",
  ]);
  expect(containers(`[{name: ${"a".repeat(64)}, image: host}]`)[0]).toEndWith(
    ": must be no more than 63 bytes",
  );
  expect(containers("[]")).toEqual(["spec.containers: required value"]);
  expect(containers("hello")).toEqual([`spec.containers: invalid value "hello": must be a list`]);
  expect(containers("[hello]")).toEqual([
    `spec.containers[0]: invalid value "hello": must be a mapping`,
  ]);
  expect(spec("hostname: Front.1")).toEqual([`spec.hostname: invalid value "Front.1": ${label}`]);
  expect(spec("volumes: [{name: v}, {name: v}]")).toEqual([
    `spec.volumes[1].name: duplicate value: "v"`,
  ]);
});

test("a pod has no more parts than anyone needs", () => {
  const many = (count: number, part: (index: number) => string) =>
    `[${Array.from({ length: count }, (_, index) => part(index)).join(", ")}]`;
  expect(containers(many(1001, (index) => `{name: c${index}, image: host}`))).toEqual([
    "spec.containers: too many: must have at most 1000 items",
  ]);
  expect(spec(`volumes: ${many(1001, (index) => `{name: v${index}}`)}`)).toEqual([
    "spec.volumes: too many: must have at most 1000 items",
  ]);
  expect(container(`args: ${many(4097, () => "a")}`)).toEqual([
    "spec.containers[0].args: too many: must have at most 4096 items",
  ]);
});

test("labels and annotations have Kubernetes' form", () => {
  const name =
    "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with " +
    "an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for " +
    "validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";
  const metadata = (fields: string) => messages(podText("", "", `, ${fields}`));
  expect(metadata(`labels: {-a: b, a/b/c: d, /x: z, ok: "a b"}`)).toEqual([
    `metadata.labels[-a]: invalid key "-a": ${name}`,
    `metadata.labels[a/b/c]: invalid key "a/b/c": a qualified name must consist of alphanumeric ` +
      `characters, '-', '_' or '.', and must start and end with an alphanumeric character with an ` +
      `optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`,
    `metadata.labels[/x]: invalid key "/x": prefix part must be non-empty`,
    `metadata.labels.ok: invalid value "a b": a valid label must be an empty string or consist of ` +
      `alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric ` +
      `character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is ` +
      `'(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`,
  ]);
  expect(metadata("annotations: {Example.COM/Key: any text, a_: b}")).toEqual([
    `metadata.annotations.a_: invalid key "a_": ${name}`,
  ]);
  expect(metadata(`annotations: {a: ${"x".repeat(256 * 1024)}}`)).toEqual([
    "metadata.annotations: too long: may not be more than 262144 bytes",
  ]);
  const rates = (ingress: string, egress: string) =>
    metadata(
      `annotations: {kubernetes.io/ingress-bandwidth: ${ingress}, ` +
        `kubernetes.io/egress-bandwidth: ${egress}}`,
    );
  expect(rates("1k", "1P")).toEqual([]);
  expect(rates('"999"', "2P")).toEqual([
    'metadata.annotations[kubernetes.io/ingress-bandwidth]: invalid value "999": resource is ' +
      "unreasonably small (< 1kbit)",
    'metadata.annotations[kubernetes.io/egress-bandwidth]: invalid value "2P": resource is ' +
      "unreasonably large (> 1Pbit)",
  ]);
  expect(rates("fast", "-1M")).toEqual([
    'metadata.annotations[kubernetes.io/ingress-bandwidth]: invalid value "fast": quantities must ' +
      "match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    'metadata.annotations[kubernetes.io/egress-bandwidth]: invalid value "-1M": resource is ' +
      "unreasonably small (< 1kbit)",
  ]);
  expect(metadata("labels: {a: 1}")).toEqual([
    "metadata.labels.a: invalid value 1: must be a string",
  ]);
});

test("flags for namespaces exclude each other for Kubernetes' reasons", () => {
  expect(spec("hostUsers: false", "hostNetwork: true", "hostPID: true", "hostIPC: true")).toEqual([
    "spec.hostNetwork: forbidden: when `hostUsers` is false",
    "spec.hostPID: forbidden: when `hostUsers` is false",
    "spec.hostIPC: forbidden: when `hostUsers` is false",
  ]);
  expect(spec("hostPID: true", "shareProcessNamespace: true")).toEqual([
    "spec.shareProcessNamespace: invalid value true: ShareProcessNamespace and HostPID cannot both be enabled",
  ]);
  expect(spec("hostUsers: true", "hostNetwork: true", "hostPID: true", "hostIPC: true")).toEqual(
    [],
  );
});

test("a mount has a volume and a path of its own", () => {
  const mounts = (list: string) =>
    messages(podText(`, volumeMounts: [${list}]`, "  volumes: [{name: v}]\n"));
  expect(mounts("{name: w, mountPath: /a}, {name: v}, {mountPath: /b}")).toEqual([
    `spec.containers[0].volumeMounts[0].name: not found: "w"`,
    "spec.containers[0].volumeMounts[1].mountPath: required value",
    "spec.containers[0].volumeMounts[2].name: required value",
  ]);
  expect(
    mounts("{name: v, mountPath: /a}, {name: v, mountPath: a//}, {name: v, mountPath: /x/..}"),
  ).toEqual([
    `spec.containers[0].volumeMounts[1].mountPath: invalid value "/a": must be unique`,
    `spec.containers[0].volumeMounts[2].mountPath: invalid value "/x/..": must not be the root of the container`,
  ]);
  expect(
    mounts("{name: v, mountPath: /a, subPath: /b}, {name: v, mountPath: /b, subPath: a/../b}"),
  ).toEqual([
    `spec.containers[0].volumeMounts[0].subPath: invalid value "/b": must be a relative path`,
    `spec.containers[0].volumeMounts[1].subPath: invalid value "a/../b": must not contain '..'`,
  ]);
  expect(mounts(`{name: v, mountPath: /${"a".repeat(4095)}}`)[0]).toEndWith(
    ": must be no more than 4095 bytes",
  );
});

test("a volume has one source with values that exist", () => {
  const volume = (fields: string) => spec(`volumes: [{name: v, ${fields}}]`);
  expect(volume("emptyDir: {}, hostPath: {path: /a}")).toEqual([
    "spec.volumes[0].hostPath: forbidden: may not specify more than 1 volume type",
  ]);
  expect(volume("hostPath: {type: Dir}")).toEqual([
    `spec.volumes[0].hostPath.path: required value`,
    `spec.volumes[0].hostPath.type: unsupported value "Dir": supported values: "", "BlockDevice", "CharDevice", "Directory", "DirectoryOrCreate", "File", "FileOrCreate", "Socket"`,
  ]);
  expect(volume("hostPath: {path: data}")).toEqual([
    `spec.volumes[0].hostPath.path: invalid value "data": must be an absolute path`,
  ]);
  expect(volume("hostPath: {path: /a/../b}")).toEqual([
    `spec.volumes[0].hostPath.path: invalid value "/a/../b": must not contain '..'`,
  ]);
  expect(volume("emptyDir: {medium: Disk, sizeLimit: -1Mi}")).toEqual([
    `spec.volumes[0].emptyDir.medium: unsupported value "Disk": supported values: "", "HugePages", "HugePages-<SIZE>", "Memory"`,
    `spec.volumes[0].emptyDir.sizeLimit: invalid value "-1Mi": must be greater than or equal to 0`,
  ]);
});

test("a container runs something, somewhere, with variables that have names", () => {
  expect(
    containers(
      `[{name: a}, {name: b, image: ""}, {name: c, image: " host"}, {name: d, image: "a\\tb"}]`,
    ),
  ).toEqual([
    "spec.containers[0].image: required value",
    "spec.containers[1].image: required value",
    `spec.containers[2].image: invalid value " host": must not have leading or trailing whitespace`,
    `spec.containers[3].image: invalid value "a\\tb": must not contain control characters`,
  ]);
  expect(container("workingDir: srv")).toEqual([
    `spec.containers[0].workingDir: invalid value "srv": must be an absolute path`,
  ]);
  const name =
    "a valid environment variable name must consist only of printable ASCII characters other than '='";
  expect(
    container(`env: [{value: a}, {name: ""}, {name: "a=b"}, {name: "ü"}, {name: "a b.c"}]`),
  ).toEqual([
    "spec.containers[0].env[0].name: required value",
    "spec.containers[0].env[1].name: required value",
    `spec.containers[0].env[2].name: invalid value "a=b": ${name}`,
    `spec.containers[0].env[3].name: invalid value "ü": ${name}`,
  ]);
  expect(container(`args: ["a\\0b"]`)).toEqual([
    "spec.containers[0].args[0]: must not contain NUL bytes",
  ]);
});

test("requests stay below limits, and both are quantities", () => {
  const resources = (requests: string, limits: string) =>
    container(`resources: {requests: {${requests}}, limits: {${limits}}}`);
  expect(resources("cpu: 1001m, memory: 1Gi", "cpu: 1, memory: 1024Mi")).toEqual([
    `spec.containers[0].resources.requests.cpu: invalid value "1001m": must be less than or equal to cpu limit of 1`,
  ]);
  expect(resources("memory: 2G", "memory: 1Gi")).toEqual([
    `spec.containers[0].resources.requests.memory: invalid value "2G": must be less than or equal to memory limit of 1Gi`,
  ]);
  expect(resources("cpu: -1, memory: 1Gx", "cpu: true, mem: 1Gi")).toEqual([
    "spec.containers[0].resources.requests.cpu: invalid value -1: must be greater than or equal to 0",
    `spec.containers[0].resources.requests.memory: invalid value "1Gx": quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'`,
    "spec.containers[0].resources.limits.cpu: invalid value true: must be a quantity such as 500m, 2, 64Mi or 1Gi",
    "error[manifest.unknown-field] spec.containers[0].resources.limits.mem: unknown field",
  ]);
});

test("inert fields are checked all the same", () => {
  expect(
    container("ports: [{containerPort: 0}, {name: http}, {containerPort: 80, protocol: tcp}]"),
  ).toEqual([
    "spec.containers[0].ports[0].containerPort: invalid value 0: must be between 1 and 65535, inclusive",
    "spec.containers[0].ports[1].containerPort: required value",
    `spec.containers[0].ports[2].protocol: unsupported value "tcp": supported values: "SCTP", "TCP", "UDP"`,
  ]);
  expect(
    container("ports: [{containerPort: 1, name: a-b}, {containerPort: 2, name: a-b}]"),
  ).toEqual([`spec.containers[0].ports[1].name: duplicate value: "a-b"`]);
  expect(container("imagePullPolicy: Sometimes")).toEqual([
    `spec.containers[0].imagePullPolicy: unsupported value "Sometimes": supported values: "Always", "IfNotPresent", "Never"`,
  ]);
  expect(spec("restartPolicy: never", "activeDeadlineSeconds: 0")).toEqual([
    `spec.restartPolicy: unsupported value "never": supported values: "Always", "Never", "OnFailure"`,
    "spec.activeDeadlineSeconds: invalid value 0: must be between 1 and 2147483647, inclusive",
  ]);
  expect(spec("terminationGracePeriodSeconds: 1.5")).toEqual([
    "spec.terminationGracePeriodSeconds: invalid value 1.5: must be a whole number",
  ]);
});

test("a size limit means something on disk and in memory", () => {
  const text = `
apiVersion: v1
kind: Pod
metadata: { name: a }
spec:
  volumes:
  - { name: disk, emptyDir: { sizeLimit: 1Mi } }
  - { name: memory, emptyDir: { medium: Memory, sizeLimit: 1Mi } }
  restartPolicy: Never
  containers: [{ name: a, image: host, command: [a] }]
`;
  const [spec] = readPodManifests(text, "a.yaml");
  expect(spec?.inert.map(({ origin, reason }) => `${origin.field}: ${reason}`)).toEqual([]);
});
