// A volume whose server never answers holds up its own launch and nothing else, and that for its
// deadline only.

import { expect } from "bun:test";
import { join } from "node:path";
import { PodError, printError } from "../../src/errors/pod-error.ts";
import type { TestHost } from "../support/host.ts";
import { eventually, hostMissing, logOf, openTestHost, podOf } from "../support/host.ts";
import { testOrSkip } from "../support/must-run.ts";
import { fuseMissing, SilentMount } from "../support/silent-mount.ts";

const missing = hostMissing ?? fuseMissing;
const kernelTest = testOrSkip(missing === undefined, missing ?? "");

function waitingOn(host: TestHost, path: string) {
  const spec = { volumes: [{ name: "remote", hostPath: { path: join(path, "directory") } }] };
  const mounts = { volumeMounts: [{ name: "remote", mountPath: "/remote" }] };
  return podOf(host, "waiting", { only: ["pause"] }, spec, mounts);
}

kernelTest("a launch that waits for it ends by its deadline, while others go on", async () => {
  await using host = await openTestHost();
  await using other = await host.up(podOf(host, "other", { only: ["tick", "0", "10"] }));
  const before = performance.now();
  let leftWhileHung: string[] = [];
  let error: unknown;
  {
    await using silent = await SilentMount.make();
    const starting = host.up(waitingOn(host, silent.path), { timeoutMs: 500 });
    starting.catch(() => {});
    await eventually(
      () => silent.asked,
      (asked) => asked > 0,
    );
    const lines = async () => (await logOf(other, "only")).split("\n").length;
    const first = await lines();
    expect(await eventually(lines, (now) => now > first + 5)).toBeGreaterThan(first + 5);
    error = await starting.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    leftWhileHung = host.leaks().filter((leak) => /^(files|cgroups): .*waiting/.test(leak));
  }
  expect(performance.now() - before).toBeLessThan(4000);
  expect(error instanceof PodError ? printError(error) : error).toMatch(
    new RegExp(
      [
        "^error\\[launch.timed-out\\] container only did not start within 500 ms",
        "  from   spec.containers\\[0\\].volumeMounts\\[0\\]",
        "  step   \\d+ of \\d+, prepare: open_volume",
        "  hint   a volume's source may not answer; allow more with --timeout$",
      ].join("\n"),
    ),
  );
  expect(leftWhileHung).toEqual([]);
  await other.down({ graceMs: 0 });
  expect(
    await eventually(
      () => host.leaks(),
      (leaks) => leaks.length === 0,
    ),
  ).toEqual([]);
});

kernelTest("down ends a pod that waits for it", async () => {
  await using host = await openTestHost();
  {
    await using silent = await SilentMount.make();
    const starting = host.up(waitingOn(host, silent.path), { timeoutMs: 60_000 });
    const outcome = starting.then(
      () => "up",
      (error: unknown) => (error instanceof PodError ? error.code : String(error)),
    );
    await eventually(
      () => silent.asked,
      (asked) => asked > 0,
    );
    const before = performance.now();
    await using another = host.another();
    expect(await another.down("waiting", { graceMs: 0 })).toBe(true);
    expect(performance.now() - before).toBeLessThan(3000);
    expect(await outcome).not.toBe("up");
  }
  expect(
    await eventually(
      () => host.leaks(),
      (leaks) => leaks.length === 0,
    ),
  ).toEqual([]);
});
