// A file that is printed from the code: written, or with --check compared.

/** `path` counts from the root of the package. */
export async function keepGenerated(path: string, text: string, script: string): Promise<void> {
  const formatted = await format(path, text);
  const file = Bun.file(new URL(`../${path}`, import.meta.url));
  const isFresh = (await file.exists()) && (await file.text()) === formatted;
  if (!process.argv.includes("--check")) {
    if (!isFresh) await Bun.write(file, formatted);
  } else if (!isFresh) {
    console.error(`${path} is stale; run: bun run ${script}`);
    process.exitCode = 1;
  }
}

/** As `bun fmt` has it, so that the two checks never disagree. */
async function format(path: string, text: string): Promise<string> {
  const fmt = Bun.spawn([process.execPath, "fmt", "--stdin-filepath", path], {
    stdin: new Blob([text]),
    stderr: "inherit",
  });
  const formatted = await fmt.stdout.text();
  if ((await fmt.exited) !== 0) throw new Error(`bun fmt refused ${path}`);
  return formatted;
}
