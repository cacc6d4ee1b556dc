// Eviction: a pod that holds more of its disk than it may.

import { expect } from "bun:test";
import { hostMissing, openTestHost } from "../support/host.ts";
import { script, tracedPod } from "../support/life.ts";
import { testOrSkip } from "../support/must-run.ts";

const kernelTest = testOrSkip(hostMissing === undefined, hostMissing ?? "");
const fill = (path: string) => `head -c 3000000 /dev/zero > ${path}; exec sleep 60`;

kernelTest("a volume over its sizeLimit has its pod evicted", async () => {
  await using host = await openTestHost({ timeScale: 0.01 });
  await using pod = await host.up(
    tracedPod("full-volume", {
      volumes: [{ name: "trace", emptyDir: { sizeLimit: "2Mi" } }],
      containers: [script("main", fill("/trace/big"))],
    }),
  );
  expect(await pod.finished).toMatchObject({
    phase: "Failed",
    reason: "Evicted",
    message: 'Usage of EmptyDir volume "trace" exceeds the limit "2Mi". ',
  });
  expect((await pod.container("main").state()).phase).toBe("terminated");
});

kernelTest("so has a container over its limit of ephemeral-storage", async () => {
  await using host = await openTestHost({ timeScale: 0.01 });
  const limits = (amount: string) => ({ resources: { limits: { "ephemeral-storage": amount } } });
  await using pod = await host.up(
    tracedPod("full-layer", {
      containers: [
        script("main", fill("/big"), limits("1Mi")),
        script("other", "exec sleep 60", limits("1Gi")),
      ],
    }),
  );
  expect(await pod.finished).toMatchObject({
    reason: "Evicted",
    message: 'Container main exceeded its local ephemeral storage limit "1Mi". ',
  });
});

kernelTest("who stays within its limits goes on", async () => {
  await using host = await openTestHost({ timeScale: 0.01 });
  await using pod = await host.up(
    tracedPod("roomy", {
      volumes: [{ name: "trace", emptyDir: { sizeLimit: "100Mi" } }],
      containers: [script("main", fill("/trace/big"))],
    }),
  );
  await Bun.sleep(500);
  expect((await pod.container("main").state()).phase).toBe("running");
});
