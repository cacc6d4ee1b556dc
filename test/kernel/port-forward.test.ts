// Ports of this process for ports of a pod that has no network but loopback.

import { expect } from "bun:test";
import { tcpAsk, tcpDigest, tcpEcho, tcpSend } from "../support/echo.ts";
import { hostMissing, openTestHost, podOf } from "../support/host.ts";
import { testOrSkip } from "../support/must-run.ts";
import { addressedPod, within } from "../support/network-host.ts";
import { eventually } from "../support/host.ts";

const kernelTest = testOrSkip(hostMissing === undefined, hostMissing ?? "");

kernelTest(
  "a port of a pod is reached by one of this host, and only as long as asked",
  async () => {
    await using host = await openTestHost();
    host.opensItself = false;
    await using up = await addressedPod(await host.up(podOf(host, "web", { main: ["pause"] })));
    const servers = [
      within(up.namespace, () => tcpEcho("127.0.0.1", 80)),
      within(up.namespace, () => tcpEcho("::1", 81)),
      within(up.namespace, () => tcpDigest("127.0.0.1", 82)),
    ];
    const errors: string[] = [];
    const onError = (error: Error) => void errors.push(error.message);
    let port = 0;
    try {
      await using http = await up.pod.forward({ port: 80, onError });
      await using v6 = await up.pod.forward({ port: 81, onError });
      await using digest = await up.pod.forward({ port: 82, onError });
      await using nobody = await up.pod.forward({ port: 83, onError });
      ({ port } = http);
      const asked = await Promise.all(
        [1, 2, 3].map((n) => tcpAsk("127.0.0.1", port, `hello ${n}`)),
      );
      expect(asked.map(({ text }) => text)).toEqual(["hello 1", "hello 2", "hello 3"]);
      expect((await tcpAsk("127.0.0.1", v6.port, "hello")).from).toBe("::1");
      const bytes = new Uint8Array(16 << 20).map((_, index) => index ^ (index >> 8));
      const expected = new Bun.CryptoHasher("sha256").update(bytes).digest("hex");
      expect(await tcpSend("127.0.0.1", digest.port, bytes)).toBe(expected);
      await tcpAsk("127.0.0.1", nobody.port, "hello", 300).catch(() => {});
      await eventually(
        () => errors.length,
        (count) => count > 0,
      );
      expect(errors).toEqual(["dial tcp 127.0.0.1:83: connect: connection refused"]);
    } finally {
      for (const server of servers) server.stop(true);
    }
    const late = await tcpAsk("127.0.0.1", port, "hello", 300).catch(() => "refused");
    expect(late).toBe("refused");
  },
);
