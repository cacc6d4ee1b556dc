// Pods find each other by name, and the rest of the world through the host's own name servers.

import { afterAll, beforeAll, expect } from "bun:test";
import { decode, encode } from "dns-packet";
import { DnsServer } from "../../src/network/dns/server.ts";
import { frameOf } from "../../src/network/dns/upstream.ts";
import type { HostPath } from "../../src/spec/paths.ts";
import { hostMissing, logOf, podOf } from "../support/host.ts";
import { testOrSkip } from "../support/must-run.ts";
import type { AddressedPod } from "../support/network-host.ts";
import { addresses, NetworkHost, within } from "../support/network-host.ts";
import { probeAnswers } from "../support/probe.ts";

const kernelTest = testOrSkip(hostMissing === undefined, hostMissing ?? "");
const gateway = "10.209.0.1";

let machine: NetworkHost;

beforeAll(async () => {
  if (hostMissing !== undefined) return;
  machine = new NetworkHost();
  const warm = await up("warm-up");
  await warm[Symbol.asyncDispose]();
  machine.host.before = machine.host.snapshot();
});

afterAll(async () => {
  if (hostMissing === undefined) await machine[Symbol.asyncDispose]();
});

function up(name: string, spec: object = {}, metadata: object = {}): Promise<AddressedPod> {
  const manifest = podOf(machine.host, name, { main: ["pause"] }, spec);
  return machine.up({ ...manifest, metadata: { ...manifest.metadata, ...metadata } });
}

interface Answer {
  readonly code: string;
  readonly addresses: readonly string[];
}

/** What a name server says, asked from a namespace. */
async function ask(from: number, name: string, type: "A" | "AAAA" = "A", port = 53) {
  const { promise, resolve, reject } = Promise.withResolvers<Answer>();
  const timer = setTimeout(() => reject(new Error(`nobody answers for ${name}`)), 3000);
  const data = (_: unknown, bytes: Buffer) => {
    const answer = decode(bytes) as ReturnType<typeof decode> & { rcode: string };
    const addresses = (answer.answers ?? []).map((one) => String("data" in one ? one.data : ""));
    resolve({ code: answer.rcode, addresses });
  };
  const socket = await within(from, () =>
    Bun.udpSocket({ connect: { hostname: gateway, port }, socket: { data } }),
  );
  socket.send(encode({ type: "query", id: 7, flags: 0x100, questions: [{ name, type }] }));
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    socket.close();
  }
}

kernelTest("a pod's resolv.conf names the gateway, and searches its namespace", async () => {
  const words = ["read", "/etc/resolv.conf"];
  const pod = await machine.host.up(podOf(machine.host, "asks", { main: words }));
  await pod.container("main").exited;
  const lines = String(probeAnswers(await logOf(pod, "main"))["read /etc/resolv.conf"]).split("\n");
  await pod.down();
  expect(lines.find((line) => line.startsWith("nameserver"))).toBe(`nameserver ${gateway}`);
  const search = lines.find((line) => line.startsWith("search")) ?? "";
  expect(search).toStartWith("search default.svc.cluster.local svc.cluster.local cluster.local");
  expect(lines).toContain("options ndots:5");
});

kernelTest(
  "pods and workloads are found by name, in the asker's namespace and in others",
  async () => {
    await using asker = await up("asker");
    await using first = await up("web-0");
    await using second = await up("web-1", {}, { namespace: "default" });
    await using other = await up(
      "db",
      { hostname: "primary", subdomain: "store" },
      { namespace: "team" },
    );
    const at = (pod: AddressedPod) => pod.v4;
    const from = asker.namespace;
    expect(await ask(from, "web-0.default.svc.cluster.local")).toEqual({
      ...{ code: "NOERROR", addresses: [at(first)] },
    });
    const both = await ask(from, "web.default.svc.cluster.local");
    expect(both.addresses.toSorted()).toEqual([at(first), at(second)].toSorted());
    expect((await ask(from, "db.team.svc.cluster.local")).addresses).toEqual([at(other)]);
    expect((await ask(from, "primary.store.team.svc.cluster.local")).addresses).toEqual([
      at(other),
    ]);
    expect((await ask(from, "web-0")).addresses).toEqual([at(first)]);
    expect((await ask(from, "WEB-0.Default.svc.cluster.local")).addresses).toEqual([at(first)]);
    expect((await ask(from, "web-0.default.svc.cluster.local", "AAAA")).addresses).toEqual([
      first.v6,
    ]);
    expect(await ask(from, "nobody.default.svc.cluster.local")).toEqual({
      ...{ code: "NXDOMAIN", addresses: [] },
    });
  },
);

