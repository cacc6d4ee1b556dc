import { expect, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { resolve } from "node:path";
import packageJson from "../../package.json" with { type: "json" };
import { commands } from "../../src/cli/commands.ts";

const repository = resolve(import.meta.dir, "../..");
const program = `${repository}/pod.ts`;

interface Ran {
  readonly out: string;
  readonly err: string;
  readonly status: number;
}

async function peapod(words: readonly string[], stdin = ""): Promise<Ran> {
  const child = Bun.spawn([process.execPath, program, ...words], {
    cwd: repository,
    stdin: new TextEncoder().encode(stdin),
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  return { out, err, status: await child.exited };
}

test("the version is that of the package", async () => {
  const version = { out: `peapod ${packageJson.version}\n`, err: "", status: 0 };
  expect(await peapod(["--version"])).toEqual(version);
  expect(await peapod(["version"])).toEqual(version);
});

test("every command has help with usage, examples and flags, within 100 columns", async () => {
  for (const name of Object.keys(commands)) {
    const { out, err, status } = await peapod([name, "--help"]);
    expect({ err, status }).toEqual({ err: "", status: 0 });
    expect(out).toContain(`\nusage\n  peapod ${name}`);
    expect(out).toMatch(/\nexamples\n {2}\S/);
    expect(out.split("\n").filter((line) => line.length > 100)).toEqual([]);
    expect((await peapod(["help", name])).out).toBe(out);
  }
});

test("the help of a command is made of its flags", async () => {
  const { out } = await peapod(["down", "-h"]);
  expect(out.slice(0, out.indexOf("\nflags of every command"))).toBe(
    `End pods: the stop signal, the grace period, SIGKILL; then remove everything that is left of
them. A pod that does not exist is down already: that is said, and is no error. Ctrl-C cuts the
grace period short.

usage
  peapod down NAME… | -f FILE | -l SELECTOR | --all [flags]

examples
  peapod down web                   by name, or a unique prefix of it
  peapod down team/web db           two of them, one in another namespace
  peapod down -f web.yaml           the pods of a manifest
  peapod down -v -f web.yaml        with the volumes of their claims
  peapod down -l app=web -n team    by label, in one namespace
  peapod down --grace-period 0 web  at once

flags
  -f, --file FILE                 end the pods of this manifest, as up names it
  -R, --recursive                 with a directory: those below it as well
  -t, --grace-period, --timeout SECONDS
                                  time between the stop signal and SIGKILL (default: that of the
                                  manifest)
  -v, --volumes                   also remove the volumes of their claims, unless another pod
                                  names them
      --force                     kill at once: a grace period of 0
  -n, --namespace NAMESPACE       of pods named without one; with -l only of it
  -l, --selector, --label SELECTOR
                                  pods with these labels: app=web, tier!=db, env in (a,b),
                                  owner, !old
  -a, --all                       all pods, or with -n all of that namespace
`,
  );
});

test("without a command the overview is printed, as an error unless it was asked for", async () => {
  const asked = await peapod(["--help"]);
  expect(asked).toEqual({ out: asked.out, err: "", status: 0 });
  expect(asked.out).toStartWith("peapod: Kubernetes pods on one Linux machine\n");
  expect(await peapod([])).toEqual({ out: "", err: asked.out, status: 2 });
});

test("usage errors are exit status 2 and say what to do", async () => {
  const errors: [string[], string][] = [
    [["pss"], 'peapod has no command "pss"\n  hint   did you mean ps?'],
    [["\x1b[2J"], 'peapod has no command "\\u001b[2J"\n  hint   run peapod --help'],
    [["ps", "--al"], "peapod ps has no flag --al\n  hint   did you mean --all?"],
    [["get", "nodes"], "peapod get knows only pods\n  hint   run peapod get pods"],
    [["up"], "no manifest is given\n  hint   usage: peapod up FILE… [flags]"],
    [
      ["down"],
      "no pod is named\n  hint   usage: peapod down NAME… | -f FILE | -l SELECTOR | --all [flags]",
    ],
    [
      ["exec", "web", "ls", "-l"],
      "the command goes after --\n  hint   usage: peapod exec NAME [flags] -- COMMAND [ARGUMENT…]",
    ],
    [
      ["exec", "web", "--"],
      "the command is missing\n  hint   usage: peapod exec NAME [flags] -- COMMAND [ARGUMENT…]",
    ],
    [
      ["logs", "-p", "-f", "web"],
      "what was before the last restart grows no more\n  hint   leave out --follow",
    ],
    [
      ["logs", "web", "-c", "app", "--all-containers"],
      "--container and --all-containers exclude each other\n  hint   run peapod --help",
    ],
    [["inspect", "a", "b"], 'unexpected "b"\n  hint   usage: peapod inspect NAME [flags]'],
    [
      ["explain", "manifest.invalit"],
      'no error has the code, and no object the field, "manifest.invalit"\n  hint   did you mean manifest.invalid?',
    ],
  ];
  for (const [words, text] of errors) {
    expect(await peapod(words)).toEqual({ out: "", err: `error[cli.usage] ${text}\n`, status: 2 });
  }
});

test("with -o json errors are JSON, wherever the flag stands", async () => {
  const error = { code: "cli.usage", message: 'peapod has no command "pss"' };
  for (const words of [
    ["-o", "json", "pss"],
    ["pss", "-ojson"],
    ["pss", "--output=json"],
  ]) {
    const { out, err, status } = await peapod(words);
    expect({ out, status }).toEqual({ out: "", status: 2 });
    expect(JSON.parse(err)).toEqual({ ...error, hint: "did you mean ps?" });
  }
});

test("a manifest that cannot be read says why", async () => {
  expect(await peapod(["validate", "no/such.yaml"])).toEqual({
    out: "",
    err: `error[manifest.unreadable] cannot read no/such.yaml: there is no such file
  hint   check the name; - reads from stdin
`,
    status: 125,
  });
  expect(await peapod(["validate", "src"])).toEqual({
    out: "",
    err: `error[manifest.unreadable] cannot read src: it is a directory without manifests
  hint   manifests end in .yaml, .yml or .json; --recursive looks into the directories below
`,
    status: 125,
  });
});

const small = `apiVersion: v1
kind: Pod
metadata: { name: small }
spec:
  schedulerName: mine
  containers:
    - { name: app, image: host }
`;

test("validate says what becomes of every field", async () => {
  const { out, err, status } = await peapod(["validate", "-"], small);
  expect({ err, status }).toEqual({ err: "", status: 0 });
  expect(out).toBe(
    `PLACE          FIELD                      FATE        REASON
<stdin>:1:1    apiVersion                 supported
<stdin>:2:1    kind                       supported
<stdin>:3:13   metadata.name              supported
<stdin>:5:3    spec.schedulerName         inert       there is one host; nothing is scheduled
<stdin>:7:9    spec.containers[0].name    supported
<stdin>:7:20   spec.containers[0].image   supported
`,
  );
});

test("validate prints all errors of all files, and what is right", async () => {
  const wrong = small.replace("image: host", "imago: host").replace("schedulerName", "scheduler");
  const { out, err, status } = await peapod(["validate", "-q", "no/such.yaml", "-"], wrong);
  expect({ out, status }).toEqual({ out: "", status: 125 });
  expect(err.match(/^error\[.*$/gm)).toEqual([
    "error[manifest.unreadable] cannot read no/such.yaml: there is no such file",
    expect.stringContaining("error[manifest.unknown-field] spec.scheduler"),
    expect.stringContaining("spec.containers[0].image: required value"),
    expect.stringContaining("error[manifest.unknown-field] spec.containers[0].imago"),
  ]);
});

test("explain prints the catalog", async () => {
  expect(await peapod(["explain", "cli.usage"])).toEqual({
    out: `cli.usage
  means  The command line was not understood.
  hint   run peapod --help
`,
    err: "",
    status: 0,
  });
  const { out } = await peapod(["explain", "-o", "yaml", "cli.usage"]);
  expect(out).toBe(
    "code: cli.usage\nmeaning: The command line was not understood.\nhint: run peapod --help\n",
  );
});

test("explain says what becomes of a field, however it is written", async () => {
  const explain = async (field: string) => (await peapod(["explain", field])).out.split("\n");
  expect(await explain("spec.containers[0].lifecycle.preStop.sleep")).toEqual([
    "KIND   FIELD                                               FATE        REASON",
    "Pod    spec.containers[].lifecycle.preStop.sleep.seconds   supported",
    "",
  ]);
  const plugin = "network storage plugins are not supported; mount it on the host and use hostPath";
  expect((await explain("volumes.nfs.server"))[1]).toBe(
    `Pod    spec.volumes[].nfs   refused   ${plugin}`,
  );
  const whole = await explain("deployment.spec.strategy");
  expect(whole[1]).toStartWith("Deployment   spec.strategy   inert");
  const data = JSON.parse((await peapod(["explain", "-o", "json", "spec.priority"])).out);
  expect(data).toEqual([
    {
      kind: "Pod",
      field: "spec.priority",
      fate: "inert",
      reason: "there is one host; nothing is scheduled",
    },
  ]);
});

test("nobody reading the output is no error", async () => {
  const child = Bun.spawn(
    ["sh", "-c", `"$1" "$2" explain; echo "status $?" >&2`, "sh", process.execPath, program],
    { stdout: "pipe", stderr: "pipe" },
  );
  await child.stdout.cancel();
  // Either it wrote before the pipe broke, or it ends as a program does that SIGPIPE ended.
  expect(await child.stderr.text()).toMatch(/^status (0|141)\n$/);
});

test("the script ignores what Bun would load from a hostile directory", async () => {
  const directory = mkdtempSync(`${tmpdir()}/peapod-hostile-`);
  try {
    writeFileSync(`${directory}/bunfig.toml`, 'preload = ["./evil.ts"]\n');
    writeFileSync(`${directory}/evil.ts`, 'console.log("evil");\n');
    writeFileSync(`${directory}/.env`, "NO_COLOR=1\nPEAPOD_STATE=/evil\n");
    chmodSync(program, 0o755);
    const child = Bun.spawn([program, "--version"], {
      cwd: directory,
      env: { ...process.env, PATH: `${repository}/node_modules/.bin:${process.env.PATH}` },
      stdout: "pipe",
      stderr: "pipe",
    });
    const [out, err] = await Promise.all([child.stdout.text(), child.stderr.text()]);
    expect({ out, err }).toEqual({ out: `peapod ${packageJson.version}\n`, err: "" });
    expect(await child.exited).toBe(0);
  } finally {
    rmSync(directory, { recursive: true });
  }
});
