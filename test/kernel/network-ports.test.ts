// Published ports: who reaches them by which address, who they are refused to, and what they do not
// open on the way.

import { afterAll, beforeAll, expect } from "bun:test";
import { tcpAsk, tcpEcho, udpAsk, udpEcho } from "../support/echo.ts";
import { eventually, hostMissing, podOf } from "../support/host.ts";
import { testOrSkip } from "../support/must-run.ts";
import type { AddressedPod } from "../support/network-host.ts";
import { addresses, NetworkHost, run, within } from "../support/network-host.ts";
import { errorOf } from "../support/pods.ts";

const kernelTest = testOrSkip(hostMissing === undefined, hostMissing ?? "");
const { host4, host6, outside4, outside6 } = addresses;
const gateway4 = "10.209.0.1";
const [hostPort, containerPort] = [8080, 80];

let machine: NetworkHost;

beforeAll(async () => {
  if (hostMissing !== undefined) return;
  machine = new NetworkHost();
  const warm = await up("warm-up", [{ hostPort: 1 }]);
  await warm[Symbol.asyncDispose]();
  machine.host.before = machine.host.snapshot();
  // Bun lets nobody close a connection that nobody answers.
  machine.host.opensItself = false;
});

afterAll(async () => {
  if (hostMissing === undefined) await machine[Symbol.asyncDispose]();
});

interface Port {
  readonly hostPort: number;
  readonly hostIP?: string;
  readonly protocol?: "TCP" | "UDP";
}

function manifest(name: string, ports: readonly Port[]) {
  const pod = podOf(machine.host, name, { main: ["pause"] });
  const containers = pod.spec?.containers?.map((container) => ({
    ...container,
    ports: ports.map((port) => ({ containerPort, ...port })),
  }));
  return { ...pod, spec: { ...pod.spec, containers } } as typeof pod;
}

function up(name: string, ports: readonly Port[]): Promise<AddressedPod> {
  return machine.up(manifest(name, ports));
}

async function serving<Value>(pod: AddressedPod, act: () => Promise<Value>): Promise<Value> {
  const server = within(pod.namespace, () => tcpEcho("::", containerPort));
  const talker = await within(pod.namespace, () => udpEcho("::", containerPort));
  try {
    return await act();
  } finally {
    server.stop(true);
    talker.close();
  }
}

/** Who the pod says has asked it by the published port, or that nobody answered. */
function heard(
  from: number,
  hostname: string,
  ask: typeof tcpAsk = tcpAsk,
  port = hostPort,
): Promise<string> {
  const patienceMs = 400;
  return within(from, () => ask(hostname, port, "hello", patienceMs)).then(
    ({ from: asker }) => asker,
    () => "no answer",
  );
}

const both: readonly Port[] = [{ hostPort }, { hostPort, protocol: "UDP" }];

kernelTest("a published port is reached from outside, which the pod sees", async () => {
  await using pod = await up("web", both);
  const { outside } = machine;
  await serving(pod, async () => {
    expect(await heard(outside, host4)).toBe(outside4);
    expect(await heard(outside, host6)).toBe(outside6);
    expect(await heard(outside, host4, udpAsk)).toBe(outside4);
    expect(await heard(outside, host6, udpAsk)).toBe(outside6);
  });
});

kernelTest("a published port is reached from the host by each of its addresses", async () => {
  await using pod = await up("web", both);
  const { inside } = machine;
  await serving(pod, async () => {
    for (const ask of [tcpAsk, udpAsk]) {
      expect(await heard(inside, host4, ask)).toBe(host4);
      expect(await heard(inside, host6, ask)).toBe(host6);
      expect(await heard(inside, "127.0.0.1", ask)).toBe(host4);
      expect(await heard(inside, "127.1.2.3", ask)).toBe(host4);
      expect(await heard(inside, "::1", ask)).toBe(host6);
    }
  });
});

kernelTest("a published port is reached by pods, the pod itself too", async () => {
  await using pod = await up("web", both);
  await using other = await up("other", []);
  await serving(pod, async () => {
    expect(await heard(other.namespace, host4)).toBe(other.v4);
    expect(await heard(other.namespace, host6)).toBe(other.v6);
    expect(await heard(pod.namespace, host4)).toBe(host4);
    expect(await heard(pod.namespace, host6)).toBe(host6);
  });
});

kernelTest("a port at one address is not at another", async () => {
  await using pod = await up("web", [{ hostPort, hostIP: "127.0.0.1" }]);
  await serving(pod, async () => {
    expect(await heard(machine.inside, "127.0.0.1")).toBe(host4);
    expect(await heard(machine.inside, host4)).toBe("no answer");
    expect(await heard(machine.outside, host4)).toBe("no answer");
  });
});

kernelTest("what is forwarded through the host keeps its port", async () => {
  await using _ = await up("web", [{ hostPort }]);
  await using other = await up("other", []);
  const server = within(machine.outside, () => tcpEcho("::", hostPort));
  try {
    expect(await heard(other.namespace, outside4)).toBe(host4);
  } finally {
    server.stop(true);
  }
});

