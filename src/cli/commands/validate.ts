// Checks manifests without a host: what is wrong, or what becomes of every object and field.

import { PodError, printOrigin } from "../../errors/pod-error.ts";
import type { FieldFate, ManifestDocument, ManifestText } from "../../read/pod-manifest/read.ts";
import type { Io } from "../command.ts";
import { defineCommand } from "../command.ts";
import type { DataFormat } from "../data.ts";
import { printData } from "../data.ts";
import type { FlagTable } from "../flags.ts";
import { manifestFlags, manifestNames, readOptions, readTexts } from "../manifests.ts";
import { printTable } from "../table.ts";
import { clean, podLabel } from "../text.ts";

const usage = "validate FILE… [flags]";

const flagTable = {
  ...manifestFlags,
  quiet: { kind: "switch", short: "q", help: "print errors only" },
} as const satisfies FlagTable;

export const validate = defineCommand({
  usage: [usage],
  about: [
    "Check manifests and say what becomes of every object and field: supported, or inert with the",
    "reason. All errors of all files are printed; the exit status is 0 when there are none, else",
    "125. Nothing is started, and no root is needed.",
  ],
  examples: [
    ["peapod validate web.yaml", "every field and its fate"],
    ["peapod validate -q manifests/", "errors only, for CI"],
    ["peapod validate -o json web.yaml", "for programs"],
  ],
  flags: flagTable,
  run: async ({ flags, operands, io }) => {
    const names = manifestNames(operands, flags.file, usage);
    const { texts, errors } = await readAll([...names, ...flags.configmap], flags.recursive);
    const { examineManifests, noPod } = await import("../../read/pod-manifest/read.ts");
    const { set, error } = examineManifests(texts, await readOptions(flags));
    if (error) errors.push(error);
    const isEmpty = set.documents.length === 0 && errors.length === 0;
    if (isEmpty) throw noPod(texts.map(({ file }) => clean(file)).join(", "));
    const wrong = new Set([error, ...(error?.others ?? [])].map((one) => one?.origin?.file));
    const right = set.documents.filter(({ file }) => !wrong.has(file));
    if (!flags.quiet) await print(right, flags.output, io);
    if (errors.length > 0) throw together(errors);
    return 0;
  },
});

async function readAll(
  names: readonly string[],
  recursive: boolean,
): Promise<{ texts: ManifestText[]; errors: PodError[] }> {
  const texts: ManifestText[] = [];
  const errors: PodError[] = [];
  for (const name of names) {
    try {
      texts.push(...(await readTexts([name], { recursive, configmap: [] })));
    } catch (error) {
      if (!(error instanceof PodError)) throw error;
      errors.push(error);
    }
  }
  return { texts, errors };
}

/** One error that carries all of them. */
function together([first, ...others]: readonly PodError[]): PodError | undefined {
  if (first === undefined || others.length === 0) return first;
  const { code, message, origin, hint } = first;
  return new PodError({
    code,
    message,
    ...(origin && { origin }),
    ...(hint !== undefined && { hint }),
    others: [...first.others, ...others],
  });
}

async function print(
  documents: readonly ManifestDocument[],
  format: DataFormat | undefined,
  io: Io,
): Promise<void> {
  if (format) {
    const data = documents.map(({ file, kind, namespace, name, inert, fields }) => ({
      file,
      kind,
      namespace,
      name,
      ...(inert === undefined ? { fields: fields() } : { inert }),
    }));
    io.stdout.write(await printData(format, data));
    return;
  }
  const texts = documents.map((document) => {
    const title = `# ${document.kind} ${podLabel(document)}`;
    if (document.inert !== undefined) return `${title}: no effect: ${document.inert}\n`;
    return `${documents.length > 1 ? `${title}\n` : ""}${printFates(document.fields(), io)}`;
  });
  io.stdout.write(texts.join("\n"));
}

function printFates(fields: readonly FieldFate[], io: Io): string {
  const rows = fields.map(({ origin, fate, reason }) => [
    printOrigin({ ...origin, field: "" }),
    origin.field,
    fate,
    reason ?? "",
  ]);
  const colours = { supported: "green", inert: "yellow", refused: "red" } as const;
  return printTable(["PLACE", "FIELD", "FATE", "REASON"], rows, (cell, column, row) => {
    const fate = fields[row]?.fate;
    return column === 2 && fate ? io.paintOut(colours[fate], cell) : cell;
  });
}
