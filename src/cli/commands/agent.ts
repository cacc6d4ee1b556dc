// The background process that looks after detached pods.

import type { Peapod } from "../../open.ts";
import type { Invocation } from "../command.ts";
import { defineCommand } from "../command.ts";
import { printData } from "../data.ts";
import type { FlagTable } from "../flags.ts";
import { usageError } from "../flags.ts";
import { note, openFromFlags } from "../open.ts";
import { formatAge } from "../time.ts";

const usage = "agent status|start|stop|logs|run [flags]";

const flagTable = {
  tail: { kind: "count", value: "N", help: "with logs: only the last N lines" },
} as const satisfies FlagTable;

type Agent = Invocation<typeof flagTable>;

export const agent = defineCommand({
  usage: [usage],
  about: [
    "The agent restarts containers, runs probes and hooks, and ends in order the pods that up -d has",
    "left running. up -d starts it, it takes a few megabytes and no processor while nothing happens,",
    "and it goes when the last such pod has gone. Pods go on without it, and the next agent carries",
    "on where it stopped. run is the agent itself, in the foreground, for a service manager.",
  ],
  examples: [
    ["peapod agent status", "whether there is one; exit status 3 when there is none"],
    ["peapod agent logs --tail 20", "what it has done"],
    ["peapod agent stop", "end it; the pods go on, without restarts and probes"],
  ],
  flags: flagTable,
  run: async (invocation) => {
    const [verb, extra] = invocation.operands;
    const act = extra === undefined ? verbs[verb ?? "status"] : undefined;
    if (act === undefined) throw usageError("no such verb", `usage: peapod ${usage}`);
    await using peapod = await openFromFlags(invocation.flags, invocation.io);
    return await act(peapod, invocation);
  },
});

/** As `systemctl status` says it. */
const notRunning = 3;

const verbs: Readonly<Record<string, (peapod: Peapod, invocation: Agent) => Promise<number>>> = {
  status: async (peapod, { flags, io }) => {
    const found = await peapod.agent.status();
    if (flags.output) {
      const data = { isRunning: found !== undefined, ...found, log: peapod.agent.logPath };
      io.stdout.write(await printData(flags.output, data));
    } else if (found === undefined) note(io, "no agent runs");
    else {
      const age = formatAge(Date.now() - found.startedMs);
      io.stdout.write(`agent ${found.pid} runs since ${age}, version ${found.version}\n`);
    }
    return found === undefined ? notRunning : 0;
  },
  start: async (peapod, { io }) => {
    if (!(await peapod.agent.start())) note(io, "an agent runs already");
    return 0;
  },
  stop: async (peapod, { io }) => {
    if (!(await peapod.agent.stop())) note(io, "no agent runs");
    return 0;
  },
  logs: async (peapod, { flags, io }) => {
    const file = Bun.file(peapod.agent.logPath);
    const lines = (await file.exists()) ? (await file.text()).split("\n").slice(0, -1) : [];
    const shown = flags.tail === undefined ? lines : lines.slice(lines.length - flags.tail);
    for (const line of shown) io.stdout.write(`${line}\n`);
    return 0;
  },
  run: async (peapod) => {
    const stop = new AbortController();
    const onSignal = (): void => stop.abort();
    process.on("SIGTERM", onSignal).on("SIGINT", onSignal);
    await peapod.agent.run({ signal: stop.signal });
    return 0;
  },
};