kernelTest("a port of another pod is refused before anything starts", async () => {
  await using _ = await up("web", [{ hostPort }]);
  for (const hostIP of ["", "127.0.0.1", "::"]) {
    const error = await errorOf(up("late", [{ hostPort, ...(hostIP !== "" && { hostIP }) }]));
    expect(error.code).toBe("network.port-taken");
    expect(error.message).toEndWith("8080/tcp of this host belongs to pod default/web");
    expect(error.origin?.field).toBe("spec.containers[0].ports[0].hostPort");
  }
  expect((await machine.host.pods.list()).map(({ name }) => name)).toEqual(["web"]);
});

kernelTest("a port of another pod at one address is refused at all of them", async () => {
  await using _ = await up("web", [{ hostPort, hostIP: host4 }]);
  const error = await errorOf(up("late", [{ hostPort }]));
  expect(error.message).toBe("port 8080/tcp of this host belongs to pod default/web");
  // What was refused has left nothing that would refuse the next.
  await using other = await up("other", [{ hostPort, hostIP: "127.0.0.1" }]);
  await serving(other, async () => {
    expect(await heard(machine.inside, "127.0.0.1")).toBe(host4);
  });
});

kernelTest("a port of a program of the host is refused", async () => {
  const server = tcpEcho("127.0.0.1", hostPort);
  try {
    const error = await errorOf(up("late", [{ hostPort }]));
    expect(error.message).toBe("port 8080/tcp of this host belongs to another program");
  } finally {
    server.stop(true);
  }
});

kernelTest("an address that the host does not have is refused", async () => {
  const error = await errorOf(up("late", [{ hostPort, hostIP: "203.0.113.7" }]));
  expect(error.code).toBe("network.no-address");
  expect(error.message).toBe("203.0.113.7 is no address of this host");
  expect(error.origin?.field).toBe("spec.containers[0].ports[0].hostIP");
});

kernelTest("a container cannot reach what the host serves on loopback alone", async () => {
  // Its port at 127.0.0.1 lets loopback addresses over the pod's interface: no others than the
  // answers, whatever a container does to its routes.
  await using pod = await up("web", [{ hostPort }]);
  const server = tcpEcho("127.0.0.1", 9000);
  const talker = await udpEcho("127.0.0.1", 9000);
  try {
    expect(await heard(machine.inside, "127.0.0.1", tcpAsk, 9000)).toBe("127.0.0.1");
    within(pod.namespace, () => {
      run("ip", "address", "del", "127.0.0.1/8", "dev", "lo");
      run("ip", "route", "add", "127.0.0.1", "via", gateway4, "dev", "eth0", "onlink");
      run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/conf/eth0/route_localnet");
    });
    expect(await heard(pod.namespace, "127.0.0.1", tcpAsk, 9000)).toBe("no answer");
    expect(await heard(pod.namespace, "127.0.0.1", udpAsk, 9000)).toBe("no answer");
  } finally {
    server.stop(true);
    talker.close();
  }
});

kernelTest("a container cannot speak in another's name", async () => {
  await using pod = await up("web", []);
  await using other = await up("other", []);
  const told: string[] = [];
  const listen = () =>
    Bun.udpSocket({
      ...{ hostname: "::", port: 9001 },
      socket: { data: (_, bytes, __, from) => void told.push(`${bytes.toString()} from ${from}`) },
    });
  await using listeners = new AsyncDisposableStack();
  for (const namespace of [machine.inside, machine.outside, other.namespace]) {
    const listener = await within(namespace, listen);
    listeners.defer(() => listener.close());
  }
  const forged = ["10.209.0.99", "fd52:da94:1b0c::99", "203.0.113.7", "127.0.0.9"];
  within(pod.namespace, () => {
    for (const address of forged) {
      const more = address.includes(":") ? ["nodad"] : [];
      run("ip", "address", "add", address, "dev", "eth0", ...more);
    }
    run("sh", "-c", "echo 1 > /proc/sys/net/ipv4/conf/eth0/route_localnet");
  });
  const say = async (from: string, to: string) => {
    const socket = await within(pod.namespace, () => Bun.udpSocket({ hostname: from }));
    within(pod.namespace, () => socket.send(`${from}`, 9001, to));
    listeners.defer(() => socket.close());
  };
  const targets4 = [host4, outside4, other.v4];
  const targets6 = [host6, outside6, other.v6];
  for (const address of [...forged, pod.v4, pod.v6]) {
    for (const target of address.includes(":") ? targets6 : targets4) await say(address, target);
  }
  // Its own arrive, which were sent last; the outside sees the host.
  const expected = [
    ...[pod.v4, host4, pod.v4].map((from) => `${pod.v4} from ::ffff:${from}`),
    ...[pod.v6, host6, pod.v6].map((from) => `${pod.v6} from ${from}`),
  ].toSorted();
  await eventually(
    () => told,
    () => told.length >= expected.length,
  );
  await Bun.sleep(50);
  expect(told.toSorted()).toEqual(expected);
});
