// What containers use while one looks: of the processor, memory, processes, devices, and how long
// they wait for each.

import type { Peapod } from "../../open.ts";
import type { Pod } from "../../pod/types.ts";
import type { AnyCommand, Invocation, Io } from "../command.ts";
import { defineCommand } from "../command.ts";
import { printData } from "../data.ts";
import { Interrupted } from "../failure.ts";
import type { FlagTable } from "../flags.ts";
import { catchInterrupts, interruptStatus } from "../interrupts.ts";
import { enterRawMode, terminalSize } from "../local-terminal.ts";
import { note, openFromFlags } from "../open.ts";
import { isTerminal } from "../output.ts";
import { getPod, listFlags, listPods } from "../pods.ts";
import type { SortKey, Usage } from "../usage.ts";
import { printUsage, sample, sortKeys, sortUsage, usageBetween } from "../usage.ts";

const flagTable = {
  sort: {
    kind: "choice",
    value: "KEY",
    aliases: ["sort-by"],
    choices: sortKeys,
    help: `the largest first: ${sortKeys.join(", ")} (default: cpu)`,
  },
  interval: { kind: "duration", value: "DURATION", help: "between two looks (default: 1s)" },
  once: { kind: "switch", aliases: ["no-stream"], help: "one table, and no more" },
  containers: { kind: "switch", help: "accepted for the habit: every container has a line" },
  ...listFlags,
} as const satisfies FlagTable;

type Top = Invocation<typeof flagTable>;

const about = [
  "A container's use of the processor in percent of one CPU, its memory and limit, processes, what",
  "it reads from and writes to devices, what its whole pod takes in from the network and sends, and",
  "the percentage of the last ten seconds in which some of its processes waited for the processor,",
  "memory or devices (pressure stall information). What the host does not count is a dash.",
];
const keys = "In a terminal c, m, p, i, w and n sort by the columns, and q ends.";

export const top = define("top", {
  about: ["Show what containers use, again and again.", ...about, keys],
  goesOn: ({ stdout }) => stdout.isTerminal,
});

/** docker's word; and as there, a pipe gets one table after the other. */
export const stats = define("stats", {
  about: ["As top, but one table after the other where there is no terminal.", ...about],
  goesOn: () => true,
});

function define(
  name: string,
  words: { readonly about: readonly string[]; readonly goesOn: (io: Io) => boolean },
): AnyCommand {
  const once = name === "top" ? "--once" : "--no-stream";
  return defineCommand({
    usage: [`${name} [NAME…] [flags]`],
    about: words.about,
    examples: [
      [`peapod ${name}`, "all pods"],
      [`peapod ${name} --sort memory -n team`, "one namespace, the largest first"],
      [`peapod ${name} ${once} -o json`, "for programs"],
    ],
    flags: flagTable,
    run: async (invocation) => {
      const { flags, io } = invocation;
      await using peapod = await openFromFlags(flags, io);
      if (!flags.once && words.goesOn(io)) return await stream(peapod, invocation);
      const usage = await look(peapod, invocation, flags.interval ?? onceMs);
      await print(sortUsage(usage, flags.sort ?? "cpu"), invocation);
      return 0;
    },
  });
}

const onceMs = 500;
const intervalMs = 1000;

async function findPods(peapod: Peapod, { flags, operands }: Top): Promise<readonly Pod[]> {
  if (operands.length > 0) {
    return Promise.all(operands.map((name) => getPod(peapod, name, flags)));
  }
  const pods = await listPods(peapod, flags);
  return pods.filter((pod): pod is Pod => !("error" in pod));
}

async function look(peapod: Peapod, invocation: Top, waitMs: number): Promise<Usage[]> {
  const pods = await findPods(peapod, invocation);
  const before = await sample(pods);
  await Bun.sleep(waitMs);
  return usageBetween(before, await sample(pods));
}

async function print(usage: readonly Usage[], { flags, io }: Top): Promise<void> {
  if (flags.output) io.stdout.write(await printData(flags.output, usage));
  else if (usage.length === 0) note(io, "no container runs");
  else io.stdout.write(printUsage(usage));
}

async function stream(peapod: Peapod, invocation: Top): Promise<number> {
  const { flags, operands, io } = invocation;
  if (operands.length > 0) await findPods(peapod, invocation); // A wrong name is said at once.
  const screen = io.stdout.isTerminal && flags.output === undefined ? new Screen(io) : undefined;
  using _screen = screen;
  const view = { sort: flags.sort ?? ("cpu" as SortKey) };
  const over = Promise.withResolvers<"over">();
  let interrupted: Interrupted | undefined;
  using _interrupts = catchInterrupts((signal) => {
    interrupted = new Interrupted(interruptStatus(signal));
    over.resolve("over");
  });
  using _keys = screen && isTerminal(0) ? readKeys(view, () => over.resolve("over")) : undefined;
  let before = await sample(await presentPods(peapod, invocation));
  for (let isFirst = true; ; isFirst = false) {
    // The first look is soon followed by another: an empty screen tells nothing.
    const wait = Bun.sleep(
      isFirst ? Math.min(200, flags.interval ?? intervalMs) : (flags.interval ?? intervalMs),
    );
    if ((await Promise.race([wait, over.promise])) === "over") break;
    const after = await sample(await presentPods(peapod, invocation));
    const usage = sortUsage(usageBetween(before, after), view.sort);
    if (screen) screen.show(printUsage(usage));
    else await print(usage, invocation);
    await io.stdout.drain();
    before = after;
  }
  if (interrupted) throw interrupted;
  return 0;
}

/** A pod that was named and has ended has no line any more. */
async function presentPods(peapod: Peapod, invocation: Top): Promise<readonly Pod[]> {
  return findPods(peapod, invocation).catch(() => []);
}

const keyOf: Readonly<Record<string, SortKey>> = {
  ...{ c: "cpu", m: "memory", p: "pids", i: "io", w: "pressure", n: "name" },
};

function readKeys(view: { sort: SortKey }, onQuit: () => void): Disposable {
  const raw = enterRawMode();
  const onData = (bytes: Buffer): void => {
    for (const key of bytes.toString()) {
      if (key === "q" || key === "\x03" || key === "\x04") onQuit();
      view.sort = keyOf[key] ?? view.sort;
    }
  };
  process.stdin.on("data", onData);
  return {
    [Symbol.dispose]: () => {
      process.stdin.off("data", onData);
      process.stdin.pause();
      raw[Symbol.dispose]();
    },
  };
}

/** The terminal's other screen: what was there before is there again afterwards. */
class Screen implements Disposable {
  readonly #io: Io;

  constructor(io: Io) {
    this.#io = io;
    io.stdout.write("\x1b[?1049h\x1b[?25l");
  }

  show(table: string): void {
    const { rows, columns } = terminalSize();
    const lines = table
      .trimEnd()
      .split("\n")
      .slice(0, rows - 1);
    const cut = lines.map((line) => `${line.slice(0, columns)}\x1b[K`);
    this.#io.stdout.write(`\x1b[H${cut.join("\r\n")}\x1b[J`);
  }

  [Symbol.dispose](): void {
    this.#io.stdout.write("\x1b[?25h\x1b[?1049l");
  }
}
