// What a container's manifest says of its life: seconds become milliseconds, and a 0 the default
// that it stands for in Go.

import type { ContainerLifeSpec, HandlerSpec, ProbeSpec, RestartRule } from "../../spec/life.ts";
import { plainLife } from "../../spec/life.ts";
import type { CheckedContainer } from "./schema.ts";
import { cleanGuestPath } from "./text.ts";

type CheckedProbe = NonNullable<CheckedContainer["livenessProbe"]>;
type CheckedHooks = NonNullable<CheckedContainer["lifecycle"]>;
type CheckedHandler = NonNullable<CheckedHooks["preStop"]>;

export function buildLife(container: CheckedContainer, field: string): ContainerLifeSpec {
  const { startupProbe, livenessProbe, readinessProbe, lifecycle, restartPolicy } = container;
  const probe = (key: "startupProbe" | "livenessProbe" | "readinessProbe", read?: CheckedProbe) =>
    read && { [key]: buildProbe(read, `${field}.${key}`) };
  const hook = (key: "postStart" | "preStop") => {
    const read = lifecycle?.[key];
    return read && { [key]: buildHandler(read, `${field}.lifecycle.${key}`) };
  };
  return {
    ...probe("startupProbe", startupProbe),
    ...probe("livenessProbe", livenessProbe),
    ...probe("readinessProbe", readinessProbe),
    ...hook("postStart"),
    ...hook("preStop"),
    ...(lifecycle?.stopSignal !== undefined && { stopSignal: lifecycle.stopSignal }),
    ...(restartPolicy && { restartPolicy }),
    restartRules: (container.restartPolicyRules ?? []).map(buildRule),
    terminationMessage: {
      path: cleanGuestPath(container.terminationMessagePath || plainLife.terminationMessage.path),
      policy: container.terminationMessagePolicy ?? plainLife.terminationMessage.policy,
    },
  };
}

function buildProbe(probe: CheckedProbe, field: string): ProbeSpec {
  const ms = (seconds: number | undefined, otherwise: number) => (seconds || otherwise) * 1000;
  const grace = probe.terminationGracePeriodSeconds;
  return {
    field,
    handler: buildHandler(probe, field),
    initialDelayMs: ms(probe.initialDelaySeconds, 0),
    periodMs: ms(probe.periodSeconds, 10),
    timeoutMs: ms(probe.timeoutSeconds, 1),
    successThreshold: probe.successThreshold || 1,
    failureThreshold: probe.failureThreshold || 3,
    ...(grace !== undefined && { terminationGraceMs: grace * 1000 }),
  };
}

/** The rules have seen to it that there is exactly one. */
function buildHandler(
  handler: Pick<CheckedProbe, "exec" | "httpGet" | "tcpSocket" | "grpc"> &
    Pick<CheckedHandler, "sleep">,
  field: string,
): HandlerSpec {
  const { exec, httpGet, tcpSocket, grpc, sleep } = handler;
  if (exec) return { field: `${field}.exec`, kind: "exec", command: exec.command };
  if (httpGet) {
    const path = httpGet.path ?? "/";
    return {
      field: `${field}.httpGet`,
      kind: "httpGet",
      scheme: httpGet.scheme ?? "HTTP",
      host: httpGet.host ?? "",
      port: httpGet.port,
      path: path.startsWith("/") ? path : `/${path}`,
      headers: (httpGet.httpHeaders ?? []).map(({ name, value }) => ({ name, value: value ?? "" })),
    };
  }
  if (tcpSocket) {
    const { host, port } = tcpSocket;
    return { field: `${field}.tcpSocket`, kind: "tcpSocket", host: host ?? "", port };
  }
  if (grpc) {
    const { port, service } = grpc;
    return { field: `${field}.grpc`, kind: "grpc", port, service: service ?? "" };
  }
  return { field: `${field}.sleep`, kind: "sleep", durationMs: (sleep?.seconds ?? 0) * 1000 };
}

type CheckedRule = NonNullable<CheckedContainer["restartPolicyRules"]>[number];

function buildRule({ action, exitCodes }: CheckedRule): RestartRule {
  return {
    action,
    operator: exitCodes?.operator ?? "In",
    exitCodes: exitCodes?.values ?? [],
  };
}
