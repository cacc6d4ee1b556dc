// cp: what lands where and as what, without a program inside, and what hostile trees cannot do.

import { afterAll, beforeAll, describe, expect } from "bun:test";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  readlinkSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CliHost } from "../support/cli-host.ts";
import { openCliHost } from "../support/cli-host.ts";
import { hostMissing } from "../support/host.ts";
import { testOrSkip } from "../support/must-run.ts";
import { tarOf } from "../support/tar.ts";

const test = testOrSkip(hostMissing === undefined, hostMissing ?? "");

let cli: CliHost;
let folder = "";
beforeAll(async () => {
  if (hostMissing !== undefined) return;
  cli = await openCliHost();
  folder = mkdtempSync(join(tmpdir(), "peapod-cp-"));
  const calm = "trap 'exit 0' TERM; while :; do sleep 0.05; done";
  const volumes = { volumes: [{ name: "data", emptyDir: {} }] };
  for (const [name, spec] of [
    ["box", volumes],
    ["nsbox", { ...volumes, hostUsers: false }],
  ] as const) {
    const mounts = { volumeMounts: [{ name: "data", mountPath: "/data" }] };
    const file = cli.manifest(name, { app: calm, other: calm }, mounts);
    const pod = (await Bun.file(file).json()) as { spec: object };
    await Bun.write(file, JSON.stringify({ ...pod, spec: { ...pod.spec, ...spec } }));
    const { err, status } = await peapod("up", "-d", file);
    if (status !== 0) throw new Error(err);
  }
});
afterAll(async () => {
  if (hostMissing !== undefined) return;
  await peapod("down", "box", "nsbox", "-t", "0");
  rmSync(folder, { recursive: true, force: true });
  await cli[Symbol.asyncDispose]();
}, 60_000);

const peapod = (...words: string[]) => cli.run(words);
const here = (...parts: string[]) => join(folder, ...parts);

async function inBox(script: string, pod = "box", container = "app"): Promise<string> {
  const { out, err, status } = await peapod("exec", pod, "-c", container, "--", "sh", "-c", script);
  if (status !== 0) throw new Error(`${script}: ${out}${err}`);
  return out;
}

async function copied(...words: string[]): Promise<void> {
  expect(await peapod("cp", ...words)).toEqual({ out: "", err: "", status: 0 });
}

describe("names", () => {
  test("a file keeps its content, mode and time, both ways", async () => {
    writeFileSync(here("one.txt"), "one\n", { mode: 0o640 });
    utimesSync(here("one.txt"), 1_000_000, 1_000_000);
    await copied(here("one.txt"), "box:/tmp/");
    expect(await inBox("cat /tmp/one.txt; stat -c '%a %u %Y' /tmp/one.txt")).toBe(
      "one\n640 0 1000000\n",
    );
    await copied("box:/tmp/one.txt", here("back.txt"));
    const { mode, mtimeMs } = statSync(here("back.txt"));
    expect([readFileSync(here("back.txt"), "utf8"), mode & 0o7777, mtimeMs]).toEqual([
      ...["one\n", 0o640, 1_000_000_000],
    ]);
  });

  test("a target that is not there names the copy; a file that is gives way", async () => {
    writeFileSync(here("two.txt"), "two\n");
    await copied(here("two.txt"), "box:/tmp/renamed");
    await copied(here("two.txt"), "box:/tmp/one.txt");
    expect(await inBox("cat /tmp/renamed /tmp/one.txt")).toBe("two\ntwo\n");
  });

  test("a directory goes into one that is there, its content with /., or becomes a new one", async () => {
    mkdirSync(here("site/sub"), { recursive: true });
    writeFileSync(here("site/index"), "i");
    writeFileSync(here("site/sub/ünï"), "u");
    symlinkSync("index", here("site/link"));
    await copied(here("site"), "box:/data");
    await copied(`${here("site")}/.`, "box:/data");
    await copied(here("site"), "box:/data/fresh");
    const list = "find . | LC_ALL=C sort | tr '\\n' ' '";
    const tree = ". ./index ./link ./sub ./sub/ünï ";
    expect(await inBox(`cd /data/site; ${list}`)).toBe(tree);
    expect(await inBox(`cd /data/fresh; ${list}; readlink link`)).toBe(`${tree}index\n`);
    expect(await inBox("ls /data")).toBe("fresh\nindex\nlink\nsite\nsub\n");
    await copied("box:/data/fresh", folder);
    expect(readdirSync(here("fresh")).toSorted()).toEqual(["index", "link", "sub"]);
    expect(readlinkSync(here("fresh/link"))).toBe("index");
  });

  test("another container, another namespace of users, and from pod to pod", async () => {
    await inBox("echo other > /tmp/of-other", "box", "other");
    await copied("-c", "other", "box:/tmp/of-other", here("of-other"));
    expect(readFileSync(here("of-other"), "utf8")).toBe("other\n");
    await copied(here("of-other"), "nsbox:/tmp/");
    expect(await inBox("stat -c '%u %g' /tmp/of-other", "nsbox")).toBe("0 0\n");
    await copied("nsbox:/tmp/of-other", "box:/tmp/from-nsbox");
    expect(await inBox("cat /tmp/from-nsbox; stat -c %u /tmp/from-nsbox")).toBe("other\n0\n");
  });

  test("- is an archive, to stdout and from stdin", async () => {
    await inBox("mkdir -p /tmp/tree/d; echo x > /tmp/tree/d/x; ln /tmp/tree/d/x /tmp/tree/y");
    const out = Bun.spawnSync(["tar", "-C", folder, "-x"], {
      stdin: Buffer.from((await rawCp("box:/tmp/tree", "-")) as Uint8Array),
    });
    expect(out.exitCode).toBe(0);
    expect(readFileSync(here("tree/d/x"), "utf8")).toBe("x\n");
    expect(statSync(here("tree/y")).nlink).toBe(2);
    const archive = tarOf([{ name: "from/tar.txt", content: "tarred" }]);
    await rawCp("-", "box:/data", archive);
    expect(await inBox("cat /data/from/tar.txt")).toBe("tarred");
  });

  test("what cannot be is said", async () => {
    const wrong = async (...words: string[]) => (await peapod("cp", ...words)).err.split("\n");
    expect(await wrong("box:/nope", here("x"))).toEqual([
      "error[file.unusable] box:/nope does not exist",
      "  hint   paths are resolved inside the container; links that leave it are not followed",
      "",
    ]);
    expect((await wrong(here("site"), "box:/etc/passwd"))[1]).toBe(
      "  step   it is not a directory, and a directory is copied",
    );
    expect((await wrong(here("one.txt"), "box:/none/"))[1]).toBe(
      "  step   there is no such directory",
    );
    expect((await wrong("a", "b"))[0]).toBe("error[cli.usage] neither names a pod");
  });
});

