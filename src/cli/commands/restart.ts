// Stops containers and starts them again, in the same pod.

import { defineCommand } from "../command.ts";
import { eachPod } from "../each-pod.ts";
import type { FlagTable } from "../flags.ts";
import { openFromFlags } from "../open.ts";
import { selectFlags, selectPods } from "../pods.ts";

const usage = "restart NAME… [flags]";

const flagTable = {
  container: { kind: "text", short: "c", value: "NAME", help: "only this container" },
  "grace-period": {
    kind: "duration",
    short: "t",
    aliases: ["timeout"],
    value: "SECONDS",
    help: "time between the stop signal and SIGKILL (default: that of the manifest)",
  },
  ...selectFlags,
} as const satisfies FlagTable;

export const restart = defineCommand({
  usage: [usage, "restart -l SELECTOR | --all [flags]"],
  about: [
    "Stop the containers of a pod in order, and start them again at once, whatever their restart",
    "policy says. Each gets a new writable layer; the pod, its addresses and its volumes stay.",
  ],
  examples: [
    ["peapod restart web", "every container that goes on running"],
    ["peapod restart web -c app -t 5", "one of them, with five seconds to end"],
  ],
  flags: flagTable,
  run: async ({ flags, operands, io }) => {
    await using peapod = await openFromFlags(flags, io);
    const pods = await selectPods(peapod, operands, flags, usage);
    const graceMs = flags["grace-period"];
    return await eachPod(pods, flags.output, io, (pod) =>
      peapod.restart(`${pod.namespace}/${pod.name}`, {
        ...(flags.container !== undefined && { container: flags.container }),
        ...(graceMs !== undefined && { graceMs }),
      }),
    );
  },
});
