// Help texts, made from the same tables that the command line is read with.

import type { AnyCommand } from "./command.ts";
import { globalFlags } from "./command.ts";
import { commands } from "./commands.ts";
import type { Flag, FlagTable } from "./flags.ts";

const columnsMax = 96;

const overviewExamples = [
  ["peapod up examples/hello.yaml", "run a pod in the foreground; Ctrl-C ends it"],
  ["peapod up -d web.yaml", "start it and leave it running"],
  ["peapod logs -f web -c app", "follow one container"],
  ["peapod exec -it web -- sh", "a shell in its first container"],
  ["peapod down web", "end it"],
] as const;

export function printOverview(): string {
  const names = Object.entries(commands).map(([name, { summary }]) => [name, summary] as const);
  return [
    "peapod: Kubernetes pods on one Linux machine",
    "",
    "usage",
    "  peapod COMMAND [flags]",
    "",
    "commands",
    printPairs(names),
    "",
    "examples",
    printPairs(overviewExamples),
    "",
    "flags of every command",
    printFlags(globalFlags),
    "      --version                     print the version",
    "",
    "exit status",
    "  0 success, 2 usage, 125 peapod failed, 130 Ctrl-C",
    "  of up and exec: that of the container, 126 not executable, 127 not found",
    "",
    "peapod COMMAND --help says more about a command.",
    "",
  ].join("\n");
}

export function printCommandHelp(command: AnyCommand): string {
  const own = Object.keys(command.flags).length > 0 ? ["", "flags", printFlags(command.flags)] : [];
  const shared = Object.entries(globalFlags).filter(([name]) => !(name in command.flags));
  return [
    wrap(command.about.join(" "), columnsMax).join("\n"),
    "",
    "usage",
    ...command.usage.map((line) => `  peapod ${line}`),
    "",
    "examples",
    printPairs(command.examples),
    ...own,
    "",
    "flags of every command",
    printFlags(Object.fromEntries(shared)),
    "",
  ].join("\n");
}

/** Two columns; a left side that is too long for its column gets a line of its own. */
function printPairs(pairs: readonly (readonly [string, string])[]): string {
  const width = Math.max(...pairs.map(([left]) => left.length));
  return pairs.map(([left, right]) => `  ${left.padEnd(width)}  ${right}`).join("\n");
}

const flagColumn = 34;

export function printFlags(table: FlagTable): string {
  return Object.entries(table)
    .flatMap(([name, flag]) => printFlag(name, flag))
    .join("\n");
}

function printFlag(name: string, flag: Flag): string[] {
  const short = flag.short === undefined ? "    " : `-${flag.short}, `;
  const value = printValue(flag);
  const aliases = (flag.aliases ?? []).map((alias) => `, --${alias}`).join("");
  const left = `  ${short}--${name}${aliases}${value}`;
  const [first = "", ...more] = wrap(flag.help, columnsMax - flagColumn);
  const indent = " ".repeat(flagColumn);
  const lines = more.map((line) => indent + line);
  return left.length < flagColumn - 1
    ? [left.padEnd(flagColumn) + first, ...lines]
    : [left, indent + first, ...lines];
}

function printValue(flag: Flag): string {
  switch (flag.kind) {
    case "switch":
      return "";
    case "optionalText":
      return `[=${flag.value}]`;
    default:
      return ` ${flag.value}`;
  }
}

function wrap(text: string, width: number): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ")) {
    if (line !== "" && line.length + 1 + word.length > width) {
      lines.push(line);
      line = word;
    } else {
      line = line === "" ? word : `${line} ${word}`;
    }
  }
  return [...lines, line];
}
