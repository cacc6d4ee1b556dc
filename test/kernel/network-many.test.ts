// More pods with addresses than a bridge has ports for: all are there at once, all answer, and
// nothing of them stays.

import { expect } from "bun:test";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import type { Pod } from "../../src/index.ts";
import { eventually, hostMissing, podOf } from "../support/host.ts";
import { testOrSkip } from "../support/must-run.ts";
import { NetworkHost, run, within } from "../support/network-host.ts";

const kernelTest = testOrSkip(hostMissing === undefined, hostMissing ?? "");
const pods = 1100;
const together = 10;
const timeoutMs = 180_000;

interface Status {
  readonly status: { readonly podIPs: readonly { readonly ip: string }[] };
}

/** A port where nobody listens: the pod's own kernel says so. */
async function refuses(namespace: number, hostname: string): Promise<boolean> {
  try {
    const connecting = within(namespace, () =>
      Bun.connect({ hostname, port: 1, socket: { data() {} } }),
    );
    (await connecting).end();
    return false;
  } catch (error) {
    return error instanceof Error && "code" in error && error.code === "ECONNREFUSED";
  }
}

function traces(): string[] {
  const listed = [
    ...run("ip", "-brief", "link").split("\n"),
    ...run("ip", "route").split("\n"),
    ...run("ip", "-6", "route").split("\n"),
    ...run("ip", "neighbour", "show", "nud", "permanent").split("\n"),
  ];
  return listed.filter((line) => /\bpod[0-9a-f]{12}\b/.test(line));
}

kernelTest(
  `${pods} pods have addresses at once, answer, and leave nothing`,
  async () => {
    await using machine = new NetworkHost();
    const { host } = machine;
    await (await machine.up(podOf(host, "warm-up", { main: ["pause"] })))[Symbol.asyncDispose]();
    host.before = host.snapshot();
    const running: Pod[] = [];
    while (running.length < pods) {
      const batch = Array.from({ length: together }, (_, index) =>
        host.up(podOf(host, `pod-${running.length + index}`, { main: ["pause"] })),
      );
      running.push(...(await Promise.all(batch)));
    }
    // Our own object, as pod/status.ts prints it.
    const objects = (await Promise.all(running.map((pod) => pod.object()))) as unknown as Status[];
    const addresses = objects.flatMap(({ status }) => status.podIPs.map(({ ip }) => ip));
    expect(new Set(addresses).size).toBe(2 * pods);
    let answered = 0;
    for (const address of addresses) {
      if (await refuses(machine.inside, address)) answered++;
    }
    expect(answered).toBe(2 * pods);
    expect(traces().length).toBeGreaterThan(pods);
    await Promise.all(running.map((pod) => pod.down({ graceMs: 0 })));
    // The kernel ends namespaces, and interfaces with them, in its own time.
    expect(await eventually(traces, (left) => left.length === 0, 60_000)).toEqual([]);
    expect(readdirSync(join(host.places.state, "addresses"))).toEqual([]);
  },
  timeoutMs,
);