kernelTest("a pod that has gone is no longer found", async () => {
  await using asker = await up("asker");
  const gone = await up("short");
  expect((await ask(asker.namespace, "short.default.svc.cluster.local")).code).toBe("NOERROR");
  await gone[Symbol.asyncDispose]();
  expect((await ask(asker.namespace, "short.default.svc.cluster.local")).code).toBe("NXDOMAIN");
});

kernelTest("other names are passed on, and where nobody answers that is said", async () => {
  await using asker = await up("asker");
  const data = (socket: Bun.udp.Socket<"buffer">, bytes: Buffer, at: number, who: string) => {
    const { id = 0, questions = [] } = decode(bytes);
    const name = questions[0]?.name ?? "";
    const answers = [{ name, type: "A" as const, ttl: 60, data: "203.0.113.7" }];
    socket.send(encode({ type: "response", id, questions, answers }), at, who);
  };
  const upstream = await within(machine.outside, () =>
    Bun.udpSocket({ hostname: addresses.outside4, port: 53, socket: { data } }),
  );
  const port = 5353;
  const state = machine.host.places.state as HostPath;
  let servers: readonly string[] = [addresses.outside4];
  await using _ = await DnsServer.open({
    ...{ state, addresses: [gateway], port, upstreams: () => servers },
  });
  expect(await ask(asker.namespace, "example.com", "A", port)).toEqual({
    ...{ code: "NOERROR", addresses: ["203.0.113.7"] },
  });
  servers = [];
  expect((await ask(asker.namespace, "example.com", "A", port)).code).toBe("SERVFAIL");
  upstream.close();
});

kernelTest("what is no question gets no answer, and hurts nobody", async () => {
  await using asker = await up("asker");
  const heard: Uint8Array[] = [];
  const data = (_: unknown, bytes: Buffer) => void heard.push(bytes);
  const socket = await within(asker.namespace, () =>
    Bun.udpSocket({ connect: { hostname: gateway, port: 53 }, socket: { data } }),
  );
  for (let length = 0; length < 300; length++) {
    socket.send(
      crypto
        .getRandomValues(new Uint8Array(length))
        .map((byte, at) => (at === 2 ? byte | 0x80 : byte)),
    );
  }
  const name = "asker.default.svc.cluster.local";
  expect((await ask(asker.namespace, name)).addresses).toEqual([asker.v4]);
  expect(heard).toEqual([]);
  socket.close();
});

kernelTest("a long answer may be asked for over TCP", async () => {
  await using asker = await up("asker");
  const { promise, resolve } = Promise.withResolvers<Uint8Array>();
  const socket = await within(asker.namespace, () =>
    Bun.connect({
      hostname: gateway,
      port: 53,
      socket: { data: (_, bytes) => resolve(bytes) },
    }),
  );
  const name = "asker.default.svc.cluster.local";
  const question = encode({ type: "query", id: 9, questions: [{ name, type: "A" }] });
  const frame = frameOf(question);
  // In two parts, as a network may deliver it.
  socket.write(frame.subarray(0, 5));
  await Bun.sleep(20);
  socket.write(frame.subarray(5));
  const answer = await promise;
  socket.end();
  const { answers = [] } = decode(Buffer.from(answer.subarray(2)));
  expect(answers).toEqual([expect.objectContaining({ name, type: "A", data: asker.v4 })]);
});
