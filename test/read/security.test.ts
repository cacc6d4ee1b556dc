// Security contexts: what they become for each container, and what Kubernetes' rules say of them.

import { expect, test } from "bun:test";
import type { ContainerSecuritySpec } from "../../src/spec/security.ts";
import { plainContainerSecurity } from "../../src/spec/security.ts";
import { complaint, podText, readOne } from "./manifests.ts";

function read(own: string, pod: string): ContainerSecuritySpec {
  const text = podText(
    own === "" ? "" : `, securityContext: ${own}`,
    pod === "" ? "" : `  securityContext: ${pod}\n`,
  );
  const [container] = readOne(text).containers;
  if (!container) throw new Error("it has one");
  return container.security;
}

const own = "spec.containers[0].securityContext";
const pod = "spec.securityContext";

test("a container's own word goes before its pod's, each with its field", () => {
  const spec = read(
    "{runAsUser: 5, seccompProfile: {type: Unconfined}}",
    "{runAsUser: 6, runAsGroup: 7, runAsNonRoot: true, fsGroup: 8, supplementalGroups: [9], " +
      "supplementalGroupsPolicy: Strict, seccompProfile: {type: Localhost, localhostProfile: a.json}, " +
      "appArmorProfile: {type: Localhost, localhostProfile: web}, seLinuxOptions: {level: 's0:c1'}}",
  );
  expect(spec).toEqual({
    ...plainContainerSecurity,
    runAsUser: { value: 5, field: `${own}.runAsUser` },
    runAsGroup: { value: 7, field: `${pod}.runAsGroup` },
    runAsNonRoot: { value: true, field: `${pod}.runAsNonRoot` },
    groups: [8, 9],
    groupsPolicy: "Strict",
    seccomp: { value: { type: "Unconfined" }, field: `${own}.seccompProfile` },
    appArmor: { value: { type: "Localhost", name: "web" }, field: `${pod}.appArmorProfile` },
    seLinux: {
      value: { user: "", role: "", type: "", level: "s0:c1" },
      field: `${pod}.seLinuxOptions`,
    },
  });
});

test("escalation is allowed where it is written, and to who may do everything already", () => {
  const escalates = (context: string) => read(context, "").allowPrivilegeEscalation;
  expect(escalates("{}")).toBe(false);
  expect(escalates("{allowPrivilegeEscalation: true}")).toBe(true);
  expect(escalates("{privileged: true}")).toBe(true);
  expect(escalates("{capabilities: {add: [CAP_SYS_ADMIN]}}")).toBe(true);
  expect(escalates("{capabilities: {add: [NET_ADMIN]}}")).toBe(false);
});

test("capabilities are written with and without CAP_, in any case", () => {
  const { addCapabilities, dropCapabilities } = read(
    "{capabilities: {add: [CAP_NET_ADMIN, net_raw], drop: [all]}}",
    "",
  );
  expect(addCapabilities).toEqual([
    { value: "NET_ADMIN", field: `${own}.capabilities.add[0]` },
    { value: "NET_RAW", field: `${own}.capabilities.add[1]` },
  ]);
  expect(dropCapabilities).toEqual([{ value: "ALL", field: `${own}.capabilities.drop[0]` }]);
});

test("a sysctl has one name, however it is written", () => {
  const names = (list: string) =>
    readOne(podText("", `  securityContext: {sysctls: [${list}]}\n`)).security.sysctls.map(
      ({ name }) => name,
    );
  expect(names("{name: net.ipv4.tcp_rmem, value: '1 2 3'}")).toEqual(["net.ipv4.tcp_rmem"]);
  expect(names("{name: net/ipv4/conf/eth0.7/forwarding, value: '1'}")).toEqual([
    "net.ipv4.conf.eth0/7.forwarding",
  ]);
});

function said(context: string, forPod = "", more = ""): string[] {
  const text = podText(
    context === "" ? "" : `, securityContext: ${context}`,
    `${forPod === "" ? "" : `  securityContext: ${forPod}\n`}${more}`,
  );
  return complaint(text)
    .split("\n")
    .filter((line) => line.startsWith("error["))
    .map((line) => line.replace(/^error\[manifest\.\S+\] /, ""));
}

