// A value from a Secret is looked for in what every command prints, and in every file that is kept.

import { afterAll, beforeAll, expect } from "bun:test";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { CliHost } from "../support/cli-host.ts";
import { openCliHost } from "../support/cli-host.ts";
import { hostMissing } from "../support/host.ts";
import { testOrSkip } from "../support/must-run.ts";

const test = testOrSkip(hostMissing === undefined, hostMissing ?? "");

let cli: CliHost;
beforeAll(async () => {
  if (hostMissing === undefined) cli = await openCliHost();
});
afterAll(() => cli?.[Symbol.asyncDispose](), 60_000);

const canary = "canary-4f1d9c-sings";
const forms = [canary, btoa(canary).replaceAll("=", ""), Buffer.from(canary).toString("hex")];
const calm = "trap 'exit 0' TERM; while :; do sleep 0.05; done";

const manifest = (command: string) => `
apiVersion: v1
kind: Secret
metadata: { name: s }
stringData: { key: ${canary} }
---
apiVersion: v1
kind: Pod
metadata: { name: cage }
spec:
  restartPolicy: Always
  terminationGracePeriodSeconds: 1
  volumes: [{ name: v, secret: { secretName: s } }]
  containers:
    - name: app
      image: host
      command: [sh, -c, ${JSON.stringify(command)}]
      env: [{ name: KEY, valueFrom: { secretKeyRef: { name: s, key: key } } }]
      volumeMounts: [{ name: v, mountPath: /secret }]
`;

function found(text: string): boolean {
  return forms.some((form) => text.includes(form));
}

/** Files of every kind that peapod keeps: state, layers, volumes, logs, the agent's. */
function filesWithCanary(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true, recursive: true })
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .filter((path) => !path.includes("/rootfs") && found(readFileSync(path, "latin1")));
}

test("no command prints the value of a Secret, and no file has it", async () => {
  const file = join(cli.folder, "cage.yaml");
  await Bun.write(file, manifest(calm));
  const changed = join(cli.folder, "changed.yaml");
  await Bun.write(changed, manifest(`:; ${calm}`));
  const said: [string, string][] = [];
  const run = async (...words: string[]) => {
    const { out, err, status } = await cli.run(words);
    said.push([words.join(" "), out + err]);
    return { out, status };
  };
  expect((await run("up", "-d", file)).status).toBe(0);
  // The canary is where it belongs: otherwise nothing here could fail.
  const inside = await cli.run(["exec", "cage", "--", "sh", "-c", "echo $KEY; cat /secret/key"]);
  expect(inside.out).toBe(`${canary}\n${canary}`);
  const commands = [
    ["ps", "-o", "yaml"],
    ["ps", "-o", "wide"],
    ["inspect", "cage"],
    ["describe", "cage"],
    ["events", "cage"],
    ["generate", "cage"],
    ["plan", file],
    ["validate", file],
    ["diff", file],
    ["diff", changed],
    ["up", "-d", "--dry-run", changed],
    ["ns", "cage"],
    ["ns", "--cgroups", "cage"],
    ["top", "--once", "-o", "json"],
    ["logs", "cage"],
    ["agent", "logs"],
    ["agent", "status"],
    ["restart", "cage"],
    ["debug", "cage", "--image", "host", "--target", "app", "--", "true"],
    ["up", "-d", changed],
    ["doctor"],
  ];
  for (const words of commands) await run(...words);
  expect(filesWithCanary(cli.host.folder)).toEqual([]);
  await run("down", "cage", "-t", "0");
  expect(filesWithCanary(cli.host.folder)).toEqual([]);
  expect(said.filter(([, text]) => found(text)).map(([words]) => words)).toEqual([]);
}, 60_000);
