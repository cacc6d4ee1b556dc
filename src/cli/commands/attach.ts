// Connects to the streams of a container's own process.

import type { Attachment, Container } from "../../pod/types.ts";
import type { Invocation } from "../command.ts";
import { defineCommand, oneOperand } from "../command.ts";
import { createDetachFilter } from "../detach-keys.ts";
import { Interrupted } from "../failure.ts";
import type { FlagTable } from "../flags.ts";
import { catchInterrupts, interruptStatus } from "../interrupts.ts";
import { enterRawMode, onResize, terminalSize } from "../local-terminal.ts";
import { note, openFromFlags } from "../open.ts";
import { defaultContainer, podObject } from "../pod-object.ts";
import { getPod, namespaceFlag } from "../pods.ts";
import { pumpOut, pumpStdin } from "../streams.ts";

const usage = "attach NAME [-c CONTAINER] [flags]";

const flagTable = {
  container: {
    kind: "text",
    short: "c",
    value: "NAME",
    help: "this container (default: the pod's default container, else the first)",
  },
  stdin: {
    kind: "switch",
    short: "i",
    aliases: ["interactive"],
    help: "pass stdin on; needs stdin: true in the manifest",
  },
  ...namespaceFlag,
} as const satisfies FlagTable;

type Attach = Invocation<typeof flagTable>;

export const attach = defineCommand({
  usage: [usage],
  about: [
    "Connect to the output, and with -i to the input, of a container's own process.",
    "With a terminal",
    "(tty: true in the manifest) ctrl-p ctrl-q leaves it running, and Ctrl-C goes to the process;",
    "without one Ctrl-C leaves it running. The exit status is that of the container when it ends",
    "meanwhile, else 0.",
  ],
  examples: [
    ["peapod attach web", "watch"],
    ["peapod attach -i game -c console", "take the keyboard; ctrl-p ctrl-q lets go"],
  ],
  flags: flagTable,
  run: async (invocation) => {
    const { flags, operands, io } = invocation;
    const name = oneOperand(operands, usage, "the name of a pod");
    await using peapod = await openFromFlags(flags, io);
    const pod = await getPod(peapod, name, flags);
    const object = podObject(await pod.object());
    const container = pod.container(flags.container ?? defaultContainer(object) ?? "");
    const hasTty = (object.spec?.containers ?? []).some(
      (one) => one.name === container.name && one.tty === true,
    );
    return await connect(container, hasTty, invocation);
  },
});

export async function connect(
  container: Container,
  hasTty: boolean,
  { flags, io }: Pick<Attach, "io"> & { readonly flags: Pick<Attach["flags"], "stdin"> },
): Promise<number> {
  await using attachment = await container.attach({ stdin: flags.stdin });
  const leave = Promise.withResolvers<"detached">();
  using _interrupts = catchInterrupts((signal) =>
    leave.reject(new Interrupted(interruptStatus(signal))),
  );
  using _resize = hasTty ? followSize(attachment) : undefined;
  using _raw = hasTty && flags.stdin ? enterRawMode() : undefined;
  void pumpStdin(attachment.stdin, hasTty ? { filter: detachFilter(leave.resolve) } : {});
  const ended = Promise.all([
    pumpOut(attachment.stdout, io.stdout),
    pumpOut(attachment.stderr, io.stderr),
  ]).then(() => "ended" as const);
  ended.catch(() => undefined); // Heard by the race, unless that is over.
  if ((await Promise.race([ended, leave.promise])) === "ended") {
    return (await container.exited).exitCode;
  }
  note(io, `detached from ${container.name}`);
  return 0;
}

/** The container's terminal takes the size of ours now, and follows it. */
function followSize(attachment: Attachment): Disposable {
  const resize = (size = terminalSize()): void => {
    attachment.resize(size).catch(() => undefined); // It may be over.
  };
  resize();
  return onResize(resize);
}

function detachFilter(
  onDetach: (how: "detached") => void,
): (chunk: Uint8Array) => Uint8Array | undefined {
  const filter = createDetachFilter();
  return (chunk) => {
    const { forward, detached } = filter.read(chunk);
    if (detached) onDetach("detached");
    return detached ? undefined : forward;
  };
}
