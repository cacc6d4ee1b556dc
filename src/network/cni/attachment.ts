// A pod's attachment to a CNI network: its plugins in order, and in reverse order to take it back.
// What has been asked for is written down first, so that whoever comes later can take it back too.

import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import type { Bandwidth } from "../../spec/network.ts";
import type { HostPath } from "../../spec/paths.ts";
import type { PortSpec } from "../../spec/pod-spec.ts";
import type { CniList, CniPlugin } from "./configuration.ts";
import { knows } from "./configuration.ts";
import type { CniCommand, CniWords, Json } from "./plugin.ts";
import { hasPlugin, runPlugin } from "./plugin.ts";

export interface CniAttachment {
  readonly list: CniList;
  readonly words: CniWords;
  /** Offered to plugins that declare the capability. */
  readonly capabilities: Json;
  /** Of ADD, once it was there. */
  readonly result?: Json;
}

export interface CniWish {
  readonly uid: string;
  readonly name: string;
  readonly namespace: string;
  readonly netns: string;
  readonly ports: readonly PortSpec[];
  readonly annotations: Readonly<Record<string, string>>;
  readonly bandwidth: Bandwidth | undefined;
}

/** The interface that a pod sees, as the kubelet's runtimes name it. */
const ifname = "eth0";

export function describeAttachment(list: CniList, wish: CniWish): CniAttachment {
  const { uid, name, namespace, netns, annotations, bandwidth } = wish;
  const args = {
    IgnoreUnknown: "1",
    K8S_POD_NAMESPACE: namespace,
    K8S_POD_NAME: name,
    K8S_POD_INFRA_CONTAINER_ID: uid,
    K8S_POD_UID: uid,
  };
  const portMappings = wish.ports
    .filter(({ hostPort }) => hostPort > 0)
    .map(({ hostPort, containerPort, protocol, hostIP }) => ({
      hostPort,
      containerPort,
      protocol: protocol.toLowerCase(),
      ...(hostIP !== "" && { hostIP }),
    }));
  return {
    list,
    words: {
      containerId: uid,
      netns,
      ifname,
      args: Object.entries(args)
        .map(([key, value]) => `${key}=${value}`)
        .join(";"),
    },
    capabilities: {
      ...(portMappings.length > 0 && { portMappings }),
      ...(bandwidth && { bandwidth: rates(bandwidth) }),
      "io.kubernetes.cri.pod-annotations": annotations,
    },
  };
}

/** In bits. A plugin wants a burst with every rate, and gets what containerd says. */
function rates({ ingress, egress }: Bandwidth): Json {
  const burst = 0x7fff_ffff;
  return {
    ...(ingress !== undefined && { ingressRate: ingress, ingressBurst: burst }),
    ...(egress !== undefined && { egressRate: egress, egressBurst: burst }),
  };
}

/** All plugins, or none: what the first did is taken back when the second fails. */
export async function addAttachment(state: HostPath, attachment: CniAttachment): Promise<Json> {
  const { list } = attachment;
  writeAttachment(state, attachment);
  let result: Json | undefined;
  try {
    for (const plugin of list.plugins) result = await run("ADD", plugin, attachment, result);
  } catch (error) {
    await removeAttachment(state, attachment).catch(() => {});
    throw error;
  }
  writeAttachment(state, { ...attachment, result: result ?? {} });
  return result ?? {};
}

/** May be asked again: plugins take what is gone for done. */
export async function removeAttachment(state: HostPath, attachment: CniAttachment): Promise<void> {
  const { list, words, result } = attachment;
  const netns = existsSync(words.netns) ? words.netns : "";
  for (const plugin of list.plugins.toReversed()) {
    // One that is not there did nothing at an ADD that failed.
    if (result === undefined && !hasPlugin(plugin.type)) continue;
    await run("DEL", plugin, { ...attachment, words: { ...words, netns } }, result);
  }
  rmSync(pathOf(state, words.containerId), { force: true });
}

/** Throws in the words of the plugin that misses something. */
export async function checkAttachment(attachment: CniAttachment): Promise<void> {
  if (attachment.list.disableCheck) return;
  for (const plugin of attachment.list.plugins) {
    await run("CHECK", plugin, attachment, attachment.result);
  }
}

const nobody: CniWords = { containerId: "", netns: "", ifname: "", args: "" };

/** Whether the network could take a pod; lists before 1.1 can't be asked. */
export async function askStatus(list: CniList): Promise<void> {
  if (!knows(list, "STATUS")) return;
  const attachment = { list, words: nobody, capabilities: {} };
  for (const plugin of list.plugins) await run("STATUS", plugin, attachment, undefined);
}

/** Has plugins drop what belongs to no attachment of this state directory. */
export async function collectGarbage(state: HostPath, list: CniList): Promise<void> {
  if (!knows(list, "GC") || list.disableGC) return;
  const valid = readAttachments(state)
    .filter((attachment) => attachment.list.name === list.name)
    .map(({ words }) => ({ containerID: words.containerId, ifname: words.ifname }));
  const more = { "cni.dev/valid-attachments": valid, "cni.dev/attachments": valid };
  for (const plugin of list.plugins) {
    await runPlugin(plugin.type, "GC", { ...compose(list, plugin), ...more }, nobody);
  }
}

function run(
  command: CniCommand,
  plugin: CniPlugin,
  { list, words, capabilities }: CniAttachment,
  previous: Json | undefined,
): Promise<Json | undefined> {
  const offered = Object.entries(plugin.capabilities ?? {})
    .filter(([name, isWanted]) => isWanted && capabilities[name] !== undefined)
    .map(([name]) => [name, capabilities[name]]);
  const configuration = {
    ...compose(list, plugin),
    ...(offered.length > 0 && { runtimeConfig: Object.fromEntries(offered) }),
    ...(previous !== undefined && { prevResult: previous }),
  };
  return runPlugin(plugin.type, command, configuration, words);
}

/** The plugin's part of the list, as a network of its own. */
function compose({ cniVersion, name }: CniList, plugin: CniPlugin): Json {
  const { capabilities: _, ...rest } = plugin;
  return { ...rest, cniVersion, name };
}

export function hasCapability({ plugins }: CniList, name: string): boolean {
  return plugins.some(({ capabilities }) => capabilities?.[name]);
}

function directoryOf(state: HostPath): string {
  return `${state}/cni`;
}

function pathOf(state: HostPath, uid: string): string {
  return `${directoryOf(state)}/${uid}.json`;
}

function writeAttachment(state: HostPath, attachment: CniAttachment): void {
  mkdirSync(directoryOf(state), { recursive: true, mode: 0o700 });
  const path = pathOf(state, attachment.words.containerId);
  writeFileSync(`${path}.new`, JSON.stringify(attachment), { mode: 0o600 });
  renameSync(`${path}.new`, path);
}

/** Of this state directory; what cannot be read is nobody's. */
export function readAttachments(state: HostPath): CniAttachment[] {
  const directory = directoryOf(state);
  if (!existsSync(directory)) return [];
  return readdirSync(directory)
    .filter((name) => name.endsWith(".json"))
    .flatMap((name) => {
      try {
        // Ours alone: the directory is 0700.
        return [JSON.parse(readFileSync(`${directory}/${name}`, "utf8")) as CniAttachment];
      } catch {
        return [];
      }
    });
}
