// What `up` of a pod that runs says it would do.

import { expect, test } from "bun:test";
import { printAgain } from "../../src/cli/again.ts";
import { changesBetween } from "../../src/pod/changes.ts";
import type { Pod } from "../../src/pod/types.ts";
import { readOne } from "../read/manifests.ts";

const text = (limits: string, image = "host") => `apiVersion: v1
kind: Pod
metadata: {name: web}
spec:
  containers:
  - {name: app, image: "${image}", resources: {requests: {cpu: 10m}, limits: ${limits}}}
`;

function told(before: string, after: string): string {
  const [old, spec] = [readOne(before), readOne(after)];
  // Only whether there is one is asked.
  const pod = {} as Pod;
  return printAgain([{ spec, pod, changes: changesBetween(old, spec) }], false);
}

test("an amount that differs is resized, and one that goes away starts the pod anew", () => {
  const before = text("{cpu: 100m, memory: 64Mi}");
  expect(told(before, before)).toBe("web is unchanged\n");
  expect(told(before, text("{cpu: 200m, memory: 64Mi}"))).toBe(
    "web: resizing spec.containers[0].resources.limits.cpuMilli\n",
  );
  expect(told(before, text("{memory: 64Mi}"))).toBe(
    "web would be started anew: spec.containers[0].resources.limits.cpuMilli\n",
  );
  expect(told(before, text("{cpu: 200m, memory: 64Mi}", "rootfs:/other"))).toBe(
    "web: restarting app (image)\n",
  );
});
