// A changed manifest for a pod that runs: written down, read anew as the next owner would, and the
// containers started again that it asks for.

import { PodError } from "../errors/pod-error.ts";
import type { Ask } from "../launch/keeper-client.ts";
import { restartNamed } from "./life/restart-named.ts";
import type { Answer } from "./questions.ts";
import type { RunningPod } from "./running-pod.ts";
import { replacePodState } from "./state.ts";

export interface ApplyQuestion {
  readonly ask: "apply";
  readonly manifest: RunningPod["state"]["manifest"];
  /** Names of containers. */
  readonly restart: readonly string[];
}

/** By the pod's owner. */
export async function applyManifest(
  pod: RunningPod,
  { manifest, restart }: Pick<ApplyQuestion, "manifest" | "restart">,
): Promise<void> {
  pod.state.manifest = manifest;
  replacePodState(pod.directory, pod.state);
  // What it knows is in the pod's files: letting go and taking it again is how it reads anew.
  pod.letGo();
  const life = (await pod.supervise()) ? await pod.owner?.life() : undefined;
  if (!life) {
    throw new PodError({ code: "pod.keeper-lost", message: `nobody owns pod ${pod.name}` });
  }
  await Promise.all(restart.map((name) => restartNamed(life, name)));
}

export async function answerApply(pod: RunningPod, ask: Ask): Promise<void> {
  const answer = (reply: Answer) => Promise.resolve(ask.answer(reply)).catch(() => undefined);
  try {
    await applyManifest(pod, ask.body as ApplyQuestion); // Ours on both ends.
    await answer({ ok: true, text: "" });
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    await answer({ ok: false, text, code: error instanceof PodError ? error.code : "pod.refused" });
  }
}
