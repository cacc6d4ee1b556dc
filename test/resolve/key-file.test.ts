import { describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { readKeyFile } from "../../src/resolve/key-file.ts";
import type { ResolveOptions } from "../../src/resolve/pod.ts";
import type { HostPath } from "../../src/spec/paths.ts";
import type { EnvSource } from "../../src/spec/pod-spec.ts";
import { refusal, resolved, someUid, specOf } from "../support/specs.ts";

describe("fileKeyRef", () => {
  test("the grammar of the file", () => {
    const text = `# comment\n\n  A='one' # behind\nB='two\nlines'\nC= 'x'\nD='#'\nA='second'\n`;
    expect(["A", "B", "C", "D", "E"].map((name) => readKeyFile(text, name))).toEqual([
      "one",
      "two\nlines",
      "",
      "#",
      "",
    ]);
    for (const [wrong, why] of [
      ["A", "line 1 has no '='"],
      ["A ='x'", "line 1 has a blank before '='"],
      ["='x'", "line 1 has no name before '='"],
      ["\nA=x", "line 2 has a value without single quotes"],
      ["A='x' y", "line 1 goes on after the closing quote"],
      ["A='x\ny", "line 1 has a quote that is never closed"],
      [`A='${"x".repeat(65_536)}'`, "line 1 is too long"],
    ] as const) {
      expect(() => readKeyFile(`${wrong}\n`, "Z")).toThrow(why);
    }
  });

  test("is read from the pod's emptyDir, where no link leads out", () => {
    const folder = mkdtempSync(join(tmpdir(), "peapod-key-file-"));
    const volume = join(folder, "pods", someUid, "work.volume");
    mkdirSync(volume, { recursive: true });
    writeFileSync(join(volume, "app.env"), "TOKEN='abc'\nBROKEN\n");
    writeFileSync(join(folder, "outside"), "TOKEN='outside'\n");
    symlinkSync(join(folder, "outside"), join(volume, "link"));
    const places: ResolveOptions["places"] = {
      root: folder as HostPath,
      state: "/run/peapod" as HostPath,
      logs: "/var/log/pods" as HostPath,
    };
    const volumes = [
      { name: "work", field: "spec.volumes[0]", kind: "emptyDir", medium: "" },
    ] as const;
    const file = (path: string, wanted: string, optional = false): EnvSource => ({
      field: "spec.containers[0].env[0]",
      kind: "file",
      name: "X",
      volume: "work",
      path,
      key: wanted,
      optional,
    });
    const envOf = (source: EnvSource) =>
      resolved(specOf({ env: [source] }, { volumes }), { places }).containers[0]?.env.slice(3);
    const complaint = (source: EnvSource) =>
      refusal(specOf({ env: [source] }, { volumes }), { places }).split("\n")[0];
    expect(envOf(file("app.env", "TOKEN"))).toEqual(["X=abc"]);
    expect(complaint(file("app.env", "LATER"))).toContain("line 2 has no '='");
    expect(complaint(file("gone", "TOKEN"))).toContain(
      "the file gone of volume work does not exist",
    );
    expect(envOf(file("gone", "TOKEN", true))).toEqual([]);
    expect(complaint(file("link", "TOKEN", true))).toContain("ELOOP");
    const memory = [{ ...volumes[0], medium: "Memory" }] as const;
    const spec = specOf({ env: [file("app.env", "TOKEN")] }, { volumes: memory });
    expect(refusal(spec, { places })).toContain("the volume is in memory, where nobody but");
    rmSync(folder, { recursive: true });
  });
});
