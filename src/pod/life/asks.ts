// What other processes may ask of a pod's owner. The keeper carries the question and the answer.

import { PodError } from "../../errors/pod-error.ts";
import type { Ask } from "../../launch/keeper-client.ts";
import type { Answer, Question } from "../questions.ts";
import { questions } from "../questions.ts";
import { addEphemeral, changeImage } from "./change.ts";
import type { PodLife } from "./pod-life.ts";
import { resizeContainers } from "./resize.ts";
import { restartNamed } from "./restart-named.ts";

export async function answerAsk(life: PodLife, ask: Ask): Promise<void> {
  try {
    const question = readQuestion(ask.body);
    // A pod that goes can't tell when it has gone: that the keeper does.
    if (question.ask === "down") await ask.answer({ ok: true, text: "" } satisfies Answer);
    const text = await obey(life, question);
    if (question.ask !== "down") await ask.answer({ ok: true, text } satisfies Answer);
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    const code = error instanceof PodError ? error.code : "launch.failed";
    await ask.answer({ ok: false, text, code } satisfies Answer);
  }
}

/** What there is to say about it; mostly nothing. */
export async function obey(life: PodLife, question: Question): Promise<string> {
  switch (question.ask) {
    case "down":
      await life.down(question.graceMs);
      return "";
    case "restart":
      await restartNamed(life, question.container, question.graceMs);
      return "";
    case "image":
      await changeImage(life, question.container, question.image);
      return "";
    case "resize":
      await resizeContainers(life, question.wishes);
      return "";
    case "debug":
      return addEphemeral(life, question);
    default:
      return question satisfies never;
  }
}

function readQuestion(body: unknown): Question {
  const asked = typeof body === "object" && body !== null ? (body as Partial<Question>) : {};
  if (questions.some((known) => known === asked.ask)) return asked as Question; // Ours on both ends.
  throw new PodError({
    code: "pod.other-version",
    message: "the owner of the pod does not know what it is asked",
  });
}
