// What a container is from inside, whole: the default in full, and how each field of the manifest
// changes it. `PEAPOD_GOLDEN=write` writes the expectations anew; read the difference.

import { expect } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { PodManifest } from "../../src/read/pod-manifest/read.ts";
import type { TestHost } from "../support/host.ts";
import { hostMissing, logOf, openTestHost, podOf } from "../support/host.ts";
import { testOrSkip } from "../support/must-run.ts";
import { textOf } from "../support/pods.ts";
import { probeLines } from "../support/probe.ts";
import { difference, linesOf, words } from "./seen.ts";

const kernelTest = testOrSkip(hostMissing === undefined, hostMissing ?? "");
const folder = join(import.meta.dir, "expected");

type Spec = NonNullable<PodManifest["spec"]>;
type Container = Spec["containers"][number];

interface Mode {
  readonly spec?: Partial<Spec>;
  readonly container?: Partial<Container>;
  /** Seen by a command, or in another way, instead of by the container's own program. */
  readonly how?: "exec";
}

const securely = (securityContext: Container["securityContext"]): Mode => ({
  container: { securityContext },
});
const podwise = (securityContext: Spec["securityContext"]): Mode => ({ spec: { securityContext } });

const modes: Readonly<Record<string, Mode>> = {
  exec: { how: "exec" },
  "exec-of-a-user": { ...securely({ runAsUser: 1000, runAsGroup: 1000 }), how: "exec" },
  "exec-privileged": { ...securely({ privileged: true }), how: "exec" },
  "user-namespace": { spec: { hostUsers: false } },
  "exec-in-a-user-namespace": { spec: { hostUsers: false }, how: "exec" },
  "shared-pid-namespace": { spec: { shareProcessNamespace: true } },
  "host-network": { spec: { hostNetwork: true } },
  "host-ipc": { spec: { hostIPC: true } },
  terminal: { container: { tty: true } },
  privileged: securely({ privileged: true }),
  "read-only-root": securely({ readOnlyRootFilesystem: true }),
  "run-as-user": securely({ runAsUser: 1000 }),
  "run-as-group": securely({ runAsUser: 1000, runAsGroup: 2000 }),
  "allow-privilege-escalation": securely({ allowPrivilegeEscalation: true }),
  "capabilities-add": securely({ capabilities: { add: ["NET_RAW", "SYS_PTRACE"] } }),
  "capabilities-drop": securely({ capabilities: { drop: ["CHOWN", "SETUID"] } }),
  "capabilities-drop-all": securely({ capabilities: { drop: ["ALL"] } }),
  "capabilities-add-all": securely({ capabilities: { add: ["ALL"] } }),
  "seccomp-unconfined": securely({ seccompProfile: { type: "Unconfined" } }),
  "proc-mount-unmasked": {
    spec: { hostUsers: false },
    ...securely({ procMount: "Unmasked" }),
  },
  "supplemental-groups": podwise({ supplementalGroups: [3000, 4000] }),
  "fs-group": podwise({ fsGroup: 5000 }),
  sysctls: podwise({ sysctls: [{ name: "net.ipv4.ip_unprivileged_port_start", value: "0" }] }),
};

/** What the container `only` of such a pod sees. */
async function look(host: TestHost, { spec, container, how }: Mode): Promise<string[]> {
  if (how === "exec") {
    await using pod = await host.up(podOf(host, "seen", { only: ["pause"] }, spec, container));
    const { stdout } = await pod.exec(["/probe", ...words]).result;
    return linesOf(probeLines(textOf(stdout)));
  }
  await using pod = await host.up(podOf(host, "seen", { only: words }, spec, container));
  await pod.container("only").exited;
  return linesOf(probeLines((await logOf(pod, "only")).replaceAll("\r\n", "\n")));
}

function expectGolden(name: string, lines: readonly string[]): void {
  const path = join(folder, `${name}.txt`);
  if (process.env["PEAPOD_GOLDEN"] === "write") {
    mkdirSync(folder, { recursive: true });
    writeFileSync(path, `${lines.join("\n")}\n`);
  }
  expect(lines).toEqual(readFileSync(path, "utf8").split("\n").filter(Boolean));
}

kernelTest("the default container, whole", async () => {
  await using host = await openTestHost();
  expectGolden("default", await look(host, {}));
});

for (const [name, mode] of Object.entries(modes)) {
  kernelTest(`how ${name.replaceAll("-", " ")} changes it`, async () => {
    await using host = await openTestHost();
    expectGolden(name, difference(await look(host, {}), await look(host, mode)));
  });
}
