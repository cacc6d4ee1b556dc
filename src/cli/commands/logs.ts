// Prints what containers wrote.

import type { LogOptions, LogRecord, Pod } from "../../pod/types.ts";
import type { Invocation } from "../command.ts";
import { defineCommand, oneOperand } from "../command.ts";
import { Interrupted } from "../failure.ts";
import type { FlagTable } from "../flags.ts";
import { usageError } from "../flags.ts";
import { catchInterrupts, interruptStatus } from "../interrupts.ts";
import { createLogPrinter, printLogJson } from "../log-printer.ts";
import { note, openFromFlags } from "../open.ts";
import { defaultContainer, podObject } from "../pod-object.ts";
import { getPod, namespaceFlag } from "../pods.ts";
import { clean } from "../text.ts";

const usage = "logs NAME [-c CONTAINER] [flags]";

const flagTable = {
  follow: {
    kind: "switch",
    short: "f",
    help: "go on, past restarts, until nothing more will come",
  },
  container: {
    kind: "text",
    short: "c",
    value: "NAME",
    help: "of this container (default: the pod's default container, else the first)",
  },
  "all-containers": { kind: "switch", help: "of all containers, in the order of time" },
  previous: { kind: "switch", short: "p", help: "of the instance before the last restart" },
  tail: { kind: "count", value: "N", help: "only the last N lines of each container" },
  since: { kind: "duration", value: "DURATION", help: "only lines younger than this: 30s, 5m, 2h" },
  timestamps: { kind: "switch", short: "t", help: "put the time before every line" },
  prefix: { kind: "switch", help: "put the names of pod and container before every line" },
  ...namespaceFlag,
} as const satisfies FlagTable;

type Logs = Invocation<typeof flagTable>;

export const logs = defineCommand({
  usage: [usage],
  about: [
    "Print what the containers of a pod wrote to stdout and stderr, byte for byte. With -o json",
    "every line is an object of its own.",
  ],
  examples: [
    ["peapod logs web", "the default container"],
    ["peapod logs -f --tail 20 web -c app", "the last lines of one, and all that follow"],
    ["peapod logs --all-containers --prefix --since 5m web", "what happened in the last minutes"],
  ],
  flags: flagTable,
  run: async (invocation) => {
    const { flags, operands, io } = invocation;
    const name = oneOperand(operands, usage, "the name of a pod");
    if (flags["all-containers"] && flags.container !== undefined) {
      throw usageError("--container and --all-containers exclude each other");
    }
    if (flags.previous && flags.follow) {
      throw usageError("what was before the last restart grows no more", "leave out --follow");
    }
    await using peapod = await openFromFlags(flags, io);
    await printLogs(await getPod(peapod, name, flags), invocation);
    return 0;
  },
});

async function printLogs(pod: Pod, invocation: Logs): Promise<void> {
  const { io } = invocation;
  const abort = new AbortController();
  using _ = catchInterrupts((signal) => abort.abort(new Interrupted(interruptStatus(signal))));
  const container = await chooseContainer(pod, invocation);
  const options = logOptions(invocation, container, abort.signal);
  const print = recordPrinter(pod, invocation);
  for await (const record of pod.logs(options)) await io.stdout.writeSlowly(print(record));
}

function logOptions(
  { flags }: Logs,
  container: string | undefined,
  signal: AbortSignal,
): LogOptions {
  return {
    follow: flags.follow,
    previous: flags.previous,
    signal,
    ...(container !== undefined && { container }),
    ...(flags.tail !== undefined && { tailLines: flags.tail }),
    ...(flags.since !== undefined && { sinceMs: Date.now() - flags.since }),
  };
}

/** Undefined means all of them. */
async function chooseContainer(pod: Pod, { flags, io }: Logs): Promise<string | undefined> {
  if (flags["all-containers"]) return undefined;
  if (flags.container !== undefined) return flags.container;
  const chosen = defaultContainer(podObject(await pod.object()));
  if (pod.containers.length > 1 && chosen !== undefined) {
    const others = pod.containers.map(({ name }) => name).join(", ");
    note(io, `container ${chosen} of: ${others} (choose with -c, or --all-containers)`);
  }
  return chosen;
}

function recordPrinter(pod: Pod, { flags, io }: Logs): (record: LogRecord) => Uint8Array | string {
  if (flags.output === "json") return printLogJson;
  if (flags.output === "yaml") throw usageError("logs have no YAML form; use -o json");
  const printer = createLogPrinter(flags);
  return (record) => {
    const label = flags.prefix ? clean(`[pod/${pod.name}/${record.container}] `) : "";
    return printer.print(record, record.container, label === "" ? "" : io.paintOut("dim", label));
  };
}
