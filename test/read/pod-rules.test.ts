// Kubernetes' rules of volumes, resources, names, and of what only a scheduler reads.

import { expect, test } from "bun:test";
import { complaint, podText } from "./manifests.ts";

function messages(text: string): string[] {
  return complaint(text)
    .split("\n")
    .filter((line) => line.startsWith("error["))
    .map((line) => line.replace(/^error\[manifest\.invalid\] /, ""));
}

const spec = (...lines: string[]) =>
  messages(podText("", lines.map((line) => `  ${line}\n`).join("")));
const volume = (fields: string) =>
  spec(`volumes: [{name: v, ${fields}}]`).map((line) => line.replace("spec.volumes[0]", "V"));

test("files of a volume have paths of their own, beneath it", () => {
  const items = (list: string) => volume(`configMap: {name: m, items: [${list}]}`);
  expect(
    items("{key: a, path: /b}, {key: a, path: a/../b}, {key: a, path: ..b}, {key: a}"),
  ).toEqual([
    `V.configMap.items[0].path: invalid value "/b": must be a relative path`,
    `V.configMap.items[1].path: invalid value "a/../b": must not contain '..'`,
    `V.configMap.items[2].path: invalid value "..b": must not start with '..'`,
    "V.configMap.items[3].path: required value",
  ]);
  expect(items("{key: a, path: b}, {key: b, path: b/./}")).toEqual([
    `V.configMap.items[1].path: invalid value "b": conflicting duplicate paths`,
  ]);
  expect(
    volume(
      "projected: {sources: [{secret: {name: s, items: [{key: a, path: b}]}}, " +
        "{downwardAPI: {items: [{path: b, fieldRef: {fieldPath: metadata.name}}]}}]}",
    ),
  ).toEqual([
    `V.projected.sources[1].downwardAPI.items[0].path: invalid value "b": conflicting duplicate paths`,
  ]);
  expect(volume("configMap: {name: m, defaultMode: 512}")).toEqual([
    "V.configMap.defaultMode: invalid value 512: must be a number between 0 and 0777 (octal), both inclusive",
  ]);
  expect(volume("secret: {secretName: s, items: [{key: a, path: b, mode: 01000}]}")).toEqual([
    "V.secret.items[0].mode: invalid value 512: must be a number between 0 and 0777 (octal), both inclusive",
  ]);
  expect(volume("configMap: {}, secret: {secretName: s}")).toEqual([
    "V.configMap.name: required value",
    "V.secret: forbidden: may not specify more than 1 volume type",
  ]);
  expect(
    volume(
      "projected: {sources: [{configMap: {name: a}, secret: {name: b}}, {serviceAccountToken: {}}]}",
    ),
  ).toEqual([
    "V.projected.sources[0].secret: forbidden: may not specify more than 1 volume type",
    "error[manifest.unsupported-field] V.projected.sources[1].serviceAccountToken: there is no API server that would issue or accept it",
  ]);
});

test("a file of the downward API shows one field, or one resource of a container", () => {
  const item = (fields: string) =>
    volume(`downwardAPI: {items: [{path: a${fields}}]}`).map((line) =>
      line.replace("V.downwardAPI.items[0]", "I"),
    );
  expect(item("")).toEqual(["I: required value: one of fieldRef and resourceFieldRef is required"]);
  const field = "fieldRef: {fieldPath: metadata.labels}";
  const resource = "resourceFieldRef: {resource: limits.memory, containerName: app}";
  expect(item(`, ${field}, ${resource}`)).toEqual([
    "I.resourceFieldRef: forbidden: fieldRef and resourceFieldRef can not be specified simultaneously",
  ]);
  expect(item(`, ${field}`)).toEqual([]);
  expect(item(`, ${resource}`)).toEqual([]);
  expect(item(", resourceFieldRef: {resource: limits.memory}")).toEqual([
    "I.resourceFieldRef.containerName: required value",
  ]);
  expect(item(", fieldRef: {fieldPath: status.podIP}")).toEqual([
    `I.fieldRef.fieldPath: unsupported value "status.podIP": supported values: "metadata.annotations", "metadata.annotations['<KEY>']", "metadata.labels", "metadata.labels['<KEY>']", "metadata.name", "metadata.namespace", "metadata.uid"`,
  ]);
});

