// From an error to what the user reads and the status the shell sees.

import { PodError, printError } from "../errors/pod-error.ts";
import { OutputClosed } from "./output.ts";
import { cleanLines } from "./text.ts";

/**
 * What a shell reports of a process that SIGPIPE ended, which is what happens to other programs
 * here.
 */
const brokenPipeStatus = 141;
const ownFailure = 125;

/** Ended by a signal that the user sent: 128 + its number. */
export class Interrupted extends Error {
  readonly exitStatus: number;

  constructor(exitStatus: number) {
    super("interrupted");
    this.name = "Interrupted";
    this.exitStatus = exitStatus;
  }
}

const statusOfCode: Readonly<Record<string, number>> = {
  "cli.usage": 2,
  "wait.timed-out": 1,
  "container.not-executable": 126,
  "container.not-found": 127,
};

export function exitStatusOf(error: unknown): number {
  if (error instanceof Interrupted) return error.exitStatus;
  if (error instanceof OutputClosed) return brokenPipeStatus;
  if (error instanceof PodError) return statusOfCode[error.code] ?? ownFailure;
  return ownFailure;
}

/** Undefined where silence says enough. */
export function explainFailure(error: unknown, asJson: boolean): string | undefined {
  if (error instanceof Interrupted || error instanceof OutputClosed) return undefined;
  if (error instanceof PodError) {
    return asJson
      ? `${JSON.stringify(error, undefined, 2)}\n`
      : `${cleanLines(printError(error))}\n`;
  }
  const stack = error instanceof Error ? (error.stack ?? error.message) : String(error);
  if (asJson) return `${JSON.stringify({ code: "internal", message: stack }, undefined, 2)}\n`;
  const lead = "error: a mistake in peapod itself; please report it with these lines";
  return `${lead}\n${cleanLines(stack)}\n`;
}
