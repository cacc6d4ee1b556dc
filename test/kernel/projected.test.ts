// Files that peapod writes itself: of ConfigMaps, Secrets, and what a pod says about itself.

import { afterAll, beforeAll, describe, expect } from "bun:test";
import { printError } from "../../src/index.ts";
import type { Pod, PodManifest } from "../../src/index.ts";
import { readPodAgain } from "../../src/read/pod-manifest/read.ts";
import { launchProcess } from "../../src/launch/launch.ts";
import { planProjectedUpdate } from "../../src/plan/projected.ts";
import { updateRequest } from "../../src/plan/update.ts";
import type { RunningPod } from "../../src/pod/running-pod.ts";
import { updateFiles } from "../../src/pod/update-files.ts";
import { resolveFileSets } from "../../src/resolve/volumes.ts";
import type { Places } from "../../src/spec/places.ts";
import { noObjects } from "../../src/spec/objects.ts";
import type { TestHost } from "../support/host.ts";
import {
  answersOf,
  hasUserNamespaces,
  hostMissing,
  logOf,
  noUserNamespaces,
  openTestHost,
} from "../support/host.ts";
import { testOrSkip } from "../support/must-run.ts";
import type { ContainerInput, Spec } from "../support/pods.ts";
import { errorOf, podOf, probe, until } from "../support/pods.ts";
import { probeAnswers } from "../support/probe.ts";
import { dataObject } from "../support/specs.ts";

const test = testOrSkip(hostMissing === undefined, hostMissing ?? "");
const userTest = testOrSkip(
  hostMissing === undefined && hasUserNamespaces,
  hostMissing ?? noUserNamespaces,
);

let host: TestHost;

beforeAll(async () => {
  if (hostMissing === undefined) host = await openTestHost();
});

afterAll(() => host?.[Symbol.asyncDispose]());

type Volume = NonNullable<Spec["volumes"]>[number];
type Mount = NonNullable<ContainerInput["volumeMounts"]>[number];

const objects = {
  ...noObjects,
  configMaps: new Map([
    dataObject("app", { "app.conf": "a=1\n", "logo.png": Uint8Array.of(0, 137, 80) }),
  ]),
  secrets: new Map([dataObject("db", { password: "c4n4ry" })]),
};

const volume = (source: object): Volume => ({ name: "v", ...source }) as Volume;
const at = (mountPath: string, more: Partial<Mount> = {}): Mount => ({
  name: "v",
  mountPath,
  ...more,
});

function start(manifest: PodManifest): Promise<Pod> {
  return host.pods.up(readPodAgain(manifest, objects), {});
}

async function ask(
  words: readonly string[],
  source: object,
  mounts: readonly Mount[] = [at("/v")],
  spec: Partial<Spec> = {},
): Promise<Record<string, unknown>> {
  const container = probe(host, words, { volumeMounts: [...mounts] });
  await using pod = await start(podOf([container], { volumes: [volume(source)], ...spec }));
  return (await answersOf(pod))["main"] ?? {};
}

