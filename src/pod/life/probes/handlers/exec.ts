// A command in the container, as its user, in its working directory, with its environment.

import { PodError } from "../../../../errors/pod-error.ts";
import type { ExecSpec, HandlerLimits, HandlerResult, ProbeTarget } from "../target.ts";
import { answerBytesMax } from "../target.ts";

/** The container has no such program: that is the container's failure, not the prober's. */
const commandCodes = [
  "container.not-found",
  "container.not-executable",
  "container.bad-directory",
  "container.no-command",
];

export async function runExec(
  { command }: ExecSpec,
  target: ProbeTarget,
  { timeoutMs, timeoutText, signal }: HandlerLimits,
): Promise<HandlerResult> {
  try {
    const limits = { timeoutMs, outputBytesMax: answerBytesMax, signal };
    const { exitCode, output, timedOut } = await target.exec(command, limits);
    if (timedOut) {
      const quoted = JSON.stringify(command.join(" "));
      return { ok: false, message: `command ${quoted} timed out after ${timeoutText}` };
    }
    const message = output === "" && exitCode !== 0 ? `exit status ${exitCode}` : output;
    return { ok: exitCode === 0, message };
  } catch (error) {
    if (!(error instanceof PodError) || !commandCodes.includes(error.code)) throw error;
    return { ok: false, message: error.message };
  }
}
