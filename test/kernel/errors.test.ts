// The full text of every error that a launch, or a pod that runs, can end in. `PEAPOD_GOLDEN=write`
// writes the expected files anew.

import { expect } from "bun:test";
import { chmodSync, mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { PodError, printError } from "../../src/errors/pod-error.ts";
import { PodHost } from "../../src/pod/peapod.ts";
import type { UpOptions } from "../../src/pod/types.ts";
import { readPodManifests } from "../../src/read/pod-manifest/read.ts";
import type { TestHost } from "../support/host.ts";
import { hostMissing, openTestHost, podOf } from "../support/host.ts";
import { testOrSkip } from "../support/must-run.ts";

const kernelTest = testOrSkip(hostMissing === undefined, hostMissing ?? "");
const isWriting = process.env.PEAPOD_GOLDEN === "write";
const expectedFolder = join(import.meta.dir, "../errors");

/** Without what differs from machine to machine: places, ids, and how many steps a plan has. */
function normalized(text: string, host: TestHost): string {
  return `${text
    .replaceAll(host.cgroupRoot, "CGROUP")
    .replaceAll(host.cgroupMount, "HIERARCHY")
    .replaceAll(host.folder, "FOLDER")
    .replaceAll(/[0-9a-f]{8}-[0-9a-f-]{27}/g, "UID")
    .replaceAll(/\d+ of \d+,/g, "N of N,")}\n`;
}

async function textOf(attempt: Promise<unknown>): Promise<string> {
  const outcome = await attempt.then(
    () => "no error",
    (error: unknown) => error,
  );
  return outcome instanceof PodError ? printError(outcome) : String(outcome);
}

function compare(name: string, text: string): void {
  const file = join(expectedFolder, `${name}.txt`);
  if (isWriting) writeFileSync(file, text);
  expect(text).toBe(readFileSync(file, "utf8"));
}

interface Case {
  /** Lines of the container, and of the pod's spec. */
  readonly container?: readonly string[];
  readonly spec?: readonly string[];
  readonly image?: string;
  readonly options?: UpOptions;
}

const volume = (...source: string[]) => [
  "volumes:",
  "- name: data",
  ...source.map((l) => `  ${l}`),
];
const mounted = ["command: [/probe]", "volumeMounts:", "- { name: data, mountPath: /data }"];
const aborted = AbortSignal.abort();

/** By the name of the expected file. FOLDER stands for the test's own. */
const cases: Readonly<Record<string, Case>> = {
  "container.not-found": { container: ["command: [no-such-program, --flag]"] },
  "container.not-found-path": { container: ["command: [/no/such/program]"] },
  "container.not-executable": { container: ["command: [/plain]"] },
  "container.not-executable-directory": { container: ["command: [/proc]"] },
  "container.not-executable-format": { container: ["command: [/text]"] },
  "container.bad-directory": { container: ["command: [/probe]", "workingDir: /plain/inner"] },
  "container.no-command": { container: ["stdin: false"] },
  "image.never-pulled": {
    image: "nginx:1.27",
    container: ["imagePullPolicy: Never", "command: [nginx]"],
  },
  "image.invalid-name": { image: "Nginx:1.27", container: ["command: [nginx]"] },
  "image.unusable": { image: "rootfs:FOLDER/nowhere", container: ["command: [/probe]"] },
  "image.unusable-file": { image: "rootfs:FOLDER/rootfs/plain", container: ["command: [/probe]"] },
  "volume.source-missing": {
    container: mounted,
    spec: volume("hostPath: { path: FOLDER/nowhere }"),
  },
  "volume.source-missing-typed": {
    container: mounted,
    spec: volume("hostPath: { path: FOLDER/nowhere, type: Directory }"),
  },
  "volume.wrong-type": {
    container: mounted,
    spec: volume("hostPath: { path: FOLDER/rootfs/plain, type: Directory }"),
  },
  "volume.wrong-type-socket": {
    container: mounted,
    spec: volume("hostPath: { path: FOLDER/rootfs/plain, type: Socket }"),
  },
  "volume.denied-link": {
    container: [...mounted.slice(0, 2), "- { name: data, mountPath: /data, subPath: link }"],
    spec: volume("hostPath: { path: FOLDER/rootfs/links }"),
  },
  "container.runs-as-root": {
    container: ["command: [/probe]", "securityContext: { runAsNonRoot: true }"],
  },
  "container.runs-as-root-written": {
    container: ["command: [/probe]", "securityContext: { runAsUser: 0 }"],
    spec: ["securityContext: { runAsNonRoot: true }"],
  },
  "host.security-module-missing": {
    container: ["command: [/probe]", "securityContext: { seLinuxOptions: { level: s0 } }"],
  },
  "host.device-unusable": {
    container: ["command: [/probe]", 'resources: { limits: { "vendor.example/no-such=a": 1 } }'],
  },
  "host.seccomp-profile-unusable": {
    container: [
      "command: [/probe]",
      "securityContext: { seccompProfile: { type: Localhost, localhostProfile: no/such.json } }",
    ],
  },
  "pod.sysctl-refused": {
    container: ["command: [/probe]"],
    spec: ['securityContext: { sysctls: [{ name: net.ipv4.tcp_syncookies, value: "x" }] }'],
  },
  "launch.killed": {
    container: [
      "command: [/probe]",
      "securityContext: { seccompProfile: { type: Localhost, localhostProfile: kill.json } }",
    ],
  },
  "pod.sysctl-forbidden": {
    container: ["command: [/probe]"],
    spec: ['securityContext: { sysctls: [{ name: net.core.somaxconn, value: "9" }] }'],
  },
  "pod.sysctl-forbidden-host": {
    container: ["command: [/probe]"],
    spec: ['securityContext: { sysctls: [{ name: kernel.core_pattern, value: "|/x" }] }'],
  },
  "volume.not-mappable": {
    container: mounted,
    spec: ["hostUsers: false", ...volume("hostPath: { path: /sys/kernel }")],
  },
  "launch.too-large": {
    container: mounted,
    spec: volume("emptyDir: {}"),
    options: { files: { data: { large: new Uint8Array(5 << 20) } } },
  },
  "launch.aborted": { container: ["command: [/probe]"], options: { signal: aborted } },
};

function manifestOf(host: TestHost, { container = [], spec = [], image }: Case): string {
  const lines = [
    ...["apiVersion: v1", "kind: Pod", "metadata: { name: broken }", "spec:", "  containers:"],
    ...["  - name: web", `    image: ${image ?? "rootfs:FOLDER/rootfs"}`],
    ...container.map((line) => `    ${line}`),
    ...spec.map((line) => `  ${line}`),
  ];
  return `${lines.join("\n")}\n`.replaceAll("FOLDER", host.folder);
}

const killing = { defaultAction: "SCMP_ACT_KILL", syscalls: [] };

async function openPrepared(): Promise<TestHost> {
  const host = await openTestHost();
  const place = (name: string) => join(host.rootfs, name);
  writeFileSync(place("plain"), "not a program");
  writeFileSync(place("text"), "not a program either");
  chmodSync(place("text"), 0o755);
  const seccomp = join(host.places.root, "seccomp");
  mkdirSync(seccomp, { recursive: true });
  writeFileSync(join(seccomp, "kill.json"), JSON.stringify(killing));
  await Bun.$`mkdir ${place("links")} && ln -s /etc ${place("links/link")}`.quiet();
  return host;
}

for (const [name, broken] of Object.entries(cases)) {
  kernelTest(`${name} is said in full, and leaves nothing`, async () => {
    await using host = await openPrepared();
    const [spec] = readPodManifests(manifestOf(host, broken), "broken.yaml");
    if (!spec) throw new Error("the manifest holds a pod");
    const text = await textOf(host.pods.up(spec, broken.options ?? {}));
    compare(name, normalized(text, host));
    expect(host.leaks()).toEqual([]);
  });
}

kernelTest("what a running pod cannot do is said in full", async () => {
  await using host = await openPrepared();
  await using pod = await host.up(podOf(host, "web", { first: ["pause"], second: ["pause"] }));
  await using other = await host.up(podOf(host, "web-2", { only: ["exit", "0"] }));
  await other.container("only").exited;
  const throwing = async (attempt: () => unknown) => textOf((async () => attempt())());
  const small = new PodHost({ ...host.places, podsMax: 1, queueMax: 0 });
  await using running = await small.up(specOf(host), {});
  const strict = host.another({ policy: "restricted" });
  const closed = host.another();
  await closed[Symbol.asyncDispose]();
  const said: Record<string, string> = {
    "pod.exists": await textOf(host.up(podOf(host, "web", { only: ["pause"] }))),
    "pod.not-found": await throwing(() => host.pods.get("nothing")),
    "pod.ambiguous": await throwing(() => host.pods.get("we")),
    "pod.queue-full": await textOf(small.up(specOf(host, "late"), {})),
    "pod.policy-violated": await textOf(strict.up(specOf(host, "late"), {})),
    "pod.closed": await textOf(closed.up(specOf(host, "late"), {})),
    "container.unknown": await throwing(() => pod.container("third")),
    "container.not-running": await textOf(other.exec(["/probe", "ids"]).result),
    "container.no-stdin": await textOf(pod.container("first").attach({ stdin: true })),
    "container.not-found-exec": await textOf(pod.exec(["/nowhere"]).result),
    "file.unusable": await textOf(pod.files.read("/nowhere")),
  };
  await running.down({ graceMs: 0 });
  await small[Symbol.asyncDispose]();
  for (const [name, text] of Object.entries(said)) compare(name, normalized(text, host));
});

function specOf(host: TestHost, name = "small") {
  const [spec] = readPodManifests(
    JSON.stringify(podOf(host, name, { only: ["pause"] })),
    "small.json",
  );
  if (!spec) throw new Error("the manifest holds a pod");
  return spec;
}

kernelTest("places that cannot be used are said in full", async () => {
  await using host = await openPrepared();
  const upWith = async (options: object) => {
    await using pods = host.another(options);
    return await textOf(pods.up(specOf(host), {}));
  };
  const said: Record<string, string> = {
    "host.directory-unusable": await upWith({ state: join(host.rootfs, "plain/state") }),
    "host.directory-unusable-relative": await textOf(upWith({ state: "relative" })),
    "host.cgroup-unusable": await upWith({ cgroupRoot: "/tmp/elsewhere" }),
  };
  for (const [name, text] of Object.entries(said)) compare(name, normalized(text, host));
});
