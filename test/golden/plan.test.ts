// What peapod would do, as text, for one manifest of each kind: a change to any container shows up
// here as a diff. `bun run golden` writes the expected files anew.

import { expect, test } from "bun:test";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { encodePlan } from "../../src/plan/encode.ts";
import { planContainer } from "../../src/plan/container.ts";
import { planExec, planPause } from "../../src/plan/exec.ts";
import type { Plan } from "../../src/plan/plan.ts";
import { printPlan, printPlanWithOrigins } from "../../src/plan/print.ts";
import { planSandbox } from "../../src/plan/sandbox.ts";
import { planLastTeardown, planTeardown } from "../../src/plan/teardown.ts";
import type { ImageSource } from "../../src/resolve/image.ts";
import type { PodManifest } from "../../src/read/pod-manifest/read.ts";
import { readPodAgain } from "../../src/read/pod-manifest/read.ts";
import { resolvePod } from "../../src/resolve/pod.ts";
import { allCapabilities } from "../../src/spec/capabilities.ts";
import type { HostFacts } from "../../src/spec/host-facts.ts";
import type { HostPath } from "../../src/spec/paths.ts";
import { plainSecurity, rootUser } from "../../src/spec/resolved.ts";
import type { ResolvedPod } from "../../src/spec/resolved.ts";
import { noObjects } from "../../src/spec/objects.ts";
import { describe } from "../support/describe.ts";
import { dataObject } from "../support/specs.ts";

const isWriting = process.env.PEAPOD_GOLDEN === "write";
const expectedFolder = join(import.meta.dir, "expected");

const common = {
  arch: "x64",
  memoryBytes: 8 * 2 ** 30,
  openFilesMax: 1_048_576,
  security: { capabilities: allCapabilities, appArmorProfiles: undefined, hasSeLinux: false },
} as const;
const cgroupRoot = "/sys/fs/cgroup/peapod" as HostPath;

const hosts: Readonly<Record<string, HostFacts>> = {
  "6.1": {
    ...common,
    kernel: [6, 1],
    layersByDescriptor: false,
    clonesDetached: false,
    tmpfsWithoutSwap: false,
    thermalThrottle: [],
    cgroup: { root: cgroupRoot, controllers: new Set(), hugePageSizes: [] },
  },
  "6.18": {
    ...common,
    kernel: [6, 18],
    layersByDescriptor: true,
    clonesDetached: true,
    tmpfsWithoutSwap: true,
    thermalThrottle: ["/sys/devices/system/cpu/cpu0/thermal_throttle"],
    cgroup: {
      root: cgroupRoot,
      controllers: new Set(["cpu", "memory", "pids"]),
      hugePageSizes: [],
    },
  },
};

type Spec = NonNullable<PodManifest["spec"]>;

function podOf(name: string, spec: Spec): PodManifest {
  return { apiVersion: "v1", kind: "Pod", metadata: { name }, spec };
}

/** Any directory that every machine has. */
const image = "rootfs:/usr";
const plain = { name: "app", image, command: ["/bin/app", "--flag"] };

