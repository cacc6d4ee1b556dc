// Kubernetes' rules of probes, hooks, restarts, variables, ports and mounts.

import { expect, test } from "bun:test";
import { complaint, podText } from "./manifests.ts";

function messages(text: string): string[] {
  return complaint(text)
    .split("\n")
    .filter((line) => line.startsWith("error["))
    .map((line) => line.replace(/^error\[manifest\.invalid\] /, ""))
    .map((line) => line.replace(/^spec\.containers\[0\]\./, "C."));
}

const container = (fields: string, ...lines: string[]) =>
  messages(podText(`, ${fields}`, lines.map((line) => `  ${line}\n`).join("")));
const spec = (...lines: string[]) =>
  messages(podText("", lines.map((line) => `  ${line}\n`).join("")));

test("names are unique over init containers and containers", () => {
  expect(spec("initContainers: [{name: app, image: host}, {name: b, image: host}]")).toEqual([
    `C.name: duplicate value: "app"`,
  ]);
});

test("a probe has one handler, with numbers that can be counted", () => {
  expect(container("livenessProbe: {}")).toEqual([
    "C.livenessProbe: required value: must specify a handler type",
  ]);
  expect(
    container("readinessProbe: {tcpSocket: {port: 1}, exec: {command: [a]}, grpc: {port: 1}}"),
  ).toEqual(["C.readinessProbe.exec: forbidden: may not specify more than 1 handler type"]);
  expect(
    container(
      "startupProbe: {exec: {}, periodSeconds: -1, timeoutSeconds: 1.5, initialDelaySeconds: x}",
    ),
  ).toEqual([
    "C.startupProbe.exec.command: required value",
    "C.startupProbe.periodSeconds: invalid value -1: must be greater than or equal to 0",
    "C.startupProbe.timeoutSeconds: invalid value 1.5: must be a whole number",
    'C.startupProbe.initialDelaySeconds: invalid value "x": must be a number',
  ]);
  const exec = "exec: {command: [a]}";
  expect(
    container(
      `startupProbe: {${exec}, successThreshold: 2}, livenessProbe: {${exec}, successThreshold: 2}, ` +
        `readinessProbe: {${exec}, successThreshold: 2, terminationGracePeriodSeconds: 3}`,
    ),
  ).toEqual([
    "C.startupProbe.successThreshold: invalid value 2: must be 1",
    "C.livenessProbe.successThreshold: invalid value 2: must be 1",
    "C.readinessProbe.terminationGracePeriodSeconds: invalid value 3: must not be set for readinessProbes",
  ]);
  expect(container(`livenessProbe: {${exec}, terminationGracePeriodSeconds: 0}`)).toEqual([
    "C.livenessProbe.terminationGracePeriodSeconds: invalid value 0: must be greater than or equal to 1",
  ]);
});

test("a handler names a port by number, or by the name of one of the container's", () => {
  const port = (value: string) => container(`livenessProbe: {httpGet: {port: ${value}}}`);
  const range = "must be between 1 and 65535, inclusive";
  const name = "must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)";
  expect(port("0")).toEqual([`C.livenessProbe.httpGet.port: invalid value 0: ${range}`]);
  expect(port("Http")).toEqual([`C.livenessProbe.httpGet.port: invalid value "Http": ${name}`]);
  expect(port("http")).toEqual([`C.livenessProbe.httpGet.port: not found: "http"`]);
  expect(
    container("ports: [{containerPort: 80, name: http}], livenessProbe: {httpGet: {port: http}}"),
  ).toEqual([]);
  expect(container("livenessProbe: {grpc: {port: http}}")).toEqual([
    `C.livenessProbe.grpc.port: invalid value "http": must be a number`,
  ]);
  expect(
    container(
      "livenessProbe: {httpGet: {port: 1, scheme: FTP, httpHeaders: [{name: a b, value: c}, {value: d}]}}",
    ),
  ).toEqual([
    `C.livenessProbe.httpGet.scheme: unsupported value "FTP": supported values: "HTTP", "HTTPS"`,
    `C.livenessProbe.httpGet.httpHeaders[0].name: invalid value "a b": a valid HTTP header must consist of alphanumeric characters or '-' (e.g. 'X-Header-Name', regex used for validation is '[-A-Za-z0-9]+')`,
    "C.livenessProbe.httpGet.httpHeaders[1].name: required value",
  ]);
  expect(container("livenessProbe: {grpc: {port: 1, mode: TLS}}")).toEqual([
    "error[manifest.unsupported-field] spec.containers[0].livenessProbe.grpc.mode: the field is alpha; a cluster drops it unless its feature gate is on",
  ]);
});

