import { expect, test } from "bun:test";
import { printError } from "../../src/errors/pod-error.ts";
import { explainReply } from "../../src/launch/explain.ts";
import type { Reply } from "../../src/launch/keeper-client.ts";
import { calls } from "../../src/plan/abi.gen.ts";
import { printPodPlan } from "../../src/pod/plans.ts";
import { planContainer } from "../../src/plan/container.ts";
import { noObjects } from "../../src/spec/objects.ts";
import type { HostPath } from "../../src/spec/paths.ts";
import { originOf } from "../../src/spec/pod-spec.ts";
import type { EnvSource } from "../../src/spec/pod-spec.ts";
import { dataObject, resolved, someFacts, specOf } from "../support/specs.ts";

const canary = "c4n4ry";
const field = "spec.containers[0].env[0]";
const env: readonly EnvSource[] = [
  {
    field,
    kind: "key",
    name: "PASSWORD",
    object: "secret",
    objectName: "db",
    key: "password",
    optional: false,
  },
  { field, kind: "value", name: "URL", value: "postgres://me:$(PASSWORD)@db" },
  { field, kind: "value", name: "OPEN", value: "to see" },
];
const spec = specOf(
  { env, command: ["$(PASSWORD)"], args: ["--url=$(URL)", "--open=$(OPEN)"] },
  { objects: { ...noObjects, secrets: new Map([dataObject("db", { password: canary })]) } },
);
const places = {
  root: "/var/lib/peapod" as HostPath,
  state: "/run/peapod" as HostPath,
  logs: "/var/log/pods" as HostPath,
};
const print = (showSecrets: boolean) =>
  printPodPlan(spec, someFacts, {
    places,
    ids: { firstId: 0, count: 0, claim: "" },
    podPidsMax: 4096,
    missingControllers: "warn",
    warn: () => {},
    images: undefined,
    showSecrets,
  });

test("a plan shows no value of a Secret unless it is told to", () => {
  const text = print(false);
  expect(text).not.toContain(canary);
  expect(text).toContain(`"PASSWORD=<secret>" "URL=<secret>" "OPEN=to see"`);
  expect(text).toContain(`arguments=["<secret>" "<secret>" "--open=to see"]`);
  expect(print(true)).toContain(`"URL=postgres://me:${canary}@db"`);
});

test("an error of the launch shows no value of a Secret", () => {
  const pod = resolved(spec);
  const [container] = pod.containers;
  if (!container) throw new Error("it has one");
  const plan = planContainer(pod, container, someFacts);
  const reply: Reply = {
    status: "failed",
    operation: plan.steps.findIndex(({ op }) => op.op === "exec"),
    call: calls.indexOf("execve"),
    errno: 2,
    message: "",
  } as Reply;
  const explain = (secrets: ReadonlySet<string>) =>
    printError(
      explainReply({
        reply,
        plan,
        subject: "container app",
        originOf: (path) => originOf(spec, path),
        secrets,
      }),
    );
  expect(explain(container.secrets)).not.toContain(canary);
  expect(explain(container.secrets)).toContain('"<secret>" does not exist in container app');
  expect(explain(new Set())).toContain(canary);
});
