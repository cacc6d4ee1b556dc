// All peers of the benchmark, installed or not.
import type { Subject } from "../cell.ts";
import { containerdPeer } from "./containerd.ts";
import { ociPeer } from "./oci.ts";
import { type Peer, peerSubject } from "./peer.ts";
import { kubePlayPeer, podmanPeer } from "./podman.ts";
import { sandboxPeers } from "./sandboxes.ts";

/** Not driven: nothing is measured with a driver that was never run. */
const criPeer: Peer = {
  name: "CRI (crictl)",
  program: "crictl",
  spans: {},
  refuses: () => "the benchmark has no driver for it",
  drive: async () => ({ functions: "" }),
};

export const peers: readonly Peer[] = [
  ociPeer("crun"),
  ociPeer("runc"),
  ociPeer("youki"),
  podmanPeer,
  kubePlayPeer,
  containerdPeer,
  criPeer,
  ...sandboxPeers,
];

export function peerSubjects(): readonly Subject[] {
  return peers.map(peerSubject);
}

/** What a peer is asked to do for each kind of work. */
export function peerSpans(name: string): Peer["spans"] {
  return peers.find((peer) => peer.name === name)?.spans ?? {};
}
