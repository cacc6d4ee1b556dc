// Writes what is made from a result: the page, the plots, the tables.
import { mkdir } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { drawPlots } from "./draw.ts";
import { printPage } from "./page.ts";
import { readReport, type Report } from "./schema.ts";
import { printBench } from "./terminal.ts";

const usage = `bun run bench report FILE.json [--directory DIR]: print the tables of a result,
and write its page and plots beside it, or into DIR`;

export async function reportAgain(words: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...words],
    allowPositionals: true,
    options: {
      directory: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  const [path, ...rest] = positionals;
  if (values.help || path === undefined || rest.length > 0) {
    console.log(usage);
    return values.help ? 0 : 2;
  }
  const report = await readReport(path);
  for (const bench of report.benches) console.log(`${printBench(report, bench)}\n`);
  const directory = values.directory ?? dirname(path);
  for (const file of await writeReport(report, directory, basename(path, ".json")))
    console.log(`written: ${file}`);
  return 0;
}

/** The names of what was written: NAME.html, and NAME-PLOT.svg for each plot. */
export async function writeReport(
  report: Report,
  directory: string,
  name: string,
): Promise<string[]> {
  await mkdir(directory, { recursive: true });
  const files = [
    { path: join(directory, `${name}.html`), text: printPage(report) },
    ...drawPlots(report).map((plot) => ({
      path: join(directory, `${name}-${plot.name}.svg`),
      text: `${plot.svg}\n`,
    })),
  ];
  for (const { path, text } of files) await Bun.write(path, text);
  return files.map(({ path }) => path);
}
