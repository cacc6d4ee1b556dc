// What other processes may ask of a pod's owner. The keeper carries the question and the answer.

import { PodError } from "../../errors/pod-error.ts";
import type { Ask } from "../../launch/keeper-client.ts";
import type { PodLife } from "./pod-life.ts";

export type Question =
  | { readonly ask: "down"; readonly graceMs: number }
  /** All containers unless one is named. */
  | { readonly ask: "restart"; readonly container?: string; readonly graceMs?: number };

export interface Answer {
  readonly ok: boolean;
  /** Why not. */
  readonly message: string;
}

export async function answerAsk(life: PodLife, ask: Ask): Promise<void> {
  try {
    const question = readQuestion(ask.body);
    // A pod that goes can't tell when it has gone: that the keeper does.
    if (question.ask === "down") await ask.answer({ ok: true, message: "" } satisfies Answer);
    await obey(life, question);
    if (question.ask !== "down") await ask.answer({ ok: true, message: "" } satisfies Answer);
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    await ask.answer({ ok: false, message } satisfies Answer);
  }
}

async function obey(life: PodLife, question: Question): Promise<void> {
  switch (question.ask) {
    case "down":
      return life.down(question.graceMs);
    case "restart":
      return (await import("./restart-named.ts")).restartNamed(
        life,
        question.container,
        question.graceMs,
      );
    default:
      question satisfies never;
  }
}

function readQuestion(body: unknown): Question {
  const asked = typeof body === "object" && body !== null ? (body as Partial<Question>) : {};
  if (asked.ask === "down" || asked.ask === "restart") return asked as Question; // Ours on both ends.
  throw new PodError({
    code: "pod.other-version",
    message: "the owner of the pod does not know what it is asked",
  });
}
