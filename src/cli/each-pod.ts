// Doing one thing to several pods: all are tried, each that worked is named, the first failure
// decides.

import type { Pod } from "../pod/types.ts";
import type { Io } from "./command.ts";
import type { DataFormat } from "./data.ts";
import { printData } from "./data.ts";
import { podLabel } from "./text.ts";

export async function eachPod(
  pods: readonly Pod[],
  output: DataFormat | undefined,
  io: Io,
  act: (pod: Pod) => Promise<void>,
): Promise<number> {
  const results = await Promise.allSettled(pods.map((pod) => act(pod)));
  const done = pods.filter((_, index) => results[index]?.status === "fulfilled");
  const names = done.map(({ name, namespace }) => ({ name, namespace }));
  if (output) io.stdout.write(await printData(output, names));
  else for (const pod of done) io.stdout.write(`${podLabel(pod)}\n`);
  const failed = results.find((result) => result.status === "rejected");
  if (failed) throw failed.reason;
  return 0;
}
