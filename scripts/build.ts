// `bun run build`: everything that is published. `bun run build package` leaves out the executable.
//
//     lib/linux-*/libpeapod.so   the library, for both architectures
//     dist/js/                   the module and the command, their dependencies included
//     dist/types/                the module's types
//     dist/peapod                the command as one executable for this machine's architecture

import { readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type Architecture, architectures, buildLibrary, root, StepError } from "./library.mjs";

const steps: Readonly<Record<string, () => void | Promise<void>>> = {
  library: () => architectures.forEach((name) => void buildLibrary(name)),
  js: buildJs,
  types: buildTypes,
  executable: buildExecutable,
};

/**
 * Dependencies are bundled because that halves the time until the command starts. Everything lies
 * in one folder as deep as src/native/, from where the library is found at ../../lib.
 */
async function buildJs(): Promise<void> {
  rmSync(join(root, "dist/js"), { recursive: true, force: true });
  await bundle({
    entrypoints: [join(root, "src/index.ts"), join(root, "pod.ts")],
    outdir: join(root, "dist/js"),
    naming: { entry: "[name].[ext]", chunk: "[name]-[hash].[ext]" },
    splitting: true,
    sourcemap: "linked",
  });
  writeFileSync(join(root, "dist/js/LICENSES.txt"), licences());
}

const bundledPackages = ["zod", "yaml", "typebox", "dns-packet", "@leichtgewicht/ip-codec"];

/** Of what is bundled: their authors ask that the text goes with every copy. */
function licences(): string {
  const bundled = bundledPackages.map((name) => {
    const folder = join(root, "node_modules", name);
    const file = readdirSync(folder).find((entry) => /^licen[cs]e/i.test(entry));
    if (file === undefined) throw new StepError(`${name} has no license file`);
    return `${name}\n\n${readFileSync(join(folder, file), "utf8").trim()}\n`;
  });
  return bundled.join("\n----\n\n");
}

async function buildTypes(): Promise<void> {
  rmSync(join(root, "dist/types"), { recursive: true, force: true });
  const compiler = join(root, "node_modules/.bin/tsc");
  const { exited } = Bun.spawn([compiler, "--project", "tsconfig.types.json"], {
    cwd: root,
    stdio: ["ignore", "inherit", "inherit"],
  });
  if ((await exited) !== 0) throw new StepError("tsc found the errors above");
  // Streams and signals are Bun's; a project need not name its types in a tsconfig.json.
  const index = join(root, "dist/types/index.d.ts");
  writeFileSync(index, `/// <reference types="bun-types" />\n${readFileSync(index, "utf8")}`);
}

/**
 * Without the two autoload options a compiled program runs what `.env` and `bunfig.toml` of the
 * working directory say before its own first line.
 */
async function buildExecutable(): Promise<void> {
  const library = join(root, "lib", `linux-${hostArchitecture()}`, "libpeapod.so");
  const entry = join(root, "scripts/peapod.ts");
  const embedded = join(root, "scripts/embedded.ts");
  await bundle({
    entrypoints: [entry],
    // The entry's first import runs before the command is loaded; src/native/library.ts reads the
    // name.
    files: {
      [entry]: `import ${JSON.stringify(embedded)}; import ${JSON.stringify(join(root, "pod.ts"))};`,
      [embedded]:
        `import library from ${JSON.stringify(library)} with { type: "file" };` +
        "globalThis.peapodEmbeddedLibrary = library;",
    },
    bytecode: true,
    minify: true,
    // A command loads its own code and no more; in one piece even `--version` takes twice as long.
    splitting: true,
    compile: {
      outfile: join(root, "dist/peapod"),
      autoloadDotenv: false,
      autoloadBunfig: false,
      autoloadTsconfig: false,
      autoloadPackageJson: false,
    },
  });
}

async function bundle(config: Bun.BuildConfig): Promise<void> {
  const plugins = [yamlModules];
  const built = await Bun.build({ target: "bun", format: "esm", plugins, ...config, throw: false });
  for (const log of built.logs) console.error(String(log));
  if (!built.success) throw new StepError("bun build found the errors above");
}

/**
 * yaml offers its CommonJS to all that run outside of browsers, and a bundle has to evaluate the
 * whole of that; of its ES modules, the same code, only what is used is left.
 */
const yamlModules: Bun.BunPlugin = {
  name: "yaml's ES modules",
  setup: (build) => {
    const path = join(root, "node_modules/yaml/browser/dist/index.js");
    build.onResolve({ filter: /^yaml$/ }, () => ({ path }));
  },
};

function hostArchitecture(): Architecture {
  const found = architectures.find((name) => name === process.arch);
  if (found === undefined) throw new StepError(`peapod has no library for ${process.arch}`);
  return found;
}

const [what = "all"] = process.argv.slice(2);
if (what !== "all" && what !== "package") {
  console.error(`no such build: ${what} (all, package)`);
  process.exit(2);
}
const wanted = Object.entries(steps).filter(([name]) => what === "all" || name !== "executable");
for (const [name, step] of wanted) {
  const before = performance.now();
  try {
    await step();
  } catch (error) {
    if (!(error instanceof StepError)) throw error;
    console.error(`error: building peapod, step ${name}: ${error.message}`);
    process.exit(1);
  }
  console.log(`${name} ${((performance.now() - before) / 1000).toFixed(1)} s`);
}
