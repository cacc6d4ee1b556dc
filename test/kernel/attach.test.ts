// Clients of a container's own streams: what they see, what they say, and that the container never
// waits for them.

import { afterAll, beforeAll, describe, expect } from "bun:test";
import type { Attachment, Pod } from "../../src/index.ts";
import type { TestHost } from "../support/host.ts";
import { hostMissing, logOf, openTestHost } from "../support/host.ts";
import { testOrSkip } from "../support/must-run.ts";
import type { ContainerInput } from "../support/pods.ts";
import {
  errorOf,
  openDescriptors,
  probe,
  readUntil,
  textOf,
  until,
  up,
  writeTo,
} from "../support/pods.ts";

const test = testOrSkip(hostMissing === undefined, hostMissing ?? "");

let host: TestHost;

beforeAll(async () => {
  if (hostMissing === undefined) host = await openTestHost();
});

afterAll(() => host?.[Symbol.asyncDispose]());

const start = (words: readonly string[], more: Partial<ContainerInput> = {}): Promise<Pod> =>
  up(host, [probe(host, words, more)]);

const attach = (pod: Pod, stdin = true): Promise<Attachment> =>
  pod.container("main").attach({ stdin });

/** The first process of a container gets only the signals that it waits for. */
async function signalWhenReady(pod: Pod): Promise<void> {
  await until(async () => (await logOf(pod, "main")).includes("waiting"));
  await pod.container("main").signal("SIGUSR1");
}

async function readAll(stream: ReadableStream<Uint8Array> | undefined): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  for await (const chunk of stream ?? []) chunks.push(chunk.slice());
  return new Uint8Array(Buffer.concat(chunks));
}

describe("stdin: true", () => {
  test("what a client writes is what the container reads, and its answer reaches client and log", async () => {
    await using pod = await start(["echo-stdin"], { stdin: true });
    await using client = await attach(pod);
    await writeTo(client.stdin, "hello\n");
    expect(await readUntil(client.stdout, "\n")).toBe("hello\n");
    await until(async () => (await logOf(pod, "main")) === "hello\n");
  });

  test("the input outlives its client", async () => {
    await using pod = await start(["echo-stdin"], { stdin: true });
    for (const word of ["first\n", "second\n"]) {
      await using client = await attach(pod);
      await writeTo(client.stdin, word);
      expect(await readUntil(client.stdout, "\n")).toBe(word);
    }
    expect((await pod.container("main").state()).phase).toBe("running");
  });

  test("all clients see all output", async () => {
    await using pod = await start(["echo-stdin"], { stdin: true });
    await using one = await attach(pod);
    await using two = await attach(pod, false);
    await writeTo(one.stdin, "for both\n");
    expect(await readUntil(one.stdout, "\n")).toBe("for both\n");
    expect(await readUntil(two.stdout, "\n")).toBe("for both\n");
  });

  test("stdout and stderr are two streams, which end with the container", async () => {
    const words = ["echo-stdin", "say", "out", "say-error", "err"];
    await using pod = await start(words, { stdin: true, stdinOnce: true });
    await using client = await attach(pod);
    await client.stdin?.close();
    expect(textOf(await readAll(client.stdout))).toBe("out\n");
    expect(textOf(await readAll(client.stderr))).toBe("err\n");
  });

  test("more input than any pipe holds arrives whole", async () => {
    await using pod = await start(["echo-stdin"], { stdin: true, stdinOnce: true });
    await using client = await attach(pod);
    const bytes = new Uint8Array(300_000).map((_, index) => (index % 64 === 63 ? 10 : 97));
    const echoed = readAll(client.stdout);
    const writer = client.stdin?.getWriter();
    await writer?.write(bytes);
    await writer?.close();
    expect(Buffer.compare(await echoed, bytes)).toBe(0);
  });

  test("two clients that both write more than a pipe holds both get through", async () => {
    await using pod = await start(["sleep", "300", "echo-stdin"], { stdin: true });
    await using one = await attach(pod);
    await using two = await attach(pod);
    const bytes = `${"x".repeat(999)}\n`.repeat(150);
    await Promise.all([writeTo(one.stdin, bytes), writeTo(two.stdin, bytes)]);
    await until(async () => (await logOf(pod, "main")).length === 300_000);
  });
});

