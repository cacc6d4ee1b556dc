// Which traffic policies let through, with real traffic: between pods, from and to the host, from
// and to a world outside, TCP and UDP, IPv4 and IPv6.

import { afterAll, beforeAll, expect } from "bun:test";
import { existsSync, rmSync } from "node:fs";
import type { ObjectManifest } from "../../src/read/pod-manifest/read.ts";
import { readPodManifest } from "../../src/read/pod-manifest/read.ts";
import type { PodManifest } from "../../src/read/pod-manifest/read.ts";
import { findHostNetwork } from "../../src/network/host-network.ts";
import { admitPod, renewPolicies } from "../../src/pod/network-policies.ts";
import type { HostPath } from "../../src/spec/paths.ts";
import { complaintOf } from "../read/manifests.ts";
import { tcpAsk, tcpEcho, udpAsk, udpEcho } from "../support/echo.ts";
import { eventually, hostMissing, podOf } from "../support/host.ts";
import { testOrSkip } from "../support/must-run.ts";
import type { AddressedPod } from "../support/network-host.ts";
import { addressedPod, addresses, NetworkHost, run, within } from "../support/network-host.ts";

const kernelTest = testOrSkip(hostMissing === undefined, hostMissing ?? "");
const { host4, host6, outside4, outside6 } = addresses;
const [port, otherPort, hostPort] = [7777, 8888, 17_777];
const all = ["tcp4", "tcp6", "udp4", "udp6"];
const tcp = ["tcp4", "tcp6"];
const none: string[] = [];

let machine: NetworkHost;

beforeAll(async () => {
  if (hostMissing !== undefined) return;
  machine = new NetworkHost();
  const warm = await up("warm-up", {}, [policy("warm", {})]);
  await warm[Symbol.asyncDispose]();
  machine.host.before = machine.host.snapshot();
  // Clients whose packets are dropped keep their sockets until the kernel gives up.
  machine.host.opensItself = false;
});

afterAll(async () => {
  if (hostMissing === undefined) await machine[Symbol.asyncDispose]();
});

function policy(name: string, spec: object, namespace = "default"): ObjectManifest {
  return { kind: "NetworkPolicy", metadata: { name, namespace }, spec: { ...spec } };
}

type Port = NonNullable<PodManifest["spec"]["containers"][number]["ports"]>[number];
const ports = [{ name: "talk", containerPort: port }];

async function up(
  name: string,
  labels: Record<string, string>,
  objects: readonly ObjectManifest[] = [],
  more: { readonly namespace?: string; readonly ports?: readonly Port[] } = {},
): Promise<AddressedPod> {
  const container = { ports: more.ports ?? ports };
  const base = podOf(machine.host, name, { main: ["pause"] }, {}, container);
  const { namespace = "default" } = more;
  const manifest = { ...base, metadata: { name, namespace, labels } } as PodManifest;
  return addressedPod(await machine.host.pods.up(readPodManifest(manifest, { objects }), {}));
}

interface Place {
  readonly namespace: number;
  readonly v4: string;
  readonly v6: string;
}

const outside = (): Place => ({ namespace: machine.outside, v4: outside4, v6: outside6 });
const here = (): Place => ({ namespace: machine.inside, v4: host4, v6: host6 });

/** What gets from one place to another. */
async function reached(from: Place, to: Place, at = port): Promise<string[]> {
  const server = within(to.namespace, () => tcpEcho("::", at));
  const talker = await within(to.namespace, () => udpEcho("::", at));
  try {
    return await asked(from, to, at);
  } finally {
    server.stop(true);
    talker.close();
  }
}

async function asked({ namespace }: Place, to: Pick<Place, "v4" | "v6">, at: number) {
  const timeoutMs = 250;
  const asks = [tcpAsk, udpAsk].flatMap((ask) =>
    [to.v4, to.v6].map((address) => within(namespace, () => ask(address, at, "hi", timeoutMs))),
  );
  const answers = await Promise.allSettled(asks);
  return all.filter((_, index) => answers[index]?.status === "fulfilled");
}

kernelTest("a selected pod takes in what a rule allows, and nothing else", async () => {
  const allow = policy("allow", {
    podSelector: { matchLabels: { app: "db" } },
    ingress: [
      { from: [{ podSelector: { matchLabels: { app: "web" } } }], ports: [{ port: "talk" }] },
    ],
  });
  await using web = await up("web", { app: "web" });
  await using db = await up("db", { app: "db" }, [allow]);
  await using other = await up("other", { app: "other" });
  expect(await reached(web, db)).toEqual(tcp);
  expect(await reached(web, db, otherPort)).toEqual(none);
  expect(await reached(other, db)).toEqual(none);
  expect(await reached(outside(), { ...db, ...(await routed(db)) })).toEqual(none);
  // The host always reaches its pods; what the pod itself asks is answered; others are free.
  expect(await reached(here(), db)).toEqual(all);
  expect(await reached(db, other)).toEqual(all);
  expect(await reached(db, outside())).toEqual(all);
  expect(await reached(other, web)).toEqual(all);
  // One that comes later, and one that is there no more.
  await using late = await up("late", { app: "web" });
  expect(await reached(late, db)).toEqual(tcp);
});

