// Runs a command in a container, with a terminal if asked.

import type { Execution, ExecOptions, Pod } from "../../pod/types.ts";
import type { Invocation } from "../command.ts";
import { defineCommand } from "../command.ts";
import { Interrupted } from "../failure.ts";
import type { FlagTable } from "../flags.ts";
import { usageError } from "../flags.ts";
import type { InterruptSignal } from "../interrupts.ts";
import { catchInterrupts, interruptStatus } from "../interrupts.ts";
import { enterRawMode, onResize, terminalSize } from "../local-terminal.ts";
import { note, openFromFlags } from "../open.ts";
import { isTerminal } from "../output.ts";
import { getPod, namespaceFlag } from "../pods.ts";
import { endOfTransmission, pumpOut, pumpStdin } from "../streams.ts";
import { formatDuration } from "../time.ts";

const usage = "exec NAME [flags] -- COMMAND [ARGUMENT…]";

const flagTable = {
  container: {
    kind: "text",
    short: "c",
    value: "NAME",
    help: "in this container (default: the pod's default container, else the first)",
  },
  stdin: { kind: "switch", short: "i", aliases: ["interactive"], help: "pass stdin on" },
  tty: { kind: "switch", short: "t", help: "give the command a terminal" },
  "no-tty": {
    kind: "switch",
    short: "T",
    aliases: ["no-TTY"],
    help: "no terminal and no stdin; without -i, -t and -T both are given where this command has them",
  },
  user: {
    kind: "text",
    short: "u",
    value: "USER[:GROUP]",
    help: "run as this user of the container, by name or number (default: that of the container)",
  },
  env: {
    kind: "texts",
    short: "e",
    value: "NAME=VALUE",
    help: "set a variable; NAME alone takes its value from here",
  },
  workdir: {
    kind: "text",
    short: "w",
    value: "DIR",
    help: "start in this directory (default: that of the container)",
  },
  timeout: {
    kind: "duration",
    value: "DURATION",
    help: "kill the command and all it started after this time (default: never)",
  },
  ...namespaceFlag,
} as const satisfies FlagTable;

type Exec = Invocation<typeof flagTable>;

export const exec = defineCommand({
  usage: [usage],
  about: [
    "Run a command in a running container. The exit status is that of the command; 125 when peapod",
    "failed, 126 when the command is not executable, 127 when it is not found, 130 after Ctrl-C.",
    "Without a terminal, Ctrl-C sends the command SIGINT, and a second one kills it.",
  ],
  examples: [
    ["peapod exec web -- sh", "a shell, as with -it"],
    ["peapod exec web -c app -- ls -l /srv", "one command"],
    ["echo data | peapod exec -i web -- sh -c 'cat > /tmp/file'", "with input"],
    ["peapod exec web --timeout 5s -- ./check", "with a deadline"],
  ],
  flags: flagTable,
  takesRest: true,
  run: async (written) => {
    const { name, command } = readOperands(written);
    const invocation = withTerminal(written);
    const { flags, io } = invocation;
    const options = execOptions(invocation);
    await using peapod = await openFromFlags(flags, io);
    const pod = await getPod(peapod, name, flags);
    const run = flags.tty ? runWithTerminal : runPlain;
    return await run(pod, command, options, invocation);
  },
});

function readOperands({ operands, rest }: Exec): { name: string; command: readonly string[] } {
  const [name, ...extra] = operands;
  const hint = `usage: peapod ${usage}`;
  if (name === undefined) throw usageError("the name of a pod is missing", hint);
  if (extra.length > 0) throw usageError("the command goes after --", hint);
  if (rest === undefined || rest.length === 0) throw usageError("the command is missing", hint);
  return { name, command: rest };
}

/** A terminal for whoever sits at one and did not say what they want, as compose has it. */
function withTerminal(written: Exec): Exec {
  const { flags, io } = written;
  if (flags["no-tty"] && flags.tty) throw usageError("--tty and --no-tty exclude each other");
  const isUnsaid = !flags.stdin && !flags.tty && !flags["no-tty"];
  if (!isUnsaid || !io.stdout.isTerminal || !isTerminal(0)) return written;
  return { ...written, flags: { ...flags, stdin: true, tty: true } };
}

function execOptions({ flags }: Exec): ExecOptions {
  const { container, workdir, timeout, user } = flags;
  return {
    env: readEnv(flags.env),
    stdin: flags.stdin ? "pipe" : "none",
    stdout: "pipe",
    stderr: "pipe",
    ...(container !== undefined && { container }),
    ...(workdir !== undefined && { cwd: workdir }),
    ...(user !== undefined && { user }),
    ...(timeout !== undefined && { timeoutMs: timeout }),
  };
}

function readEnv(words: readonly string[]): Record<string, string> {
  const env: Record<string, string> = {};
  for (const word of words) {
    const equals = word.indexOf("=");
    const name = equals < 0 ? word : word.slice(0, equals);
    if (name === "") throw usageError(`--env: ${JSON.stringify(word)} has no name`);
    const value = equals < 0 ? process.env[name] : word.slice(equals + 1);
    if (value !== undefined) env[name] = value;
  }
  return env;
}

async function runPlain(
  pod: Pod,
  command: readonly string[],
  options: ExecOptions,
  invocation: Exec,
): Promise<number> {
  await using execution = pod.exec(command, options);
  let interrupted: InterruptSignal | undefined;
  using _ = catchInterrupts((signal, count) => {
    interrupted ??= signal;
    execution.kill(count === 1 ? signal : "SIGKILL").catch(() => undefined); // It may be over.
  });
  const status = await relay(execution, invocation);
  if (interrupted !== undefined) throw new Interrupted(interruptStatus(interrupted));
  return status;
}

/** Ctrl-C is a key like any other here; only a signal from elsewhere ends this process. */
async function runWithTerminal(
  pod: Pod,
  command: readonly string[],
  options: ExecOptions,
  invocation: Exec,
): Promise<number> {
  await using execution = pod.exec(command, { ...options, tty: terminalSize() });
  let interrupted: InterruptSignal | undefined;
  using _ = catchInterrupts((signal) => {
    interrupted ??= signal;
    execution.kill("SIGKILL").catch(() => undefined); // It may be over.
  });
  using _resize = onResize((size) => void execution.resize(size).catch(() => undefined));
  using _raw = invocation.flags.stdin ? enterRawMode() : undefined;
  const status = await relay(execution, invocation);
  if (interrupted !== undefined) throw new Interrupted(interruptStatus(interrupted));
  return status;
}

async function relay(execution: Execution, { flags, io }: Exec): Promise<number> {
  execution.result.catch(() => undefined); // Awaited below, after `started` has said why.
  await execution.started;
  const atEnd = flags.tty ? { atEnd: endOfTransmission } : {};
  void pumpStdin(execution.stdin, atEnd);
  await Promise.all([pumpOut(execution.stdout, io.stdout), pumpOut(execution.stderr, io.stderr)]);
  const result = await execution.result;
  if (result.timedOut) note(io, `killed after ${formatDuration(flags.timeout ?? 0)}`);
  if (result.oomKilled) note(io, "killed: out of memory");
  return result.exitCode;
}
