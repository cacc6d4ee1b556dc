// A rate that an interface keeps to: the kernel's token bucket (man 8 tc-tbf) in the place of its
// queue. Who sends faster waits, and loses something only when the queue is full.

import type { Bandwidth } from "../spec/network.ts";
import type { Shaper } from "./link.ts";
import type { NetlinkWriter } from "./netlink.ts";
import { flag } from "./netlink.ts";

const newQueue = 36;
/** include/uapi/linux/rtnetlink.h, pkt_sched.h. */
const tca = { kind: 1, options: 2 } as const;
const tbf = { parameters: 1, rate64: 4, burst: 6 } as const;
const rootQueue = 0xffff_ffff;

/**
 * Both ends of the pair, each for what it sends: what the host's end sends is what the pod takes
 * in. The pod's end makes its senders wait, where one of the host's could only throw away.
 */
export function shaperFor({ ingress, egress }: Bandwidth): Shaper {
  return (end, writer, name, index) => {
    const rate = end === "host" ? ingress : egress;
    if (rate !== undefined) composeLimit(writer, name, index, rate);
  };
}

/** Of what the interface sends. Packets larger than the bucket are cut by the kernel. */
function composeLimit(
  writer: NetlinkWriter,
  name: string,
  index: number,
  bitsPerSecond: number,
): void {
  const bytesPerSecond = Math.max(1, Math.floor(bitsPerSecond / 8));
  const label = `limit ${name} to ${bitsPerSecond} bits a second`;
  writer.begin(label, newQueue, flag.create | flag.replace);
  // `struct tcmsg`: family, interface, handle, parent.
  writer.u32(0).u32(index).u32(0).u32(rootQueue).u32(0);
  writer.attributeText(tca.kind, "tbf").nest(tca.options, () => {
    const burst = burstOf(bytesPerSecond);
    writer.attribute(tbf.parameters, parameters(bytesPerSecond, queueOf(bytesPerSecond, burst)));
    writer.attribute(tbf.rate64, bytes64(bytesPerSecond));
    writer.attributeU32(tbf.burst, burst);
  });
}

const [packetBytes, int32Max] = [2048, 0x7fff_ffff];

/** What may go at once after a rest: a fiftieth of a second's worth, and a few whole packets. */
function burstOf(bytesPerSecond: number): number {
  return Math.min(Math.max(Math.floor(bytesPerSecond / 50), 8 * packetBytes), int32Max);
}

/** A tenth of a second's worth waits; more would only make every answer late. */
function queueOf(bytesPerSecond: number, burst: number): number {
  return Math.min(burst + Math.max(Math.floor(bytesPerSecond / 10), 32 * packetBytes), int32Max);
}

/** `struct tc_tbf_qopt`. Of its rate and the one of 64 bits the larger counts. */
function parameters(bytesPerSecond: number, queueBytes: number): Uint8Array {
  const [ratespecBytes, ethernet] = [12, 1];
  const bytes = new Uint8Array(2 * ratespecBytes + 12);
  const view = new DataView(bytes.buffer);
  bytes[1] = ethernet;
  view.setUint32(8, Math.min(bytesPerSecond, 0xffff_ffff), true);
  view.setUint32(2 * ratespecBytes, queueBytes, true);
  return bytes;
}

function bytes64(value: number): Uint8Array {
  return new Uint8Array(BigUint64Array.of(BigInt(value)).buffer);
}