test("a hook has one handler, and sleeps no longer than the grace period", () => {
  expect(container("lifecycle: {preStop: {}, postStart: {grpc: {port: 1}}}").toSorted()).toEqual([
    "C.lifecycle.postStart: required value: must specify a handler type",
    "C.lifecycle.preStop: required value: must specify a handler type",
    "error[manifest.unknown-field] spec.containers[0].lifecycle.postStart.grpc: unknown field",
  ]);
  expect(container("lifecycle: {preStop: {sleep: {seconds: 31}}}")).toEqual([
    "C.lifecycle.preStop.sleep.seconds: invalid value 31: must be non-negative and not more than terminationGracePeriodSeconds (30)",
  ]);
  expect(
    container("lifecycle: {preStop: {sleep: {seconds: 0}}}", "terminationGracePeriodSeconds: 0"),
  ).toEqual([]);
  expect(container("lifecycle: {stopSignal: SIGUSR1}")).toEqual([
    "C.lifecycle.stopSignal: forbidden: may not be set for containers with OS not set",
  ]);
  expect(container("lifecycle: {stopSignal: USR1}", "os: {name: linux}")).toEqual([
    `C.lifecycle.stopSignal: invalid value "USR1": must be the name of a signal, such as SIGUSR1 or SIGRTMIN+3`,
  ]);
  for (const signal of ["SIGUSR1", "SIGRTMIN", "SIGRTMIN+15", "SIGRTMAX-14"]) {
    expect(container(`lifecycle: {stopSignal: ${signal}}`, "os: {name: linux}")).toEqual([]);
  }
});

test("rules for restarts belong to a container with a policy of its own", () => {
  const rule = "action: Restart, exitCodes: {operator: In, values: [1]}";
  expect(container(`restartPolicyRules: [{${rule}}]`)).toEqual([
    "C.restartPolicy: required value: must specify restartPolicy when restart rules are used",
  ]);
  const rules = (list: string) => container(`restartPolicy: Never, restartPolicyRules: [${list}]`);
  expect(rules(`{${rule}}`)).toEqual([]);
  expect(
    rules("{action: Stop}, {action: Restart, exitCodes: {operator: Is, values: [256]}}"),
  ).toEqual([
    "C.restartPolicyRules[0].exitCodes: required value",
    `C.restartPolicyRules[0].action: unsupported value "Stop": supported values: "Restart", "RestartAllContainers"`,
    `C.restartPolicyRules[1].exitCodes.operator: unsupported value "Is": supported values: "In", "NotIn"`,
    "C.restartPolicyRules[1].exitCodes.values[0]: invalid value 256: must be between 0 and 255, inclusive",
  ]);
  expect(rules("{action: Restart, exitCodes: {operator: In, values: []}}")).toEqual([
    "C.restartPolicyRules[0].exitCodes.values: required value",
  ]);
  expect(rules(Array(21).fill(`{${rule}}`).join(", "))).toEqual([
    "C.restartPolicyRules: too many: must have at most 20 items",
  ]);
  const codes = Array.from({ length: 256 }, (_, code) => code % 200).join(",");
  expect(rules(`{action: Restart, exitCodes: {operator: In, values: [${codes}]}}`)).toEqual([
    "C.restartPolicyRules[0].exitCodes.values: too many: must have at most 255 items",
  ]);
});

