// The proof of equal work: what containers of each subject are in the end, compared with peapod's,
// field by field; and what each peer makes when it is left to its own defaults.
import { describeProgram } from "../peers/find.ts";
import { peers } from "../peers/peers.ts";
import { countPeerCalls } from "./calls.ts";
import { compareEndStates, type Difference } from "./compare.ts";
import { known } from "./known.ts";
import { lookAtFloor, lookAtOwnDefaults, lookAtPeapod, lookAtPods, ownDefaults } from "./look.ts";
import type { EndState } from "./questions.ts";

/** Of two containers of one pod, as everything that is measured with the full shape makes them. */
export const sameShape = [
  "floor",
  "floor (naive)",
  "crun",
  "runc",
  "youki",
  "containerd (ctr)",
] as const;

export type EndStates = {
  readonly reference: "peapod";
  /** All fields of all subjects, in order. */
  readonly fields: string[];
  /** By subject, peapod first; `NAME, own defaults` is what a peer does unasked. */
  readonly subjects: Record<string, EndState>;
  /** By subject, only fields that differ from the reference; what has no reason is a flaw. */
  readonly differences: Record<string, Difference[]>;
  /** Peer to the number of system calls that starting the pod takes. */
  readonly calls: Record<string, number>;
  /** Subject to the reason why it is not here. */
  readonly absent: Record<string, string>;
};

export async function endStates(
  directory = "/var/tmp/peapod-bench-end-state",
  names: readonly string[] = [...sameShape, ...ownDefaults.map((name) => `${name}${ownSuffix}`)],
): Promise<EndStates> {
  const reference = await lookAtPeapod(directory);
  const subjects: Record<string, EndState> = { peapod: reference };
  const differences: Record<string, Difference[]> = {};
  const absent: Record<string, string> = {};
  for (const name of names) {
    const seen = await look(name, directory);
    if (typeof seen === "string") {
      absent[name] = seen;
      continue;
    }
    subjects[name] = seen;
    differences[name] = compareEndStates(name, seen, reference, known);
  }
  const fields = [...new Set(Object.values(subjects).flatMap((state) => Object.keys(state)))];
  return { reference: "peapod", fields, subjects, differences, calls: {}, absent };
}

/** With what starting takes, of peers whose own processes do it. */
export async function endStatesAndCalls(directory: string): Promise<EndStates> {
  const states = await endStates(directory);
  for (const name of ["crun", "runc", "youki", "podman"]) {
    const peer = peers.find((one) => one.name === name);
    const counted = peer && (await countPeerCalls(peer, directory));
    if (typeof counted === "number") states.calls[name] = counted;
    else states.absent[`${name}, system calls`] = counted?.absent ?? "no such peer";
  }
  return states;
}

export const ownSuffix = ", own defaults";

/** The end state, or why there is none. */
async function look(name: string, directory: string): Promise<EndState | string> {
  if (name === "floor") return await lookAtFloor("best", directory);
  if (name === "floor (naive)") return await lookAtFloor("naive", directory);
  const isOwn = name.endsWith(ownSuffix);
  const peer = isOwn ? name.slice(0, -ownSuffix.length) : name;
  try {
    return await (isOwn ? lookAtOwnDefaults(peer, directory) : lookAtPods(peer, directory));
  } catch (error) {
    const described = await describeProgram(peer.replace(/ \(.*/, ""));
    if (typeof described !== "string") return described.absent;
    return error instanceof Error ? error.message.slice(0, messageMax) : String(error);
  }
}

const messageMax = 300;
