// What a keeper reported, as an error in the user's own words. Numbers in, sentence out; nothing is
// looked up.

import type { ErrorCode } from "../errors/catalog.ts";
import type { Origin } from "../errors/pod-error.ts";
import { PodError } from "../errors/pod-error.ts";
import { describeErrno, errnoName } from "../native/errno.ts";
import { calls } from "../plan/abi.gen.ts";
import type { Op, Plan, Step } from "../plan/plan.ts";
import type { Secrets } from "../plan/redact.ts";
import { redact } from "../plan/redact.ts";
import { fileSystemName } from "./file-systems.ts";
import type { Reply } from "./keeper-client.ts";

export interface ExplainInput {
  readonly reply: Reply;
  readonly plan: Plan;
  /** `container nginx`, `the sandbox`: who was being started. */
  readonly subject: string;
  readonly originOf: (field: string) => Origin;
  readonly secrets: Secrets;
}

export function explainReply(input: ExplainInput): PodError {
  const { reply, plan, subject, originOf, secrets } = input;
  if (reply.status === "timed_out") {
    const step = plan.steps[reply.operation];
    return new PodError({
      code: "launch.timed-out",
      message: `${subject} did not start within ${plan.deadlineMs} ms`,
      ...(step && step.origin !== "" && { origin: originOf(step.origin) }),
      ...(step && { step: describePlace(reply, plan, step) }),
    });
  }
  if (reply.status !== "failed") return explainRefusal(reply, subject);
  const step = plan.steps[reply.operation];
  if (!step) return explainRefusal(reply, subject);
  const call = calls[reply.call] ?? "";
  const { code, message } = tell(step.op, call, errnoName(reply.errno), {
    subject,
    hide: (text) => redact(text, secrets),
    message: reply.message,
  });
  return new PodError({
    code,
    message,
    ...(step.origin !== "" && { origin: originOf(step.origin) }),
    step: describeFailure(reply, plan, step),
  });
}

function explainRefusal(reply: Reply, subject: string): PodError {
  switch (reply.status) {
    case "layout":
      return new PodError({
        code: "pod.other-version",
        message: `the keeper of the pod does not know this version's plans, so ${subject} was not started`,
      });
    case "no_such_process":
      return new PodError({
        code: "container.not-running",
        message: `${subject} needs a container that is running`,
      });
    default:
      return new PodError({
        code: "launch.failed",
        message: `the keeper refused to start ${subject} (${reply.status})`,
        hint: "the pod is ending, or runs as many processes as a keeper looks after",
      });
  }
}

function describePlace(reply: Reply, plan: Plan, step: Step): string {
  return `${reply.operation + 1} of ${plan.steps.length}, ${step.stage}: ${step.op.op}`;
}

function describeFailure(reply: Reply, plan: Plan, step: Step): string {
  const call = calls[reply.call] ?? "an unknown call";
  if (call === "none") return `${describePlace(reply, plan, step)}: the process was killed`;
  const who = step.op.op === "netlink" ? "it was about" : "the file system said";
  const isType = step.op.op === "open_volume";
  const said = reply.message === "" || isType ? "" : `; ${who}: ${reply.message}`;
  return `${describePlace(reply, plan, step)}: ${call} failed with ${describeErrno(reply.errno)}${said}`;
}

interface Words {
  readonly subject: string;
  /** For texts that may hold a Secret's value. */
  readonly hide: (text: string) => string;
  /** What the keeper adds to the numbers. */
  readonly message: string;
}

