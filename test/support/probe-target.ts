// A container of a real pod as the target of handlers: connections are made by its keeper, commands
// run in it.

import type { Pod } from "../../src/index.ts";
import type { KeeperClient } from "../../src/launch/keeper-client.ts";
import { connectKeeper } from "../../src/pod/keepers.ts";
import { podTarget } from "../../src/pod/life/probes/pod-target.ts";
import type { ProbeTarget } from "../../src/pod/life/probes/target.ts";
import { readPodState } from "../../src/pod/read-state.ts";
import type { TestHost } from "./host.ts";
import { until } from "./pods.ts";

export async function connectToKeeper(host: TestHost, pod: Pod): Promise<KeeperClient> {
  const directory = `${host.places.state}/pods/${pod.uid}`;
  await until(() => Bun.file(`${directory}/record`).size > 0);
  const events = { exited() {}, ended() {}, closed() {} };
  const client = connectKeeper(readPodState(directory).places, events);
  await client.listen();
  await client.hello("observer");
  return client;
}

export function targetOf(
  pod: Pod,
  client: KeeperClient,
  ports: readonly { readonly name: string; readonly containerPort: number }[] = [],
): ProbeTarget {
  return podTarget({
    pod: pod.name,
    container: "main",
    attempt: 0,
    startedMs: Date.now(),
    podIp: "127.0.0.1",
    ports,
    client: async () => client,
    exec: (command, options) => pod.exec(command, options),
  });
}