const resources = (text: string, ...lines: string[]) =>
  messages(podText(`, resources: {${text}}`, lines.map((line) => `  ${line}\n`).join(""))).map(
    (line) => line.replace("spec.containers[0].resources", "R"),
  );

test("huge pages are asked for in whole pages, with a limit, and not alone", () => {
  expect(resources("limits: {hugepages-2Mi: 4Mi, memory: 1Mi}")).toEqual([]);
  expect(resources("limits: {hugepages-2Mi: 4Mi}")).toEqual([
    "R: forbidden: HugePages require cpu or memory",
  ]);
  expect(resources("requests: {hugepages-2Mi: 2Mi, cpu: 1}, limits: {hugepages-2Mi: 4Mi}")).toEqual(
    [`R.requests.hugepages-2Mi: invalid value "2Mi": must be equal to hugepages-2Mi limit of 4Mi`],
  );
  expect(resources("requests: {hugepages-2Mi: 2Mi, cpu: 1}")).toEqual([
    "R.requests.hugepages-2Mi: required value: a limit must be set for hugepages",
  ]);
  expect(resources("limits: {hugepages-2Mi: 3Mi, hugepages-3Mi: 3Mi, cpu: 1}")).toEqual([
    `R.limits.hugepages-2Mi: invalid value "3Mi": must be a positive integer multiple of the page size`,
    `R.limits.hugepages-3Mi: invalid key "hugepages-3Mi": must name the size of a page`,
  ]);
  expect(
    resources(
      "limits: {hugepages-2Mi: 2Mi, cpu: 1}",
      "volumes: [{name: v, emptyDir: {medium: HugePages-1Gi}}, {name: w, emptyDir: {medium: HugePages}}]",
    ),
  ).toEqual([
    `spec.volumes[0].emptyDir.medium: invalid value "HugePages-1Gi": no container asks for hugepages-1Gi`,
  ]);
  expect(spec("volumes: [{name: w, emptyDir: {medium: HugePages}}]")).toEqual([
    `spec.volumes[0].emptyDir.medium: invalid value "HugePages": medium HugePages needs containers that ask for pages of exactly one size`,
  ]);
});

test("resources have names that are known, and requests within their limits", () => {
  expect(resources("limits: {cpus: 1}")).toEqual([
    "error[manifest.unknown-field] R.limits.cpus: unknown field",
  ]);
  expect(resources("limits: {nvidia.com/gpu: 1}")).toEqual([
    "error[manifest.unsupported-field] R.limits[nvidia.com/gpu]: there are no device plugins on this machine",
  ]);
  expect(resources("requests: {ephemeral-storage: 2Gi}, limits: {ephemeral-storage: 1Gi}")).toEqual(
    [
      `R.requests.ephemeral-storage: invalid value "2Gi": must be less than or equal to ephemeral-storage limit of 1Gi`,
    ],
  );
});

test("a pod's own resources hold those of its containers", () => {
  const pod = (text: string) =>
    resources("requests: {cpu: 500m}, limits: {memory: 1Gi}", `resources: {${text}}`);
  expect(pod("requests: {cpu: 400m}, limits: {memory: 512Mi}")).toEqual([
    `R.limits.memory: invalid value "1Gi": must be less than or equal to pod memory limit of 512Mi`,
    `spec.resources.requests.cpu: invalid value "400m": must be greater than or equal to aggregate container requests of 500m`,
  ]);
  expect(pod("requests: {cpu: 500m}, limits: {memory: 1Gi}")).toEqual([]);
  expect(pod("limits: {ephemeral-storage: 1Gi}")).toEqual([
    `spec.resources.limits.ephemeral-storage: unsupported value "ephemeral-storage": supported values: "cpu", "hugepages-<SIZE>", "memory"`,
  ]);
  const init = (policy: string) =>
    spec(
      `initContainers: [{name: i, image: host, ${policy}resources: {requests: {cpu: 2}}}]`,
      "resources: {requests: {cpu: 1}}",
    );
  expect(init("")).toEqual(init("restartPolicy: Always, "));
  expect(init("")).toEqual([
    "spec.resources.requests.cpu: invalid value 1: must be greater than or equal to aggregate container requests of 2000m",
  ]);
});

