// The plan of a command in a container that runs: what the container has, and what was asked for
// besides.

import { PodError } from "../errors/pod-error.ts";
import { planExec } from "../plan/exec.ts";
import { mergeEnv, resolveCandidates } from "../resolve/command.ts";
import type { HostFacts } from "../spec/host-facts.ts";
import { execUser } from "./exec-user.ts";
import type { ExecTarget } from "./execution.ts";
import type { ContainerEntry, PodState } from "./read-state.ts";
import { mayTrace, readSecurityEntry } from "./security-entry.ts";
import type { ExecOptions } from "./types.ts";

export interface AskedCommand {
  readonly state: PodState;
  readonly entry: ContainerEntry;
  readonly command: readonly string[];
  readonly options: ExecOptions;
  readonly facts: HostFacts;
  /** Those variables that are not in the pod's state. */
  readonly secretEnv: readonly string[];
  readonly pidOf: () => number;
}

export async function planExecTarget(asked: AskedCommand): Promise<Omit<ExecTarget, "client">> {
  const { state, entry, command, options, facts, secretEnv, pidOf } = asked;
  const [first] = command;
  if (first === undefined || first === "" || command.some((word) => word.includes("\0"))) {
    throw new PodError({
      code: "container.not-found",
      message: "the command to execute is empty",
    });
  }
  const env = mergeEnv(
    [...entry.env, ...secretEnv, ...(options.tty && !entry.tty ? ["TERM=xterm"] : [])],
    Object.entries<string>(options.env ?? {}).map(([name, value]) => `${name}=${value}`),
  );
  const process = firstExec + nextExec++;
  const plan = planExec(
    {
      ids: state.ids,
      namespaces: {
        network: "POD",
        ipc: "POD",
        pid: "CONTAINER",
        user: state.userNamespace ? "POD" : "NODE",
      },
    },
    {
      process,
      candidates: resolveCandidates(first, env),
      argv: command,
      env,
      workingDir: options.cwd ?? entry.workingDir,
      user: await execUser(options.user, entry, pidOf),
      security: readSecurityEntry(entry.security),
      oomScoreAdj: entry.oomScoreAdj,
      tty: typeof options.tty === "object" ? options.tty : options.tty ? defaultSize : undefined,
      deadlineMs: execDeadlineMs,
      // Root of a pod's own user namespace has no power over who comes from outside.
      isHidden: !state.userNamespace && state.containers.some(({ security }) => mayTrace(security)),
    },
    facts,
  );
  return { process, target: entry.process, plan, subject: `container ${entry.name}` };
}

/**
 * Above every container's and pause's number; unique among the processes that may talk to one
 * keeper.
 */
const firstExec = 1_000_000 + (process.pid % 4000) * 1_000_000;
let nextExec = 0;
const defaultSize = { rows: 24, columns: 80 } as const;
const execDeadlineMs = 30_000;
