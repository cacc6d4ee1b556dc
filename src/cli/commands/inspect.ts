// Everything about one pod, for programs.

import { defineCommand, oneOperand } from "../command.ts";
import { printData } from "../data.ts";
import { openFromFlags } from "../open.ts";
import { getPod, namespaceFlag } from "../pods.ts";

const usage = "inspect NAME [flags]";

export const inspect = defineCommand({
  usage: [usage],
  about: [
    "Print a pod as Kubernetes would, its sandbox and its containers with their processes, control",
    "groups and kernel namespaces (inode numbers), as JSON.",
  ],
  examples: [
    ["peapod inspect web", "all of it"],
    ["peapod inspect web | jq .sandbox.keeperPid", "one value"],
    ["peapod inspect -o yaml web", "easier on the eyes"],
  ],
  flags: namespaceFlag,
  run: async ({ flags, operands, io }) => {
    const name = oneOperand(operands, usage, "the name of a pod");
    await using peapod = await openFromFlags(flags, io);
    const pod = await getPod(peapod, name, flags);
    io.stdout.write(await printData(flags.output ?? "json", await pod.inspect()));
    return 0;
  },
});