test("resolv.conf has what a resolver reads", () => {
  expect(spec("dnsPolicy: None")).toEqual([
    "spec.dnsConfig.nameservers: required value: must provide at least one DNS nameserver when `dnsPolicy` is None",
  ]);
  expect(spec("dnsPolicy: Cluster")).toEqual([
    `spec.dnsPolicy: unsupported value "Cluster": supported values: "ClusterFirst", "ClusterFirstWithHostNet", "Default", "None"`,
  ]);
  expect(spec("dnsConfig: {nameservers: [1.1.1.1, 2001:db8::1, 1.2.3.4, 1.1.1.2]}")).toEqual([
    "spec.dnsConfig.nameservers: too many: must have at most 3 items",
  ]);
  expect(
    spec("dnsConfig: {nameservers: [one.one], searches: [a b], options: [{value: 1}]}"),
  ).toEqual([
    `spec.dnsConfig.nameservers[0]: invalid value "one.one": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)`,
    expect.stringMatching(
      /^spec\.dnsConfig\.searches\[0\]: invalid value "a b": a lowercase RFC 1123/,
    ),
    "spec.dnsConfig.options[0].name: required value",
    "spec.dnsConfig.options[0].value: invalid value 1: must be a string",
  ]);
  const names = (count: number, length: number) =>
    Array.from({ length: count }, () => "a".repeat(length)).join(", ");
  expect(spec(`dnsConfig: {searches: [${names(33, 1)}]}`)).toEqual([
    "spec.dnsConfig.searches: too many: must have at most 32 items",
  ]);
  expect(spec(`dnsConfig: {searches: [${names(32, 63)}]}`)).toEqual([]);
  expect(
    spec(
      `dnsConfig: {searches: [${Array(12)
        .fill("a".repeat(60) + "." + "b".repeat(60) + "." + "c".repeat(60))
        .join(", ")}]}`,
    ),
  ).toEqual([
    "spec.dnsConfig.searches: too long: must not have more than 2048 characters (including spaces) in the search list",
  ]);
  expect(spec("dnsConfig: {searches: [_tcp.example.com., .]}")).toEqual([]);
});

test("a pod is called what a host can be called", () => {
  expect(spec("hostAliases: [{ip: 1.2.3, hostnames: [A]}, {hostnames: [a.b]}]")).toEqual([
    `spec.hostAliases[0].ip: invalid value "1.2.3": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)`,
    expect.stringMatching(
      /^spec\.hostAliases\[0\]\.hostnames\[0\]: invalid value "A": a lowercase/,
    ),
    "spec.hostAliases[1].ip: required value",
  ]);
  expect(spec("subdomain: A.b")).toEqual([
    expect.stringMatching(/^spec\.subdomain: invalid value "A\.b": a lowercase RFC 1123 label/),
  ]);
  expect(spec(`hostnameOverride: ${"a".repeat(65)}`)).toEqual([
    `spec.hostnameOverride: invalid value "${"a".repeat(65)}": must be no more than 64 bytes`,
  ]);
  expect(spec("hostnameOverride: a", "hostNetwork: true", "setHostnameAsFQDN: true")).toEqual([
    "spec.hostnameOverride: forbidden: may not be set when `hostNetwork` is true",
    "spec.hostnameOverride: forbidden: may not be set when `setHostnameAsFQDN` is true",
  ]);
});

