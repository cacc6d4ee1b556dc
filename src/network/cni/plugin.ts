// Running one plugin: a program that gets words in its environment and JSON on its standard input,
// and answers with JSON (CNI spec 1.1, section 2).

import { accessSync, constants } from "node:fs";
import { join } from "node:path";
import Type from "typebox";
import { Compile } from "typebox/compile";
import { PodError } from "../../errors/pod-error.ts";

export type CniCommand = "ADD" | "DEL" | "CHECK" | "STATUS" | "GC";

/** Of one attachment; empty words are left out of the environment. */
export interface CniWords {
  readonly containerId: string;
  /** Path of the network namespace. */
  readonly netns: string;
  readonly ifname: string;
  readonly args: string;
}

export type Json = Readonly<Record<string, unknown>>;

const outputBytesMax = 1 << 20;
const timeoutMs = 60_000;
/** Where distributions and CNI's own releases put them. */
const defaultPath = ["/opt/cni/bin", "/usr/lib/cni", "/usr/libexec/cni"];

const Failure = Compile(
  Type.Object({
    code: Type.Integer(),
    msg: Type.String(),
    details: Type.Optional(Type.String()),
  }),
);

export function pluginPath(): readonly string[] {
  return process.env["CNI_PATH"]?.split(":").filter(Boolean) ?? defaultPath;
}

/** What it printed; undefined where it printed nothing. */
export async function runPlugin(
  type: string,
  command: CniCommand,
  configuration: Json,
  words: CniWords,
): Promise<Json | undefined> {
  const program = findPlugin(type);
  const child = Bun.spawn([program], {
    // Nothing of ours, and nothing of a container's: a plugin runs with the host's rights.
    env: {
      PATH: "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
      CNI_COMMAND: command,
      CNI_PATH: pluginPath().join(":"),
      ...(words.containerId !== "" && { CNI_CONTAINERID: words.containerId }),
      ...(words.ifname !== "" && { CNI_IFNAME: words.ifname }),
      ...(words.args !== "" && { CNI_ARGS: words.args }),
      // Empty at DEL when the namespace has gone.
      ...(words.ifname !== "" && { CNI_NETNS: words.netns }),
    },
    stdin: new TextEncoder().encode(JSON.stringify(configuration)),
    stdout: "pipe",
    stderr: "pipe",
    timeout: timeoutMs,
    killSignal: "SIGKILL",
    maxBuffer: outputBytesMax,
  });
  const [output, complaints] = await Promise.all([child.stdout.text(), child.stderr.text()]);
  const status = await child.exited;
  const answer = parse(output);
  if (status === 0) return answer;
  throw failure(type, command, String(child.signalCode ?? `status ${status}`), answer, complaints);
}

export function hasPlugin(type: string): boolean {
  return lookUp(type) !== undefined;
}

function findPlugin(type: string): string {
  const found = lookUp(type);
  if (found !== undefined) return found;
  throw new PodError({
    code: "network.no-plugin",
    message: `there is no CNI plugin ${type} in ${pluginPath().join(", ")}`,
  });
}

function lookUp(type: string): string | undefined {
  return pluginPath()
    .map((directory) => join(directory, type))
    .find((program) => {
      try {
        accessSync(program, constants.X_OK);
        return true;
      } catch {
        return false;
      }
    });
}

function parse(output: string): Json | undefined {
  try {
    const value: unknown = JSON.parse(output);
    return typeof value === "object" && value !== null ? (value as Json) : undefined;
  } catch {
    return undefined;
  }
}

/** In the plugin's own words, where it has some. */
function failure(
  type: string,
  command: CniCommand,
  end: string,
  answer: Json | undefined,
  complaints: string,
): PodError {
  const said = Failure.Check(answer)
    ? [answer.msg, answer.details].filter(Boolean).join("; ")
    : complaints.trim().slice(0, 2000);
  return new PodError({
    code: "network.plugin-failed",
    message: `the CNI plugin ${type} failed at ${command}: ${said || `it ended with ${end}`}`,
  });
}
