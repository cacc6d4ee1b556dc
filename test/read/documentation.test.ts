// A manifest of our own for each page of Kubernetes' documentation on pods: each names its page, is
// read without a complaint, and has nothing in it that has no effect.

import { expect, test } from "bun:test";
import { readdirSync } from "node:fs";
import { readManifests } from "../../src/read/pod-manifest/read.ts";

const folder = `${import.meta.dir}/../manifests`;

test.each(readdirSync(folder))("%s", async (file) => {
  const text = await Bun.file(`${folder}/${file}`).text();
  expect(text).toMatch(/^# kubernetes\.io\/docs\/(concepts|tasks)\/[-\w/]+\n/);
  const { pods, jobs, documents } = readManifests([{ text, file }]);
  expect(pods.length + jobs.length).toBeGreaterThan(0);
  const idle = documents.flatMap(({ kind, inert, fields }) => [
    ...(inert === undefined ? [] : [kind]),
    ...fields().flatMap(({ origin, fate }) => (fate === "supported" ? [] : [origin.field])),
  ]);
  expect(idle).toEqual(
    file === "stateful-set.yaml"
      ? ["Service", "spec.volumeClaimTemplates[0].spec.accessModes"]
      : [],
  );
});
