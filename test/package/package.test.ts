// From the sources to a tarball, into somebody else's project, and to a running pod.

import { afterAll, beforeAll, describe, expect } from "bun:test";
import { existsSync, readFileSync, renameSync, rmSync } from "node:fs";
import { dirname, join } from "node:path";
import { root } from "../../scripts/library.mjs";
import { testOrSkip } from "../support/must-run.ts";
import { type Consumer, createConsumer, run, writeFiles } from "./consumer.ts";

const timeoutMs = 120_000;
const npmTest = testOrSkip(Bun.which("npm") !== null, "needs npm");
const rootTest = testOrSkip(
  Bun.which("npm") !== null && process.getuid?.() === 0,
  "needs npm and root",
);

let consumer: Consumer;
/** Nothing of the host's own pods is touched. */
let places: Record<string, string>;

beforeAll(() => {
  if (Bun.which("npm") === null) return;
  consumer = createConsumer();
  const base = dirname(consumer.folder);
  places = {
    PEAPOD_ROOT: join(base, "root"),
    PEAPOD_STATE: join(base, "state"),
    PEAPOD_LOGS: join(base, "logs"),
  };
}, timeoutMs);

afterAll(() => {
  if (consumer) rmSync(dirname(consumer.folder), { recursive: true, force: true });
});

const pod = `apiVersion: v1
kind: Pod
metadata: {name: packed}
spec:
  restartPolicy: Never
  containers:
  - {name: main, image: host, command: [sh, -c, "echo from the package; exit 3"]}
`;

/** As a user would write it, with nothing but `strict`. */
const program = `import { openPeapod, PodError, type Pod, type PodManifest } from "peapod";

const manifest: PodManifest = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "packed" },
  spec: {
    restartPolicy: "Never",
    containers: [{ name: "main", image: "host", command: ["sh", "-c", "exit 3"] }],
  },
};
// @ts-expect-error: containers are a list
export const wrong: PodManifest = { ...manifest, spec: { containers: "main" } };

async function exitCodeOf(pod: Pod): Promise<number> {
  return (await pod.container("main").exited).exitCode;
}

try {
  await using peapod = await openPeapod();
  await using pod = await peapod.up(manifest);
  console.log("exit code", await exitCodeOf(pod));
} catch (error) {
  console.log(error instanceof PodError ? error.code : error);
}
`;

