// Completion, asked of the shells themselves.

import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { commands } from "../../src/cli/commands.ts";
import { testOrSkip } from "../support/must-run.ts";

const program = resolve(import.meta.dir, "../../pod.ts");
const folder = mkdtempSync(join(tmpdir(), "peapod-completion-"));
afterAll(() => rmSync(folder, { recursive: true }));

/** A peapod that has two pods, for the questions that completion asks. */
beforeAll(() => {
  const fake = join(folder, "peapod");
  writeFileSync(
    fake,
    `#!/bin/sh
case "$1" in
  ps) printf 'web\\nteam/db\\n' ;;
  completion) printf 'app\\nproxy\\n' ;;
esac
`,
  );
  chmodSync(fake, 0o755);
  for (const shell of ["bash", "zsh", "fish"]) {
    const { stdout } = Bun.spawnSync([process.execPath, program, "completion", shell]);
    writeFileSync(join(folder, shell), stdout);
  }
});

function run(...words: string[]) {
  const env = { ...process.env, PATH: `${folder}:${process.env.PATH}`, HOME: folder };
  const { stdout, stderr, exitCode } = Bun.spawnSync(words, { env, cwd: folder });
  return { out: stdout.toString(), err: stderr.toString(), status: exitCode };
}

describe("bash", () => {
  function complete(...words: string[]): string[] {
    const script = `source ./bash; COMP_WORDS=("$@"); COMP_CWORD=$(($#-1)); _peapod
      printf '%s\\n' "\${COMPREPLY[@]}"`;
    const { out, err } = run("bash", "-c", script, "bash", "peapod", ...words);
    // Outside of a completion there is no compopt.
    expect(err.replaceAll(/^.*compopt: not currently executing completion function\n/gm, "")).toBe(
      "",
    );
    return out.split("\n").filter(Boolean);
  }

  test("knows every command", () => {
    for (const name of Object.keys(commands)) expect(complete(name)).toContain(name);
    expect(complete("unp")).toEqual(["unpause"]);
  });

  test("offers pods, the containers of one, choices and flags", () => {
    expect(complete("logs", "")).toEqual(["web", "team/db"]);
    expect(complete("logs", "web", "-c", "")).toEqual(["app", "proxy"]);
    expect(complete("ps", "-o", "y")).toEqual(["yaml"]);
    expect(complete("agent", "st")).toEqual(["status", "start", "stop"]);
    expect(complete("logs", "--fol")).toEqual(["--follow"]);
    expect(complete("completion", "z")).toEqual(["zsh"]);
  });

  test("offers files where a manifest is wanted", () => {
    writeFileSync(join(folder, "web.yaml"), "");
    expect(complete("up", "we")).toEqual(["web.yaml"]);
    expect(complete("down", "-f", "we")).toEqual(["web.yaml"]);
  });
});

const zsh = testOrSkip(Bun.which("zsh") !== null, "zsh is not installed");
zsh("zsh reads its script", () => {
  expect(run("zsh", "-n", "./zsh")).toEqual({ out: "", err: "", status: 0 });
  const load = "autoload -Uz compinit; compinit -u -D; source ./zsh; print $_comps[peapod]";
  expect(run("zsh", "-f", "-c", load)).toEqual({ out: "_peapod\n", err: "", status: 0 });
});

const fish = testOrSkip(Bun.which("fish") !== null, "fish is not installed");
fish("fish completes commands, pods, containers, choices and flags", () => {
  const complete = (line: string) => {
    const { out, err } = run("fish", "-N", "-c", `source ./fish; complete -C '${line}'`);
    expect(err).toBe("");
    return out
      .split("\n")
      .map((found) => found.split("\t")[0] ?? "")
      .filter(Boolean);
  };
  expect(complete("peapod unp")).toEqual(["unpause"]);
  expect(complete("peapod logs ").toSorted()).toEqual(["team/db", "web"]);
  expect(complete("peapod logs web -c ").toSorted()).toEqual(["app", "proxy"]);
  expect(complete("peapod ps -o y")).toEqual(["yaml"]);
  expect(complete("peapod logs --fol")).toEqual(["--follow"]);
});
