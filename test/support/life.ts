// Pods whose life is watched: containers that are shell scripts and leave a trace of what they do.

import { newJournal, readJournal } from "../../src/pod/life/journal.ts";
import type { Pod } from "../../src/pod/types.ts";
import type { PodManifest } from "../../src/read/pod-manifest/read.ts";
import type { TestHost } from "./host.ts";

type Spec = NonNullable<PodManifest["spec"]>;
type Container = Spec["containers"][number];

/** A container that is a shell script; all of a pod share /trace, in which it says what it does. */
export function script(name: string, text: string, more: Partial<Container> = {}): Container {
  return {
    name,
    image: "host",
    command: ["sh", "-c", text],
    volumeMounts: [{ name: "trace", mountPath: "/trace" }],
    ...more,
  };
}

export function tracedPod(
  name: string,
  spec: Partial<Spec> & Pick<Spec, "containers">,
): PodManifest {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name },
    spec: { volumes: [{ name: "trace", emptyDir: {} }], terminationGracePeriodSeconds: 0, ...spec },
  };
}

/** Shell. */
export const note = (text: string) => `echo ${text} >> /trace/all`;

/** In the order in which it was said. */
export async function traceOf(host: TestHost, pod: Pod): Promise<string[]> {
  const file = Bun.file(`${host.places.root}/pods/${pod.uid}/trace.volume/all`);
  const text = (await file.exists()) ? (await file.text()).trim() : "";
  return text === "" ? [] : text.split("\n");
}

/** What the owner has written down of the pod; nothing before its first deed. */
export function journalOf(host: TestHost, pod: Pick<Pod, "uid">) {
  return readJournal(`${host.places.state}/pods/${pod.uid}`) ?? newJournal(0, []);
}

export function sleeper(name: string, more: Partial<Container> = {}): Container {
  return script(name, "exec sleep 60", more);
}
