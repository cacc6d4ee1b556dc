// Connections that a keeper makes in its pod's network for somebody outside it.

import { afterAll, beforeAll, expect } from "bun:test";
import type { KeeperClient } from "../../src/launch/keeper-client.ts";
import type { Pod } from "../../src/index.ts";
import { closeFd } from "../../src/native/syscalls.ts";
import type { TestHost } from "../support/host.ts";
import { hostMissing, logOf, openTestHost } from "../support/host.ts";
import { testOrSkip } from "../support/must-run.ts";
import { openDescriptors, probe, until, up } from "../support/pods.ts";
import { connectToKeeper } from "../support/probe-target.ts";

const test = testOrSkip(hostMissing === undefined, hostMissing ?? "");

let host: TestHost;

beforeAll(async () => {
  if (hostMissing === undefined) host = await openTestHost();
});

afterAll(() => host?.[Symbol.asyncDispose]());

const connect = (pod: Pod): Promise<KeeperClient> => connectToKeeper(host, pod);

/** What the other side says before it closes. */
async function hear(fd: number): Promise<string> {
  const { promise, resolve } = Promise.withResolvers<string>();
  let said = "";
  const socket = {
    data: (_: unknown, bytes: Uint8Array) => void (said += new TextDecoder().decode(bytes)),
    close: () => resolve(said),
  };
  // The overload for `fd`, which Bun closes, is missing from its types.
  await (Bun.connect as (options: unknown) => Promise<unknown>)({ fd, socket });
  return promise;
}

const listening = async (pod: Pod) =>
  until(async () => (await logOf(pod, "main")).includes("listening"));

const messageOf = (promise: Promise<number>): Promise<string> =>
  promise.then(
    (fd) => (closeFd(fd), "a connection"),
    (error: unknown) => String(error),
  );

test("the connection leads into the pod, where nothing of the host listens", async () => {
  await using pod = await up(host, [probe(host, ["tcp-listen", "7001", "sleep", "60000"])]);
  await listening(pod);
  using client = await connect(pod);
  expect(await hear(await client.dial({ host: "127.0.0.1", port: 7001 }, 1000))).toBe(
    `hello from ${pod.name}\n`,
  );
});

test("a port that nobody listens on is refused at once, in both families", async () => {
  await using pod = await up(host, [probe(host, ["sleep", "60000"])]);
  using client = await connect(pod);
  expect(await messageOf(client.dial({ host: "127.0.0.1", port: 7002 }, 1000))).toBe(
    "DialError: dial tcp 127.0.0.1:7002: connect: connection refused",
  );
  expect(await messageOf(client.dial({ host: "::1", port: 7002 }, 1000))).toBe(
    "DialError: dial tcp [::1]:7002: connect: connection refused",
  );
  expect(await messageOf(client.dial({ host: "2001:db8::1.2.3.4", port: 1 }, 1000))).toBe(
    "DialError: dial tcp [2001:db8::1.2.3.4]:1: connect: network is unreachable",
  );
});

test("a backlog that is full costs the caller its time limit, and the keeper nothing", async () => {
  await using pod = await up(host, [probe(host, ["tcp-ignore", "7003", "sleep", "60000"])]);
  await listening(pod);
  using client = await connect(pod);
  const address = { host: "127.0.0.1", port: 7003 };
  const before = openDescriptors();
  const attempts = Array.from({ length: 30 }, () => messageOf(client.dial(address, 200)));
  const [quick] = await Promise.all([messageOf(client.dial({ ...address, port: 1 }, 5000))]);
  expect(quick).toBe("DialError: dial tcp 127.0.0.1:1: connect: connection refused");
  const answers = await Promise.all(attempts);
  expect(new Set(answers)).toEqual(
    new Set(["a connection", "DialError: dial tcp 127.0.0.1:7003: i/o timeout"]),
  );
  expect(openDescriptors()).toBe(before);
});

test("more than the keeper holds at once are refused", async () => {
  await using pod = await up(host, [probe(host, ["tcp-ignore", "7004", "sleep", "60000"])]);
  await listening(pod);
  using client = await connect(pod);
  const address = { host: "127.0.0.1", port: 7004 };
  const answers = await Promise.all(
    Array.from({ length: 300 }, () => messageOf(client.dial(address, 500))),
  );
  const refused =
    "DialError: dial tcp 127.0.0.1:7004: too many connections are being made in this pod";
  expect(answers.filter((answer) => answer === refused).length).toBeGreaterThan(10);
  expect(await messageOf(client.dial({ ...address, port: 1 }, 500))).toContain("refused");
});

test("with hostNetwork the connection is the host's", async () => {
  using server = Bun.listen({
    hostname: "127.0.0.1",
    port: 0,
    socket: { open: (socket) => void socket.end("the host"), data() {} },
  });
  await using pod = await up(host, [probe(host, ["sleep", "60000"])], { hostNetwork: true });
  using client = await connect(pod);
  const fd = await client.dial({ host: "127.0.0.1", port: server.port }, 1000);
  expect(await hear(fd)).toBe("the host");
});
