// A hook that only waits. Whoever has no more time for it ends the wait.

import type { HandlerSpec } from "../../../../spec/life.ts";
import type { Clock } from "../../clock.ts";
import type { HandlerLimits, HandlerResult } from "../target.ts";

export async function runSleep(
  { durationMs }: Extract<HandlerSpec, { readonly kind: "sleep" }>,
  { timeoutMs, timeoutText, signal }: HandlerLimits,
  clock: Pick<Clock, "scaled">,
): Promise<HandlerResult> {
  const wishMs = clock.scaled(durationMs);
  const { promise, resolve } = Promise.withResolvers<void>();
  const timer = setTimeout(resolve, Math.min(wishMs, timeoutMs));
  const cutShort = () => resolve();
  signal?.addEventListener("abort", cutShort, { once: true });
  if (signal?.aborted) cutShort();
  await promise;
  clearTimeout(timer);
  signal?.removeEventListener("abort", cutShort);
  if (signal?.aborted) return { ok: false, message: "the sleep was cut short" };
  if (timeoutMs >= wishMs) return { ok: true, message: "" };
  return { ok: false, message: `the sleep did not end within ${timeoutText}` };
}
