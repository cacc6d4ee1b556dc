// What a pod has from the kernel: its namespaces, and its control groups.

import { defineCommand, oneOperand } from "../command.ts";
import { PodError } from "../../errors/pod-error.ts";
import { printCgroupTree, readCgroupTree } from "../cgroup-tree.ts";
import { printData } from "../data.ts";
import type { FlagTable } from "../flags.ts";
import { printNamespaces, readNamespaceRows } from "../namespace-table.ts";
import { openFromFlags } from "../open.ts";
import { getPod, namespaceFlag } from "../pods.ts";

const usage = "ns NAME [flags]";

const flagTable = {
  cgroups: {
    kind: "switch",
    help: "the tree of control groups instead, with limits, use and processes",
  },
  ...namespaceFlag,
} as const satisfies FlagTable;

export const ns = defineCommand({
  usage: [usage],
  about: [
    "Print the kernel namespaces of a running pod, one row a kind, one column a container,",
    "by inode",
    "number: `= host` is the host's own, `= pod` is shared by containers of the pod, `own` belongs",
    "to one container alone.",
  ],
  examples: [
    ["peapod ns web", "who shares what"],
    ["peapod ns --cgroups web", "limits, use and processes"],
    ["peapod ns -o json web", "for programs"],
  ],
  flags: flagTable,
  run: async ({ flags, operands, io }) => {
    const name = oneOperand(operands, usage, "the name of a pod");
    await using peapod = await openFromFlags(flags, io);
    const inspection = await (await getPod(peapod, name, flags)).inspect();
    if (!flags.cgroups) {
      const rows = readNamespaceRows(inspection);
      const text = flags.output
        ? await printData(flags.output, rows)
        : printNamespaces(rows, io.paintOut);
      io.stdout.write(text);
      return 0;
    }
    const tree = readCgroupTree(inspection.sandbox.cgroup);
    if (tree === undefined) throw gone(inspection.sandbox.cgroup);
    io.stdout.write(flags.output ? await printData(flags.output, tree) : printCgroupTree(tree));
    return 0;
  },
});

function gone(path: string): PodError {
  return new PodError({
    code: "container.not-running",
    message: `the control group ${path} is gone`,
  });
}
