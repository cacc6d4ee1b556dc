// What starting a manifest would do, without doing it.

import type { Peapod } from "../../open.ts";
import type { PodSpec } from "../../spec/pod-spec.ts";
import { defineCommand } from "../command.ts";
import { printData } from "../data.ts";
import type { FlagTable } from "../flags.ts";
import { manifestFlags, manifestNames, readManifests } from "../manifests.ts";
import { openFromFlags } from "../open.ts";
import { policyFlags, policyOptions } from "../policy-flags.ts";
import { podLabel } from "../text.ts";

const usage = "plan FILE… [flags]";

const flagTable = {
  ...manifestFlags,
  ...policyFlags,
  "show-secrets": { kind: "switch", help: "print values of Secrets too" },
} as const satisfies FlagTable;

export const plan = defineCommand({
  usage: [usage],
  about: [
    "Print the operations that starting a manifest would carry out on this host, in their order,",
    "each with the field that asks for it. Nothing is started.",
  ],
  examples: [
    ["peapod plan web.yaml", "the plan as text"],
    ["peapod plan web.yaml | diff - before.txt", "what a change of the manifest changes"],
  ],
  flags: flagTable,
  run: async ({ flags, operands, io }) => {
    const names = manifestNames(operands, flags.file, usage);
    const { pods: specs } = await readManifests(names, flags);
    await using peapod = await openFromFlags(flags, io, policyOptions(flags));
    const plans = await Promise.all(
      specs.map((spec) => planOf(peapod, spec, flags["show-secrets"])),
    );
    if (flags.output) {
      io.stdout.write(await printData(flags.output, plans));
    } else {
      const texts = plans.map(({ pod, plan: text }) =>
        plans.length === 1 ? text : `# ${pod}\n${text}`,
      );
      io.stdout.write(texts.map((text) => (text.endsWith("\n") ? text : `${text}\n`)).join("\n"));
    }
    return 0;
  },
});

async function planOf(
  peapod: Peapod,
  spec: PodSpec,
  showSecrets: boolean,
): Promise<{ pod: string; plan: string }> {
  return { pod: podLabel(spec), plan: await peapod.plan(spec, { showSecrets }) };
}
