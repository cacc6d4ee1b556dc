// A container of the manifest; those of initContainers are of the same kind.

import * as z from "zod";
import { fields, later, notYet, once, refused } from "./fate.ts";
import { Env, EnvFrom } from "./schema-env.ts";
import { Lifecycle, Probe, RestartPolicy, RestartRules, TerminationPolicy } from "./schema-life.ts";
import { ResizePolicy, Resources } from "./schema-resources.ts";
import { SecurityContext } from "./schema-security.ts";
import { PortNumber, between, entriesMax, listOf, none } from "./schema-values.ts";
import { VolumeMount } from "./schema-volume.ts";
import { DnsLabel, Image, IpAddress, PortName, WorkingDir } from "./text.ts";

const Truth = once(() => z.boolean());
const Arguments = once(() => listOf(z.string(), entriesMax));
const PullPolicy = once(() => z.enum(["Always", "IfNotPresent", "Never"]));

const Port = once(() =>
  fields({
    containerPort: PortNumber(),
    name: later(PortName),
    protocol: later(() => z.enum(["SCTP", "TCP", "UDP"])),
    // 0 is none, as in Go.
    hostPort: later(() => between(0, 65_535)),
    hostIP: later(IpAddress),
  }),
);

export const Container = fields({
  name: DnsLabel,
  image: Image,
  command: later(Arguments),
  args: later(Arguments),
  workingDir: later(WorkingDir),
  env: later(Env),
  envFrom: later(EnvFrom),
  resources: later(Resources),
  resizePolicy: later(ResizePolicy),
  volumeMounts: later(() => listOf(VolumeMount())),
  volumeDevices: refused(notYet, none),
  ports: later(() => listOf(Port(), entriesMax)),
  tty: later(Truth),
  stdin: later(Truth),
  stdinOnce: later(Truth),
  imagePullPolicy: later(PullPolicy),
  securityContext: later(SecurityContext),
  startupProbe: later(Probe),
  livenessProbe: later(Probe),
  readinessProbe: later(Probe),
  lifecycle: later(Lifecycle),
  restartPolicy: later(RestartPolicy),
  restartPolicyRules: later(RestartRules),
  terminationMessagePath: later(() => z.string()),
  terminationMessagePolicy: later(TerminationPolicy),
});
