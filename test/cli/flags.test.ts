import { expect, test } from "bun:test";
import { PodError, printError } from "../../src/errors/pod-error.ts";
import type { FlagTable } from "../../src/cli/flags.ts";
import { findOperand, parseFlags } from "../../src/cli/flags.ts";

const table = {
  follow: { kind: "switch", short: "f", help: "" },
  tty: { kind: "switch", short: "t", help: "" },
  container: { kind: "text", short: "c", value: "NAME", help: "" },
  env: { kind: "texts", short: "e", value: "NAME=VALUE", help: "" },
  tail: { kind: "count", value: "N", help: "" },
  "grace-period": { kind: "duration", aliases: ["timeout"], value: "SECONDS", help: "" },
  output: { kind: "choice", short: "o", value: "json|yaml", choices: ["json", "yaml"], help: "" },
  trace: { kind: "optionalText", value: "FILE", help: "" },
} as const satisfies FlagTable;

const parse = (...words: string[]) => parseFlags(table, words, "peapod try");

const nothing = {
  follow: false,
  tty: false,
  container: undefined,
  env: [],
  tail: undefined,
  "grace-period": undefined,
  output: undefined,
  trace: undefined,
};

/** The whole text that a user reads. */
function errorOf(...words: string[]): string {
  try {
    parse(...words);
  } catch (error) {
    if (error instanceof PodError) return printError(error);
    throw error;
  }
  throw new Error("no error");
}

test("without flags there are operands only", () => {
  expect(parse("web", "-")).toEqual({ flags: nothing, operands: ["web", "-"], rest: undefined });
});

test("flags stand before, between and after the operands", () => {
  const parsed = parse("--follow", "web", "-c", "app", "db", "--tail=5");
  expect(parsed).toEqual({
    flags: { ...nothing, follow: true, container: "app", tail: 5 },
    operands: ["web", "db"],
    rest: undefined,
  });
});

test("-- ends the flags", () => {
  const parsed = parse("web", "--", "ls", "-l", "--", "--follow");
  expect(parsed).toEqual({
    ...{ flags: nothing, operands: ["web"], rest: ["ls", "-l", "--", "--follow"] },
  });
});

test("short flags may be bundled, and the last may have a value", () => {
  for (const words of [["-ftc", "app"], ["-ftcapp"], ["-ftc=app"], ["-f", "-t", "-c", "app"]]) {
    const { flags } = parse(...words);
    expect(flags).toEqual({ ...nothing, follow: true, tty: true, container: "app" });
  }
});

test("values that start with a dash belong to their flag", () => {
  expect(parse("-e", "-X=1").flags.env).toEqual(["-X=1"]);
});

test("the last of a flag counts; those that gather keep all", () => {
  const { flags } = parse("-c", "a", "-e", "A=1", "--container=b", "--env", "B=");
  expect(flags).toEqual({ ...nothing, container: "b", env: ["A=1", "B="] });
});

test("a switch can be said to be off", () => {
  expect(parse("--follow", "--follow=false").flags.follow).toBe(false);
  expect(parse("--follow=true").flags.follow).toBe(true);
});

test("an alias is the same flag", () => {
  expect(parse("--timeout", "10").flags["grace-period"]).toBe(10_000);
  expect(parse("--grace-period=1m").flags["grace-period"]).toBe(60_000);
});

test("a value that may be left out does not take the next word", () => {
  expect(parse("--trace", "web")).toEqual({
    flags: { ...nothing, trace: "" },
    operands: ["web"],
    rest: undefined,
  });
  expect(parse("--trace=out.json").flags.trace).toBe("out.json");
});

test("the command is the first word that is neither a flag nor a flag's value", () => {
  expect(findOperand(table, ["-f", "-c", "logs", "--tail", "3", "up", "x"], "peapod")).toBe(5);
  expect(findOperand(table, ["--follow"], "peapod")).toBe(1);
});

test("an unknown flag suggests the nearest", () => {
  expect(errorOf("--folow")).toBe(`error[cli.usage] peapod try has no flag --folow
  hint   did you mean --follow?`);
  expect(errorOf("--timout=3")).toBe(`error[cli.usage] peapod try has no flag --timout
  hint   did you mean --timeout?`);
  expect(errorOf("--zzz")).toBe(`error[cli.usage] peapod try has no flag --zzz
  hint   run peapod try --help`);
  expect(errorOf("-fx")).toBe(`error[cli.usage] peapod try has no flag -x
  hint   run peapod try --help`);
});

test("names of JavaScript's own are no flags", () => {
  expect(errorOf("--constructor")).toBe(`error[cli.usage] peapod try has no flag --constructor
  hint   run peapod try --help`);
});

test("a missing value is asked for", () => {
  expect(errorOf("web", "-c")).toBe(`error[cli.usage] -c needs a value: -c NAME
  hint   run peapod --help`);
});

test("an invalid value is shown, with what it must be", () => {
  const hint = "\n  hint   run peapod --help";
  const lead = "error[cli.usage] ";
  expect(errorOf("--tail", "-1")).toBe(
    `${lead}--tail: invalid value "-1": must be a whole number${hint}`,
  );
  expect(errorOf("--timeout=5x")).toBe(
    `${lead}--timeout: invalid value "5x": must be a duration, such as 30s, 5m or 1h30m${hint}`,
  );
  expect(errorOf("-oxml")).toBe(`${lead}-o: invalid value "xml": must be json or yaml${hint}`);
  expect(errorOf("--follow=si")).toBe(
    `${lead}--follow: invalid value "si": must be true or false${hint}`,
  );
  expect(errorOf("--container=")).toBe(
    `${lead}--container: invalid value "": must not be empty${hint}`,
  );
});
