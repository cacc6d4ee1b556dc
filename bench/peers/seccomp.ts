// peapod's default seccomp profile in the words of an OCI configuration.
import { runtimeDefault } from "../../src/plan/seccomp/runtime-default.ts";
import { ruleApplies, type SeccompTarget } from "../../src/plan/seccomp/profile.ts";
import type { ArgumentTest, SeccompAction, SeccompRule } from "../../src/spec/seccomp.ts";

type OciArgument = {
  readonly index: number;
  readonly value: number;
  readonly valueTwo?: number;
  readonly op: string;
};

export type OciSyscall = {
  readonly names: readonly string[];
  readonly action: string;
  readonly errnoRet?: number;
  readonly args?: readonly OciArgument[];
};

/**
 * The rules that apply to such a container. What can't be said: an answer of its own for numbers
 * that the table does not have, and for foreign ABIs, which libseccomp kills.
 */
export function ociSeccomp(target: SeccompTarget): object {
  const decided = new Set<string>();
  const syscalls = runtimeDefault.rules
    .filter((rule) => ruleApplies(rule, target))
    .flatMap((rule) => {
      // The first rule without a question decides; libseccomp would see a contradiction.
      const names = rule.names.filter((name) => !decided.has(name));
      if (rule.arguments === undefined) for (const name of names) decided.add(name);
      return names.length === 0 ? [] : ociRules({ ...rule, names });
    });
  return {
    ...ociAction(runtimeDefault.otherwise, "defaultAction", "defaultErrnoRet"),
    architectures: [target.arch === "arm64" ? "SCMP_ARCH_AARCH64" : "SCMP_ARCH_X86_64"],
    syscalls,
  };
}

function ociRules({ names, action, arguments: tests }: SeccompRule): OciSyscall[] {
  const said = ociAction(action, "action", "errnoRet") as Pick<OciSyscall, "action" | "errnoRet">;
  const [test, another] = tests ?? [];
  if (test === undefined) return [{ names, ...said }];
  if (another !== undefined) throw new Error("the default profile asks about one argument a rule");
  // Rules for the same call are alternatives.
  return ociArguments(test).map((one) => ({ names, ...said, args: [one] }));
}

function ociArguments(test: ArgumentTest): OciArgument[] {
  const { index } = test;
  switch (test.kind) {
    case "one-of":
      return test.values.map((value) => ({ index, value, op: "SCMP_CMP_EQ" }));
    case "masked":
      return [{ index, value: test.mask, valueTwo: test.equals, op: "SCMP_CMP_MASKED_EQ" }];
    case "none-of":
      return around(
        index,
        test.values.toSorted((a, b) => a - b),
      );
    case "compare":
      throw new Error("the default profile looks at the low half of an argument");
    default:
      return test satisfies never;
  }
}

/** "None of" would be one rule with two questions about one argument, which libseccomp refuses. */
function around(index: number, values: readonly number[]): OciArgument[] {
  const first = values[0] ?? 0;
  const last = values.at(-1) ?? 0;
  const between = Array.from({ length: last - first }, (_, offset) => first + offset);
  return [
    { index, value: first, op: "SCMP_CMP_LT" },
    ...between
      .filter((value) => !values.includes(value))
      .map((value) => ({ index, value, op: "SCMP_CMP_EQ" })),
    { index, value: last, op: "SCMP_CMP_GT" },
  ];
}

function ociAction(
  action: SeccompAction,
  name: string,
  errnoName: string,
): Record<string, string | number> {
  switch (action.kind) {
    case "allow":
      return { [name]: "SCMP_ACT_ALLOW" };
    case "errno":
      return { [name]: "SCMP_ACT_ERRNO", [errnoName]: action.errno };
    case "log":
      return { [name]: "SCMP_ACT_LOG" };
    case "kill-process":
      return { [name]: "SCMP_ACT_KILL_PROCESS" };
    case "kill-thread":
    case "trap":
    case "trace":
      throw new Error(`the default profile has no action ${action.kind}`);
    default:
      return action satisfies never;
  }
}
