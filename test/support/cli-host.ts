// A test host that is asked by the command line, and the manifests that are given to it.

import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { CliInTerminal, Ran, StartedCli } from "./cli.ts";
import { runCli, startCli, startInTerminal } from "./cli.ts";
import type { TestHost } from "./host.ts";
import { eventually, openTestHost } from "./host.ts";

export class CliHost implements AsyncDisposable {
  readonly host: TestHost;
  /** For manifests and traces: not a place of peapod's. */
  readonly folder = mkdtempSync(join(tmpdir(), "peapod-cli-"));

  constructor(host: TestHost) {
    this.host = host;
    // Bun may keep a pipe to a command that has ended until it collects garbage.
    host.opensItself = false;
  }

  /** What a host without controllers warns about at every start is not what is tested here. */
  async run(
    words: readonly string[],
    stdin = "",
    env: Readonly<Record<string, string>> = {},
  ): Promise<Ran> {
    const ran = await runCli([...this.host.flags, ...words], stdin, env);
    return { ...ran, err: ran.err.replace(/^warning no cgroup controller .*\n/m, "") };
  }

  start(words: readonly string[]): StartedCli {
    return startCli([...this.host.flags, ...words]);
  }

  startInTerminal(
    words: readonly string[],
    size?: { readonly rows: number; readonly columns: number },
  ): CliInTerminal {
    return startInTerminal([...this.host.flags, ...words], size);
  }

  /** A file with one pod; a container is a shell script. */
  manifest(
    name: string,
    scripts: Readonly<Record<string, string>>,
    extra: Readonly<Record<string, unknown>> = {},
  ): string {
    const containers = Object.entries(scripts).map(([container, script]) => ({
      ...{ name: container, image: "host", command: ["sh", "-c", script], ...extra },
    }));
    const spec = { restartPolicy: "Never", terminationGracePeriodSeconds: 5, containers };
    const file = join(this.folder, `${name}.json`);
    const pod = { apiVersion: "v1", kind: "Pod", metadata: { name }, spec };
    writeFileSync(file, JSON.stringify(pod));
    return file;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    rmSync(this.folder, { recursive: true });
    // Keepers outlive the command that started them: who adopts them may take its time to reap.
    await eventually(
      () => this.host.leaks(),
      (leaks) => leaks.length === 0,
      40_000,
    );
    await this.host[Symbol.asyncDispose]();
  }
}

export async function openCliHost(): Promise<CliHost> {
  return new CliHost(await openTestHost());
}
