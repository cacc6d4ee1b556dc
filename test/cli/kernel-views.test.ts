import { expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { printCgroupTree, readCgroupTree } from "../../src/cli/cgroup-tree.ts";
import { namespaceRows, printNamespaces } from "../../src/cli/namespace-table.ts";
import { createPaint } from "../../src/cli/paint.ts";

test("equal inodes are marked: the host's, the pod's, and a container's own", () => {
  const rows = namespaceRows({ net: 1, mnt: 2, user: 3 }, [
    { name: "app", namespaces: { net: 10, mnt: 20, user: 3 } },
    { name: "sidecar", namespaces: { net: 10, mnt: 21, user: 3 } },
    { name: "gone", namespaces: {} },
  ]);
  expect(printNamespaces(rows, createPaint(false))).toBe(
    [
      "NAMESPACE   HOST   app        sidecar    gone",
      "net         1      10 = pod   10 = pod   -",
      "ipc         -      -          -          -",
      "uts         -      -          -          -",
      "mnt         2      20 own     21 own     -",
      "pid         -      -          -          -",
      "cgroup      -      -          -          -",
      "user        3      3 = host   3 = host   -",
      "time        -      -          -          -",
      "",
    ].join("\n"),
  );
});

test("control groups are a tree with limits, use and processes, of the files that exist", () => {
  const root = mkdtempSync(`${tmpdir()}/peapod-cgroup-`);
  try {
    mkdirSync(`${root}/app`);
    mkdirSync(`${root}/sidecar`);
    const files: Record<string, string> = {
      "memory.current": "1572864\n",
      "memory.max": "67108864\n",
      "cpu.max": "50000 100000\n",
      "cpu.weight": "20\n",
      "app/pids.current": "1\n",
      "app/pids.max": "max\n",
      // No process has this number: pid_max is at most 2^22.
      "app/cgroup.procs": "99999999\n",
      "sidecar/cpu.max": "max 100000\n",
    };
    for (const [name, text] of Object.entries(files)) writeFileSync(`${root}/${name}`, text);
    const tree = readCgroupTree(root);
    if (tree === undefined) throw new Error("no tree");
    expect(printCgroupTree(tree)).toBe(
      [
        `${root}  memory 1.5Mi of 64Mi, cpu 0.5, weight 20`,
        "├─ app  pids 1 of max",
        "│  └─ 99999999 [gone]",
        "└─ sidecar  cpu max",
        "",
      ].join("\n"),
    );
  } finally {
    rmSync(root, { recursive: true });
  }
});

test("a control group that is gone is no tree", () => {
  expect(readCgroupTree("/nowhere")).toBeUndefined();
});
