// Where this peapod keeps things. Given by flags or the environment, and never guessed at twice.

import type { HostPath } from "./paths.ts";

export interface Places {
  readonly root: HostPath;
  readonly state: HostPath;
  readonly logs: HostPath;
}
