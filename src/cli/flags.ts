// The flags of a command: one table says how they are written, what they mean and which type they
// have.
// Read by hand and not with zod, which costs 15 ms to load: three times what starting Bun costs, on
// every `ps`.

import { PodError } from "../errors/pod-error.ts";
import { suggestWord } from "../read/pod-manifest/suggest.ts";
import { parseDuration } from "./time.ts";

interface FlagText {
  /** One letter. */
  readonly short?: string;
  /** Other long names, for the habits of other tools. */
  readonly aliases?: readonly string[];
  readonly help: string;
}

export type Flag = FlagText &
  (
    | { readonly kind: "switch" }
    /** Its value may be left out, and then is the empty text: `--trace`, `--trace=FILE`. */
    | { readonly kind: "text" | "optionalText" | "texts"; readonly value: string }
    | { readonly kind: "count" | "duration"; readonly value: string }
    | { readonly kind: "choice"; readonly value: string; readonly choices: readonly string[] }
  );

/** Long name, without the dashes → flag. */
export type FlagTable = Readonly<Record<string, Flag>>;

type FlagValue<F extends Flag> = F extends { readonly kind: "switch" }
  ? boolean
  : F extends { readonly kind: "texts" }
    ? readonly string[]
    : F extends { readonly kind: "count" | "duration" }
      ? number | undefined
      : F extends { readonly kind: "choice"; readonly choices: readonly (infer Choice)[] }
        ? Choice | undefined
        : string | undefined;

/** Durations are milliseconds. */
export type FlagValues<Table extends FlagTable> = {
  readonly [Name in keyof Table]: FlagValue<Table[Name]>;
};

type Value = boolean | string | number | string[] | undefined;

export interface ParsedWords<Table extends FlagTable> {
  readonly flags: FlagValues<Table>;
  readonly operands: readonly string[];
  /** What follows `--`; undefined when there is none. */
  readonly rest: readonly string[] | undefined;
}

/**
 * Flags may stand before or after the operands; `--` ends them. `command` is for the errors:
 * `peapod logs`.
 */
export function parseFlags<Table extends FlagTable>(
  table: Table,
  words: readonly string[],
  command: string,
): ParsedWords<Table> {
  const values: Record<string, Value> = emptyValues(table);
  const operands: string[] = [];
  const end = words.indexOf("--");
  const flagWords = end < 0 ? words : words.slice(0, end);
  for (let index = 0; index < flagWords.length;) {
    const word = flagWords[index] ?? "";
    if (!word.startsWith("-") || word === "-") {
      operands.push(word);
      index += 1;
    } else {
      const read = word.startsWith("--") ? readLong : readShorts;
      index += read(table, word, flagWords[index + 1], values, command) ? 2 : 1;
    }
  }
  return {
    // Filled by the same table that the type is made of.
    flags: values as FlagValues<Table>,
    operands,
    rest: end < 0 ? undefined : words.slice(end + 1),
  };
}

/** Index of the first operand, `words.length` without one: where a command's name stands. */
export function findOperand(table: FlagTable, words: readonly string[], command: string): number {
  const values = emptyValues(table);
  let index = 0;
  for (let word = words[0]; word !== undefined && /^-[^-]|^--./.test(word); word = words[index]) {
    const read = word.startsWith("--") ? readLong : readShorts;
    index += read(table, word, words[index + 1], values, command) ? 2 : 1;
  }
  return index;
}

function emptyValues(table: FlagTable): Record<string, Value> {
  const values: Record<string, Value> = {};
  for (const [name, flag] of Object.entries(table)) {
    values[name] = flag.kind === "switch" ? false : flag.kind === "texts" ? [] : undefined;
  }
  return values;
}

/** True when the next word was taken as the value. */
function readLong(
  table: FlagTable,
  word: string,
  next: string | undefined,
  values: Record<string, Value>,
  command: string,
): boolean {
  const equals = word.indexOf("=");
  const written = equals < 0 ? word : word.slice(0, equals);
  const name = longName(table, written.slice(2));
  const flag = name === undefined ? undefined : table[name];
  if (name === undefined || flag === undefined) throw unknownFlag(table, written, command);
  if (equals >= 0) {
    setValue(values, name, flag, written, word.slice(equals + 1));
    return false;
  }
  return setFromNext(values, name, flag, written, next);
}

/** `-i`, `-it`, `-c NAME`, `-cNAME`, `-c=NAME`, `-itc NAME`. */
function readShorts(
  table: FlagTable,
  word: string,
  next: string | undefined,
  values: Record<string, Value>,
  command: string,
): boolean {
  for (let index = 1; index < word.length; index++) {
    const written = `-${word[index]}`;
    const found = Object.entries(table).find(([, flag]) => flag.short === word[index]);
    if (found === undefined) throw unknownFlag(table, written, command);
    const [name, flag] = found;
    const rest = word.slice(index + 1);
    if (flag.kind !== "switch" && rest !== "") {
      setValue(values, name, flag, written, rest.startsWith("=") ? rest.slice(1) : rest);
      return false;
    }
    if (setFromNext(values, name, flag, written, rest === "" ? next : undefined)) return true;
  }
  return false;
}

function longName(table: FlagTable, written: string): string | undefined {
  if (Object.hasOwn(table, written)) return written;
  return Object.keys(table).find((name) => table[name]?.aliases?.includes(written));
}

function setFromNext(
  values: Record<string, Value>,
  name: string,
  flag: Flag,
  written: string,
  next: string | undefined,
): boolean {
  if (flag.kind === "switch" || flag.kind === "optionalText") {
    values[name] = flag.kind === "switch" ? true : "";
    return false;
  }
  if (next === undefined) throw usageError(`${written} needs a value: ${written} ${flag.value}`);
  setValue(values, name, flag, written, next);
  return true;
}

function setValue(
  values: Record<string, Value>,
  name: string,
  flag: Flag,
  written: string,
  text: string,
): void {
  if (flag.kind === "texts") {
    const before = values[name];
    values[name] = [...(Array.isArray(before) ? before : []), text];
  } else {
    values[name] = readValue(flag, written, text);
  }
}

function readValue(flag: Flag, written: string, text: string): Value {
  const refuse = (wish: string): never => {
    throw usageError(`${written}: invalid value ${JSON.stringify(text)}: ${wish}`);
  };
  switch (flag.kind) {
    case "switch":
      return text === "true" || (text !== "false" && refuse("must be true or false"));
    case "text":
      return text === "" ? refuse("must not be empty") : text;
    case "optionalText":
    case "texts":
      return text;
    case "count":
      return /^\d{1,15}$/.test(text) ? Number(text) : refuse("must be a whole number");
    case "duration":
      return parseDuration(text) ?? refuse("must be a duration, such as 30s, 5m or 1h30m");
    case "choice": {
      if (flag.choices.includes(text)) return text;
      return refuse(`must be ${flag.choices.join(" or ")}`);
    }
    default:
      return flag satisfies never;
  }
}

function unknownFlag(table: FlagTable, written: string, command: string): PodError {
  const known = Object.entries(table).flatMap(([name, flag]) => [name, ...(flag.aliases ?? [])]);
  const suggested = written.startsWith("--") ? suggestWord(written.slice(2), known) : undefined;
  return usageError(
    `${command} has no flag ${written}`,
    suggested === undefined ? `run ${command} --help` : `did you mean --${suggested}?`,
  );
}

export function usageError(message: string, hint?: string): PodError {
  return new PodError({ code: "cli.usage", message, ...(hint !== undefined && { hint }) });
}
