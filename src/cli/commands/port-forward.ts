// Ports of this host for ports of a pod, for as long as the command runs.

import { defineCommand } from "../command.ts";
import type { FlagTable } from "../flags.ts";
import { usageError } from "../flags.ts";
import { catchInterrupts } from "../interrupts.ts";
import { note, openFromFlags, warn } from "../open.ts";
import { getPod, namespaceFlag } from "../pods.ts";

const usage = "port-forward NAME [LOCAL:]REMOTE… [flags]";

const flagTable = {
  address: {
    kind: "text",
    value: "ADDRESS",
    help: "of this host to listen at (default: 127.0.0.1, which only this host reaches)",
  },
  ...namespaceFlag,
} as const satisfies FlagTable;

export const portForward = defineCommand({
  usage: [usage],
  about: [
    "Listen on ports of this host and hand each connection to a port of a pod, until Ctrl-C. The",
    "pod needs no address and no published port: its keeper makes the connections inside.",
  ],
  examples: [
    ["peapod port-forward web 8080:80", "port 8080 of this host for port 80 of the pod"],
    ["peapod port-forward db 5432", "the same number on both sides"],
    ["peapod port-forward db :5432", "any port that is free; it is printed"],
  ],
  flags: flagTable,
  run: async ({ flags, operands, io }) => {
    const [name, ...words] = operands;
    if (name === undefined || words.length === 0) {
      throw usageError("a pod and its ports are missing", `usage: peapod ${usage}`);
    }
    const wishes = words.map(readPorts);
    await using peapod = await openFromFlags(flags, io);
    const pod = await getPod(peapod, name, flags);
    await using open = new AsyncDisposableStack();
    const done = Promise.withResolvers<void>();
    using _ = catchInterrupts(() => done.resolve());
    for (const { local, remote } of wishes) {
      const forwarding = open.use(
        await pod.forward({
          port: remote,
          localPort: local,
          ...(flags.address !== undefined && { localAddress: flags.address }),
          onError: (error) => warn(io, error.message),
        }),
      );
      const at = forwarding.address.includes(":") ? `[${forwarding.address}]` : forwarding.address;
      io.stdout.write(`Forwarding from ${at}:${forwarding.port} -> ${remote}\n`);
    }
    pod.ended.then(done.resolve, done.resolve);
    await done.promise;
    note(io, "forwarding has ended");
    return 0;
  },
});

function readPorts(word: string): { readonly local: number; readonly remote: number } {
  const [, colon, localText, remoteText] = /^((\d*):)?(\d+)$/.exec(word) ?? [];
  const remote = Number(remoteText);
  const local = colon === undefined ? remote : Number(localText || 0);
  if (remote >= 1 && remote <= 65_535 && local <= 65_535) return { local, remote };
  throw usageError(
    `invalid ports ${JSON.stringify(word)}`,
    "write them as 8080:80, 80, or :80 for any port of this host",
  );
}