test("only an init container that stays has probes and hooks", () => {
  const init = (fields: string) =>
    spec(`initContainers: [{name: i, image: host, ${fields}}]`).map((line) =>
      line.replace("spec.initContainers[0].", "I."),
    );
  const why = "forbidden: may not be set for init containers without restartPolicy=Always";
  const all =
    "lifecycle: {preStop: {sleep: {seconds: 1}}}, livenessProbe: {tcpSocket: {port: 1}}, " +
    "readinessProbe: {tcpSocket: {port: 1}}, startupProbe: {tcpSocket: {port: 1}}";
  expect(init(all)).toEqual([
    `I.lifecycle: ${why}`,
    `I.livenessProbe: ${why}`,
    `I.readinessProbe: ${why}`,
    `I.startupProbe: ${why}`,
  ]);
  expect(init(`${all}, restartPolicy: Always`)).toEqual([]);
  expect(init("restartPolicy: Sometimes")).toEqual([
    `I.restartPolicy: unsupported value "Sometimes": supported values: "Always", "Never", "OnFailure"`,
  ]);
});

test("a variable has one source, which can be", () => {
  const env = (from: string, ...lines: string[]) =>
    container(`env: [{name: A, valueFrom: {${from}}}]`, ...lines).map((line) =>
      line.replace("C.env[0].valueFrom", "V"),
    );
  const sources =
    "`fieldRef`, `resourceFieldRef`, `configMapKeyRef`, `secretKeyRef` or `fileKeyRef`";
  expect(env("")).toEqual([`V: invalid value: must specify one of: ${sources}`]);
  const two = "fieldRef: {fieldPath: metadata.name}, resourceFieldRef: {resource: limits.cpu}";
  expect(env(two)).toEqual([
    "V: invalid value: may not have more than one field specified at a time",
  ]);
  expect(
    container("env: [{name: A, value: b, valueFrom: {fieldRef: {fieldPath: metadata.name}}}]"),
  ).toEqual(["C.env[0].valueFrom: invalid value: may not be specified when `value` is not empty"]);
  expect(env("fieldRef: {fieldPath: metadata.labels}")).toEqual([
    `V.fieldRef.fieldPath: unsupported value "metadata.labels": supported values: "metadata.annotations['<KEY>']", "metadata.labels['<KEY>']", "metadata.name", "metadata.namespace", "metadata.uid", "spec.nodeName", "spec.serviceAccountName", "status.hostIP", "status.hostIPs", "status.podIP", "status.podIPs"`,
  ]);
  expect(env(`fieldRef: {fieldPath: "metadata.labels['a/b/c']"}`)[0]).toStartWith(
    `V.fieldRef.fieldPath: invalid value "metadata.labels['a/b/c']": a qualified name`,
  );
  expect(env("resourceFieldRef: {resource: limits.disk}")).toEqual([
    `V.resourceFieldRef.resource: unsupported value "limits.disk": supported values: "limits.cpu", "limits.memory", "limits.ephemeral-storage", "limits.hugepages-<SIZE>", "requests.cpu", "requests.memory", "requests.ephemeral-storage", "requests.hugepages-<SIZE>"`,
  ]);
  expect(
    env("resourceFieldRef: {resource: limits.cpu, divisor: 2, containerName: no-one}"),
  ).toEqual([
    `V.resourceFieldRef.divisor: unsupported value 2: supported values: "1m", "1"`,
    `V.resourceFieldRef.containerName: not found: "no-one"`,
  ]);
  expect(env("resourceFieldRef: {resource: limits.memory, divisor: 1Mi}")).toEqual([]);
  const file = (volume: string) => `fileKeyRef: {volumeName: ${volume}, path: a/env, key: K}`;
  const volumes = "volumes: [{name: v}, {name: h, hostPath: {path: /a}}]";
  expect(env(file("w"), volumes)).toEqual([`V.fileKeyRef.volumeName: not found: "w"`]);
  expect(env(file("h"), volumes)).toEqual([
    `V.fileKeyRef.volumeName: invalid value "h": the volume must be an emptyDir`,
  ]);
  expect(env(file("v"), volumes)).toEqual([]);
  expect(container("envFrom: [{}, {configMapRef: {name: a}, secretRef: {name: b}}]")).toEqual([
    "C.envFrom[0]: invalid value: must specify one of: `configMapRef` or `secretRef`",
    "C.envFrom[1]: invalid value: may not have more than one field specified at a time",
  ]);
  expect(container("envFrom: [{prefix: a=, configMapRef: {name: a}}]")).toEqual([
    `C.envFrom[0].prefix: invalid value "a=": a valid environment variable name must consist only of printable ASCII characters other than '='`,
  ]);
});

