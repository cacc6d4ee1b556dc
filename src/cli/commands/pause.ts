// Stops pods in their tracks, and lets them go on: the kernel's freezer of control groups.

import type { AnyCommand } from "../command.ts";
import { defineCommand } from "../command.ts";
import { eachPod } from "../each-pod.ts";
import { openFromFlags } from "../open.ts";
import { selectFlags, selectPods } from "../pods.ts";

export const pause = define("pause", {
  about: [
    "Freeze every process of a pod where it stands. Memory stays, no signal but SIGKILL arrives,",
    "connections go unanswered. unpause lets them go on; down and stop do so before they ask the",
    "processes to end.",
  ],
  example: "nothing in it runs",
  act: "pause",
});

export const unpause = define("unpause", {
  about: ["Let the processes of paused pods go on. A pod that is not paused stays as it is."],
  example: "go on",
  act: "unpause",
});

interface Words {
  readonly about: readonly string[];
  readonly example: string;
  readonly act: "pause" | "unpause";
}

function define(name: string, { about, example, act }: Words): AnyCommand {
  const usage = `${name} NAME… [flags]`;
  return defineCommand({
    usage: [usage, `${name} -l SELECTOR | --all [flags]`],
    about,
    examples: [
      [`peapod ${name} web`, example],
      [`peapod ${name} -l app=web`, "every pod with this label"],
    ],
    flags: selectFlags,
    run: async ({ flags, operands, io }) => {
      await using peapod = await openFromFlags(flags, io);
      const pods = await selectPods(peapod, operands, flags, usage);
      return await eachPod(pods, flags.output, io, (pod) => pod[act]());
    },
  });
}
