// Runs the command line as a user does: with pipes, or at a terminal.

import { resolve } from "node:path";
import type { TerminalSize } from "../../src/cli/local-terminal.ts";

const program = resolve(import.meta.dir, "../../pod.ts");

/** Nothing that the CLI is asked here takes longer; a test that hangs says what it has seen. */
const patienceMs = 15_000;

export interface Ran {
  readonly out: string;
  readonly err: string;
  readonly status: number;
}

export async function runCli(
  words: readonly string[],
  stdin = "",
  env: Readonly<Record<string, string>> = {},
): Promise<Ran> {
  const child = Bun.spawn([process.execPath, program, ...words], {
    env: { ...process.env, ...env },
    stdin: new TextEncoder().encode(stdin),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { out, err, status: await child.exited };
}

export interface StartedCli {
  untilOut(text: string): Promise<void>;
  untilErr(text: string): Promise<void>;
  kill(signal: NodeJS.Signals): void;
  /** As `| head` does. */
  closeOut(): Promise<void>;
  readonly ended: Promise<Ran>;
}

export function startCli(words: readonly string[]): StartedCli {
  const child = Bun.spawn([process.execPath, program, ...words], {
    stdin: "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const out = gather(child.stdout);
  const err = gather(child.stderr);
  const ended = Promise.all([child.exited, out.finished, err.finished]).then(([status]) => ({
    ...{ out: out.text(), err: err.text(), status },
  }));
  return {
    untilOut: (text) => seen(text, out.text),
    untilErr: (text) => seen(text, err.text),
    kill: (signal) => child.kill(signal),
    closeOut: () => out.cancel(),
    ended,
  };
}

interface Gathered {
  readonly text: () => string;
  readonly cancel: () => Promise<void>;
  readonly finished: Promise<void>;
}

function gather(stream: ReadableStream<Uint8Array>): Gathered {
  let text = "";
  const decoder = new TextDecoder();
  const reader = stream.getReader();
  const read = async (): Promise<void> => {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      text += decoder.decode(part.value, { stream: true });
    }
  };
  return { text: () => text, cancel: () => reader.cancel(), finished: read() };
}

async function seen(wanted: string, text: () => string): Promise<void> {
  const end = performance.now() + patienceMs;
  while (!text().includes(wanted)) {
    if (performance.now() > end) {
      throw new Error(`no ${JSON.stringify(wanted)} in ${JSON.stringify(text())}`);
    }
    await Bun.sleep(5);
  }
}

export interface CliInTerminal extends AsyncDisposable {
  until(text: string): Promise<void>;
  write(text: string): void;
  resize(size: TerminalSize): void;
  /** To the CLI itself, not to its terminal. */
  killClient(signal: NodeJS.Signals): void;
  /** Whether the terminal's settings were afterwards what they had been before. */
  readonly ended: Promise<{ readonly status: number; readonly isRestored: boolean }>;
}

/** The settings before and after stand in the output, around that of the command line. */
const script = `
  stty -g | sed 's/^/before:/'
  "$@" & echo "pid:$!:"; fg >/dev/null
  status=$?
  stty -g | sed 's/^/after:/'
  exit $status
`;

export function startInTerminal(
  words: readonly string[],
  size: TerminalSize = { rows: 24, columns: 80 },
): CliInTerminal {
  let text = "";
  const decoder = new TextDecoder();
  const terminal = new Bun.Terminal({
    ...{ rows: size.rows, cols: size.columns },
    data: (_, data) => {
      text += decoder.decode(data, { stream: true });
    },
  });
  // Bun gives a terminal but no session that it controls, without which there is no Ctrl-C.
  const child = Bun.spawn(
    ["setsid", "-c", "-w", "bash", "-mc", script, "bash", process.execPath, program, ...words],
    { terminal },
  );
  const ended = child.exited.then(async (status) => {
    await seen("after:", () => text);
    const [before, after] = ["before", "after"].map((name) => setting(text, name));
    return { status, isRestored: before !== undefined && before === after };
  });
  return {
    until: (wanted) => seen(wanted, () => text),
    write: (input) => void terminal.write(input),
    resize: ({ rows, columns }) => terminal.resize(columns, rows),
    killClient: (signal) => void process.kill(Number(setting(text, "pid")), signal),
    ended,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGKILL");
      await child.exited;
      terminal.close();
    },
  };
}

function setting(text: string, name: string): string | undefined {
  return new RegExp(`${name}:([0-9a-f:]+?)(:?\\r?\\n)`).exec(text)?.[1];
}
