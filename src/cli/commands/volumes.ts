// Volumes that outlive their pods.

import type { KeptVolume } from "../../pod/kept-volumes.ts";
import type { Peapod } from "../../open.ts";
import { PodError } from "../../errors/pod-error.ts";
import type { Invocation } from "../command.ts";
import { defineCommand } from "../command.ts";
import { printData } from "../data.ts";
import type { FlagTable } from "../flags.ts";
import { usageError } from "../flags.ts";
import { note, openFromFlags } from "../open.ts";
import { listFlags, qualify } from "../pods.ts";
import { printTable } from "../table.ts";
import { clean, formatBytes, podLabel } from "../text.ts";

const usage = "volumes [ls|rm] [VOLUME…] [flags]";

const flagTable = {
  namespace: listFlags.namespace,
  all: { kind: "switch", short: "a", help: "with rm: all that no pod names" },
  quiet: { kind: "switch", short: "q", help: "with ls: names only" },
} as const satisfies FlagTable;

type Volumes = Invocation<typeof flagTable>;

export const volumes = defineCommand({
  usage: [usage],
  about: [
    "List, or remove, the volumes of persistentVolumeClaims: directories that pods of one namespace",
    "share by the name of the claim, and that stay when the pods go. One that a pod names is kept.",
  ],
  examples: [
    ["peapod volumes", "all of them, and who uses them"],
    ["peapod volumes rm data team/data", "two of them"],
    ["peapod volumes rm --all", "those that no pod names"],
  ],
  flags: flagTable,
  run: async (invocation) => {
    const [verb = "ls", ...rest] = invocation.operands;
    await using peapod = await openFromFlags(invocation.flags, invocation.io);
    if (verb === "ls" && rest.length === 0) return await list(peapod, invocation);
    if (verb !== "rm") throw usageError("no such verb", `usage: peapod ${usage}`);
    return await remove(peapod, rest, invocation);
  },
});

async function find(peapod: Peapod, { flags }: Volumes): Promise<readonly KeptVolume[]> {
  const found = await peapod.volumes.list();
  return found.filter(
    ({ namespace }) => flags.namespace === undefined || namespace === flags.namespace,
  );
}

async function list(peapod: Peapod, invocation: Volumes): Promise<number> {
  const { flags, io } = invocation;
  const found = await find(peapod, invocation);
  if (flags.output) io.stdout.write(await printData(flags.output, found));
  else if (flags.quiet) for (const volume of found) io.stdout.write(`${podLabel(volume)}\n`);
  else if (found.length === 0) note(io, "there are no volumes");
  else {
    const rows = found.map(({ namespace, name, bytes, usedBy, path }) => [
      ...[namespace, name, formatBytes(bytes), usedBy.join(",") || "<none>", path],
    ]);
    io.stdout.write(printTable(["NAMESPACE", "NAME", "SIZE", "USED BY", "PATH"], rows));
  }
  return 0;
}

async function remove(
  peapod: Peapod,
  names: readonly string[],
  invocation: Volumes,
): Promise<number> {
  const { flags, io } = invocation;
  if (names.length === 0 && !flags.all) {
    throw usageError("no volume is named", `usage: peapod ${usage}`);
  }
  const unused = flags.all
    ? (await find(peapod, invocation)).filter(({ usedBy }) => usedBy.length === 0)
    : [];
  const named = names.map((word) => {
    const [namespace = "", name = ""] = qualify(word, flags.namespace ?? "default").split("/");
    return { namespace, name };
  });
  for (const volume of [...named, ...unused]) {
    if (!(await peapod.volumes.remove(volume))) {
      throw new PodError({
        code: "volume.not-found",
        message: `there is no volume ${clean(podLabel(volume))}`,
      });
    }
    io.stdout.write(`${podLabel(volume)}\n`);
  }
  return 0;
}
