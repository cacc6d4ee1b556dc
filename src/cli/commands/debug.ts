// A container beside those of a running pod, to look at them with.

import type { Container, Pod } from "../../pod/types.ts";
import type { Invocation } from "../command.ts";
import { defineCommand } from "../command.ts";
import type { FlagTable } from "../flags.ts";
import { usageError } from "../flags.ts";
import { openFromFlags } from "../open.ts";
import { isTerminal } from "../output.ts";
import { getPod, namespaceFlag } from "../pods.ts";
import { connect } from "./attach.ts";

const usage = "debug NAME --image IMAGE [--target CONTAINER] [flags] -- COMMAND [ARGUMENT…]";

const flagTable = {
  image: { kind: "text", value: "IMAGE", help: "of the new container; host is built in" },
  target: {
    kind: "text",
    value: "CONTAINER",
    help: "see the processes of this container, in its PID namespace",
  },
  container: { kind: "text", short: "c", value: "NAME", help: "what it is called" },
  stdin: { kind: "switch", short: "i", aliases: ["interactive"], help: "pass stdin on" },
  tty: { kind: "switch", short: "t", help: "give it a terminal" },
  ...namespaceFlag,
} as const satisfies FlagTable;

type Debug = Invocation<typeof flagTable>;

export const debug = defineCommand({
  usage: [usage],
  about: [
    "Add an ephemeral container to a running pod: it shares the pod's network, and with --target the",
    "processes of a container, and runs once. Its output is shown, with -it it has our terminal; the",
    "exit status is its own. It stays listed for as long as the pod lives.",
  ],
  examples: [
    [
      "peapod debug -it web --image busybox --target app -- sh",
      "a shell beside the processes of app",
    ],
    ["peapod debug web --image host -- ss -tlnp", "one command in the pod's network"],
  ],
  flags: flagTable,
  takesRest: true,
  run: async (invocation) => {
    const { flags, operands, rest, io } = invocation;
    const [name, extra] = operands;
    const hint = `usage: peapod ${usage}`;
    if (name === undefined || extra !== undefined) throw usageError("one pod is wanted", hint);
    if (flags.image === undefined) throw usageError("--image is missing", hint);
    if (rest === undefined || rest.length === 0) throw usageError("the command is missing", hint);
    await using peapod = await openFromFlags(flags, io);
    const before = await getPod(peapod, name, flags);
    const added = await before.debug({
      name: flags.container ?? `debugger-${Math.random().toString(36).slice(2, 7)}`,
      image: flags.image,
      command: rest,
      stdin: flags.stdin,
      tty: flags.tty,
      ...(flags.target !== undefined && { targetContainerName: flags.target }),
    });
    // Opened anew: it has one more container now.
    const pod = await peapod.get(before.uid);
    const container = pod.container(added);
    if (flags.stdin || flags.tty) return await attachTo(container, invocation);
    return await show(pod, container, invocation);
  },
});

function attachTo(container: Container, { flags, io }: Debug): Promise<number> {
  const stdin = flags.stdin && (!flags.tty || isTerminal(0));
  return connect(container, flags.tty, { flags: { stdin }, io });
}

async function show(pod: Pod, container: Container, { io }: Debug): Promise<number> {
  for await (const { line, isPartial } of pod.logs({ container: container.name, follow: true })) {
    await io.stdout.writeSlowly(line);
    if (!isPartial) await io.stdout.writeSlowly("\n");
  }
  return (await container.exited).exitCode;
}