describe("the package", () => {
  npmTest("holds the module, the command, both libraries, and no install script", () => {
    const { stdout } = run(["tar", "-tzf", consumer.tarball], consumer.folder);
    const places = stdout
      .trim()
      .split("\n")
      .map((path) => path.replace(/^package\//, ""))
      .map((path) => path.replace(/^dist\/(js|types)\/.*/, "dist/$1/"))
      .filter((path) => !/^(README|CHANGELOG)\.md$/.test(path));
    expect([...new Set(places)].sort()).toEqual([
      "LICENSE",
      "dist/js/",
      "dist/types/",
      "lib/linux-arm64/libpeapod.so",
      "lib/linux-x64/libpeapod.so",
      "package.json",
    ]);
    const { scripts } = JSON.parse(readFileSync(join(root, "package.json"), "utf8"));
    for (const name of ["preinstall", "install", "postinstall"]) {
      expect(scripts).not.toHaveProperty(name);
    }
  });

  for (const module of ["preserve", "nodenext"]) {
    npmTest(
      `type-checks in a strict project with module ${module}`,
      () => {
        const compilerOptions = { strict: true, noEmit: true, target: "esnext", types: [], module };
        writeFiles(consumer.folder, {
          "main.ts": program,
          "tsconfig.json": JSON.stringify({ compilerOptions, files: ["main.ts"] }),
        });
        const compiler = join(root, "node_modules/.bin/tsc");
        expect(run([compiler, "--pretty", "false"], consumer.folder)).toEqual({
          stdout: "",
          stderr: "",
          exitCode: 0,
        });
      },
      timeoutMs,
    );
  }

  rootTest(
    "runs a pod from a program, from the installed command and from the executable",
    () => {
      writeFiles(consumer.folder, { "main.ts": program, "pod.yaml": pod });
      const ran = run([process.execPath, "main.ts"], consumer.folder, places);
      expect(ran.stdout).toBe("exit code 3\n");
      for (const peapod of [consumer.command, consumer.executable]) {
        const up = run([peapod, "up", "pod.yaml"], consumer.folder, places);
        expect(up.stdout).toBe("main | from the package\n");
        expect(up.exitCode).toBe(3);
      }
    },
    timeoutMs,
  );
});

describe("a hostile working directory", () => {
  const plant =
    'require("node:fs").writeFileSync(require("node:path").join(__dirname, "planted"), "");';
  const bait: Readonly<Record<string, string>> = {
    ".env": "PEAPOD_STATE=/named/in/dot-env\n",
    "bunfig.toml": 'preload = ["./plant.cjs"]\n',
    "tsconfig.json": JSON.stringify({ compilerOptions: { paths: { "*": ["./plant.cjs"] } } }),
  };
  const around = { "plant.cjs": plant, "node_modules/zod/index.js": plant, "pod.yaml": pod };

  const folderWith = (name: string, files: Readonly<Record<string, string>>) =>
    writeFiles(join(dirname(consumer.folder), name), files);

  /** The plan names the place of the state, which `.env` would change. */
  function planIn(folder: string, command: string[]): { isTrapped: boolean; stdout: string } {
    const { PEAPOD_STATE: _unset, ...env } = places;
    const { stdout } = run([...command, "plan", "pod.yaml"], folder, env);
    const isPlanted = existsSync(join(folder, "planted"));
    return { isTrapped: isPlanted || stdout.includes("/named/in/dot-env/"), stdout };
  }

  for (const [name, text] of Object.entries(bait)) {
    npmTest(`has a trap in ${name} for what bun runs as it runs everything`, () => {
      const script = join(consumer.folder, "node_modules/peapod/dist/js/pod.js");
      const folder = folderWith(`trap-${name}`, { ...around, [name]: text });
      expect(planIn(folder, [process.execPath, script]).isTrapped).toBe(true);
    });
  }

  for (const kind of ["command", "executable"] as const) {
    npmTest(`changes nothing for the ${kind}`, () => {
      const clean = folderWith(`clean-${kind}`, { "pod.yaml": pod });
      const expected = planIn(clean, [consumer[kind]]).stdout;
      expect(expected).toContain("open_directory");
      const hostile = folderWith(`hostile-${kind}`, { ...around, ...bait });
      expect(planIn(hostile, [consumer[kind]])).toEqual({ isTrapped: false, stdout: expected });
      const below = folderWith(`hostile-${kind}/below`, { "pod.yaml": pod });
      expect(planIn(below, [consumer[kind]])).toEqual({ isTrapped: false, stdout: expected });
      expect(existsSync(join(hostile, "planted"))).toBe(false);
    });
  }
});

describe("the library", () => {
  const libraryPath = () =>
    join(consumer.folder, `node_modules/peapod/lib/linux-${process.arch}/libpeapod.so`);

  /** The error of a start while another file, or none, is in the library's place. */
  function upWith(replace: (path: string) => void): string {
    const path = libraryPath();
    renameSync(path, `${path}.kept`);
    try {
      replace(path);
      writeFiles(consumer.folder, { "pod.yaml": pod });
      const { stderr } = run([consumer.command, "up", "pod.yaml"], consumer.folder, places);
      return stderr.replaceAll(path, "LIBRARY").replace(/^warning .*\n/gm, "");
    } finally {
      renameSync(`${path}.kept`, path);
    }
  }

  rootTest("is missed by name, with a remedy", () => {
    expect(upWith(() => undefined)).toBe(
      `error[host.library-missing] the library LIBRARY does not exist
  hint   in a checkout run: npm run build:library; elsewhere reinstall peapod
`,
    );
  });

  rootTest(
    "of another version is refused, with a remedy",
    () => {
      const source = `export fn peapod_layout() u64 { return 1; }
export fn peapod_syscall(_: u64) i64 { return 0; }
export fn peapod_spawn(_: u64) i32 { return 0; }
export fn peapod_describe(_: u64) i64 { return 0; }
`;
      const folder = writeFiles(join(dirname(consumer.folder), "stale"), { "stale.zig": source });
      const build = (path: string) => {
        const flags = ["build-lib", "-dynamic", "-OReleaseSmall", "stale.zig"];
        run(["zig", ...flags, `-femit-bin=${path}`], folder);
      };
      expect(upWith(build)).toBe(
        `error[host.library-stale] the library LIBRARY was built from other sources than this program
  hint   in a checkout run: npm run build:library; elsewhere reinstall peapod
`,
      );
    },
    timeoutMs,
  );
});