/** Operations whose failure has a cause of its own to name; the others say what they are. */
function tell(
  op: Op,
  call: string,
  errno: string,
  { subject, hide, message }: Words,
): { readonly code: ErrorCode; readonly message: string } {
  if (call === "none") {
    return { code: "launch.killed", message: `${subject} was killed before its program ran` };
  }
  switch (op.op) {
    case "write_sysctl":
      return tellSysctl(op.path, op.value, errno);
    case "set_label":
      return {
        code: "host.security-module-missing",
        message: `the kernel does not take the label ${JSON.stringify(op.label)} for ${subject}`,
      };
    case "exec":
      return call === "execve"
        ? tellExec(hide(op.arguments[0] ?? ""), errno, subject)
        : {
            code: "container.bad-directory",
            message: `${op.directory}, the working directory of ${subject}, cannot be entered`,
          };
    case "open_volume":
      return call === "mount_setattr" && message !== ""
        ? tellUnmappable(op.path, fileSystemName(Number(message)), subject)
        : tellVolume(op.path, hide(op.sub_path), op.expect, errno, subject);
    case "give_group":
      return {
        code: "volume.denied",
        message: `cannot give ${op.path} to the group ${op.gid} for ${subject}`,
      };
    case "attach":
      return {
        code: "volume.denied",
        message: `cannot show a volume on ${op.target} in ${subject}`,
      };
    case "make_overlay":
      return { code: "image.unusable", message: `cannot stack the root file system of ${subject}` };
    case "make_devices":
    case "mask":
    case "make_read_only":
    case "mount":
      return tellTarget(op.target, errno, subject);
    case "make_cgroup":
    case "write_cgroup":
      return {
        code: "host.cgroup-unusable",
        message: `cannot set up the control group of ${subject}`,
      };
    case "netlink":
      return { code: "network.failed", message: `cannot set up the network of ${subject}` };
    default:
      return { code: "launch.failed", message: `cannot start ${subject}` };
  }
}

function tellExec(command: string, errno: string, subject: string) {
  const quoted = JSON.stringify(command);
  switch (errno) {
    case "ENOENT":
    case "ENOTDIR":
      return {
        code: "container.not-found",
        message: `${quoted} does not exist in ${subject}`,
      } as const;
    case "EACCES":
    case "ENOEXEC":
    case "EISDIR":
    case "ELIBBAD":
      return {
        code: "container.not-executable",
        message: `${quoted} cannot be executed in ${subject}`,
      } as const;
    default:
      return { code: "launch.failed", message: `cannot execute ${quoted} in ${subject}` } as const;
  }
}

/** Where the kernel's own file systems go, in a root that the image made. */
function tellTarget(target: string, errno: string, subject: string) {
  return errno === "ELOOP" || errno === "ENOTDIR"
    ? ({
        code: "image.unusable",
        message: `the image of ${subject} has no directory where ${target} goes, but a link or a file`,
      } as const)
    : ({ code: "launch.failed", message: `cannot start ${subject}` } as const);
}

function tellSysctl(path: string, value: string, errno: string) {
  const name = path.replace(/[./]/g, (separator) => (separator === "/" ? "." : "/"));
  const message =
    errno === "ENOENT"
      ? `this kernel has no ${name}`
      : `${name} does not take the value ${JSON.stringify(value)}`;
  return { code: "pod.sysctl-refused", message } as const;
}

/** The user namespace asks for a file system that can be shown with other users. */
function tellUnmappable(path: string, fileSystem: string, subject: string) {
  return {
    code: "volume.not-mappable",
    message: `${path} cannot be shown in ${subject}: its file system, ${fileSystem}, does not take id maps`,
  } as const;
}

function tellVolume(
  path: string,
  subPath: string,
  expect: string,
  errno: string,
  subject: string,
): { readonly code: ErrorCode; readonly message: string } {
  const where = subPath === "" ? path : `${subPath} in ${path}`;
  switch (errno) {
    case "ENOENT":
      return {
        code: "volume.source-missing",
        message: `${where} does not exist, and ${subject} wants it`,
      };
    case "ENOTDIR":
    case "ENODEV":
      return {
        code: "volume.wrong-type",
        message: `${where} is not a ${expect.replace("_", " ")}`,
      };
    case "EINVAL":
      return expect === "any" || expect === "directory"
        ? { code: "volume.denied", message: `${where} cannot be opened for ${subject}` }
        : { code: "volume.wrong-type", message: `${where} is not a ${expect.replace("_", " ")}` };
    default:
      return { code: "volume.denied", message: `${where} cannot be opened for ${subject}` };
  }
}
