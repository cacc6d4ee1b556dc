// Asking the owner of a pod to do something; where there is none, doing it as its owner.

import { PodError } from "../errors/pod-error.ts";
import type { Answer, Question } from "./life/asks.ts";
import type { PodLife } from "./life/pod-life.ts";
import type { RunningPod } from "./running-pod.ts";

/** An owner may go while it is asked, and another come. */
const attemptsMax = 20;
const attemptMs = 50;

export interface RestartOptions {
  /** Default: all that go on running. */
  readonly container?: string;
  /** Between the stop signal and SIGKILL. Default: that of the manifest. */
  readonly graceMs?: number;
}

/** Resolves when the containers are being started again. */
export async function restartPod(pod: RunningPod, options: RestartOptions): Promise<void> {
  const { restartNamed } = await import("./life/restart-named.ts");
  await askOwner(pod, { ask: "restart", ...options }, (life) =>
    restartNamed(life, options.container, options.graceMs),
  );
}

async function askOwner(
  pod: RunningPod,
  question: Question,
  act: (life: PodLife) => Promise<void>,
): Promise<void> {
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    if (pod.owner || (await isVacant(pod, question))) {
      if (await pod.supervise()) return act(await ownLife(pod));
      await Bun.sleep(attemptMs); // Somebody else was faster, and can be asked.
    } else return;
  }
  throw new PodError({ code: "pod.keeper-lost", message: `nobody comes to own pod ${pod.name}` });
}

/** False when an owner has done it. */
async function isVacant(pod: RunningPod, question: Question): Promise<boolean> {
  const answer = await (await pod.client()).ask(question);
  if (answer === undefined) return true;
  const { ok, message } = answer as Answer; // Owners of this version, or of one that says so.
  if (!ok) throw new PodError({ code: "pod.refused", message });
  return false;
}

async function ownLife({ owner, name }: RunningPod): Promise<PodLife> {
  const life = await owner?.life();
  if (life) return life;
  throw new PodError({ code: "pod.keeper-lost", message: `nobody owns pod ${name}` });
}