test("times of a pod are what Kubernetes takes", () => {
  const range = "must be between 1 and 2147483647, inclusive";
  expect(spec("activeDeadlineSeconds: 0")).toEqual([
    `spec.activeDeadlineSeconds: invalid value 0: ${range}`,
  ]);
  expect(spec("activeDeadlineSeconds: 2147483648")).toEqual([
    `spec.activeDeadlineSeconds: invalid value 2147483648: ${range}`,
  ]);
  expect(spec("terminationGracePeriodSeconds: -1")).toEqual([]);
  expect(spec("terminationGracePeriodSeconds: 2147483648")).toEqual([
    "spec.terminationGracePeriodSeconds: invalid value 2147483648: must be less than or equal to 2147483647",
  ]);
});

test("what cannot be here is refused by name", () => {
  expect(spec("runtimeClassName: kata")).toEqual([
    "error[manifest.unsupported-field] spec.runtimeClassName: there are no runtime handlers; every pod runs as peapod runs it",
  ]);
  expect(spec("os: {name: windows}")).toEqual([
    "error[manifest.unsupported-field] spec.os.name: peapod runs on Linux only",
  ]);
  expect(spec("resourceClaims: [{name: gpu}]")).toEqual([
    "error[manifest.unsupported-field] spec.resourceClaims: there are no devices to claim on this machine",
  ]);
});

test("what only a scheduler reads is checked all the same", () => {
  expect(
    spec(
      "tolerations: [{effect: Not}, {key: a, operator: Exists, value: b}, {key: a, effect: NoSchedule, tolerationSeconds: 1}]",
    ),
  ).toEqual([
    'spec.tolerations[0].operator: invalid value "Equal": operator must be Exists when `key` is empty, which means "match all values and all keys"',
    `spec.tolerations[0].effect: unsupported value "Not": supported values: "", "NoExecute", "NoSchedule", "PreferNoSchedule"`,
    `spec.tolerations[1].value: invalid value "b": value must be empty when \`operator\` is 'Exists'`,
    `spec.tolerations[2].effect: invalid value "NoSchedule": effect must be 'NoExecute' when \`tolerationSeconds\` is set`,
  ]);
  const node =
    "nodeAffinity: {requiredDuringSchedulingIgnoredDuringExecution: {nodeSelectorTerms: ";
  expect(spec(`affinity: {${node}[]}}}`)).toEqual([
    "spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms: required value",
  ]);
  expect(
    spec(
      `affinity: {${node}[{matchExpressions: [{key: a, operator: In}, {key: a, operator: Exists, values: [b]}, {key: a, operator: Gt, values: ['1', '2']}, {key: a, operator: Is}]}]}}}`,
    ).map((line) => line.replace(/^spec.*matchExpressions/, "E")),
  ).toEqual([
    "E[0].values: required value: must be specified when `operator` is 'In' or 'NotIn'",
    "E[1].values: forbidden: may not be specified when `operator` is 'Exists' or 'DoesNotExist'",
    "E[2].values: required value: must be specified single value when `operator` is 'Lt' or 'Gt'",
    `E[3].operator: unsupported value "Is": supported values: "DoesNotExist", "Exists", "Gt", "In", "Lt", "NotIn"`,
  ]);
  expect(
    spec(
      "affinity: {podAffinity: {preferredDuringSchedulingIgnoredDuringExecution: [{weight: 0, podAffinityTerm: {}}]}}",
    ).map((line) => line.replace(/^spec.*Execution/, "P")),
  ).toEqual([
    "P[0].weight: invalid value 0: must be between 1 and 100, inclusive",
    "P[0].podAffinityTerm.topologyKey: required value",
  ]);
  expect(
    spec("topologySpreadConstraints: [{maxSkew: 0, topologyKey: zone, whenUnsatisfiable: Wait}]"),
  ).toEqual([
    "spec.topologySpreadConstraints[0].maxSkew: invalid value 0: must be greater than or equal to 1",
    `spec.topologySpreadConstraints[0].whenUnsatisfiable: unsupported value "Wait": supported values: "DoNotSchedule", "ScheduleAnyway"`,
  ]);
  expect(spec("schedulingGates: [{name: a}, {name: a}]")).toEqual([
    `spec.schedulingGates[1].name: duplicate value: "a"`,
  ]);
  expect(spec("toleration: []")).toEqual([
    "error[manifest.unknown-field] spec.toleration: unknown field",
  ]);
});
