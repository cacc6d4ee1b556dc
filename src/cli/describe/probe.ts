// A probe in one line, as kubectl writes it.

import { type Json, object, text, texts } from "./values.ts";

export function describeProbe(probe: Json): string {
  const seconds = (key: string, otherwise: number) => `${text(probe[key] || otherwise)}s`;
  const count = (key: string, otherwise: number) => text(probe[key] || otherwise);
  return [
    handlerText(probe),
    `delay=${seconds("initialDelaySeconds", 0)}`,
    `timeout=${seconds("timeoutSeconds", 1)}`,
    `period=${seconds("periodSeconds", 10)}`,
    `#success=${count("successThreshold", 1)}`,
    `#failure=${count("failureThreshold", 3)}`,
  ].join(" ");
}

function handlerText({ exec, httpGet, tcpSocket, grpc }: Json): string {
  if (exec !== undefined) return `exec [${texts(object(exec)["command"]).join(" ")}]`;
  if (httpGet !== undefined) {
    const { scheme = "HTTP", host = "", port, path = "" } = object(httpGet);
    const way = text(scheme).toLowerCase();
    return `http-get ${way}://${String(host)}:${text(port)}${String(path)}`;
  }
  if (tcpSocket !== undefined) {
    const { host = "", port } = object(tcpSocket);
    return `tcp-socket ${String(host)}:${text(port)}`;
  }
  if (grpc === undefined) return "unknown";
  const { port, service = "" } = object(grpc);
  return `grpc <pod>:${text(port)} ${String(service)}`.trimEnd();
}
