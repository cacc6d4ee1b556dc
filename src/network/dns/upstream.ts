// Questions that are not about pods, passed on to the host's own name servers as they came.

import { createSocket } from "node:dgram";
import { readFileSync, statSync } from "node:fs";

const path = "/etc/resolv.conf";
const port = 53;
const timeoutMs = 3000;
const bytesMax = 65_535;

let read: { readonly changedMs: number; readonly servers: readonly string[] } | undefined;

/** The host's; looked at again when the file has changed. */
export function hostNameservers(): readonly string[] {
  try {
    const changedMs = statSync(path).mtimeMs;
    if (read?.changedMs === changedMs) return read.servers;
    const servers = Array.from(
      readFileSync(path, "utf8").matchAll(/^\s*nameserver\s+([0-9a-fA-F.:]+)/gm),
      ([, server = ""]) => server,
    );
    read = { changedMs, servers };
    return servers;
  } catch {
    return [];
  }
}

/** The first answer that comes; undefined when none does. */
export async function askUpstream(
  question: Uint8Array,
  transport: "udp" | "tcp",
  servers: readonly string[],
): Promise<Uint8Array | undefined> {
  const ask = transport === "udp" ? askByUdp : askByTcp;
  for (const server of servers) {
    const answer = await ask(server, question);
    if (answer) return answer;
  }
  return undefined;
}

/** From a port and with a number of its own, so that nobody else can answer for the server. */
function askByUdp(server: string, question: Uint8Array): Promise<Uint8Array | undefined> {
  const { promise, resolve } = Promise.withResolvers<Uint8Array | undefined>();
  const socket = createSocket(server.includes(":") ? "udp6" : "udp4");
  const number = crypto.getRandomValues(new Uint8Array(2));
  const asked = Uint8Array.from(question);
  asked.set(number);
  const end = (answer?: Uint8Array) => {
    clearTimeout(timer);
    socket.close();
    resolve(answer);
  };
  const timer = setTimeout(end, timeoutMs);
  socket.on("error", () => end());
  socket.on("message", (bytes: Uint8Array) => {
    if (bytes.length < 12 || bytes[0] !== number[0] || bytes[1] !== number[1]) return;
    const answer = Uint8Array.from(bytes);
    answer.set(question.subarray(0, 2));
    end(answer);
  });
  // A connected socket hears of a port where nobody listens.
  socket.connect(port, server, () => socket.send(asked));
  return promise;
}

async function askByTcp(server: string, question: Uint8Array): Promise<Uint8Array | undefined> {
  const { promise, resolve } = Promise.withResolvers<Uint8Array | undefined>();
  let heard = new Uint8Array(0);
  const timer = setTimeout(() => resolve(undefined), timeoutMs);
  try {
    const socket = await Bun.connect({
      hostname: server,
      port,
      socket: {
        data(_, bytes) {
          heard = joinFrames(heard, bytes);
          const [frame] = splitFrames(heard).frames;
          if (frame) resolve(frame);
          else if (heard.length > bytesMax + 2) resolve(undefined);
        },
        close: () => resolve(undefined),
        error: () => resolve(undefined),
      },
    });
    socket.write(frameOf(question));
    const answer = await promise;
    socket.end();
    return answer;
  } catch {
    return undefined;
  } finally {
    clearTimeout(timer);
  }
}

/** Over TCP every message stands behind its length (RFC 1035, 4.2.2). */
export function frameOf(message: Uint8Array): Uint8Array {
  const frame = new Uint8Array(2 + message.length);
  new DataView(frame.buffer).setUint16(0, message.length);
  frame.set(message, 2);
  return frame;
}

export function joinFrames(heard: Uint8Array, bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const joined = new Uint8Array(heard.length + bytes.length);
  joined.set(heard);
  joined.set(bytes, heard.length);
  return joined;
}

export function splitFrames(heard: Uint8Array<ArrayBuffer>): {
  readonly frames: readonly Uint8Array[];
  readonly rest: Uint8Array<ArrayBuffer>;
} {
  const frames: Uint8Array[] = [];
  let rest = heard;
  while (rest.length >= 2) {
    const length = new DataView(rest.buffer, rest.byteOffset).getUint16(0);
    if (rest.length < 2 + length) break;
    frames.push(rest.subarray(2, 2 + length));
    rest = rest.subarray(2 + length);
  }
  return { frames, rest };
}
