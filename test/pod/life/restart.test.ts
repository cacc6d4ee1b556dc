import { describe, expect, test } from "bun:test";
import type { RestartTerms } from "../../../src/pod/life/restart.ts";
import { judgeExit } from "../../../src/pod/life/restart.ts";

const regular: RestartTerms = { kind: "container", podPolicy: "Always", rules: [] };
const judge = (terms: Partial<RestartTerms>, exitCode: number, isProbeKill = false) =>
  judgeExit({ ...regular, ...terms }, { exitCode, isProbeKill });

describe("whether a container runs again", () => {
  test("is what the pod's policy says of its exit code", () => {
    const policies = ["Always", "OnFailure", "Never"] as const;
    expect(policies.map((podPolicy) => [judge({ podPolicy }, 0), judge({ podPolicy }, 1)])).toEqual(
      [
        ["restart", "restart"],
        ["no", "restart"],
        ["no", "no"],
      ],
    );
  });

  test("its own policy goes before the pod's", () => {
    expect(judge({ ownPolicy: "Never" }, 1)).toBe("no");
    expect(judge({ podPolicy: "Never", ownPolicy: "OnFailure" }, 1)).toBe("restart");
  });

  test("an init container that has succeeded does not, whatever the pod's policy", () => {
    expect(judge({ kind: "init" }, 0)).toBe("no");
    expect(judge({ kind: "init" }, 1)).toBe("restart");
    expect(judge({ kind: "init", podPolicy: "Never" }, 1)).toBe("no");
  });

  test("a sidecar always does, an ephemeral container never", () => {
    expect(judge({ kind: "sidecar", podPolicy: "Never" }, 0)).toBe("restart");
    expect(judge({ kind: "ephemeral" }, 1)).toBe("no");
  });

  test("the first rule that fits its exit code decides before any policy", () => {
    const rules = [
      { action: "RestartAllContainers", operator: "In", exitCodes: [88] },
      { action: "Restart", operator: "NotIn", exitCodes: [0, 1] },
    ] as const;
    const codes = [0, 1, 2, 88];
    expect(codes.map((code) => judge({ ownPolicy: "Never", rules }, code))).toEqual([
      "no",
      "no",
      "restart",
      "restart-all",
    ]);
  });

  test("rules and exit codes do not count for what a probe had killed", () => {
    const rules = [{ action: "RestartAllContainers", operator: "In", exitCodes: [137] }] as const;
    expect(judge({ podPolicy: "OnFailure", rules }, 137, true)).toBe("restart");
    expect(judge({ podPolicy: "OnFailure" }, 0, true)).toBe("restart");
    expect(judge({ podPolicy: "Never" }, 137, true)).toBe("no");
  });
});
