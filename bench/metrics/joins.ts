// One more container in a running pod, as the pod's supervisor makes it: resolved, planned,
// encoded, sent and exec'd within the time.
import type { Sample } from "../cell.ts";
import type { Shape } from "../shape.ts";
import { launchProcess } from "../../src/launch/launch.ts";
import { noProcess } from "../../src/plan/abi.gen.ts";
import { planContainer } from "../../src/plan/container.ts";
import { PodHost } from "../../src/pod/peapod.ts";
import { RunningPod } from "../../src/pod/running-pod.ts";
import { readPodManifest } from "../../src/read/pod-manifest/read.ts";
import { resolvePod } from "../../src/resolve/pod.ts";
import { readStamp, type Site, startExisting } from "./site.ts";
import { lastStampUs, sampleOf, type Span, timed } from "./spans.ts";

/** Above those of the pod's own containers and of commands. */
const firstProcess = 900;
export const joinsMax = 1100;

/** What is done around the join itself, within its time; nothing when it is measured. */
type Around = (work: () => Promise<void>) => Promise<void>;

export async function joinMany(
  site: Site,
  shape: Shape,
  count: number,
  around: Around = (work) => work(),
): Promise<Sample> {
  await using _ = await startExisting(site, shape);
  await using host = new PodHost(site.options);
  await using pod = await host.up(readPodManifest(site.manifest(shape)), {});
  if (!(pod instanceof RunningPod)) throw new Error("the pod is not one of this process");
  const joined: Joined[] = [];
  for (let index = 0; index < count; index += 1) {
    const { logsParent, logsName } = pod.state.places;
    const logPath = `${logsParent}/${logsName}/${nameOf(index)}/0.log`;
    const join = joinOf(host, pod, index);
    joined.push({ logPath, span: await timed(site.cpu, () => around(join)) });
  }
  const firsts = [];
  for (const { span, logPath } of joined)
    firsts.push(lastStampUs(span, [await readStamp(logPath)]));
  await pod.down({ graceMs: 0 });
  const spans = joined.map(({ span }) => span);
  return { ...sampleOf("join", spans), "join-first": firsts };
}

type Joined = { readonly span: Span<void>; readonly logPath: string };

const nameOf = (index: number): string => `j${index}`;

/** Its manifest is read beforehand: a supervisor has read it long ago. */
function joinOf(host: PodHost, pod: RunningPod, index: number): () => Promise<void> {
  const { state } = pod;
  const facts = host.facts();
  const spec = readPodManifest({
    metadata: { name: pod.name },
    spec: { containers: [{ name: nameOf(index), image: "host", command: ["/stamp", "line"] }] },
  });
  return async () => {
    const resolved = resolvePod(spec, facts, {
      uid: state.uid,
      places: host.places,
      ids: state.ids,
      podPidsMax: 0,
      deadlineMs: 60_000,
      missingControllers: "warn",
      warn: () => {},
      files: {},
    });
    const [container] = resolved.containers;
    if (container === undefined) throw new Error("no container was resolved");
    const process = firstProcess + index;
    const reply = await launchProcess(await pod.client(), {
      process,
      after: noProcess,
      flags: [],
      stopSignal: 15,
      graceMs: 0,
      plan: planContainer(resolved, { ...container, process }, facts),
    });
    if (reply.status !== "ok") throw new Error(`the join failed: ${JSON.stringify(reply)}`);
  };
}
