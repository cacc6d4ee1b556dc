// Asking the owner of a pod to do something; where there is none, doing it as its owner.

import { PodError } from "../errors/pod-error.ts";
import type { Ask } from "../launch/keeper-client.ts";
import type { ApplyQuestion } from "./apply.ts";
import type { Answer, Question } from "./questions.ts";
import type { RunningPod } from "./running-pod.ts";
import type { RestartOptions } from "./shapes.ts";

/** An owner may go while it is asked, and another come. */
const attemptsMax = 20;
const attemptMs = 50;

/** Resolves when the containers are being started again. */
export async function restartPod(pod: RunningPod, options: RestartOptions): Promise<void> {
  await askOwner(pod, { ask: "restart", ...options });
}

/** Gives it a changed manifest, and starts containers again; everything else stays as it is. */
export async function applyToPod(
  pod: RunningPod,
  wish: Pick<ApplyQuestion, "manifest" | "restart">,
): Promise<void> {
  const { applyManifest } = await import("./apply.ts");
  await askOrAct(pod, { ask: "apply", ...wish }, async () => {
    await applyManifest(pod, wish);
    return "";
  });
}

/** What others ask of this process, which owns the pod. */
export function hearAsk(pod: RunningPod, ask: Ask): void {
  const { body } = ask;
  const isApply =
    typeof body === "object" && body !== null && "ask" in body && body.ask === "apply";
  if (!isApply) return pod.owner?.asked(ask);
  void import("./apply.ts").then(({ answerApply }) => answerApply(pod, ask));
}

/** What there is to say about it; mostly nothing. */
export function askOwner(pod: RunningPod, question: Question): Promise<string> {
  return askOrAct(pod, question, () => actAsOwner(pod, question));
}

async function askOrAct(
  pod: RunningPod,
  question: Question | ApplyQuestion,
  act: () => Promise<string>,
): Promise<string> {
  for (let attempt = 0; attempt < attemptsMax; attempt++) {
    const answer = pod.owner ? undefined : await (await pod.client()).ask(question);
    if (answer !== undefined) return textOf(answer as Answer); // Of this version, or it says so.
    if (await pod.supervise()) return act();
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
