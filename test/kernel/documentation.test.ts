// The manifests that are named after pages of Kubernetes' documentation reach the state that their
// page describes: what their containers say, and how `up` ends.

import { afterAll, beforeAll, describe, expect } from "bun:test";
import { readdirSync } from "node:fs";
import type { CliHost } from "../support/cli-host.ts";
import { openCliHost } from "../support/cli-host.ts";
import { eventually, hostMissing } from "../support/host.ts";
import { testOrSkip } from "../support/must-run.ts";
import { hasControllers, noControllers } from "../support/pods.ts";

const folder = `${import.meta.dir}/../manifests`;

interface Page {
  /** Lines of output in any order: containers run side by side. */
  readonly out: readonly string[];
  readonly status: number;
  /** Of a limit that the host has to keep. */
  readonly needsControllers?: true;
  /** A line that `up` says of the pod. */
  readonly said?: string;
}

/** Everything that ends by itself. */
const pages: Readonly<Record<string, Page>> = {
  "configmap.yaml": {
    out: ["very charming", "HOW", "WHAT", "game.conf", "lives=3"],
    status: 0,
  },
  "dependent-variables.yaml": {
    out: [
      "UNCHANGED=$(PROTOCOL)://$(ADDRESS) SERVICE=https://172.17.0.1 ESCAPED=$(PROTOCOL)://172.17.0.1",
    ],
    status: 0,
  },
  "dns-config.yaml": {
    out: [
      "search ns1.svc.cluster-domain.example my.dns.search.suffix",
      "nameserver 192.0.2.1",
      "options ndots:2 edns0",
    ],
    status: 0,
  },
  "downward-env.yaml": { out: ["downward-env in team, shop, as default with 32 MiB"], status: 0 },
  "downward-volume.yaml": {
    out: ["labels", 'app="shop"', 'tier="front"', "annotations", 'build="two"', "request", "250"],
    status: 0,
  },
  "host-aliases.yaml": {
    out: [
      "# Entries added by HostAliases.",
      "127.0.0.1\tfoo.local\tbar.local",
      "10.1.2.3\tfoo.remote",
    ],
    status: 0,
  },
  "indexed-job.yaml": {
    out: ["tna", "eeb", "tac"],
    status: 0,
    said: "Job indexed is complete: Reached expected number of succeeded pods",
  },
  "init-containers.yaml": { out: ["rendered"], status: 0 },
  "init-fails.yaml": { out: ["no"], status: 7 },
  "job.yaml": {
    out: ["3.141592654"],
    status: 0,
    said: "Job pi is complete: Reached expected number of succeeded pods",
  },
  "lifecycle-hooks.yaml": { out: ["started", "stopping"], status: 0 },
  "liveness-exec.yaml": { out: ["run 1", "run 2"], status: 0 },
  "pod-failure-policy.yaml": {
    out: [],
    status: 1,
    said: "Job failure-policy failed: PodFailurePolicy: Container main for pod default/failure-policy-0 failed with exit code 42 matching FailJob rule at index 0",
  },
  "pod-level-resources.yaml": {
    out: ["52428800", "209715200"],
    status: 0,
    needsControllers: true,
  },
  "probes-http.yaml": { out: ["/live liveness", "/ready readiness"], status: 0 },
  "projected.yaml": {
    out: ["400 secret/name", "444 site/colour", "444 pod", "admingreenprojected"],
    status: 0,
  },
  "resources.yaml": { out: ["209715200", "50000 100000"], status: 0, needsControllers: true },
  "restart-rules.yaml": { out: ["1", "2", "3"], status: 0 },
  "secret.yaml": { out: ["my-app", "13", "400"], status: 0 },
  "security-context.yaml": {
    out: ["1000", "3000", "2000 3000 4000", "1000 2000", "2000", "read-only"],
    status: 0,
  },
  "share-processes.yaml": { out: ["told to stop"], status: 0 },
  "shared-volume.yaml": { out: ["hello from the writer"], status: 0 },
  "sidecars.yaml": { out: ["shipped done"], status: 0 },
  "sub-path.yaml": { out: ["/all/one/file", "/all/sub-path/file"], status: 0 },
  "termination-message.yaml": { out: ["the last words"], status: 1 },
  "user-namespaces.yaml": { out: ["0", "0 1 65536"], status: 0 },
};

let cli: CliHost;
beforeAll(async () => {
  if (hostMissing === undefined) cli = await openCliHost();
});
afterAll(() => cli?.[Symbol.asyncDispose](), 60_000);

const missing = (needsControllers = false) =>
  hostMissing ?? (needsControllers && !hasControllers ? noControllers : "");
const testPage = (needsControllers?: boolean) =>
  testOrSkip(missing(needsControllers) === "", missing(needsControllers));

/** A tenth of the time that rules take. */
const scaled = { PEAPOD_TIME_SCALE: "0.1" };

/** A machine that is emulated is slow: there only what other machines can't say. */
const isEmulated = process.env.PEAPOD_TEST_IN_VM === "1";
const here = Object.entries(pages).filter(([, page]) => !isEmulated || page.needsControllers);

describe("a page's manifest reaches its state", () => {
  for (const [file, page] of here) {
    testPage(page.needsControllers)(
      file,
      async () => {
        const { out, err, status } = await cli.run(
          ["up", "--no-prefix", `${folder}/${file}`],
          "",
          scaled,
        );
        const lines = out.split("\n").map((line) => line.trimEnd());
        expect(lines.filter((line) => line !== "").toSorted(), err).toEqual(page.out.toSorted());
        expect(status).toBe(page.status);
        if (page.said !== undefined) expect(err.split("\n")).toContain(page.said);
        expect((await cli.run(["ps", "-a"])).err).toBe("there are no pods\n");
      },
      isEmulated ? 60_000 : 20_000,
    );
  }
  if (isEmulated) return;

  testPage()(
    "stateful-set.yaml",
    async () => {
      const file = `${folder}/stateful-set.yaml`;
      const logs = async () => (await cli.run(["logs", "db-1"])).out;
      for (const runs of [1, 2]) {
        expect((await cli.run(["up", "-d", file])).status).toBe(0);
        // The second run finds what the first has left in its claim.
        await eventually(logs, (text) => text === "db-1\n".repeat(runs));
        const withClaims = runs === 2 ? ["-v"] : [];
        expect((await cli.run(["down", ...withClaims, "-f", file])).status).toBe(0);
      }
    },
    30_000,
  );

  testPage()("every manifest is among them", () => {
    const tested = [...Object.keys(pages), "stateful-set.yaml"];
    expect(readdirSync(folder).toSorted()).toEqual(tested.toSorted());
  });
});
