// What is waited for of a pod that lives: that it is ready, that it has done its work, that it ends
// in its order. Whoever owns it does that; the others watch and ask.

import { PodError } from "../errors/pod-error.ts";
import type { KeeperClient } from "../launch/keeper-client.ts";
import type { Ownership } from "./ownership.ts";
import type { PodState } from "./read-state.ts";
import type { PodOutcome } from "./shapes.ts";

export interface WatchedPod {
  readonly state: PodState;
  readonly directory: string;
  readonly owner: Ownership | undefined;
  readonly ended: Promise<void>;
}

/** Where nothing is to be waited for, a pod is ready as soon as it runs. */
export async function untilReady(pod: WatchedPod): Promise<void> {
  if (!pod.state.hasReadiness) return;
  if (pod.owner) return (await pod.owner.life()).ready;
  const { watchReady } = await import("./life/watch.ts");
  await watchReady(pod);
}

export async function untilFinished(pod: WatchedPod): Promise<PodOutcome> {
  if (pod.owner) return (await pod.owner.life()).finished;
  const { watchFinished } = await import("./life/watch.ts");
  return watchFinished(pod);
}

/** For an owner to answer, and for the pod to go once its grace is over. */
const answerMs = 5000;
const slackMs = 10_000;
const lookMs = 200;

export interface EndablePod {
  readonly owner: Ownership | undefined;
  readonly ended: Promise<void>;
  client(): Promise<KeeperClient>;
  supervise(): Promise<boolean>;
}

/** By the owner; without one, as the owner. One that does not answer is not waited for. */
export async function endInOrder(
  pod: EndablePod,
  graceMs: number,
  endNow: (graceMs: number) => Promise<void>,
): Promise<void> {
  const isOurs = pod.owner !== undefined;
  if (!isOurs) {
    const answer = await within(answerMs, (await pod.client()).ask({ ask: "down", graceMs }));
    const isVacant = answer.isThere && answer.value === undefined;
    if (!answer.isThere) return endNow(graceMs);
    if (!isVacant) return untilEnded(pod, graceMs, endNow);
    if (!(await pod.supervise())) return endNow(graceMs);
  }
  const life = await pod.owner?.life();
  if (!life) throw new PodError({ code: "pod.keeper-lost", message: "nobody owns the pod" });
  await life.down(graceMs);
}

/** The owner may die over it: then whoever owns the pod next goes on with it. */
async function untilEnded(
  pod: EndablePod,
  graceMs: number,
  endNow: (graceMs: number) => Promise<void>,
): Promise<void> {
  const patienceMs = performance.now() + graceMs + slackMs;
  while (performance.now() < patienceMs) {
    if ((await within(lookMs, pod.ended)).isThere || (await pod.supervise())) return;
  }
  await endNow(0);
}

async function within<Value>(
  timeMs: number,
  promise: Promise<Value>,
): Promise<{ readonly isThere: true; readonly value: Value } | { readonly isThere: false }> {
  const { promise: late, resolve } = Promise.withResolvers<{ readonly isThere: false }>();
  const timer = setTimeout(() => resolve({ isThere: false }), timeMs);
  try {
    return await Promise.race([promise.then((value) => ({ isThere: true, value }) as const), late]);
  } finally {
    clearTimeout(timer);
  }
}
