// Why a pod is as it is, on one page.

import { defineCommand } from "../command.ts";
import { printData } from "../data.ts";
import { printDescription } from "../describe/page.ts";
import { openFromFlags } from "../open.ts";
import { selectFlags, selectPods } from "../pods.ts";

const usage = "describe [NAME…|-l SELECTOR|--all] [flags]";

export const describe = defineCommand({
  usage: [usage],
  about: [
    "Print all that is known of a pod: its containers with their state, the state before, exit codes",
    "and messages, when a container will be started again, conditions, volumes and events.",
  ],
  examples: [
    ["peapod describe web", "why is it not up?"],
    ["peapod describe web -o json", "the same for programs: the pod, its events, the next starts"],
  ],
  flags: selectFlags,
  run: async ({ flags, operands, io }) => {
    await using peapod = await openFromFlags(flags, io);
    const pods = await selectPods(peapod, operands, flags, usage);
    const descriptions = await Promise.all(pods.map((pod) => pod.describe()));
    if (flags.output) {
      const data = descriptions.map(({ pod, events, retries }) => ({
        ...{ pod, events },
        retries: Object.fromEntries([...retries].map(([name, at]) => [name, at.toISOString()])),
      }));
      io.stdout.write(await printData(flags.output, data.length === 1 ? data[0] : data));
      return 0;
    }
    const pages = descriptions.map((description) => printDescription(description, Date.now()));
    io.stdout.write(pages.join("\n\n"));
    return 0;
  },
});
