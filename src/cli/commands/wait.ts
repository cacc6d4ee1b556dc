// Waits for pods to become something.

import { PodError } from "../../errors/pod-error.ts";
import type { Peapod } from "../../open.ts";
import type { Pod } from "../../pod/types.ts";
import type { Invocation } from "../command.ts";
import { defineCommand } from "../command.ts";
import type { FlagTable } from "../flags.ts";
import { usageError } from "../flags.ts";
import { openFromFlags } from "../open.ts";
import { selectFlags, selectPods } from "../pods.ts";
import { podLabel } from "../text.ts";
import { waitUntil } from "../wait-until.ts";
import type { Wish } from "../wishes.ts";
import { parseWish } from "../wishes.ts";

const usage = "wait NAME… --for=WHAT [flags]";

const timeoutMsDefault = 30_000;

const flagTable = {
  ...selectFlags,
  for: {
    kind: "text",
    value: "WHAT",
    aliases: ["condition"],
    help: "condition=Ready[=False], delete, jsonpath={.status.phase}=Running, exit (default: exit)",
  },
  timeout: { kind: "duration", value: "DURATION", help: "give up after this (default: 30s)" },
} as const satisfies FlagTable;

export const wait = defineCommand({
  usage: [usage],
  about: [
    "Wait until pods have a condition, have gone, show a value, or have finished. The exit status is",
    "0 when all are there, 1 after the timeout; with exit, that of the first container that failed.",
  ],
  examples: [
    ["peapod wait web --for=condition=Ready", "until its probes say so"],
    ["peapod wait web --for=delete --timeout 2m", "until nothing is left"],
    ["peapod wait web --for=jsonpath={.status.phase}=Running", "until a value is so"],
    ["peapod wait job --for=exit", "until its work is done"],
  ],
  flags: flagTable,
  run: async (invocation) => {
    const { flags, io } = invocation;
    const wish = parseWish(flags.for ?? "exit");
    if (typeof wish === "string") throw usageError(wish, `usage: peapod ${usage}`);
    await using peapod = await openFromFlags(flags, io);
    const pods = await find(peapod, wish, invocation);
    const statuses = await waitUntil(peapod, pods, wish, {
      timeoutMs: flags.timeout ?? timeoutMsDefault,
      onMet: (pod) => io.stdout.write(`pod/${podLabel(pod)} ${wish.met}\n`),
    });
    return statuses.find((status) => status !== 0) ?? 0;
  },
});

type Wait = Invocation<typeof flagTable>;

/** A pod that has gone already is what one waits for. */
async function find(peapod: Peapod, wish: Wish, { flags, operands }: Wait): Promise<Pod[]> {
  try {
    return [...(await selectPods(peapod, operands, flags, usage))];
  } catch (error) {
    const isGone = error instanceof PodError && error.code === "pod.not-found";
    if (!isGone || wish.kind !== "delete") throw error;
    const found = operands.map((name) =>
      selectPods(peapod, [name], flags, usage).catch((problem: unknown) => {
        if (problem instanceof PodError && problem.code === "pod.not-found") return [];
        throw problem;
      }),
    );
    return (await Promise.all(found)).flat();
  }
}