test("Kubernetes' rules hold for fields together", () => {
  expect(said("{allowPrivilegeEscalation: false, privileged: true}")).toEqual([
    `${own}.allowPrivilegeEscalation: invalid value false: cannot set to false and \`privileged\` to true`,
  ]);
  expect(said("{allowPrivilegeEscalation: false, capabilities: {add: [SYS_ADMIN]}}")).toEqual([
    `${own}.allowPrivilegeEscalation: invalid value false: cannot set to false and \`capabilities.add\` CAP_SYS_ADMIN`,
  ]);
  expect(said("{procMount: Unmasked}")).toEqual([
    `${own}.procMount: invalid value "Unmasked": \`hostUsers\` must be false to use \`Unmasked\``,
  ]);
  expect(said("{procMount: Unmasked}", "", "  hostUsers: false\n")).toEqual([]);
  expect(said("{windowsOptions: {runAsUserName: x}}")).toEqual([
    `${own}.windowsOptions: peapod runs on Linux only`,
  ]);
});

test("a profile of the host's has a name that stays in its place", () => {
  const profile = (kind: string, fields: string) => said(`{${kind}Profile: {${fields}}}`);
  const place = (kind: string) => `${own}.${kind}Profile.localhostProfile`;
  expect(profile("seccomp", "type: Localhost")).toEqual([
    `${place("seccomp")}: required value: must be set when seccomp type is Localhost`,
  ]);
  expect(profile("seccomp", "type: RuntimeDefault, localhostProfile: a")).toEqual([
    `${place("seccomp")}: invalid value "a": can only be set when seccomp type is Localhost`,
  ]);
  expect(profile("seccomp", "type: Localhost, localhostProfile: /a")).toEqual([
    `${place("seccomp")}: invalid value "/a": must be a relative path`,
  ]);
  expect(profile("seccomp", "type: Localhost, localhostProfile: a/../../b")).toEqual([
    `${place("seccomp")}: invalid value "a/../../b": must not contain '..'`,
  ]);
  expect(profile("appArmor", `type: Localhost, localhostProfile: "a\\nb"`)).toEqual([
    `${place("appArmor")}: invalid value "a\\nb": must not contain control characters`,
  ]);
  expect(profile("appArmor", "type: Localhost, localhostProfile: ' a'")).toEqual([
    `${place("appArmor")}: invalid value " a": must not be padded with whitespace`,
  ]);
  expect(profile("seccomp", "type: Docker")).toEqual([
    `${own}.seccompProfile.type: unsupported value "Docker": supported values: "Localhost", "RuntimeDefault", "Unconfined"`,
  ]);
});

test("ids, capabilities and labels are what they say they are", () => {
  const range = "must be between 0 and 2147483647, inclusive";
  expect(said("{runAsUser: -1, runAsGroup: 2147483648}")).toEqual([
    `${own}.runAsUser: invalid value -1: ${range}`,
    `${own}.runAsGroup: invalid value 2147483648: ${range}`,
  ]);
  expect(said("{capabilities: {add: [NET_ADMIM]}}")).toEqual([
    `${own}.capabilities.add[0]: invalid value "NET_ADMIM": is not a capability of Linux`,
  ]);
  expect(said('{seLinuxOptions: {level: "s0\\nx"}}')).toEqual([
    `${own}.seLinuxOptions.level: invalid value "s0\\nx": must consist of letters, digits and '_', '.', ',', ':', '-'`,
  ]);
});

test("sysctls are words, come once, and are nobody else's", () => {
  const sysctls = (list: string, more = "") => said("", `{sysctls: [${list}]}`, more);
  const at = (index: number, key = "name") => `${pod}.sysctls[${index}].${key}`;
  expect(sysctls("{name: kernel/shmmax, value: a}, {name: kernel.shmmax, value: b}")).toEqual([
    `${at(1)}: duplicate value: "kernel.shmmax"`,
  ]);
  for (const name of ["../x", "net..ipv4", "Net.x", "net.ipv4.", "net//x"]) {
    expect(sysctls(`{name: "${name}", value: a}`)).toEqual([
      `${at(0)}: invalid value "${name}": must be words of lower case letters, digits, '-' and '_', joined by '.' or '/'`,
    ]);
  }
  expect(sysctls("{name: net.ipv4.tcp_rmem, value: a}", "  hostNetwork: true\n")).toEqual([
    `${at(0)}: invalid value "net.ipv4.tcp_rmem": may not be specified when 'hostNetwork' is true`,
  ]);
  expect(sysctls("{name: kernel.shm_rmid_forced, value: a}", "  hostIPC: true\n")).toEqual([
    `${at(0)}: invalid value "kernel.shm_rmid_forced": may not be specified when 'hostIPC' is true`,
  ]);
  expect(sysctls(`{name: net.ipv4.tcp_rmem, value: "1\\n2"}`)).toEqual([
    `${at(0, "value")}: invalid value "1\\n2": must not contain control characters`,
  ]);
});
