// What a manifest says about a container's life: probes, hooks, restart rules. Made only for the
// containers that have them.

import * as z from "zod";
import { fields, later, once, refused } from "./fate.ts";
import { PortNumber, atLeast, between, entriesMax, filledListOf, listOf } from "./schema-values.ts";
import { HeaderName, PortName, text } from "./text.ts";

const alpha = "the field is alpha; a cluster drops it unless its feature gate is on";
const commandsMax = 255;

/** Kubernetes' IntOrString: a text is the name of one of the container's ports. */
const Port = once(() =>
  z.union([PortNumber(), PortName()], { error: "must be the number or the name of a port" }),
);

const Exec = once(() => fields({ command: filledListOf(z.string(), entriesMax) }));

const HttpGet = once(() =>
  fields({
    port: Port(),
    path: later(() => z.string()),
    host: later(() => z.string()),
    scheme: later(() => z.enum(["HTTP", "HTTPS"])),
    httpHeaders: later(() =>
      listOf(fields({ name: HeaderName(), value: later(() => z.string()) })),
    ),
    protocol: refused(alpha),
  }),
);

const TcpSocket = once(() => fields({ port: Port(), host: later(() => z.string()) }));

const Grpc = once(() =>
  fields({ port: PortNumber(), service: later(() => z.string()), mode: refused(alpha) }),
);

/** A 0 stands for the default, as in Go. */
export const Probe = once(() =>
  fields({
    exec: later(Exec),
    httpGet: later(HttpGet),
    tcpSocket: later(TcpSocket),
    grpc: later(Grpc),
    initialDelaySeconds: later(() => atLeast(0)),
    periodSeconds: later(() => atLeast(0)),
    timeoutSeconds: later(() => atLeast(0)),
    successThreshold: later(() => atLeast(0)),
    failureThreshold: later(() => atLeast(0)),
    terminationGracePeriodSeconds: later(() => atLeast(1)),
  }),
);

const Handler = once(() =>
  fields({
    exec: later(Exec),
    httpGet: later(HttpGet),
    tcpSocket: later(TcpSocket),
    sleep: later(() => fields({ seconds: atLeast(0) })),
  }),
);

const signals =
  "ABRT ALRM BUS CHLD CLD CONT FPE HUP ILL INT IO IOT KILL PIPE POLL PROF PWR QUIT SEGV STKFLT " +
  "STOP SYS TERM TRAP TSTP TTIN TTOU URG USR1 USR2 VTALRM WINCH XCPU XFSZ RTMIN RTMAX";

/** As the Pod API writes signals of Linux: `SIGUSR1`, `SIGRTMIN+2`, `SIGRTMAX-1`. */
function checkSignal(value: string): string | undefined {
  const name = value.replace(/^SIG/, "");
  const isNamed = signals.split(" ").includes(name);
  const isRealTime = /^(RTMIN\+([1-9]|1[0-5])|RTMAX-([1-9]|1[0-4]))$/.test(name);
  const isSignal = value.startsWith("SIG") && (isNamed || isRealTime);
  return isSignal ? undefined : "must be the name of a signal, such as SIGUSR1 or SIGRTMIN+3";
}

export const Lifecycle = once(() =>
  fields({
    postStart: later(Handler),
    preStop: later(Handler),
    stopSignal: later(() => text(checkSignal)),
  }),
);

export const RestartPolicy = once(() => z.enum(["Always", "Never", "OnFailure"]));

export const RestartRules = once(() =>
  listOf(
    fields({
      action: z.enum(["Restart", "RestartAllContainers"]),
      exitCodes: later(() =>
        fields({
          operator: z.enum(["In", "NotIn"]),
          values: later(() => listOf(between(0, 255), commandsMax)),
        }),
      ),
    }),
    20,
  ),
);

export const TerminationPolicy = once(() => z.enum(["FallbackToLogsOnError", "File"]));
