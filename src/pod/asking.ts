// Asking the owner of a pod to do something; where there is none, doing it as its owner.

import { PodError } from "../errors/pod-error.ts";
import type { Answer, Question } from "./questions.ts";
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
  await askOwner(pod, { ask: "restart", ...options });
}

/** What there is to say about it; mostly nothing. */
export async function askOwner(pod: RunningPod, question: Question): Promise<string> {
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const answer = pod.owner ? undefined : await (await pod.client()).ask(question);
    if (answer !== undefined) return textOf(answer as Answer); // Of this version, or it says so.
    if (await pod.supervise()) return actAsOwner(pod, question);
    await Bun.sleep(attemptMs); // Somebody else was faster, and can be asked.
  }
  throw new PodError({ code: "pod.keeper-lost", message: `nobody comes to own pod ${pod.name}` });
}

function textOf(answer: Answer): string {
  if (answer.ok) return answer.text;
  throw new PodError({ code: answer.code, message: answer.text });
}

async function actAsOwner({ owner, name }: RunningPod, question: Question): Promise<string> {
  const { obey } = await import("./life/asks.ts");
  const life = await owner?.life();
  if (life) return obey(life, question);
  throw new PodError({ code: "pod.keeper-lost", message: `nobody owns pod ${name}` });
}
