// The page of `describe` as text, and what `wait --for` understands.

import { describe, expect, test } from "bun:test";
import { printDescription } from "../../src/cli/describe/page.ts";
import { parseWish } from "../../src/cli/wishes.ts";
import type { LifeEvent } from "../../src/pod/life/journal.ts";
import { describePod } from "../../src/pod/status/description.ts";
import { podObject } from "../../src/pod/status.ts";
import type { GivenPod } from "../support/pod-facts.ts";
import { createdMs, ended, viewOf } from "../support/pod-facts.ts";

const secret = { secretKeyRef: { name: "db", key: "password" } };

const event = (reason: string, message: string, more: Partial<LifeEvent> = {}): LifeEvent => ({
  ...{ type: "Normal", reason, message, container: "main", count: 1 },
  ...{ firstMs: createdMs + 1000, lastMs: createdMs + 1000 },
  ...more,
});

/** In a crash loop, with a sidecar that works. */
const given: GivenPod = {
  spec: {
    volumes: [
      { name: "cache", emptyDir: { sizeLimit: "1Mi" } },
      { name: "settings", configMap: { name: "web-settings" } },
    ],
  },
  containers: [
    { name: "proxy", kind: "sidecar" },
    {
      ...{ name: "main", ran: 3, attempt: 2 },
      manifest: {
        ports: [{ containerPort: 8080 }],
        command: ["/probe", "exit", "3"],
        resources: { limits: { memory: "64Mi" } },
        env: [
          { name: "MODE", value: "test" },
          { name: "PASSWORD", valueFrom: secret },
        ],
        volumeMounts: [{ name: "cache", mountPath: "/cache" }],
        livenessProbe: { httpGet: { path: "/healthz", port: 8080 }, periodSeconds: 5 },
      },
      life: {
        termination: ended(3, { attempt: 2, message: "no database" }),
        waiting: {
          reason: "CrashLoopBackOff",
          message: "back-off 20s restarting failed container=main pod=web_default(7e5)",
          sinceMs: createdMs + 2000,
          untilMs: createdMs + 22_000,
        },
      },
    },
  ],
  journal: {
    events: [
      event("Started", "Started container main", { count: 3, lastMs: createdMs + 2000 }),
      event("BackOff", "Back-off restarting failed container main in pod web_default(7e5)", {
        ...{ type: "Warning", count: 2, firstMs: createdMs + 1000, lastMs: createdMs + 3000 },
      }),
    ],
  },
};

test("a page says what a pod is, what it was, and when it will be tried again", async () => {
  const page = printDescription(describePod(viewOf(given)), createdMs + 10_000);
  expect(page).toBe(await Bun.file(`${import.meta.dir}/describe.txt`).text());
});

describe("wait --for", () => {
  const look = (words: string, pod: GivenPod = { containers: [{ name: "main" }] }) => {
    const wish = parseWish(words);
    if (typeof wish === "string") return wish;
    return wish.kind === "delete" ? "delete" : wish.look(podObject(viewOf(pod)));
  };

  test.each([
    ["condition=Ready", 0],
    ["condition=ready", 0],
    ["condition=Ready=False", undefined],
    ["condition=Ready=true", 0],
    ["condition=Unheard", undefined],
    ["jsonpath={.status.phase}=Running", 0],
    ["jsonpath={.status.phase}=Failed", undefined],
    ["jsonpath='{.status.phase}'=Running", "no path"],
    ["jsonpath={.metadata.labels.app}", 0],
    ["jsonpath={.metadata.labels.tier}", undefined],
    ['jsonpath={.status.conditions[?(@.type=="Ready")].status}=True', 0],
    ["jsonpath={.status.containerStatuses[0].ready}=true", 0],
    ["jsonpath={.status.containerStatuses[*].restartCount}=0", 0],
    ["jsonpath=.spec['containers'][0].name=main", 0],
    ["delete", "delete"],
    ["exit", undefined],
    ["jsonpath={status", "no path"],
    ["lunch", "nothing to wait for"],
  ] as const)("%s", (words, wanted) => {
    const seen = look(words);
    if (typeof wanted === "string" && typeof seen === "string") expect(seen).toContain(wanted);
    else expect(seen).toBe(wanted);
  });

  test("exit has the status of the first container that failed", () => {
    const spec = { restartPolicy: "Never" };
    const two = (first: number, second: number): GivenPod => ({
      ...{ spec },
      containers: [
        { name: "a", ran: first },
        { name: "b", ran: second },
      ],
    });
    expect([two(0, 0), two(0, 4), two(5, 4)].map((pod) => look("exit", pod))).toEqual([0, 4, 5]);
  });
});
