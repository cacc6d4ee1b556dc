// What a command is, and the flags that all of them have.

import type { FlagTable, FlagValues } from "./flags.ts";
import { parseFlags, usageError } from "./flags.ts";
import type { Output } from "./output.ts";
import type { Paint } from "./paint.ts";

export const globalFlags = {
  output: {
    kind: "choice",
    short: "o",
    value: "json|yaml",
    choices: ["json", "yaml"],
    help: "print data as JSON or YAML (and errors, with json, as JSON)",
  },
  root: {
    kind: "text",
    value: "DIR",
    help: "images, volumes and writable layers (default: $PEAPOD_ROOT, else /var/lib/peapod)",
  },
  state: {
    kind: "text",
    value: "DIR",
    help: "state of the pods (default: $PEAPOD_STATE, else /run/peapod)",
  },
  logs: {
    kind: "text",
    value: "DIR",
    help: "logs of the containers (default: $PEAPOD_LOGS, else /var/log/pods)",
  },
  "cgroup-root": {
    kind: "text",
    value: "DIR",
    help: "a cgroup v2 directory for the pods (default: the delegated one, else peapod at the top)",
  },
  "missing-controllers": {
    kind: "choice",
    value: "refuse|warn",
    choices: ["refuse", "warn"],
    help: "what to do about a limit that this host cannot keep (default: refuse)",
  },
  network: {
    kind: "text",
    value: "default|none|cni[:NAME]|bridge:NAME",
    help: "addresses for each pod, only loopback, a CNI network, or a bridge of the host (default: $PEAPOD_NETWORK, else default)",
  },
  "network-range": {
    kind: "text",
    value: "RANGES",
    help: "where pods get addresses from: 10.1.0.0/16,fd00:1::/64 (default: $PEAPOD_NETWORK_RANGE, else free ones)",
  },
  "network-mtu": {
    kind: "count",
    value: "BYTES",
    help: "largest packet of the pods' interfaces (default: $PEAPOD_NETWORK_MTU, else that of the host)",
  },
  "no-color": { kind: "switch", help: "no colours, as with NO_COLOR=1" },
  help: { kind: "switch", short: "h", help: "this text" },
} as const satisfies FlagTable;

export type GlobalFlags = FlagValues<typeof globalFlags>;

/** What a command may talk to. */
export interface Io {
  readonly stdout: Output;
  readonly stderr: Output;
  /** Colours for what goes to stdout, and for what goes to stderr. */
  readonly paintOut: Paint;
  readonly paintErr: Paint;
}

export interface Invocation<Table extends FlagTable> {
  /** A command's own flag replaces the global one of its name. */
  readonly flags: Omit<GlobalFlags, keyof Table> & FlagValues<Table>;
  readonly operands: readonly string[];
  /** What follows `--`; undefined when there is none. */
  readonly rest: readonly string[] | undefined;
  readonly io: Io;
}

export interface Command<Table extends FlagTable = FlagTable> {
  /** One or more lines: `up FILE… [flags]`. */
  readonly usage: readonly string[];
  /** What it does, in a sentence or a few; help wraps them. */
  readonly about: readonly string[];
  /** Command line, and what it is for. */
  readonly examples: readonly (readonly [line: string, meaning: string])[];
  readonly flags: Table;
  /** `--` must come, and is followed by a command line of its own; elsewhere by more operands. */
  readonly takesRest?: boolean;
  /** Resolves to the exit status. */
  readonly run: (invocation: Invocation<Table>) => Promise<number>;
}

/** A command whose flags are nobody else's business. */
export interface AnyCommand extends Omit<Command, "run"> {
  readonly start: (words: readonly string[], name: string, io: Io) => Promise<number>;
}

/** Ties the type of the table to the type of `run`'s flags, and hides both. */
export function defineCommand<const Table extends FlagTable>(command: Command<Table>): AnyCommand {
  const start = async (words: readonly string[], name: string, io: Io): Promise<number> => {
    // Asked first: the flags of a command that stands in the wrong place are not ours.
    if (command.takesRest && !words.includes("--")) {
      throw usageError("the command goes after --", `usage: peapod ${command.usage[0]}`);
    }
    const parsed = parseFlags({ ...globalFlags, ...command.flags }, words, `peapod ${name}`);
    // The table above, whose own flags replace global ones, is what this type says.
    const flags = parsed.flags as Invocation<Table>["flags"];
    const { operands, rest } = parsed;
    if (rest === undefined || command.takesRest) return command.run({ flags, operands, rest, io });
    return command.run({ flags, operands: [...operands, ...rest], rest: undefined, io });
  };
  return { ...command, start };
}

/** The one operand of a command, or the error that asks for it. */
export function oneOperand(operands: readonly string[], usage: string, what: string): string {
  const [operand, extra] = operands;
  if (operand === undefined) throw usageError(`${what} is missing`, `usage: peapod ${usage}`);
  if (extra !== undefined) {
    throw usageError(`unexpected ${JSON.stringify(extra)}`, `usage: peapod ${usage}`);
  }
  return operand;
}

export function noOperands(operands: readonly string[], usage: string): void {
  const [extra] = operands;
  if (extra === undefined) return;
  throw usageError(`unexpected ${JSON.stringify(extra)}`, `usage: peapod ${usage}`);
}
