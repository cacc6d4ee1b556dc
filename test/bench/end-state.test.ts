// The proof of equal work: the comparison sees a difference, and where there should be none there
// is none.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { flawsOf, printEndStates } from "../../bench/end-state/command.ts";
import { compareEndStates, unexplained } from "../../bench/end-state/compare.ts";
import { type EndStates, endStates } from "../../bench/end-state/end-states.ts";
import { known } from "../../bench/end-state/known.ts";
import { findProgram } from "../../bench/peers/find.ts";
import { hostMissing } from "../support/host.ts";
import { testOrSkip } from "../support/must-run.ts";

const kernelTest = testOrSkip(hostMissing === undefined, hostMissing ?? "");
const crunTest = testOrSkip(
  hostMissing === undefined && findProgram("crun") !== undefined,
  "needs root and crun",
);

let directory = "";
let seen: EndStates | undefined;
beforeAll(async () => {
  directory = mkdtempSync(join(tmpdir(), "peapod-end-state-"));
  if (hostMissing !== undefined) return;
  const runtimes = findProgram("crun") === undefined ? [] : ["crun"];
  seen = await endStates(directory, [
    ...["floor", "floor (naive)", "unshare, own defaults"],
    ...runtimes,
  ]);
}, 120_000);
afterAll(() => rmSync(directory, { recursive: true, force: true }));

const unexplainedOf = (name: string) => unexplained(seen?.differences[name] ?? []);

describe("of the floor", () => {
  for (const name of ["floor", "floor (naive)"]) {
    kernelTest(`a container of the ${name} is what peapod's is, but for what has a reason`, () => {
      expect(seen?.absent).not.toHaveProperty([name]);
      expect(Object.keys(seen?.subjects[name] ?? {}).length).toBeGreaterThan(100);
      expect(unexplainedOf(name)).toEqual([]);
    });
  }

  kernelTest("its reasons are few, and none is about rights, namespaces, groups or limits", () => {
    const fields = (seen?.differences["floor"] ?? []).map(({ field }) => field);
    const important =
      /^(namespace|capabilities|seccomp|no_new_privs|limit|cgroup|masked|read-only|try)/;
    expect(fields.filter((field) => important.test(field))).toEqual([]);
    expect(known.length).toBeLessThan(20);
  });
});

crunTest("crun makes the same of the bundle, but for what has a reason", () => {
  expect(unexplainedOf("crun")).toEqual([]);
});

kernelTest("a container that is less shut in differs in every field that says so", () => {
  const differences = seen?.differences["unshare, own defaults"] ?? [];
  const values = Object.fromEntries(differences.map(({ field, value }) => [field, value]));
  expect(values).toMatchObject({
    "seccomp mode": "0",
    "seccomp filters": "0",
    no_new_privs: "0",
    "masked /proc/keys": "the host's content",
    "read-only /proc/sys": "writable",
    "try mount /tmp": "ok",
  });
  expect(values["capabilities bounding"]).toContain("SYS_ADMIN");
});

kernelTest("what peapod's own container is, is worth comparing with", () => {
  expect(seen?.subjects["peapod"]).toMatchObject({
    "namespace net": "the pod's",
    "namespace mnt": "the container's",
    "cgroup that is shown": "its own",
    "seccomp mode": "2",
    "seccomp filters": "1",
    no_new_privs: "1",
    "masked /proc/keys": "nothing",
    "read-only /proc/sys": "read-only",
    "try unshare 0x10000000": "EPERM",
    "try clone3 0": "ENOSYS",
  });
});

kernelTest("every single field that differs is seen", () => {
  const reference = seen?.subjects["peapod"] ?? {};
  const missed = Object.keys(reference).filter((field) => {
    const { [field]: _, ...without } = reference;
    const changed = { ...reference, [field]: "something else" };
    return [without, changed].some(
      (state) => compareEndStates("peapod", state, reference, known).length !== 1,
    );
  });
  expect(missed).toEqual([]);
  expect(compareEndStates("peapod", reference, reference, known)).toEqual([]);
});

test("a reason holds for its own subject and field, and a flaw is printed with both values", () => {
  const reference = { "mount /": "overlay", no_new_privs: "1" };
  const value = { "mount /": "ext4", no_new_privs: "0" };
  const differences = { crun: compareEndStates("crun", value, reference, known) };
  expect(differences.crun).toEqual([
    {
      field: "mount /",
      reference: "overlay",
      value: "ext4",
      reason: "a plain directory: an engine would have mounted the overlay before",
    },
    { field: "no_new_privs", reference: "1", value: "0" },
  ]);
  expect(unexplained(compareEndStates("floor", value, reference, known)).length).toBe(2);
  const result: EndStates = {
    reference: "peapod",
    fields: ["mount /", "no_new_privs"],
    subjects: { peapod: reference, crun: value },
    differences,
    calls: { crun: 2485 },
    absent: { runc: "not installed" },
  };
  expect(flawsOf(result)).toEqual(["crun"]);
  expect(printEndStates(result, false)).toBe(
    [
      "2 fields; subject, fields that differ from peapod's, without reason",
      "",
      "crun: 2  1",
      "  mount /: a plain directory: an engine would have mounted the overlay before",
      "    peapod  overlay",
      "    here    ext4",
      "  no_new_privs",
      "    peapod  1",
      "    here    0",
      "",
      "crun: 2485 system calls to start the pod",
      "",
      "runc: absent, not installed",
    ].join("\n"),
  );
});
