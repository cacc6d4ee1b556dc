// Servers that say who asked them and repeat what was said, and clients of them.

export interface Heard {
  /** Who the server says had asked. */
  readonly from: string;
  readonly text: string;
}

/** Answers each connection's first bytes with its address, and then everything that is said. */
export function tcpEcho(hostname: string, port: number) {
  return Bun.listen({
    hostname,
    port,
    socket: {
      open: (socket) => void socket.write(`${plain(socket.remoteAddress)}\n`),
      data: (socket, bytes) => void socket.write(bytes),
      error: () => {},
    },
  });
}

/** An IPv4 address as a socket for both families has it. */
const plain = (address: string): string => address.replace(/^::ffff:/, "");

export function tcpAsk(hostname: string, port: number, text: string, timeoutMs = 2000) {
  const { promise, resolve, reject } = Promise.withResolvers<Heard>();
  let heard = "";
  const timer = setTimeout(() => reject(new Error("no answer")), timeoutMs);
  void Bun.connect({
    hostname,
    port,
    socket: {
      open: (socket) => void socket.write(text),
      data: (socket, bytes) => {
        heard += bytes.toString();
        const [from = "", rest = ""] = heard.split("\n");
        if (rest.length < text.length) return;
        clearTimeout(timer);
        socket.end();
        resolve({ from, text: rest });
      },
      connectError: (_, error) => reject(error),
      error: (_, error) => reject(error),
    },
  }).catch(reject);
  promise.catch(() => {}).finally(() => clearTimeout(timer));
  return promise;
}

/** Takes everything, and says the digest of it when the other side has no more. */
export function tcpDigest(hostname: string, port: number) {
  return Bun.listen<{ hash: Bun.CryptoHasher }>({
    hostname,
    port,
    allowHalfOpen: true,
    socket: {
      open: (socket) => void (socket.data = { hash: new Bun.CryptoHasher("sha256") }),
      data: (socket, bytes) => void socket.data.hash.update(bytes),
      end: (socket) => void socket.end(socket.data.hash.digest("hex")),
      error: () => {},
    },
  });
}

/** What such a server says of these bytes. */
export function tcpSend(hostname: string, port: number, bytes: Uint8Array): Promise<string> {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  let sent = 0;
  let digest = "";
  const send = (socket: Bun.Socket) => {
    sent += socket.write(bytes.subarray(sent));
    if (sent === bytes.length) socket.shutdown();
  };
  void Bun.connect({
    hostname,
    port,
    allowHalfOpen: true,
    socket: {
      open: send,
      drain: (socket) => {
        if (sent < bytes.length) send(socket);
      },
      data: (_, part) => void (digest += part.toString()),
      end: (socket) => void socket.end(),
      close: () => resolve(digest),
      connectError: (_, error) => reject(error),
      error: (_, error) => reject(error),
    },
  }).catch(reject);
  return promise;
}

export function udpEcho(hostname: string, port: number) {
  return Bun.udpSocket({
    hostname,
    port,
    socket: {
      data: (socket, bytes, fromPort, from) =>
        void socket.send(`${plain(from)}\n${bytes.toString()}`, fromPort, from),
    },
  });
}

export async function udpAsk(
  hostname: string,
  port: number,
  text: string,
  timeoutMs = 2000,
): Promise<Heard> {
  const { promise, resolve, reject } = Promise.withResolvers<Heard>();
  const timer = setTimeout(() => reject(new Error("no answer")), timeoutMs);
  const asking = Bun.udpSocket({
    connect: { hostname, port },
    hostname: hostname.includes(":") ? "::" : "0.0.0.0",
    socket: {
      data: (_, bytes) => {
        const [from = "", rest = ""] = bytes.toString().split("\n");
        resolve({ from, text: rest });
      },
      error: (_, error) => reject(error),
    },
  });
  const socket = await asking;
  socket.send(text);
  try {
    return await promise;
  } finally {
    clearTimeout(timer);
    socket.close();
  }
}
