// Somebody else's project with the packed package installed, without the network.

import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root } from "../../scripts/library.mjs";

export interface Ran {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number | null;
}

export interface Consumer {
  /** The project. */
  readonly folder: string;
  readonly tarball: string;
  /** The installed command. */
  readonly command: string;
  /** The compiled executable. */
  readonly executable: string;
}

/** What the published types refer to, from this checkout instead of a registry. */
const typesNeeded = ["zod", "bun-types", "@types/node", "undici-types"];

export function createConsumer(): Consumer {
  const base = mkdtempSync(join(tmpdir(), "peapod-package-"));
  const folder = join(base, "project");
  succeed(run([process.execPath, "scripts/build.ts"], root));
  const pack = ["npm", "pack", "--ignore-scripts", "--loglevel=error", "--pack-destination", base];
  const tarball = join(base, succeed(run(pack, root)).stdout.trim());
  writeFiles(folder, {
    "package.json": JSON.stringify({
      private: true,
      type: "module",
      dependencies: {
        peapod: `file:${tarball}`,
        ...Object.fromEntries(
          typesNeeded.map((name) => [name, `file:${join(root, "node_modules", name)}`]),
        ),
      },
    }),
  });
  succeed(run([process.execPath, "install"], folder));
  return {
    folder,
    tarball,
    command: join(folder, "node_modules/.bin/peapod"),
    executable: join(root, "dist/peapod"),
  };
}

export function writeFiles(folder: string, files: Readonly<Record<string, string>>): string {
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(join(folder, path, ".."), { recursive: true });
    writeFileSync(join(folder, path), text);
  }
  return folder;
}

export function run(
  command: string[],
  cwd: string,
  env: Readonly<Record<string, string>> = {},
): Ran {
  const path = `${join(root, "node_modules/.bin")}:${process.env["PATH"] ?? ""}`;
  const { stdout, stderr, exitCode } = Bun.spawnSync(command, {
    cwd,
    env: { ...process.env, NO_COLOR: "1", ...env, PATH: path },
    stdin: "ignore",
  });
  return { stdout: stdout.toString(), stderr: stderr.toString(), exitCode };
}

function succeed(ran: Ran): Ran {
  if (ran.exitCode !== 0) throw new Error(`${ran.stdout}${ran.stderr}`);
  return ran;
}