/** The outside learns the way to a pod. */
async function routed({ v4, v6 }: AddressedPod): Promise<Pick<Place, "v4" | "v6">> {
  within(machine.outside, () => {
    run("ip", "route", "replace", v4, "via", host4);
    run("ip", "-6", "route", "replace", v6, "via", host6);
  });
  return { v4, v6 };
}

kernelTest("what a pod sends is held to its rules", async () => {
  const closed = policy("closed", {
    podSelector: { matchLabels: { app: "job" } },
    policyTypes: ["Egress"],
    egress: [
      { to: [{ podSelector: { matchLabels: { app: "db" } } }], ports: [{ port: "talk" }] },
      {
        ports: [
          { port: otherPort, endPort: otherPort + 1 },
          { protocol: "UDP", port: 9 },
        ],
      },
    ],
  });
  await using job = await up("job", { app: "job" }, [closed]);
  await using db = await up("db", { app: "db" });
  await using other = await up("other", { app: "other" });
  expect(await reached(job, db)).toEqual(tcp);
  expect(await reached(job, other)).toEqual(none);
  expect(await reached(job, outside())).toEqual(none);
  expect(await reached(job, other, otherPort)).toEqual(tcp);
  expect(await reached(job, outside(), otherPort + 1)).toEqual(tcp);
  expect(await reached(job, outside(), otherPort + 2)).toEqual(none);
  // Its own host, and who asks it.
  expect(await reached(job, here())).toEqual(all);
  expect(await reached(other, job)).toEqual(all);
});

kernelTest("blocks of addresses, with exceptions", async () => {
  const to = (cidr: string, except: readonly string[] = []) => ({ ipBlock: { cidr, except } });
  const near = policy("near", {
    podSelector: {},
    policyTypes: ["Egress", "Ingress"],
    egress: [{ to: [to("198.18.0.0/15", [`${outside4}/32`]), to("2001:db8:9::/48")] }],
  });
  await using a = await up("a", {}, [near]);
  expect(await reached(a, outside())).toEqual(["tcp6", "udp6"]);
  expect(await reached({ ...outside() }, { ...a, ...(await routed(a)) })).toEqual(none);
});

kernelTest("namespaces are told apart, and both pods have to agree", async () => {
  const isolated = policy("isolated", {
    podSelector: {},
    ingress: [{ from: [{ podSelector: {} }] }],
  });
  const friends = policy("friends", {
    podSelector: { matchExpressions: [{ key: "open", operator: "Exists" }] },
    ingress: [
      {
        from: [{ namespaceSelector: { matchLabels: { "kubernetes.io/metadata.name": "friend" } } }],
      },
    ],
  });
  await using closed = await up("closed", {}, [isolated]);
  await using open = await up("open", { open: "" }, [friends]);
  await using friend = await up("friend", {}, [], { namespace: "friend" });
  await using stranger = await up("stranger", {}, [], { namespace: "stranger" });
  expect(await reached(open, closed)).toEqual(all);
  expect(await reached(friend, closed)).toEqual(none);
  expect(await reached(friend, open)).toEqual(all);
  expect(await reached(stranger, open)).toEqual(none);
  const mute = policy("mute", { podSelector: {}, policyTypes: ["Egress"] }, "friend");
  {
    await using talker = await up("talker", {}, [mute], { namespace: "friend" });
    expect(await reached(friend, open)).toEqual(none);
    expect(await reached(talker, open)).toEqual(none);
  }
  // The policy went with the pod that had brought it.
  expect(
    await eventually(
      () => reached(friend, open),
      (found) => found.length > 0,
    ),
  ).toEqual(all);
});

kernelTest(
  "published ports are filtered like the pod, for all but its host and itself",
  async () => {
    const deny = policy("deny", { podSelector: { matchLabels: { app: "web" } } });
    const published = { containerPort: port, hostPort };
    const more = { ports: [published, { ...published, protocol: "UDP" as const }] };
    await using web = await up("web", { app: "web" }, [deny], more);
    const server = within(web.namespace, () => tcpEcho("::", port));
    const talker = await within(web.namespace, () => udpEcho("::", port));
    const atHost = { v4: host4, v6: host6 };
    expect(await asked(outside(), atHost, hostPort)).toEqual(none);
    expect(await asked(here(), { v4: "127.0.0.1", v6: "::1" }, hostPort)).toEqual(all);
    expect(await asked(web, atHost, hostPort)).toEqual(all);
    server.stop(true);
    talker.close();
  },
);

