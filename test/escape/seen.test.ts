// What a container is from inside, whole: the default in full, and how each field of the manifest
// changes it. `PEAPOD_GOLDEN=write` writes the expectations anew; read the difference.

import { expect } from "bun:test";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { PodManifest } from "../../src/read/pod-manifest/read.ts";
import type { TestHost } from "../support/host.ts";
import { eventually, hostMissing, logOf, openTestHost, podOf } from "../support/host.ts";
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
  /** Who looks: the container's own program where nothing is said. */
  readonly how?: "exec" | "postStart" | "probe" | "debug";
}

const securely = (securityContext: Container["securityContext"]): Mode => ({
  container: { securityContext },
});
const podwise = (securityContext: Spec["securityContext"]): Mode => ({ spec: { securityContext } });

const modes: Readonly<Record<string, Mode>> = {
  exec: { how: "exec" },
  "a-post-start-hook": { how: "postStart" },
  "a-probe": { how: "probe" },
  "a-debug-container": { how: "debug" },
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

const report = "/report";

/** By a command whose output nobody keeps: it writes it down. */
async function lookFromInside(host: TestHost, { spec, container, how }: Mode): Promise<string[]> {
  const exec = { command: ["/probe", "to", report, ...words, "say", "done"] };
  const asked: Partial<Container> =
    how === "postStart"
      ? { lifecycle: { postStart: { exec } } }
      : { startupProbe: { exec, failureThreshold: 1, timeoutSeconds: 10 } };
  await using pod = await host.up(
    podOf(host, "seen", { only: ["pause"] }, spec, { ...container, ...asked }),
  );
  const text = await eventually(
    async () => textOf(await pod.files.read(report).catch(() => new Uint8Array())),
    (seen) => seen.endsWith("done\n"),
  );
  return linesOf(probeLines(text));
}

async function lookBeside(host: TestHost, { spec, container }: Mode): Promise<string[]> {
  await using pod = await host.up(podOf(host, "seen", { only: ["pause"] }, spec, container));
  const image = `rootfs:${host.rootfs}`;
  const command = ["/probe", ...words];
  const name = await pod.debug({ name: "debug", image, command, targetContainerName: "only" });
  await pod.container(name).exited;
  return linesOf(probeLines(await logOf(pod, name)));
}

/** What the container `only` of such a pod sees. */
async function look(host: TestHost, mode: Mode): Promise<string[]> {
  const { spec, container, how } = mode;
  if (how === "debug") return lookBeside(host, mode);
  if (how === "postStart" || how === "probe") return lookFromInside(host, mode);
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
