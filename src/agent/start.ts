// Starting an agent, from a checkout, from the installed package, or from the compiled executable.
// Nobody waits for it.

import { closeSync, existsSync, mkdirSync, openSync } from "node:fs";
import { fileURLToPath } from "node:url";
import type { Places } from "../spec/places.ts";
import { agentLogPath } from "./agent-log.ts";
import { isAgentRunning } from "./lock.ts";

export interface AgentPlaces extends Places {
  readonly cgroupRoot: string | undefined;
}

/** False when there is one already. Throws where peapod's command is not found. */
export function startAgent(places: AgentPlaces): boolean {
  if (isAgentRunning(places.state)) return false;
  mkdirSync(places.state, { recursive: true, mode: 0o700 });
  const log = openSync(agentLogPath(places.state), "a", 0o600);
  try {
    Bun.spawn([...agentCommand(), ...flagsOf(places), "agent", "run"], {
      // It holds no directory, and what its caller's directory configures is not its own.
      cwd: "/",
      // Bun's timer for the garbage collector would wake it every second or so.
      env: { ...process.env, BUN_GC_TIMER_DISABLE: "1" },
      // Only what nobody caught is written there directly.
      stdio: ["ignore", log, log],
      // A session of its own: Ctrl-C and a closed terminal are not for it.
      detached: true,
    }).unref();
  } finally {
    closeSync(log);
  }
  return true;
}

/** With the options of pod.ts's first line: Bun must not run what a directory says. */
function agentCommand(): readonly string[] {
  if (Bun.main.startsWith("/$bunfs/")) return [process.execPath];
  // In the package all code lies in one folder, and so does the command.
  const relative = import.meta.url.endsWith(".ts") ? "../../pod.ts" : "./pod.js";
  const program = fileURLToPath(new URL(relative, import.meta.url));
  if (!existsSync(program)) {
    throw new Error(`${program} is not there; was peapod bundled with another program?`);
  }
  const quiet = ["--no-env-file", "--config=/dev/null", "--tsconfig-override=/dev/null"];
  return [process.execPath, ...quiet, program];
}

function flagsOf({ root, state, logs, cgroupRoot }: AgentPlaces): readonly string[] {
  return [
    ...["--root", root, "--state", state, "--logs", logs],
    ...(cgroupRoot === undefined ? [] : ["--cgroup-root", cgroupRoot]),
  ];
}