const manifests: readonly PodManifest[] = [
  podOf("plain", {
    containers: [
      {
        ...plain,
        resources: { requests: { cpu: "100m" }, limits: { cpu: "1", memory: "64Mi" } },
        env: [{ name: "GREETING", value: "hello" }],
        workingDir: "/srv",
      },
      { name: "side", image, command: ["side"], stdin: true },
    ],
  }),
  podOf("volumes", {
    containers: [
      {
        ...plain,
        tty: true,
        volumeMounts: [
          { name: "disk", mountPath: "/disk/inner" },
          { name: "memory", mountPath: "/disk", readOnly: true },
          { name: "host", mountPath: "/host", subPath: "a/b", readOnly: true },
          { name: "host", mountPath: "/etc/hosts" },
        ],
      },
    ],
    volumes: [
      { name: "disk", emptyDir: {} },
      { name: "memory", emptyDir: { medium: "Memory", sizeLimit: "1Mi" } },
      { name: "host", hostPath: { path: "/srv/data", type: "DirectoryOrCreate" } },
    ],
  }),
  podOf("host", { hostNetwork: true, hostIPC: true, hostPID: true, containers: [plain] }),
  podOf("shared", { shareProcessNamespace: true, containers: [plain] }),
  podOf("files", {
    securityContext: { fsGroup: 2000, fsGroupChangePolicy: "OnRootMismatch" },
    containers: [
      {
        ...plain,
        env: [{ name: "P", valueFrom: { secretKeyRef: { name: "db", key: "password" } } }],
        volumeMounts: [
          { name: "all", mountPath: "/all" },
          { name: "all", mountPath: "/etc/app.conf", subPath: "conf/app.conf" },
          { name: "claim", mountPath: "/claim", readOnly: true, recursiveReadOnly: "Enabled" },
          { name: "memory", mountPath: "/memory", subPath: "part" },
          { name: "disk", mountPath: "/disk" },
        ],
      },
    ],
    volumes: [
      {
        name: "all",
        projected: {
          defaultMode: 0o400,
          sources: [
            { configMap: { name: "app", items: [{ key: "app.conf", path: "conf/app.conf" }] } },
            { secret: { name: "db" } },
            {
              downwardAPI: {
                items: [{ path: "name", fieldRef: { fieldPath: "metadata.name" }, mode: 0o640 }],
              },
            },
          ],
        },
      },
      { name: "claim", persistentVolumeClaim: { claimName: "data" } },
      { name: "memory", emptyDir: { medium: "Memory", sizeLimit: "1Mi" } },
      { name: "disk", emptyDir: {} },
    ],
  }),
  podOf("user", {
    hostUsers: false,
    containers: [{ ...plain, volumeMounts: [{ name: "host", mountPath: "/host" }] }],
    volumes: [{ name: "host", hostPath: { path: "/srv/data" } }],
  }),
  ...[true, false].map((hostUsers) =>
    podOf(hostUsers ? "images" : "images-user", {
      hostUsers,
      containers: [
        {
          ...plain,
          image: "app:1",
          volumeMounts: [
            { name: "volume", mountPath: "/whole" },
            { name: "volume", mountPath: "/part", subPath: "part" },
          ],
        },
      ],
      volumes: [{ name: "volume", image: { reference: "volume:1" } }],
    }),
  ),
];

const layer = (name: string) => `/var/lib/peapod/images/layers/${name}/root`;
/** As they are in a store: two layers each, and a subPath that only one of them has. */
const images: ImageSource = Object.assign(
  new Map([
    [
      "app:1",
      {
        ...{ id: "sha256:app", layers: ["app-high", "low"].map(layer), user: rootUser },
        ...{ entrypoint: [], cmd: [], env: [], home: "/root", workingDir: "/", stopSignal: 15 },
        userName: "",
      },
    ],
  ]),
  {
    volumes: new Map([
      [
        "volume:1",
        {
          ...{ id: "sha256:volume", layers: ["volume-high", "low"].map(layer) },
          view: (subPath: string) =>
            subPath === "" ? ["volume-high", "low"].map(layer) : [`${layer("low")}/${subPath}`],
        },
      ],
    ]),
  },
);
const objects = {
  ...noObjects,
  configMaps: new Map([dataObject("app", { "app.conf": "a=1\n", "b/ignored": "", mode: "x" })]),
  secrets: new Map([dataObject("db", { password: "canary" })]),
};

