// `bun run bench end-state`: what containers of each subject are in the end, beside peapod's.
import { parseArgs } from "node:util";
import { unexplained } from "./compare.ts";
import { type EndStates, endStatesAndCalls } from "./end-states.ts";

const usage = `bun run bench end-state [--all] [--json FILE] [--directory DIR]

Runs one program in containers of peapod, the floor and every peer that is here, and compares what
it sees: namespaces, mounts, masks, capabilities, filter, groups, limits, descriptors. Ends with 1
where a difference of the same shape has no reason.

  --all        also lists the differences of peers that are left to their own defaults
  --json       writes everything
  --directory  where writable layers and state lie (default /var/tmp)`;

export async function endState(words: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...words],
    options: {
      all: { type: "boolean", default: false },
      json: { type: "string" },
      directory: { type: "string", default: "/var/tmp" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    return 0;
  }
  const result = await endStatesAndCalls(`${values.directory}/peapod-bench-end-state`);
  if (values.json !== undefined) await Bun.write(values.json, JSON.stringify(result));
  console.log(printEndStates(result, values.all));
  return flawsOf(result).length === 0 ? 0 : 1;
}

const isOwn = (name: string): boolean => name.endsWith("own defaults");

/** Names of subjects of the same shape that differ without a reason. */
export const flawsOf = ({ differences }: EndStates): string[] =>
  Object.keys(differences).filter(
    (name) => !isOwn(name) && unexplained(differences[name] ?? []).length > 0,
  );

export function printEndStates(result: EndStates, withOwn: boolean): string {
  const { fields, differences, calls, absent } = result;
  const lines = [
    `${fields.length} fields; subject, fields that differ from peapod's, without reason`,
  ];
  for (const [name, all] of Object.entries(differences)) {
    const flaws = isOwn(name) ? "" : `  ${unexplained(all).length}`;
    lines.push(`\n${name}: ${all.length}${flaws}`);
    if (isOwn(name) && !withOwn) continue;
    for (const { field, reference, value, reason } of all) {
      lines.push(`  ${field}${reason === undefined ? "" : `: ${reason}`}`);
      lines.push(`    peapod  ${reference ?? "-"}`, `    here    ${value ?? "-"}`);
    }
  }
  for (const [name, count] of Object.entries(calls))
    lines.push(`\n${name}: ${count} system calls to start the pod`);
  for (const [name, reason] of Object.entries(absent)) lines.push(`\n${name}: absent, ${reason}`);
  return lines.join("\n");
}