describe("a configMap", () => {
  test("has a file for each key, text and bytes, behind links that are swapped together", async () => {
    const words = [
      "ls",
      "/v",
      "read",
      "/v/app.conf",
      "stat",
      "/v/..data/logo.png",
      "readlink",
      "/v/..data",
    ];
    const answers = await ask([...words, "readlink", "/v/app.conf"], {
      configMap: { name: "app" },
    });
    const { "ls /v": list, "readlink /v/..data": set, ...rest } = answers;
    expect(set).toMatch(/^\.\.\d{4}_\d\d_\d\d_\d\d_\d\d_\d\d\.\d+$/);
    expect(list).toEqual({
      [String(set)]: "directory",
      "..data": "link",
      "app.conf": "link",
      "logo.png": "link",
    });
    expect(rest["read /v/app.conf"]).toBe("a=1\n");
    expect(rest["readlink /v/app.conf"]).toBe("..data/app.conf");
    expect(rest["stat /v/..data/logo.png"]).toMatchObject({ size: 3 });
  });

  test("shows chosen keys under the paths they are given, with their modes", async () => {
    const items = [
      { key: "app.conf", path: "etc/app/main.conf" },
      { key: "logo.png", path: "logo", mode: 0o600 },
    ];
    const words = [
      "ls",
      "/v/etc/app",
      "stat",
      "/v/..data/etc/app/main.conf",
      "stat",
      "/v/..data/logo",
    ];
    const answers = await ask(words, { configMap: { name: "app", items, defaultMode: 0o444 } });
    expect(answers["ls /v/etc/app"]).toEqual({ "main.conf": "file" });
    expect(answers["stat /v/..data/etc/app/main.conf"]).toMatchObject({
      mode: "0444",
      uid: 0,
      gid: 0,
    });
    expect(answers["stat /v/..data/logo"]).toMatchObject({ mode: "0600" });
  });

  test("cannot be written, whatever the mount says", async () => {
    const answers = await ask(
      ["write", "/v/app.conf", "x", "create", "/v/new", "x", "try", "remount-rw", "/v"],
      { configMap: { name: "app" } },
      [at("/v", { readOnly: false })],
    );
    expect(Object.values(answers)).toEqual(["EROFS", "EROFS", "EPERM"]);
  });

  test("a subPath is one file of it, and one that is missing is an error", async () => {
    const mount = at("/etc/app.conf", { subPath: "app.conf" });
    const words = ["read", "/etc/app.conf", "stat", "/etc/app.conf"];
    const answers = await ask(words, { configMap: { name: "app" } }, [mount]);
    expect(answers["read /etc/app.conf"]).toBe("a=1\n");
    expect(answers["stat /etc/app.conf"]).toMatchObject({ type: "file" });
    const wrong = ask(["pause"], { configMap: { name: "app" } }, [
      at("/x", { subPath: "ap.conf" }),
    ]);
    expect(printError(await errorOf(wrong))).toBe(`\
error[volume.source-missing] volume v has no file "ap.conf"
  from   spec.containers[0].volumeMounts[0].subPath
  hint   it has app.conf, logo.png`);
  });

  test("a key that is missing is the kubelet's error, and nothing where it is optional", async () => {
    const items = [{ key: "gone", path: "gone" }];
    const refused = ask(["pause"], { configMap: { name: "app", items } });
    expect(printError(await errorOf(refused))).toBe(`\
error[object.key-missing] configmap app references non-existent config key: gone
  from   spec.volumes[0].configMap.items[0].key
  hint   correct the key, or write optional: true`);
    const answers = await ask(["ls", "/v"], { configMap: { name: "app", items, optional: true } });
    expect(Object.keys(answers["ls /v"] as object)).toHaveLength(2);
    const none = await ask(["ls", "/v"], { configMap: { name: "none", optional: true } });
    expect(Object.keys(none["ls /v"] as object)).toHaveLength(2);
  });
});

describe("a secret", () => {
  test("is in memory, and no file of the host's holds its value", async () => {
    const env = [{ name: "P", valueFrom: { secretKeyRef: { name: "db", key: "password" } } }];
    const words = ["read", "/v/password", "statfs", "/v", "env", "pause"];
    const container = probe(host, words, { env, volumeMounts: [at("/v")] });
    const secret = volume({ secret: { secretName: "db" } });
    await using pod = await start(podOf([container], { volumes: [secret] }));
    const { stdout } = await pod.exec(["/probe", "read", "/v/password", "env"]).result;
    const said = new TextDecoder().decode(stdout);
    expect(said).toContain('"answer":"c4n4ry"');
    // A command has the container's variables, those from Secrets too.
    expect(said).toContain("P=c4n4ry");
    // And so has one of a process that did not start the pod.
    await using other = host.another();
    const found = await (await other.get(pod.name)).exec(["/probe", "env"]).result;
    expect(new TextDecoder().decode(found.stdout)).toContain("P=c4n4ry");
    const { root, state } = host.places;
    const files = Bun.spawnSync(["grep", "-rla", "c4n4ry", root, state]);
    expect(files.stdout.toString()).toBe("");
    expect(JSON.stringify(await pod.inspect())).not.toContain("c4n4ry");
  });
});

