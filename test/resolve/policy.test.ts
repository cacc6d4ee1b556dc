// The Pod Security Standards, rule by rule: what each level says of one violation, and where.

import { expect, test } from "bun:test";
import { PodError } from "../../src/errors/pod-error.ts";
import { readPodManifests } from "../../src/read/pod-manifest/read.ts";
import { refuseViolations, violationsOf } from "../../src/resolve/policy.ts";

type Level = "baseline" | "restricted";

const strict = {
  securityContext: {
    allowPrivilegeEscalation: false,
    capabilities: { drop: ["ALL"] },
    runAsNonRoot: true,
    seccompProfile: { type: "RuntimeDefault" },
  },
};

/** `field: message` of each violation of a pod that is otherwise as strict as can be. */
function said(level: Level, container: object = {}, spec: object = {}, metadata: object = {}) {
  const app = { name: "app", image: "app", ...strict, ...container };
  const manifest = { metadata: { name: "web", ...metadata }, spec: { containers: [app], ...spec } };
  return violationsOf(manifest, level).map(({ field, message }) => `${field}: ${message}`);
}

const context = (more: object) => ({ securityContext: { ...strict.securityContext, ...more } });

test("a strict pod passes, and so does what is merely left out at the level of baseline", () => {
  expect(said("restricted")).toEqual([]);
  expect(said("baseline")).toEqual([]);
  expect(said("baseline", { securityContext: undefined })).toEqual([]);
});

const app = "spec.containers[0]";
const own = `${app}.securityContext`;
const safe = "which is not safe";
const types = "allowed are container_t, container_init_t, container_kvm_t, container_engine_t";

/** What baseline forbids, restricted forbids too. */
const baseline: readonly (readonly [object, object, readonly string[], object?])[] = [
  [
    {},
    { hostNetwork: true, hostPID: true, hostIPC: false },
    [
      "spec.hostNetwork: must not share a namespace of the host",
      "spec.hostPID: must not share a namespace of the host",
    ],
  ],
  [context({ privileged: true }), {}, [`${own}.privileged: must not be true`]],
  [
    context({ windowsOptions: { hostProcess: true } }),
    {},
    [`${own}.windowsOptions.hostProcess: must not be true`],
  ],
  [
    {},
    { volumes: [{ name: "v", hostPath: { path: "/" } }] },
    ["spec.volumes[0].hostPath: must not be a path of the host"],
  ],
  [{ image: "rootfs:/srv" }, {}, [`${app}.image: must not be a path of the host`]],
  [
    {
      ports: [
        { containerPort: 1, hostPort: 1 },
        { containerPort: 2, hostPort: 0 },
      ],
    },
    {},
    [`${app}.ports[0].hostPort: must not be set`],
  ],
  [
    {
      livenessProbe: { httpGet: { host: "10.0.0.1" } },
      lifecycle: { preStop: { tcpSocket: { host: "x" } }, postStart: { httpGet: { host: "" } } },
    },
    {},
    [
      `${app}.livenessProbe.httpGet.host: must not be set: the address is the pod's own`,
      `${app}.lifecycle.preStop.tcpSocket.host: must not be set: the address is the pod's own`,
    ],
  ],
  [
    context({ appArmorProfile: { type: "Unconfined" } }),
    {},
    [
      `${own}.appArmorProfile.type: must not be "Unconfined"; allowed are RuntimeDefault, Localhost`,
    ],
  ],
  [
    {},
    {},
    [
      'metadata.annotations["container.apparmor.security.beta.kubernetes.io/app"]: must not be "unconfined"',
    ],
    {
      annotations: {
        "container.apparmor.security.beta.kubernetes.io/app": "unconfined",
        "container.apparmor.security.beta.kubernetes.io/b": "localhost/b",
      },
    },
  ],
  [
    context({ seLinuxOptions: { type: "spc_t", role: "r", level: "s0" } }),
    {},
    [
      `${own}.seLinuxOptions.type: must not be "spc_t"; ${types}`,
      `${own}.seLinuxOptions.role: must not be set`,
    ],
  ],
  [context({ procMount: "Unmasked" }), {}, [`${own}.procMount: must be Default`]],
  [
    context({ seccompProfile: { type: "Unconfined" } }),
    {},
    [`${own}.seccompProfile.type: must not be "Unconfined"; allowed are RuntimeDefault, Localhost`],
  ],
  [
    {},
    {
      securityContext: {
        sysctls: [{ name: "net.ipv4.tcp_syncookies" }, { name: "kernel.msgmax" }],
      },
    },
    [`spec.securityContext.sysctls[1].name: must not set "kernel.msgmax", ${safe}`],
  ],
];