describe("stdinOnce: true", () => {
  test("the container's input ends with the first client's", async () => {
    await using pod = await start(["echo-stdin", "exit", "5"], { stdin: true, stdinOnce: true });
    await using client = await attach(pod);
    await writeTo(client.stdin, "once\n");
    await client.stdin?.close();
    expect((await pod.container("main").exited).exitCode).toBe(5);
    expect(await logOf(pod, "main")).toBe("once\n");
  });

  test("a client that only looks on ends nothing", async () => {
    await using pod = await start(["echo-stdin"], { stdin: true, stdinOnce: true });
    {
      await using onlooker = await attach(pod, false);
      expect(onlooker.stdin).toBeUndefined();
    }
    await using client = await attach(pod);
    await writeTo(client.stdin, "still here\n");
    expect(await readUntil(client.stdout, "\n")).toBe("still here\n");
  });
});

describe("tty: true", () => {
  const terminal = { tty: true, stdin: true } as const;

  test("the container has a terminal of the size that the client gives it", async () => {
    await using pod = await start(["signal", "terminal", "pause"], terminal);
    await until(async () => (await logOf(pod, "main")).includes("waiting"));
    await using client = await attach(pod);
    expect(client.stderr).toBeUndefined();
    await client.resize({ rows: 33, columns: 99 });
    expect(await readUntil(client.stdout, "columns")).toContain(
      '{"isTerminal":[true,true,true],"rows":33,"columns":99}',
    );
  });

  test("Ctrl-C interrupts it", async () => {
    await using pod = await start(["pause"], terminal);
    await until(async () => (await logOf(pod, "main")).includes("waiting"));
    await using client = await attach(pod);
    await writeTo(client.stdin, "\x03");
    expect((await pod.container("main").exited).exitCode).toBe(0);
    expect(await logOf(pod, "main")).toContain('"answer":2');
  });

  test("a terminal that is not read holds up its client and nobody else", async () => {
    await using pod = await start(["pause"], terminal);
    await using client = await attach(pod);
    const writing = writeTo(client.stdin, `${"y".repeat(99)}\n`.repeat(5000)).catch(() => {});
    expect((await pod.exec(["/probe", "exit", "4"]).result).exitCode).toBe(4);
    await pod.down({ graceMs: 0 });
    await writing;
  });
});

describe("clients that are slow", () => {
  test("one that reads nothing does not hold up the container, and its log is whole", async () => {
    await using pod = await start(["signal", "print", "30000", "99", "say", "end"]);
    await using _ = await attach(pod, false);
    await signalWhenReady(pod);
    expect((await pod.container("main").exited).exitCode).toBe(0);
    const log = await logOf(pod, "main");
    expect([log.length > 3_000_000, log.endsWith("\nend\n")]).toEqual([true, true]);
  });

  test("one that reads as fast as it can sees a burst of half a megabyte whole", async () => {
    await using pod = await start(["signal", "print", "5000", "99", "say", "end", "pause"]);
    await using client = await attach(pod, false);
    await signalWhenReady(pod);
    expect((await readUntil(client.stdout, "\nend\n")).length).toBeGreaterThan(500_000);
  });

  test("a container that does not read its input holds up the writer and nobody else", async () => {
    await using pod = await start(["pause"], { stdin: true });
    await using client = await attach(pod);
    const writing = writeTo(client.stdin, "z".repeat(400_000)).catch(() => {});
    expect(await Promise.race([writing, Bun.sleep(200).then(() => "waits")])).toBe("waits");
    expect((await pod.exec(["/probe", "exit", "4"]).result).exitCode).toBe(4);
    expect((await pod.container("main").state()).phase).toBe("running");
    await pod.down({ graceMs: 0 });
    await writing;
  });

  test("clients that go away make room for others", async () => {
    await using pod = await start(["pause"], { stdin: true });
    const before = openDescriptors();
    for (let round = 0; round < 60; round++) {
      await using client = await attach(pod);
      void writeTo(client.stdin, "z".repeat(100_000)).catch(() => {});
    }
    await until(() => openDescriptors() <= before);
  });
});

describe("what cannot be attached to", () => {
  test("the input of a container that has none", async () => {
    await using pod = await start(["pause"]);
    expect((await errorOf(attach(pod))).code).toBe("container.no-stdin");
  });

  test("a container that has ended", async () => {
    await using pod = await start(["exit", "0"]);
    await pod.container("main").exited;
    const before = openDescriptors();
    expect((await errorOf(attach(pod, false))).code).toBe("container.not-running");
    await until(() => openDescriptors() <= before);
  });
});
