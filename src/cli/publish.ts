// `--publish [IP:]HOST:CONTAINER[/PROTOCOL]`, as more ports of a pod's first container.

import { isIP } from "node:net";
import type { PodSpec, PortSpec } from "../spec/pod-spec.ts";
import { usageError } from "./flags.ts";

export function withPublished(spec: PodSpec, words: readonly string[]): PodSpec {
  const [first, ...others] = spec.containers;
  if (words.length === 0 || first === undefined) return spec;
  const ports = [...first.ports, ...words.map(readPublished)];
  return { ...spec, containers: [{ ...first, ports }, ...others] };
}

function readPublished(word: string): PortSpec {
  const [, bracketed, plain, host = "", container = "", protocol = "tcp"] =
    /^(?:\[(.+)\]:|([^:[\]]+):)?(\d+):(\d+)(?:\/([a-z]+))?$/i.exec(word) ?? [];
  const hostIP = bracketed ?? plain ?? "";
  const [hostPort, containerPort] = [Number(host), Number(container)];
  const isPort = (port: number) => port >= 1 && port <= 65_535;
  const known = protocols.find((name) => name === protocol.toUpperCase());
  if (!known || !isPort(hostPort) || !isPort(containerPort) || (hostIP && !isIP(hostIP))) {
    throw usageError(
      `--publish: invalid value ${JSON.stringify(word)}`,
      "write it as 8080:80, 127.0.0.1:8080:80 or [::1]:5353:53/udp",
    );
  }
  return {
    ...{ field: "--publish", name: "", containerPort, hostPort, hostIP },
    protocol: known,
  };
}

const protocols = ["TCP", "UDP", "SCTP"] as const;
