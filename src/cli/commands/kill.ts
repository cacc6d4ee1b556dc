// Sends a signal to the processes of containers.

import type { Pod } from "../../pod/types.ts";
import { defineCommand } from "../command.ts";
import { eachPod } from "../each-pod.ts";
import type { FlagTable } from "../flags.ts";
import { usageError } from "../flags.ts";
import { openFromFlags } from "../open.ts";
import { selectFlags, selectPods } from "../pods.ts";
import { parseSignal } from "../signals.ts";

const usage = "kill NAME… [flags]";

const flagTable = {
  signal: {
    kind: "text",
    short: "s",
    value: "SIGNAL",
    help: "a name or a number: HUP, SIGUSR1, 9 (default: KILL)",
  },
  container: { kind: "text", short: "c", value: "NAME", help: "only this container" },
  ...selectFlags,
} as const satisfies FlagTable;

export const kill = defineCommand({
  usage: [usage, "kill -l SELECTOR | --all [flags]"],
  about: [
    "Send a signal to the first process of every running container of a pod. The pod stays, and",
    "what its restart policy says about the end of a container holds; to end a pod use down.",
  ],
  examples: [
    ["peapod kill -s HUP web -c nginx", "let one container read its configuration again"],
    ["peapod kill web", "SIGKILL to all of them"],
    ["peapod kill -s USR1 -l app=web", "every pod with this label"],
  ],
  flags: flagTable,
  run: async ({ flags, operands, io }) => {
    const signal = parseSignal(flags.signal ?? "KILL");
    if (signal === undefined) {
      throw usageError(`--signal: ${JSON.stringify(flags.signal)} is no signal`, "HUP, SIGHUP, 1");
    }
    await using peapod = await openFromFlags(flags, io);
    const pods = await selectPods(peapod, operands, flags, usage);
    return await eachPod(pods, flags.output, io, (pod) => signalPod(pod, signal, flags.container));
  },
});

/** A container that has ended needs no signal; one that was asked for by its name does. */
async function signalPod(pod: Pod, signal: number, name: string | undefined): Promise<void> {
  if (name !== undefined) return pod.container(name).signal(signal);
  const states = await Promise.all(pod.containers.map((container) => container.state()));
  const running = pod.containers.filter((_, index) => states[index]?.phase === "running");
  await Promise.all(running.map((container) => container.signal(signal)));
}
