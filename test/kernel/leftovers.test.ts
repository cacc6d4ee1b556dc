// What a reboot leaves is removed by the next start; what is of this boot is not touched.

import { expect } from "bun:test";
import { existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { HostPath } from "../../src/spec/paths.ts";
import { findCgroupMount } from "../../src/native/host.ts";
import { removeLeftovers } from "../../src/pod/leftovers.ts";
import { resolveHostFacts } from "../../src/resolve/host-facts.ts";
import { testOrSkip } from "../support/must-run.ts";

testOrSkip(process.getuid?.() === 0, "needs root")(
  "data of this boot stays, whoever's it is, and so does the group of a keeper yet to come",
  async () => {
    const directory = mkdtempSync(join(tmpdir(), "peapod-leftovers-"));
    const group = `${findCgroupMount()?.path}/peapod-test-leftovers-${process.pid}`;
    const places = {
      root: join(directory, "root") as HostPath,
      state: join(directory, "state") as HostPath,
      logs: join(directory, "logs") as HostPath,
    };
    const young = join(places.root, "pods/11111111-1111-1111-1111-111111111111");
    mkdirSync(young, { recursive: true });
    writeFileSync(join(young, "file"), "");
    mkdirSync(join(places.state, "pods"), { recursive: true });
    try {
      const facts = resolveHostFacts({ cgroupRoot: group });
      await removeLeftovers(places, facts);
      expect(existsSync(young)).toBe(true);
      await removeLeftovers(places, facts, Date.now() + 1000);
      expect(existsSync(young)).toBe(false);
      const keepers = join(group, "keepers");
      const empty = join(keepers, "22222222-2222-2222-2222-222222222222");
      mkdirSync(empty, { recursive: true });
      await removeLeftovers(places, facts);
      expect(existsSync(empty)).toBe(true); // It may be about to get its keeper.
      await removeLeftovers(places, facts, 0, Date.now() + 60_000);
      expect(existsSync(empty)).toBe(false);
      expect(existsSync(keepers)).toBe(true);
    } finally {
      rmSync(directory, { recursive: true, force: true });
      for (const name of ["burstable", "besteffort", "keepers", ""]) {
        rmdirQuietly(join(group, name));
      }
    }
  },
);

function rmdirQuietly(path: string): void {
  Bun.spawnSync(["rmdir", path], { stderr: "ignore" });
}
