// Checks manifests without a host: what is wrong, or what becomes of every field.

import { PodError, printOrigin } from "../../errors/pod-error.ts";
import type { FieldFate } from "../../read/pod-manifest/read.ts";
import type { PodSpec } from "../../spec/pod-spec.ts";
import type { Io } from "../command.ts";
import { defineCommand } from "../command.ts";
import type { DataFormat } from "../data.ts";
import { printData } from "../data.ts";
import type { FlagTable } from "../flags.ts";
import { manifestNames, readManifestFile } from "../manifests.ts";
import { printTable } from "../table.ts";
import { podLabel } from "../text.ts";

const usage = "validate FILE… [flags]";

const flagTable = {
  file: { kind: "texts", short: "f", value: "FILE", help: "a manifest; as an operand" },
  quiet: { kind: "switch", short: "q", help: "print errors only" },
} as const satisfies FlagTable;

interface Checked {
  readonly file: string;
  readonly pods: readonly { readonly pod: string; readonly fields: readonly FieldFate[] }[];
}

export const validate = defineCommand({
  usage: [usage],
  about: [
    "Check manifests and say what becomes of every field: supported, or inert with the reason. All",
    "errors of all files are printed; the exit status is 0 when there are none, else 125. Nothing",
    "is started, and no root is needed.",
  ],
  examples: [
    ["peapod validate web.yaml", "every field and its fate"],
    ["peapod validate -q manifests/*.yaml", "errors only, for CI"],
    ["peapod validate -o json web.yaml", "for programs"],
  ],
  flags: flagTable,
  run: async ({ flags, operands, io }) => {
    const names = manifestNames(operands, flags.file, usage);
    const errors: PodError[] = [];
    const valid: Checked[] = [];
    for (const name of names) {
      try {
        valid.push(await checkFile(name));
      } catch (error) {
        if (!(error instanceof PodError)) throw error;
        errors.push(error);
      }
    }
    if (!flags.quiet) await print(valid, flags.output, io);
    if (errors.length > 0) throw together(errors);
    return 0;
  },
});

async function checkFile(name: string): Promise<Checked> {
  const { fates } = await import("../../read/pod-manifest/read.ts");
  const { file, specs } = await readManifestFile(name);
  const describe = (spec: PodSpec) => ({ pod: podLabel(spec), fields: fates(spec) });
  return { file, pods: specs.map(describe) };
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
  files: readonly Checked[],
  format: DataFormat | undefined,
  io: Io,
): Promise<void> {
  if (format) {
    io.stdout.write(await printData(format, files));
    return;
  }
  const tables = files.flatMap(({ pods }) =>
    pods.map(
      ({ pod, fields }) =>
        (files.length + pods.length > 2 ? `# ${pod}\n` : "") + printFates(fields, io),
    ),
  );
  io.stdout.write(tables.join("\n"));
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
