// What an error code means, from the catalog, and what becomes of a field of a manifest.

import { catalog } from "../../errors/catalog.ts";
import type { ExplainedField } from "../../read/pod-manifest/field-table.ts";
import { suggestWord } from "../../read/pod-manifest/suggest.ts";
import { defineCommand } from "../command.ts";
import { printData } from "../data.ts";
import { usageError } from "../flags.ts";
import { printTable } from "../table.ts";

export const explain = defineCommand({
  usage: ["explain [CODE | FIELD]"],
  about: [
    "Say what an error code means and what to do about it; without a code, list all of them. Of a",
    "field of a manifest, say whether it is supported, inert or refused, and why.",
  ],
  examples: [
    ["peapod explain manifest.unknown-field", "one code"],
    ["peapod explain spec.containers.livenessProbe", "a field, and those in it"],
    ["peapod explain statefulset.spec", "of a kind other than Pod"],
    ["peapod explain", "all codes"],
    ["peapod explain -o json", "all codes, for programs"],
  ],
  flags: {},
  run: async ({ flags, operands, io }) => {
    const [code, extra] = operands;
    if (extra !== undefined) throw usageError(`unexpected ${JSON.stringify(extra)}`);
    const codes = Object.keys(catalog).toSorted();
    if (code !== undefined && !codes.includes(code)) {
      const { explainFields } = await import("../../read/pod-manifest/field-table.ts");
      const rows = explainFields(code);
      if (rows.length === 0) throw unknownCode(code, codes);
      io.stdout.write(flags.output ? await printData(flags.output, rows) : printFields(rows));
      return 0;
    }
    const entries = (code === undefined ? codes : [code]).map(entryOf);
    if (flags.output) {
      io.stdout.write(await printData(flags.output, code === undefined ? entries : entries[0]));
    } else if (code === undefined) {
      const rows = entries.map((entry) => [entry.code, entry.meaning]);
      io.stdout.write(printTable(["CODE", "MEANING"], rows));
    } else {
      io.stdout.write(entries.map(printEntry).join("\n"));
    }
    return 0;
  },
});

function printFields(rows: readonly ExplainedField[]): string {
  const cells = rows.map(({ kind, field, fate, reason }) => [kind, field, fate, reason]);
  return printTable(["KIND", "FIELD", "FATE", "REASON"], cells);
}

interface Entry {
  readonly code: string;
  readonly meaning: string;
  readonly hint?: string;
}

function entryOf(code: string): Entry {
  const entries: Readonly<Record<string, { meaning: string; hint?: string }>> = catalog;
  return { code, meaning: "", ...entries[code] };
}

function printEntry({ code, meaning, hint }: Entry): string {
  const remedy = hint ?? "depends on the case; the error says it";
  return `${code}\n  means  ${meaning}\n  hint   ${remedy}\n`;
}

function unknownCode(code: string, codes: readonly string[]): Error {
  const suggested = suggestWord(code, codes);
  return usageError(
    `no error has the code, and no object the field, ${JSON.stringify(code)}`,
    suggested === undefined ? "run peapod explain for all codes" : `did you mean ${suggested}?`,
  );
}