async function rawCp(from: string, to: string, input?: Uint8Array): Promise<Uint8Array> {
  const program = join(import.meta.dir, "../../pod.ts");
  const child = Bun.spawn([process.execPath, program, ...cli.host.flags, "cp", from, to], {
    stdin: input ?? "ignore",
    stdout: "pipe",
    stderr: "pipe",
  });
  const [out, err] = await Promise.all([child.stdout.bytes(), child.stderr.text()]);
  if ((await child.exited) !== 0) throw new Error(err);
  return out;
}

describe("hostile trees", () => {
  test("links of a container lead nowhere on the host, on the way in or out", async () => {
    writeFileSync(here("secret"), "of the host");
    const outside = here("outside");
    mkdirSync(outside);
    await inBox(`mkdir -p /tmp/evil; ln -sfn ${folder} /tmp/evil/away; ln -s ${outside} /tmp/out`);
    // Read through a link that would lead out: it leads into the container's own root.
    expect((await peapod("cp", "box:/tmp/evil/away/secret", here("stolen"))).status).toBe(125);
    expect(existsSync(here("stolen"))).toBe(false);
    expect((await peapod("cp", here("secret"), "box:/tmp/out/")).status).toBe(125);
    expect(readdirSync(outside)).toEqual([]);
    await copied("box:/tmp/evil", folder);
    expect(readlinkSync(here("evil/away"))).toBe(folder);
  });

  test("an archive does not write through its own links, nor above its directory", async () => {
    const target = here("target");
    mkdirSync(target);
    const archives = [
      [
        { name: "l", flag: "2", link: folder },
        { name: "l/escaped", content: "x" },
      ],
      [{ name: "../escaped", content: "x" }],
      [{ name: "/tmp/escaped", content: "x" }],
    ];
    for (const entries of archives) {
      const failure = await rawCp("-", "box:/tmp", tarOf(entries)).catch(String);
      expect(failure).toContain("error[file.unusable]");
    }
    expect(await inBox("ls /escaped /tmp/escaped 2>/dev/null; true")).toBe("");
    expect(existsSync(here("escaped"))).toBe(false);
  });

  test("a set-id program and its owner stay behind, unless -a asks for them", async () => {
    await inBox(
      "mkdir -p /tmp/bits; cp /bin/true /tmp/bits/su; chown 7:8 /tmp/bits/su; chmod 6755 /tmp/bits/su",
    );
    await copied("box:/tmp/bits", here("plain"));
    const plain = statSync(here("plain/su"));
    expect([plain.mode & 0o7777, plain.uid]).toEqual([0o755, process.getuid?.() ?? -1]);
    await copied("-a", "box:/tmp/bits", here("archived"));
    const { mode, uid, gid } = statSync(here("archived/su"));
    expect([mode & 0o7777, uid, gid]).toEqual([0o6755, 7, 8]);
  });

  test("devices and FIFOs are left out and said, and /proc has no end of it", async () => {
    await inBox("mkdir -p /tmp/odd; mkfifo /tmp/odd/fifo; echo ok > /tmp/odd/file");
    const { err, status } = await peapod("cp", "box:/tmp/odd", here("odd"));
    expect({ err, status }).toEqual({
      ...{ err: "warning left out odd/fifo: it is a device or a FIFO\n", status: 0 },
    });
    expect(readdirSync(here("odd"))).toEqual(["file"]);
    await copied("box:/proc", here("proc"));
    expect(readdirSync(here("proc"))).toEqual([]);
    await copied("box:/proc/1/limits", here("limits"));
    expect(readFileSync(here("limits"), "utf8")).toContain("Max open files");
  });

  test("a directory whose names change while it is copied harms nobody", async () => {
    await inBox(
      "mkdir -p /tmp/race/d && (cd /tmp/race; (while [ ! -e stop ]; do " +
        `mv d e; ln -s ${folder} d; rm d; mv e d; done) >/dev/null 2>&1 &) ; true`,
    );
    mkdirSync(here("source"));
    writeFileSync(here("source/planted"), "x");
    for (let round = 0; round < 10; round++) {
      await peapod("cp", here("source/planted"), "box:/tmp/race/d/");
      await peapod("cp", "box:/tmp/race", here("raced"));
    }
    await inBox("touch /tmp/race/stop");
    expect(existsSync(here("planted"))).toBe(false);
    expect(existsSync(here("raced/d/source"))).toBe(false);
  });
});
