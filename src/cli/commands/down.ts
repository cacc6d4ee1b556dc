// Ends pods: by name, or those of a manifest. What is not there is down already.

import type { Peapod } from "../../open.ts";
import { PodError } from "../../errors/pod-error.ts";
import type { KeptVolume } from "../../pod/kept-volumes.ts";
import type { Invocation, Io } from "../command.ts";
import { defineCommand } from "../command.ts";
import { printData } from "../data.ts";
import type { FlagTable } from "../flags.ts";
import { catchInterrupts } from "../interrupts.ts";
import { manifestFlags, podNamesIn } from "../manifests.ts";
import { note, openFromFlags } from "../open.ts";
import { checkSelection, listPods, qualify, selectFlags } from "../pods.ts";
import { clean, podLabel } from "../text.ts";

const usage = "down NAME… | -f FILE | -l SELECTOR | --all [flags]";

const flagTable = {
  file: { ...manifestFlags.file, help: "end the pods of this manifest, as up names it" },
  recursive: manifestFlags.recursive,
  "grace-period": {
    kind: "duration",
    short: "t",
    aliases: ["timeout"],
    value: "SECONDS",
    help: "time between the stop signal and SIGKILL (default: that of the manifest)",
  },
  volumes: {
    kind: "switch",
    short: "v",
    help: "also remove the volumes of their claims, unless another pod names them",
  },
  force: { kind: "switch", help: "kill at once: a grace period of 0" },
  ...selectFlags,
} as const satisfies FlagTable;

export const down = defineCommand({
  usage: [usage],
  about: [
    "End pods: the stop signal, the grace period, SIGKILL; then remove everything that is left of",
    "them. A pod that does not exist is down already: that is said, and is no error. Ctrl-C cuts",
    "the grace period short.",
  ],
  examples: [
    ["peapod down web", "by name, or a unique prefix of it"],
    ["peapod down team/web db", "two of them, one in another namespace"],
    ["peapod down -f web.yaml", "the pods of a manifest"],
    ["peapod down -v -f web.yaml", "with the volumes of their claims"],
    ["peapod down -l app=web -n team", "by label, in one namespace"],
    ["peapod down --grace-period 0 web", "at once"],
  ],
  flags: flagTable,
  run: async (invocation) => {
    const { operands, flags, io } = invocation;
    checkSelection(operands, flags, usage, flags.file.length);
    const peapod = await openFromFlags(flags, io);
    await using _ = peapod;
    const names = await podNames(peapod, invocation);
    const claims = flags.volumes ? await claimsOfPods(peapod, names) : [];
    const graceMs = flags.force ? 0 : flags["grace-period"];
    const end = (name: string, ms = graceMs): Promise<boolean> =>
      peapod.down(name, ms === undefined ? {} : { graceMs: ms });
    using _interrupts = catchInterrupts(() => {
      note(io, "killing");
      for (const name of names) end(name, 0).catch(() => undefined); // The first call reports.
    });
    const results = await Promise.allSettled(names.map((name) => end(name)));
    const status = await report(names, results, invocation);
    await removeClaims(peapod, claims, io);
    return status;
  },
});

async function podNames(
  peapod: Peapod,
  { flags, operands }: Invocation<typeof flagTable>,
): Promise<readonly string[]> {
  if (flags.all || flags.selector !== undefined) {
    const pods = await listPods(peapod, flags);
    return pods.map((pod) => (pod.name === pod.uid ? pod.uid : `${pod.namespace}/${pod.name}`));
  }
  return [
    ...operands.map((name) => qualify(name, flags.namespace)),
    ...(await podNamesIn(flags.file, flags)),
  ];
}

type Claim = Pick<KeptVolume, "namespace" | "name">;

async function claimsOfPods(peapod: Peapod, names: readonly string[]): Promise<readonly Claim[]> {
  const { claimsOf } = await import("../../pod/kept-volumes.ts");
  const of = async (name: string): Promise<readonly Claim[]> => {
    const pod = await peapod.get(name);
    const { namespace } = pod;
    return claimsOf(await pod.object()).map((claim) => ({ namespace, name: claim }));
  };
  // A pod that is not there has none, and down says so.
  const lists = await Promise.all(names.map((name) => of(name).catch(() => [])));
  return lists.flat();
}

async function removeClaims(peapod: Peapod, claims: readonly Claim[], io: Io): Promise<void> {
  for (const claim of claims) {
    try {
      if (await peapod.volumes.remove(claim)) note(io, `removed volume ${podLabel(claim)}`);
    } catch (error) {
      if (!(error instanceof PodError) || error.code !== "volume.in-use") throw error;
      note(io, `kept: ${error.message}`);
    }
  }
}

/** All that could be ended are; the first failure decides. */
async function report(
  names: readonly string[],
  results: readonly PromiseSettledResult<boolean>[],
  { flags: { output }, io }: Invocation<typeof flagTable>,
): Promise<number> {
  const pods = names.map((name, index) => {
    const result = results[index];
    return { name, found: result?.status === "fulfilled" && result.value };
  });
  const failed = results.find((result) => result.status === "rejected");
  if (output && !failed) io.stdout.write(await printData(output, pods));
  for (const [index, { name, found }] of pods.entries()) {
    if (output || results[index]?.status === "rejected") continue;
    if (found) io.stdout.write(`${clean(name)}\n`);
    else note(io, `${name} is not there; nothing to do`);
  }
  if (failed) throw failed.reason;
  return 0;
}
