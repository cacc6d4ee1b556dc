// Plans → a running pod, or one error and nothing left. No decisions: order and content are the
// plans'.

import { closeFd } from "../native/syscalls.ts";
import type { SharedNamespace } from "../native/keeper-process.ts";
import { spawnKeeper } from "../native/keeper-process.ts";
import { DescriptorSocket } from "../native/socket.ts";
import type { Plan } from "../plan/plan.ts";
import { encodePlan } from "../plan/encode.ts";
import type { ExitedEvent, KeeperEvents, LaunchRequest, Reply } from "./keeper-client.ts";
import { KeeperClient } from "./keeper-client.ts";

export interface SpawnedKeeper {
  readonly client: KeeperClient;
  readonly pid: number;
  /** The holder reaps it. */
  readonly pidfd: number;
}

export interface SpawnOptions {
  /** Directory of the keeper's control group, or -1. */
  readonly cgroup: number;
  /** Mount namespace of a living keeper, or -1. */
  readonly seed: number;
  /** Made while the client plans; the sandbox's plan then finds them. */
  readonly namespaces: readonly SharedNamespace[];
  /** It will reach back into the host's network namespace. */
  readonly links: boolean;
  readonly events: KeeperEvents;
}

/** What is sent before the keeper is up it reads then. */
export function startKeeper({ events, ...request }: SpawnOptions): SpawnedKeeper {
  const [socket, theirs] = DescriptorSocket.pair();
  const client = new KeeperClient(socket, events);
  try {
    const { pid, pidfd } = spawnKeeper({ socket: theirs, ...request });
    return { client, pid, pidfd };
  } catch (error) {
    client[Symbol.dispose]();
    throw error;
  } finally {
    closeFd(theirs);
  }
}

export interface ProcessLaunch extends Omit<LaunchRequest, "plan"> {
  readonly plan: Plan;
  readonly trace?: boolean;
  readonly failAt?: number;
}

/** `onExit` is for processes that the record leaves out: their end is told to who started them. */
export function launchProcess(
  client: KeeperClient,
  request: ProcessLaunch,
  onExit?: (event: ExitedEvent) => void,
): Promise<Reply> {
  const { trace, failAt, plan, ...rest } = request;
  const bytes = encodePlan(plan, {
    ...(trace !== undefined && { trace }),
    ...(failAt !== undefined && { failAt }),
  });
  return client.launch({ ...rest, plan: bytes }, onExit);
}