/** Resolved as on a machine whose name, name servers and hosts file are these. */
function resolve(manifest: PodManifest, facts: HostFacts): ResolvedPod {
  const spec = readPodAgain(manifest, objects);
  const isUser = spec.namespaces.user === "POD";
  const pod = resolvePod(spec, facts, {
    uid: "00000000-0000-4000-8000-000000000000",
    places: {
      root: "/var/lib/peapod" as HostPath,
      state: "/run/peapod" as HostPath,
      logs: "/var/log/pods" as HostPath,
    },
    ids: isUser
      ? { firstId: 1_879_048_192, count: 65_536, claim: "0" }
      : { firstId: 0, count: 0, claim: "" },
    podPidsMax: 4096,
    deadlineMs: 60_000,
    missingControllers: "warn",
    warn: () => {},
    files: {},
    images,
  });
  const files = { hosts: "127.0.0.1\tlocalhost\n", hostname: "web\n", resolvConf: "" };
  const containers = pod.containers.map((container) => ({
    ...container,
    env: container.env.map((entry) => (entry.startsWith("HOSTNAME=") ? "HOSTNAME=web" : entry)),
  }));
  const volumes = pod.volumes.map((volume) =>
    volume.kind === "projected" ? { ...volume, set: "..2026_01_02_03_04_05.0000000006" } : volume,
  );
  return { ...pod, hostname: "web", files, containers, volumes };
}

function plansOf(pod: ResolvedPod, facts: HostFacts): Readonly<Record<string, Plan>> {
  const request = {
    process: 1_000_000,
    candidates: ["/bin/sh"],
    argv: ["sh"],
    env: ["PATH=/bin"],
    workingDir: "/",
    user: rootUser,
    security: plainSecurity,
    oomScoreAdj: 1000,
    tty: { rows: 24, columns: 80 },
    deadlineMs: 30_000,
    isHidden: false,
  };
  return {
    sandbox: planSandbox(pod, facts),
    ...(pod.namespaces.pid === "POD" && { pause: planPause(pod, facts) }),
    ...Object.fromEntries(
      pod.containers.map((container) => [
        `container ${container.name}`,
        planContainer(pod, container, facts),
      ]),
    ),
    exec: planExec(pod, request, facts),
    teardown: planTeardown(pod.places, pod.ids.claim),
    "last teardown": planLastTeardown(pod.places),
  };
}

for (const manifest of manifests) {
  for (const [kernel, facts] of Object.entries(hosts)) {
    const name = `${manifest.metadata?.name} on ${kernel}`;
    const plans = () => plansOf(resolve(manifest, facts), facts);

    test(`the plans of ${name}`, () => {
      const text = Object.entries(plans())
        .map(([what, plan]) => `${what}: ${printPlanWithOrigins(plan, new Set(["P=canary"]))}`)
        .join("\n");
      const file = join(expectedFolder, `${name.replaceAll(" ", "-")}.txt`);
      if (isWriting) writeFileSync(file, text);
      expect(text).toBe(readFileSync(file, "utf8"));
    });

    test(`Zig reads the plans of ${name} the same`, () => {
      for (const plan of Object.values(plans())) {
        expect(describe(encodePlan(plan))).toBe(printPlan(plan));
      }
    });
  }
}

test("the same pod makes the same bytes", () => {
  const [manifest] = manifests;
  const facts = hosts["6.18"];
  if (!manifest || !facts) throw new Error("both are there");
  const bytes = () =>
    Object.values(plansOf(resolve(manifest, facts), facts)).map((plan) => encodePlan(plan));
  expect(bytes()).toEqual(bytes());
});

test("how the root is entered is the only difference between the two ways", () => {
  const [manifest] = manifests;
  const facts = hosts["6.18"];
  if (!manifest || !facts) throw new Error("both are there");
  const pod = resolve(manifest, facts);
  const [container] = pod.containers;
  if (!container) throw new Error("it has one");
  const text = (enter: "enter_by_move" | "enter_by_pivot") =>
    printPlan(planContainer(pod, container, facts, { enter }));
  expect(text("enter_by_pivot")).toContain("enter_by_pivot");
  expect(text("enter_by_pivot").replace("enter_by_pivot", "enter_by_move")).toBe(
    text("enter_by_move"),
  );
});
