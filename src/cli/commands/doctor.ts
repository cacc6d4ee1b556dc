// What this host can do, what it lacks, and what that costs.

import { defineCommand, noOperands } from "../command.ts";
import { printData } from "../data.ts";
import { openFromFlags } from "../open.ts";
import { clean } from "../text.ts";

const usage = "doctor [flags]";

export const doctor = defineCommand({
  usage: [usage],
  about: [
    "Look at this host: what peapod found, what is missing, what that costs, and how to get it.",
  ],
  examples: [
    ["peapod doctor", "one line each"],
    ["peapod doctor -o json", "for programs"],
  ],
  flags: {},
  run: async ({ flags, operands, io }) => {
    noOperands(operands, usage);
    await using peapod = await openFromFlags(flags, io);
    const findings = await peapod.doctor();
    if (flags.output) {
      io.stdout.write(await printData(flags.output, findings));
      return 0;
    }
    const width = Math.max(0, ...findings.map(({ name }) => clean(name).length));
    for (const { name, isOk, found, cost, remedy } of findings) {
      const mark = isOk ? io.paintOut("green", "ok     ") : io.paintOut("yellow", "missing");
      const parts = [found, cost, remedy && `remedy: ${remedy}`].filter(Boolean).join("; ");
      io.stdout.write(`${mark}  ${clean(name).padEnd(width)}  ${clean(parts)}\n`);
    }
    return 0;
  },
});
