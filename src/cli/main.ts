// The command line: finds the command, runs it, and turns what happens into an exit status.

import { suggestWord } from "../read/pod-manifest/suggest.ts";
import { aliasNames, resolveAlias } from "./aliases.ts";
import type { AnyCommand, Io } from "./command.ts";
import { globalFlags } from "./command.ts";
import { commands } from "./commands.ts";
import { exitStatusOf, explainFailure } from "./failure.ts";
import type { FlagTable } from "./flags.ts";
import { findOperand, usageError } from "./flags.ts";
import { Output } from "./output.ts";
import type { Paint } from "./paint.ts";
import { createPaint, wantsColour } from "./paint.ts";

/**
 * `words` are the arguments without the program. Resolves to the exit status when everything is
 * written.
 */
export async function main(words: readonly string[]): Promise<number> {
  const flagWords = words.slice(0, words.indexOf("--") < 0 ? undefined : words.indexOf("--"));
  const io = openIo(flagWords.includes("--no-color"));
  try {
    const status = await run(words, io);
    await io.stdout.drain();
    await io.stderr.drain();
    return status;
  } catch (error) {
    // What was printed before the error belongs before it.
    await io.stdout.drain().catch(() => undefined);
    const text = explainFailure(error, wantsJson(flagWords));
    if (text !== undefined) io.stderr.write(text);
    await io.stderr.drain().catch(() => undefined);
    return exitStatusOf(error);
  }
}

const topFlags = {
  ...globalFlags,
  version: { kind: "switch", help: "print the version" },
} as const satisfies FlagTable;

async function run(words: readonly string[], io: Io): Promise<number> {
  const index = findOperand(topFlags, words, "peapod");
  const before = words.slice(0, index);
  const name = words[index];
  if (before.includes("--version")) return printVersion(io);
  if (name === undefined || name === "help" || isHelp(before)) {
    return help(words.slice(index + 1), name !== undefined || isHelp(before), io);
  }
  const found = await findCommand(name, words.slice(index + 1));
  const { command, after } = found;
  const end = after.indexOf("--");
  if (isHelp(end < 0 ? after : after.slice(0, end))) return printHelpOf(command, io);
  return command.start([...before, ...after], found.name, io);
}

async function findCommand(
  written: string,
  after: readonly string[],
): Promise<{ name: string; command: AnyCommand; after: readonly string[] }> {
  const { name, words } = resolveAlias(written, after);
  if (!Object.hasOwn(commands, name)) throw unknownCommand(name);
  const command = await commands[name]?.load();
  if (command === undefined) throw unknownCommand(name);
  return { name, command, after: words };
}

function unknownCommand(name: string): Error {
  const suggested = suggestWord(name, [...Object.keys(commands), ...aliasNames, "help"]);
  return usageError(
    `peapod has no command ${JSON.stringify(name)}`,
    suggested === undefined ? "run peapod --help" : `did you mean ${suggested}?`,
  );
}

/** Without a command the overview is an answer to nothing asked: shown, and a usage error. */
async function help(names: readonly string[], isAsked: boolean, io: Io): Promise<number> {
  const name = names.find((word) => !word.startsWith("-"));
  if (name !== undefined) return printHelpOf((await findCommand(name, ["pods"])).command, io);
  const { printOverview } = await import("./help.ts");
  if (isAsked) return print(io, printOverview());
  io.stderr.write(printOverview());
  return 2;
}

async function printHelpOf(command: AnyCommand, io: Io): Promise<number> {
  const { printCommandHelp } = await import("./help.ts");
  return print(io, printCommandHelp(command));
}

async function printVersion(io: Io): Promise<number> {
  const { version } = await import("./commands/version.ts");
  return version.start([], "version", io);
}

function print(io: Io, text: string): number {
  io.stdout.write(text);
  return 0;
}

function isHelp(words: readonly string[]): boolean {
  return words.includes("--help") || words.includes("-h");
}

/**
 * Errors of the command line itself follow `-o json` as well, so it is looked for before anything
 * is understood.
 */
function wantsJson(words: readonly string[]): boolean {
  return words.some((word, index) => {
    if (word === "json") return words[index - 1] === "-o" || words[index - 1] === "--output";
    return word === "-ojson" || word === "-o=json" || word === "--output=json";
  });
}

function openIo(isPlain: boolean): Io {
  const stdout = new Output(1);
  const stderr = new Output(2);
  // Most commands print no colours; whether there is a terminal is found out by the first that
  // does.
  const lazyPaint = (output: Output): Paint => {
    let paint: Paint | undefined;
    return (colour, text) => {
      paint ??= createPaint(!isPlain && wantsColour(output.isTerminal, process.env));
      return paint(colour, text);
    };
  };
  return { stdout, stderr, paintOut: lazyPaint(stdout), paintErr: lazyPaint(stderr) };
}