test("ports have numbers, and two do not meet on the host", () => {
  expect(
    container("ports: [{containerPort: 1, hostPort: 65536, hostIP: 1.2.3, protocol: tcp}]"),
  ).toEqual([
    "C.ports[0].hostPort: invalid value 65536: must be between 0 and 65535, inclusive",
    `C.ports[0].hostIP: invalid value "1.2.3": must be a valid IP address, (e.g. 10.9.8.7 or 2001:db8::ffff)`,
    `C.ports[0].protocol: unsupported value "tcp": supported values: "SCTP", "TCP", "UDP"`,
  ]);
  const ports =
    "ports: [{containerPort: 1, hostPort: 80}, {containerPort: 2, hostPort: 80, protocol: UDP}, " +
    "{containerPort: 3, hostPort: 80, hostIP: ::1}, {containerPort: 4, hostPort: 80}]";
  expect(container(ports)).toEqual([`C.ports[3].hostPort: duplicate value: "TCP//80"`]);
  expect(container("ports: [{containerPort: 1, hostPort: 2}]", "hostNetwork: true")).toEqual([
    "C.ports[0].containerPort: invalid value 1: must match `hostPort` when `hostNetwork` is true",
  ]);
  expect(
    container("ports: [{containerPort: 1}, {containerPort: 1, name: a}]", "hostNetwork: true"),
  ).toEqual([`C.ports[1].containerPort: duplicate value: "TCP//1"`]);
});

test("a mount is what the kernel and Kubernetes can do", () => {
  const mount = (fields: string, more = "") =>
    container(
      `volumeMounts: [{name: v, mountPath: /a, ${fields}}]${more}`,
      "volumes: [{name: v}]",
    ).map((line) => line.replace("C.volumeMounts[0]", "M"));
  expect(mount("subPath: a, subPathExpr: b")).toEqual([
    "M.subPathExpr: forbidden: subPathExpr and subPath are mutually exclusive",
  ]);
  expect(mount("subPathExpr: ../$(A)")).toEqual([
    `M.subPathExpr: invalid value "../$(A)": must not contain '..'`,
  ]);
  expect(mount("mountPropagation: Bidirectional")).toEqual([
    "M.mountPropagation: forbidden: Bidirectional mount propagation is available only to privileged containers",
  ]);
  expect(mount("mountPropagation: Shared")).toEqual([
    `M.mountPropagation: unsupported value "Shared": supported values: "Bidirectional", "HostToContainer", "None"`,
  ]);
  expect(mount("recursiveReadOnly: Enabled, mountPropagation: HostToContainer")).toEqual([
    "M.recursiveReadOnly: forbidden: may only be specified when readOnly is true",
    "M.recursiveReadOnly: forbidden: may only be specified when mountPropagation is None or not specified",
  ]);
  expect(mount("recursiveReadOnly: IfPossible, readOnly: true")).toEqual([]);
});
