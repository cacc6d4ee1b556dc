// Where a Peapod keeps what it has, from options, environment and habit.

import { PodError } from "../errors/pod-error.ts";
import type { HostPath } from "../spec/paths.ts";
import type { Places } from "../spec/places.ts";
import type { OpenOptions } from "./types.ts";

export function placesOf(options: Pick<OpenOptions, "root" | "state" | "logs">): Places {
  const env = process.env;
  const isRoot = process.getuid?.() === 0;
  const runtime = env["XDG_RUNTIME_DIR"];
  const data = env["XDG_DATA_HOME"] ?? `${env["HOME"] ?? ""}/.local/share`;
  const stateDefault = isRoot || !runtime ? "/run/peapod" : `${runtime}/peapod`;
  const rootDefault = isRoot ? "/var/lib/peapod" : `${data}/peapod`;
  return {
    root: absolute(options.root ?? env["PEAPOD_ROOT"] ?? rootDefault),
    state: absolute(options.state ?? env["PEAPOD_STATE"] ?? stateDefault),
    logs: absolute(options.logs ?? env["PEAPOD_LOGS"] ?? "/var/log/pods"),
  };
}

function absolute(path: string): HostPath {
  if (path.startsWith("/") && !path.includes("\0")) {
    return (path.replace(/\/+/g, "/").replace(/(.)\/$/, "$1") || "/") as HostPath;
  }
  throw new PodError({
    code: "host.directory-unusable",
    message: `the directory ${JSON.stringify(path)} is not an absolute path`,
  });
}
