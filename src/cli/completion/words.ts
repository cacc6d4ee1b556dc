// What can be completed, from the same tables that the command line is read with.

import type { AnyCommand } from "../command.ts";
import { globalFlags } from "../command.ts";
import { aliasNames, resolveAlias } from "../aliases.ts";
import { commands } from "../commands.ts";
import type { Flag } from "../flags.ts";

/** What an operand, or the value of a flag, is. */
export type Kind = "pod" | "container" | "file" | "directory" | "image" | "none";

export interface FlagWords {
  /** With their dashes: `--follow`, `-f`. */
  readonly names: readonly string[];
  readonly help: string;
  /** Undefined for a switch. */
  readonly value: Kind | readonly string[] | undefined;
}

export interface CommandWords {
  readonly name: string;
  readonly summary: string;
  readonly flags: readonly FlagWords[];
  readonly operand: Kind | readonly string[];
}

/** Every command with its flags, and the names that other tools have for some. */
export async function completionWords(): Promise<readonly CommandWords[]> {
  const own = await Promise.all(
    Object.entries(commands).map(async ([name, { summary, load }]) =>
      wordsOf(name, summary, await load()),
    ),
  );
  const aliases = aliasNames.flatMap((name) => {
    const target = resolveAlias(name, name === "get" ? ["pods"] : []).name;
    const found = own.find((command) => command.name === target);
    return found ? [{ ...found, name, summary: `as ${target}: ${found.summary}` }] : [];
  });
  return [...own, ...aliases];
}

function wordsOf(name: string, summary: string, command: AnyCommand): CommandWords {
  const flags = Object.entries({ ...globalFlags, ...command.flags });
  return {
    ...{ name, summary, operand: operandOf(command.usage) },
    flags: flags.map(([long, flag]) => flagWords(long, flag)),
  };
}

function flagWords(long: string, flag: Flag): FlagWords {
  const short = flag.short === undefined ? [] : [`-${flag.short}`];
  return { names: [`--${long}`, ...short], help: flag.help, value: valueOf(long, flag) };
}

function valueOf(long: string, flag: Flag): FlagWords["value"] {
  if (flag.kind === "switch" || flag.kind === "optionalText") return undefined;
  if (flag.kind === "choice") return flag.choices;
  if (long === "container" || flag.value === "CONTAINER") return "container";
  if (flag.value === "FILE") return "file";
  return flag.value === "DIR" ? "directory" : "none";
}

/** Usage lines name operands by what they are. */
function operandOf(usage: readonly string[]): CommandWords["operand"] {
  const words = usage.join(" ").split(/[\s[\]…]+/);
  const verbs = words.find((word) => /^[a-z]+(\|[a-z]+)+$/.test(word));
  if (verbs !== undefined) return verbs.split("|");
  if (words.some((word) => ["NAME", "POD", "SOURCE"].includes(word))) return "pod";
  if (words.includes("FILE")) return "file";
  return words.includes("IMAGE") ? "image" : "none";
}