test("the next owner of a pod knows its Secrets and ConfigMaps", async () => {
  const env = [
    { name: "P", valueFrom: { secretKeyRef: { name: "db", key: "password" } } },
    { name: "C", valueFrom: { configMapKeyRef: { name: "app", key: "app.conf" } } },
  ];
  const words = ["env", "signal", "exit", "1"];
  const container = probe(host, words, { env, volumeMounts: [at("/v")] });
  const manifest = podOf([container], {
    restartPolicy: "Always",
    volumes: [volume({ configMap: { name: "app" } })],
  });
  const detached = { lifetime: "detached" } as const;
  const first = host.another();
  const { name } = await first.up(readPodAgain(manifest, objects), detached);
  await first[Symbol.asyncDispose]();
  await using second = host.another({ timeScale: 0.01 });
  const pod = (await second.get(name)) as RunningPod;
  expect(await pod.supervise()).toBe(true);
  await pod.container("main").signal("SIGUSR1");
  await until(async () => (await pod.container("main").state()).logPath.endsWith("1.log"));
  await until(async () => (await logOf(pod, "main")).includes("P=c4n4ry"));
  expect(probeAnswers(await logOf(pod, "main"))["env"]).toContain("C=a=1\n");
  await pod.down({ graceMs: 0 });
});

describe("a projected volume", () => {
  const sources = [
    { configMap: { name: "app", items: [{ key: "app.conf", path: "conf/app.conf" }] } },
    { secret: { name: "db" } },
    {
      downwardAPI: {
        items: [
          { path: "labels", fieldRef: { fieldPath: "metadata.labels" } },
          { path: "name", fieldRef: { fieldPath: "metadata.name" }, mode: 0o640 },
          {
            path: "cpu",
            resourceFieldRef: { containerName: "main", resource: "requests.cpu", divisor: "1m" },
          },
        ],
      },
    },
  ];

  test("is the union of its sources", async () => {
    const words = ["conf/app.conf", "password", "labels", "name", "cpu"].flatMap((path) => [
      "read",
      `/v/${path}`,
    ]);
    const container = probe(host, [...words, "stat", "/v/..data/name"], {
      volumeMounts: [at("/v")],
      resources: { requests: { cpu: "250m" } },
    });
    const pod = podOf([container], { volumes: [volume({ projected: { sources } })] });
    const labels = { tier: "front", app: 'a "quote"'.replaceAll(/[^a-z]/g, "") };
    const labelled = { ...pod, metadata: { ...pod.metadata, labels } };
    await using running = await start(labelled);
    const { main = {} } = await answersOf(running);
    expect(Object.values(main).slice(0, 5)).toEqual([
      "a=1\n",
      "c4n4ry",
      'app="aquote"\ntier="front"',
      pod.metadata.name,
      "250",
    ]);
    expect(main["stat /v/..data/name"]).toMatchObject({ mode: "0640" });
  });

  for (const [where, spec, declare] of [
    ["in the host's user namespace", {}, test],
    ["in a user namespace of its own", { hostUsers: false }, userTest],
  ] as const) {
    declare(`${where} fsGroup may read what nobody else may`, async () => {
      const securityContext = { fsGroup: 2000, runAsUser: 1000 };
      const words = ["read", "/v/password", "stat", "/v/..data/password", "stat", "/v/..data/conf"];
      const projected = { sources, defaultMode: 0o400 };
      const answers = await ask(words, { projected }, [at("/v")], { ...spec, securityContext });
      expect(answers["read /v/password"]).toBe("c4n4ry");
      expect(answers["stat /v/..data/password"]).toMatchObject({ mode: "0440", uid: 0, gid: 2000 });
      expect(answers["stat /v/..data/conf"]).toMatchObject({ mode: "2755", uid: 0, gid: 2000 });
    });
  }
});