kernelTest("a connection that stood before a policy came goes on", async () => {
  await using web = await up("web", { app: "web" });
  await using other = await up("other", {});
  const server = within(web.namespace, () => tcpEcho("0.0.0.0", port));
  const said: string[] = [];
  const client = await within(other.namespace, () =>
    Bun.connect({
      hostname: web.v4,
      port,
      socket: { data: (_, bytes) => void said.push(bytes.toString()) },
    }),
  );
  const heard = () =>
    eventually(
      () => said.join(""),
      (text) => text.endsWith("!"),
    );
  client.write("before!");
  await heard();
  await using _deny = await up("deny", {}, [policy("deny", { podSelector: {} })]);
  expect(await reached(other, web, otherPort)).toEqual(none);
  client.write(" after!");
  expect((await eventually(heard, (text) => text.includes("after"))).split("\n")[1]).toBe(
    "before! after!",
  );
  client.end();
  server.stop(true);
});

kernelTest("many that start at once with policies are all filtered", async () => {
  const deny = policy("deny", { podSelector: { matchLabels: { app: "closed" } } });
  const names = Array.from({ length: 12 }, (_, index) => `many-${index}`);
  const pods = await Promise.all(
    names.map((name, index) =>
      up(name, { app: index % 2 === 0 ? "closed" : "open" }, index === 0 ? [deny] : []),
    ),
  );
  const [first] = pods.toReversed();
  if (!first) throw new Error("there are pods");
  const found = [];
  for (const pod of pods.slice(0, -1)) found.push((await reached(first, pod)).length);
  expect(found).toEqual(pods.slice(0, -1).map((_, index) => (index % 2 === 0 ? 0 : 4)));
  await Promise.all(pods.map((pod) => pod[Symbol.asyncDispose]()));
});

kernelTest("a pod that stays gets the policies that are beside its manifest now", async () => {
  const { state } = machine.host.places;
  const closed = policy("p", { podSelector: { matchLabels: { app: "web" } } });
  const open = policy("p", {
    podSelector: { matchLabels: { app: "web" } },
    ingress: [{ ports: [{ protocol: "UDP", port }] }],
  });
  await using web = await up("web", { app: "web" }, [closed]);
  await using other = await up("other", {});
  expect(await reached(other, web)).toEqual(none);
  const renew = async (objects: readonly ObjectManifest[], labels = { app: "web" }) => {
    const base = podOf(machine.host, "web", { main: ["pause"] });
    const manifest = { ...base, metadata: { name: "web", labels } } as PodManifest;
    const podState = await machine.host.pods.stateOf("default/web");
    renewPolicies(state as HostPath, podState, readPodManifest(manifest, { objects }));
  };
  await renew([open]);
  expect(await reached(other, web)).toEqual(["udp4", "udp6"]);
  await renew([open], { app: "other" });
  expect(await reached(other, web)).toEqual(all);
  await renew([closed]);
  expect(await reached(other, web)).toEqual(none);
  await renew([]);
  expect(await reached(other, web)).toEqual(all);
});

kernelTest(
  "a kernel that cannot filter refuses a pod with policies, and says what it lacks",
  () => {
    const { state } = machine.host.places;
    const network = findHostNetwork(state as HostPath);
    if (!network) throw new Error("pods have had addresses here");
    const lacks = ["pods publish no ports: table peapod-probe: EPERM"];
    const without = { ...network, record: { ...network.record, hasRules: false, lacks } };
    const base = podOf(machine.host, "web", { main: ["pause"] });
    const spec = readPodManifest(base, { objects: [policy("p", {})] });
    const words = complaintOf(() => admitPod(without, "nobody", spec, ["10.209.0.9"]));
    expect(words.split("\n")[0]).toBe(
      "error[network.no-policies] cannot filter the traffic of pod web by policies: pods publish " +
        "no ports: table peapod-probe: EPERM",
    );
    rmSync(`${state}/policies`, { recursive: true });
  },
);

kernelTest("nothing is left of policies when the last pod that brought one has gone", async () => {
  const { state } = machine.host.places;
  await using stays = await up("stays", {});
  {
    await using _ = await up("goes", {}, [policy("deny", { podSelector: {} })]);
    expect(existsSync(`${state}/policies`)).toBe(true);
    expect(await reached(outside(), { ...stays, ...(await routed(stays)) })).toEqual(none);
  }
  expect(
    await eventually(
      () => existsSync(`${state}/policies`),
      (is) => !is,
    ),
  ).toBe(false);
  expect(await reached(outside(), stays)).toEqual(all);
});