for (const [container, spec, expected, metadata] of baseline) {
  test(`baseline and restricted forbid ${expected[0]}`, () => {
    expect(said("baseline", container, spec, metadata)).toEqual([...expected]);
    const restricted = said("restricted", container, spec, metadata).map((line) =>
      line.replace(/hostPath: .*/, "hostPath: must not be a path of the host"),
    );
    expect(restricted.toSorted()).toEqual(expected.toSorted());
  });
}

const restricted: readonly (readonly [object, object, readonly string[]])[] = [
  [
    {},
    { volumes: [{ name: "a", emptyDir: {} }, { name: "b" }, { name: "c", nfs: { path: "/" } }] },
    [
      "spec.volumes[2].nfs: must be one of configMap, csi, downwardAPI, emptyDir, ephemeral, persistentVolumeClaim, projected, secret",
    ],
  ],
  [
    context({ allowPrivilegeEscalation: undefined }),
    {},
    [`${own}.allowPrivilegeEscalation: must be written, and false`],
  ],
  [
    context({ runAsNonRoot: undefined }),
    {},
    [`${own}.runAsNonRoot: must be true, for the pod or for each container`],
  ],
  [
    context({ runAsNonRoot: false }),
    { securityContext: { runAsNonRoot: true } },
    [`${own}.runAsNonRoot: must be true, for the pod or for each container`],
  ],
  [context({ runAsUser: 0 }), {}, [`${own}.runAsUser: must not be 0`]],
  [
    context({ seccompProfile: undefined }),
    {},
    [
      `${own}.seccompProfile.type: must be RuntimeDefault or Localhost, for the pod or for each container`,
    ],
  ],
  [context({ capabilities: {} }), {}, [`${own}.capabilities.drop: must have "ALL"`]],
  [
    context({ capabilities: { drop: ["ALL"], add: ["NET_BIND_SERVICE", "CHOWN"] } }),
    {},
    [`${own}.capabilities.add[1]: must not add "CHOWN"; allowed are NET_BIND_SERVICE`],
  ],
];

for (const [container, spec, expected] of restricted) {
  test(`restricted alone forbids ${expected[0]}`, () => {
    expect(said("restricted", container, spec)).toEqual([...expected]);
    expect(said("baseline", container, spec)).toEqual([]);
  });
}

test("what the pod says counts for containers that say nothing", () => {
  const { runAsNonRoot, seccompProfile, ...rest } = strict.securityContext;
  const spec = { securityContext: { runAsNonRoot, seccompProfile } };
  expect(said("restricted", { securityContext: rest }, spec)).toEqual([]);
});

test("capabilities beyond those of baseline are named with what is allowed", () => {
  const more = context({ capabilities: { drop: ["ALL"], add: ["NET_RAW", "MKNOD"] } });
  expect(said("baseline", more)).toEqual([
    `${own}.capabilities.add[0]: must not add "NET_RAW"; allowed are AUDIT_WRITE, CHOWN, ` +
      "DAC_OVERRIDE, FOWNER, FSETID, KILL, MKNOD, NET_BIND_SERVICE, SETFCAP, SETGID, SETPCAP, " +
      "SETUID, SYS_CHROOT",
  ]);
});

test("in a user namespace root is nobody: rules about it are relaxed", () => {
  const more = context({ runAsNonRoot: undefined, runAsUser: 0, procMount: "Unmasked" });
  expect(said("baseline", more, { hostUsers: false })).toEqual([]);
  expect(said("restricted", more, { hostUsers: false })).toEqual([
    `${own}.procMount: must be Default`,
  ]);
});

test("init containers are held to the same", () => {
  const initContainers = [{ name: "first", image: "a", securityContext: { privileged: true } }];
  expect(said("baseline", {}, { initContainers })).toEqual([
    "spec.initContainers[0].securityContext.privileged: must not be true",
  ]);
});

test("violations are told with their lines, in the order of the file", () => {
  const text = `apiVersion: v1
kind: Pod
metadata: { name: web }
spec:
  containers:
  - name: app
    image: app
    securityContext:
      privileged: true
      capabilities:
        add: [SYS_ADMIN]
  hostPID: true
`;
  const [spec] = readPodManifests(text, "web.yaml");
  if (!spec) throw new Error("it holds a pod");
  let error: unknown;
  try {
    refuseViolations(spec, "baseline");
  } catch (caught) {
    error = caught;
  }
  if (!(error instanceof PodError)) throw new Error("it is refused");
  const lines = [error, ...error.others].map(({ code, origin, message }) =>
    [code, origin?.file, origin?.line, message.replace(/; allowed.*\(/, " (")].join(" "),
  );
  expect(lines).toEqual([
    `pod.policy-violated web.yaml 9 ${own}.privileged: must not be true (policy baseline)`,
    `pod.policy-violated web.yaml 11 ${own}.capabilities.add[0]: must not add "SYS_ADMIN" (policy baseline)`,
    "pod.policy-violated web.yaml 12 spec.hostPID: must not share a namespace of the host (policy baseline)",
  ]);
});
