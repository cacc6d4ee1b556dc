// What a container is told of itself: names, files of names, variables that files and fields give.

import { afterAll, beforeAll, expect } from "bun:test";
import { hostname } from "node:os";
import type { TestHost } from "../support/host.ts";
import { answersOf, hostMissing, logOf, openTestHost } from "../support/host.ts";
import { testOrSkip } from "../support/must-run.ts";
import type { ContainerInput, Spec } from "../support/pods.ts";
import { probe, until, up } from "../support/pods.ts";
import { probeAnswers } from "../support/probe.ts";

const test = testOrSkip(hostMissing === undefined, hostMissing ?? "");

let host: TestHost;

beforeAll(async () => {
  if (hostMissing === undefined) host = await openTestHost({ timeScale: 0.01 });
});

afterAll(() => host?.[Symbol.asyncDispose]());

test("names are as the manifest says, in the kernel and in the files", async () => {
  const files = ["/etc/hosts", "/etc/hostname", "/etc/resolv.conf"];
  const container = probe(host, ["host", "env", ...files.flatMap((file) => ["read", file])]);
  await using pod = await up(host, [container], {
    hostname: "db",
    subdomain: "sub",
    setHostnameAsFQDN: true,
    hostAliases: [{ ip: "192.0.2.1", hostnames: ["a.example", "b.example"] }],
    dnsPolicy: "None",
    dnsConfig: {
      nameservers: ["192.0.2.53"],
      searches: ["own.example"],
      options: [{ name: "ndots", value: "2" }],
    },
  });
  const { main = {} } = await answersOf(pod);
  const full = "db.sub.default.svc.cluster.local";
  expect(JSON.stringify(main["host"])).toContain(full);
  expect(main["env"]).toContain(`HOSTNAME=${full}`);
  expect(main["read /etc/hostname"]).toBe(`${full}\n`);
  expect(main["read /etc/hosts"]).toEndWith(
    `\t${full}\tdb\n\n# Entries added by HostAliases.\n192.0.2.1\ta.example\tb.example\n`,
  );
  expect(main["read /etc/resolv.conf"]).toBe(
    "search own.example\nnameserver 192.0.2.53\noptions ndots:2\n",
  );
});

test("a container that starts again finds the hosts file as the pod has it", async () => {
  const words = ["read", "/etc/hosts", "append", "/etc/hosts", "6.6.6.6 spoiled\n", "exit", "1"];
  await using pod = await up(host, [probe(host, words)], { restartPolicy: "Always" });
  const first = String(probeAnswers(await logOf(pod, "main"))["read /etc/hosts"]);
  await until(async () => (await pod.container("main").state()).logPath.endsWith("/1.log"), 10_000);
  await until(async () => (await logOf(pod, "main")).includes("append"), 10_000);
  const again = String(probeAnswers(await logOf(pod, "main"))["read /etc/hosts"]);
  expect(again).not.toContain("spoiled");
  expect(first).not.toContain("spoiled");
  expect(again).toContain("# Kubernetes-managed hosts file.");
});

test("fields, resources and a file of an init container become variables", async () => {
  const mounts = { volumeMounts: [{ name: "work", mountPath: "/work" }] };
  const init = probe(host, ["create", "/work/app.env", "TOKEN='from init'\n"], {
    name: "init",
    ...mounts,
  });
  const env = [
    { name: "NODE", valueFrom: { fieldRef: { fieldPath: "spec.nodeName" } } },
    { name: "POD_IP", valueFrom: { fieldRef: { fieldPath: "status.podIP" } } },
    { name: "CPU", valueFrom: { resourceFieldRef: { resource: "requests.cpu", divisor: "1m" } } },
    {
      name: "TOKEN",
      valueFrom: { fileKeyRef: { volumeName: "work", path: "app.env", key: "TOKEN" } },
    },
    { name: "BOTH", value: "$(NODE)/$(TOKEN)" },
  ];
  const words = ["env", "create", "/part/file", "x", "ls", "/work"];
  const main = probe(host, words, {
    env,
    resources: { requests: { cpu: "250m" } },
    volumeMounts: [
      { name: "work", mountPath: "/work" },
      { name: "work", mountPath: "/part", subPathExpr: "$(NODE)/logs" },
    ],
  } as Partial<ContainerInput>);
  const spec: Partial<Spec> = { initContainers: [init], volumes: [{ name: "work", emptyDir: {} }] };
  await using pod = await up(host, [main], { ...spec, restartPolicy: "Never" });
  await pod.container("main").exited;
  const answers = probeAnswers(await logOf(pod, "main"));
  const node = hostname().toLowerCase();
  for (const entry of [
    `NODE=${node}`,
    "POD_IP=127.0.0.1",
    "CPU=250",
    "TOKEN=from init",
    `BOTH=${node}/from init`,
  ]) {
    expect(answers["env"]).toContain(entry);
  }
  expect(answers["create /part/file x"]).toBe(1);
  expect(answers["ls /work"]).toEqual({ "app.env": "file", [node]: "directory" });
});