describe("an update", () => {
  const configMap = { name: "app" };
  const items = [{ path: "labels", fieldRef: { fieldPath: "metadata.labels" } }];
  const source = { projected: { sources: [{ configMap }, { downwardAPI: { items } }] } };
  const withData = (data: Record<string, string>) => ({
    ...objects,
    configMaps: new Map([dataObject("app", data)]),
  });
  const list = async (pod: Pod, ...words: string[]) => {
    const { stdout } = await pod.exec(["/probe", ...words]).result;
    return probeAnswers(new TextDecoder().decode(stdout));
  };
  /** A pod, what its volume looks like, and how to bring it up to date. */
  async function startOne(data: Record<string, string>) {
    const container = probe(host, ["pause"], { volumeMounts: [at("/v")] });
    const manifest = podOf([container], { volumes: [volume(source)] });
    const specOf = (label: string, now: Record<string, string>) => {
      const metadata = { ...manifest.metadata, labels: { version: label } };
      return readPodAgain({ ...manifest, metadata }, withData(now));
    };
    const pod = (await host.pods.up(specOf("1", data), {})) as RunningPod;
    const { uid, state } = pod;
    const { root, state: stateRoot, logs } = host.places;
    const places = { root, state: stateRoot, logs } as Places;
    const options = { uid, ids: state.ids, places };
    return { pod, specOf, options, facts: host.pods.facts() };
  }

  test("turns the files over to a new set, and removes what is stale", async () => {
    const old = { same: "1", "app.conf": "old", gone: "x" };
    const next = { same: "1", "app.conf": "new", added: "y" };
    const { pod, specOf, options, facts } = await startOne(old);
    await using _ = pod;
    const before = await list(pod, "ls", "/v", "readlink", "/v/..data");
    const client = await pod.client();
    const changed = await updateFiles(client, specOf("1", old), specOf("2", next), facts, options);
    expect(changed).toEqual(["v"]);
    const words = ["app.conf", "added", "labels"].flatMap((name) => ["read", `/v/${name}`]);
    const after = await list(pod, "ls", "/v", "readlink", "/v/..data", ...words);
    expect(after["read /v/app.conf"]).toBe("new");
    expect(after["read /v/added"]).toBe("y");
    expect(after["read /v/labels"]).toBe('version="2"');
    const set = String(after["readlink /v/..data"]);
    expect(set).not.toBe(String(before["readlink /v/..data"]));
    const names = ["..data", "added", "app.conf", "labels", "same"];
    expect(after["ls /v"]).toEqual({
      [set]: "directory",
      ...Object.fromEntries(names.map((name) => [name, "link"])),
    });
    // The same once more is nothing to do.
    expect(await updateFiles(client, specOf("2", next), specOf("2", next), facts, options)).toEqual(
      [],
    );
  });

  test("that fails at any step leaves the files as they were", async () => {
    const [old, next] = [{ "app.conf": "old" }, { "app.conf": "new", "b/c": "2", added: "y" }];
    const { pod, specOf, options, facts } = await startOne(old);
    await using _ = pod;
    const [from] = resolveFileSets(specOf("1", old), facts, options);
    const [to] = resolveFileSets(specOf("2", next), facts, options);
    if (!from || !to) throw new Error("both have files");
    const change = { index: 0, before: from, after: to };
    const plan = planProjectedUpdate({ ids: options.ids }, [change]);
    const before = await list(pod, "ls", "/v", "read", "/v/app.conf");
    const client = await pod.client();
    for (let failAt = 1; failAt <= plan.steps.length; failAt++) {
      const reply = await launchProcess(client, { ...updateRequest, plan, failAt });
      expect([failAt, reply.status]).toEqual([failAt, "failed"]);
      expect(await list(pod, "ls", "/v", "read", "/v/app.conf")).toEqual(before);
    }
    expect((await launchProcess(client, { ...updateRequest, plan })).status).toBe("ok");
    expect((await list(pod, "read", "/v/app.conf"))["read /v/app.conf"]).toBe("new");
  });
});
