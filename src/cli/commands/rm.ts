// Removes pods that do not run any more.

import { PodError } from "../../errors/pod-error.ts";
import type { Pod } from "../../pod/types.ts";
import { defineCommand } from "../command.ts";
import { eachPod } from "../each-pod.ts";
import type { FlagTable } from "../flags.ts";
import { openFromFlags } from "../open.ts";
import { isFinished, podObject } from "../pod-object.ts";
import { selectFlags, selectPods } from "../pods.ts";
import { podLabel } from "../text.ts";

const usage = "rm NAME… [flags]";

const flagTable = {
  force: { kind: "switch", short: "f", help: "also those that run: they are killed" },
  ...selectFlags,
} as const satisfies FlagTable;

export const rm = defineCommand({
  usage: [usage, "rm -l SELECTOR | --all [flags]"],
  about: [
    "Remove what is left of pods whose containers have all ended: their layers, logs and names.",
    "A pod that runs is refused without --force; to end one in order use down. With -l and --all",
    "pods that run are passed over.",
  ],
  examples: [
    ["peapod rm job", "a pod that has finished"],
    ["peapod rm --all", "all that have finished"],
    ["peapod rm -f web", "kill it first"],
  ],
  flags: flagTable,
  run: async ({ flags, operands, io }) => {
    await using peapod = await openFromFlags(flags, io);
    const selected = await selectPods(peapod, operands, flags, usage);
    const finished = await Promise.all(selected.map(hasFinished));
    const running = selected.filter((_, index) => !finished[index]);
    if (operands.length > 0 && !flags.force) refuse(running);
    const pods = flags.force ? selected : selected.filter((_, index) => finished[index]);
    return await eachPod(pods, flags.output, io, (pod) => pod.down({ graceMs: 0 }));
  },
});

async function hasFinished(pod: Pod): Promise<boolean> {
  return isFinished(podObject(await pod.object()));
}

function refuse([first]: readonly Pod[]): void {
  if (first === undefined) return;
  throw new PodError({
    code: "pod.running",
    message: `pod ${podLabel(first)} runs, and rm removes what has ended`,
    hint: `peapod down ${podLabel(first)} ends it in order; rm --force kills it`,
  });
}
