// Makes files from what runs: a manifest from a live pod, a unit of systemd from a manifest.

import { resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { defineCommand } from "../command.ts";
import { printData } from "../data.ts";
import type { FlagTable } from "../flags.ts";
import { usageError } from "../flags.ts";
import { openFromFlags } from "../open.ts";
import { podObject } from "../pod-object.ts";
import { getPod, namespaceFlag } from "../pods.ts";
import { clean } from "../text.ts";

const usage = "generate NAME [flags]";

const flagTable = {
  user: { kind: "switch", help: "with systemd: a unit of the user's own manager" },
  ...namespaceFlag,
} as const satisfies FlagTable;

export const generate = defineCommand({
  usage: [usage, "generate systemd FILE [flags]"],
  about: [
    "Print the manifest of a pod that runs, which up takes again; or, with systemd, a unit that",
    "starts the pods of a manifest at boot, in the foreground, and ends them in order.",
  ],
  examples: [
    ["peapod generate web > web.yaml", "what was started, as YAML"],
    ["peapod generate systemd web.yaml", "a unit: /etc/systemd/system/web.service"],
  ],
  flags: flagTable,
  run: async ({ flags, operands, io }) => {
    const [first, file, extra] = operands;
    const isUnit = first === "systemd" && file !== undefined;
    if (first === undefined || (isUnit ? extra : file) !== undefined) {
      throw usageError("one pod, or systemd and a file, is wanted", `usage: peapod ${usage}`);
    }
    if (isUnit) {
      io.stdout.write(printUnit(resolve(file), flags.user));
      return 0;
    }
    await using peapod = await openFromFlags(flags, io);
    const pod = await getPod(peapod, first, flags);
    io.stdout.write(await printData(flags.output ?? "yaml", manifestOf(await pod.object())));
    return 0;
  },
});

/** What the user wrote; not what became of it. */
function manifestOf(object: Readonly<Record<string, unknown>>): unknown {
  const { name, namespace, labels, annotations } = podObject(object).metadata ?? {};
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: {
      name,
      ...(namespace !== "default" && { namespace }),
      ...(labels && { labels }),
      ...(annotations && { annotations }),
    },
    spec: object["spec"],
  };
}

function printUnit(manifest: string, isUser: boolean): string {
  // systemd.syntax(7): percent signs are specifiers, and words are quoted as in C.
  const word = (text: string): string => JSON.stringify(text).replaceAll("%", "%%");
  const command = ownCommand().map(word).join(" ");
  return `# Made by: peapod generate systemd ${clean(manifest)}
[Unit]
Description=Pods of ${clean(manifest).replaceAll("%", "%%")}
Documentation=man:systemd.service(5)
Wants=network-online.target
After=network-online.target

[Service]
ExecStart=${command} up ${word(manifest)}
# peapod ends its pods in order on SIGTERM; what it leaves, its keepers end.
KillMode=mixed
TimeoutStopSec=90
Restart=on-failure
Delegate=yes

[Install]
WantedBy=${isUser ? "default.target" : "multi-user.target"}
`;
}

/** How this program was started, in words that do not depend on anybody's PATH. */
function ownCommand(): readonly string[] {
  if (Bun.main.startsWith("/$bunfs/")) return [process.execPath];
  const program = Bun.main.startsWith("/") ? Bun.main : fileURLToPath(Bun.main);
  return [
    ...[process.execPath, "--no-env-file", "--config=/dev/null"],
    ...["--tsconfig-override=/dev/null", program],
  ];
}
