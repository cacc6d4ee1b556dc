// The commands by name. Their files are loaded when they are run, so that `ps` does not pay for
// `up`.

import type { AnyCommand } from "./command.ts";

interface Entry {
  /** Half a line for the list of commands. */
  readonly summary: string;
  readonly load: () => Promise<AnyCommand>;
}

export const commands: Readonly<Record<string, Entry>> = {
  up: {
    summary: "start the pods of a manifest and follow their output",
    load: async () => (await import("./commands/up.ts")).up,
  },
  down: {
    summary: "end pods, by name or by manifest",
    load: async () => (await import("./commands/down.ts")).down,
  },
  rm: {
    summary: "remove pods that have ended",
    load: async () => (await import("./commands/rm.ts")).rm,
  },
  restart: {
    summary: "stop containers and start them again",
    load: async () => (await import("./commands/restart.ts")).restart,
  },
  resize: {
    summary: "more or less processor and memory for a running pod",
    load: async () => (await import("./commands/resize.ts")).resize,
  },
  debug: {
    summary: "add a container to a pod, to look at it with",
    load: async () => (await import("./commands/debug.ts")).debug,
  },
  kill: {
    summary: "send a signal to containers",
    load: async () => (await import("./commands/kill.ts")).kill,
  },
  pause: {
    summary: "freeze pods where they stand",
    load: async () => (await import("./commands/pause.ts")).pause,
  },
  unpause: {
    summary: "let paused pods go on",
    load: async () => (await import("./commands/pause.ts")).unpause,
  },
  ps: {
    summary: "list pods",
    load: async () => (await import("./commands/ps.ts")).ps,
  },
  top: {
    summary: "what containers use, live",
    load: async () => (await import("./commands/top.ts")).top,
  },
  stats: {
    summary: "what containers use, one table after the other",
    load: async () => (await import("./commands/top.ts")).stats,
  },
  describe: {
    summary: "why a pod is as it is, on one page",
    load: async () => (await import("./commands/describe.ts")).describe,
  },
  events: {
    summary: "what happened to pods",
    load: async () => (await import("./commands/events.ts")).events,
  },
  wait: {
    summary: "wait until pods are ready, have finished, or have gone",
    load: async () => (await import("./commands/wait.ts")).wait,
  },
  logs: {
    summary: "print what containers wrote",
    load: async () => (await import("./commands/logs.ts")).logs,
  },
  exec: {
    summary: "run a command in a container",
    load: async () => (await import("./commands/exec.ts")).exec,
  },
  attach: {
    summary: "connect to a container's own input and output",
    load: async () => (await import("./commands/attach.ts")).attach,
  },
  cp: {
    summary: "copy files between containers and the host",
    load: async () => (await import("./commands/cp.ts")).cp,
  },
  inspect: {
    summary: "everything about a pod, as JSON",
    load: async () => (await import("./commands/inspect.ts")).inspect,
  },
  "port-forward": {
    summary: "ports of this host for ports of a pod",
    load: async () => (await import("./commands/port-forward.ts")).portForward,
  },
  net: {
    summary: "addresses of pods, their ports on the host, their traffic",
    load: async () => (await import("./commands/net.ts")).net,
  },
  ns: {
    summary: "which kernel namespaces and control groups a pod has",
    load: async () => (await import("./commands/ns.ts")).ns,
  },
  agent: {
    summary: "the background process that looks after detached pods",
    load: async () => (await import("./commands/agent.ts")).agent,
  },
  volumes: {
    summary: "list and remove the volumes of claims",
    load: async () => (await import("./commands/volumes.ts")).volumes,
  },
  pull: {
    summary: "bring images from registries",
    load: async () => (await import("./commands/pull.ts")).pull,
  },
  push: {
    summary: "send an image to a registry",
    load: async () => (await import("./commands/push.ts")).push,
  },
  load: {
    summary: "bring images from a file or standard input",
    load: async () => (await import("./commands/load.ts")).load,
  },
  save: {
    summary: "write images to a file",
    load: async () => (await import("./commands/save.ts")).save,
  },
  images: {
    summary: "list the images of the store",
    load: async () => (await import("./commands/images.ts")).images,
  },
  image: {
    summary: "look at one image: its configuration, history and layers",
    load: async () => (await import("./commands/image.ts")).image,
  },
  tag: {
    summary: "give an image one more name",
    load: async () => (await import("./commands/tag.ts")).tag,
  },
  commit: {
    summary: "make an image of what a container wrote",
    load: async () => (await import("./commands/commit.ts")).commit,
  },
  rmi: {
    summary: "remove images",
    load: async () => (await import("./commands/rmi.ts")).rmi,
  },
  prune: {
    summary: "free what no image and no pod uses",
    load: async () => (await import("./commands/prune.ts")).prune,
  },
  plan: {
    summary: "print what starting a manifest would do",
    load: async () => (await import("./commands/plan.ts")).plan,
  },
  validate: {
    summary: "check manifests, and say what becomes of every field",
    load: async () => (await import("./commands/validate.ts")).validate,
  },
  diff: {
    summary: "how manifests differ from the pods that run",
    load: async () => (await import("./commands/diff.ts")).diff,
  },
  generate: {
    summary: "a manifest from a pod, a unit for systemd",
    load: async () => (await import("./commands/generate.ts")).generate,
  },
  doctor: {
    summary: "what this host can do, and what it lacks",
    load: async () => (await import("./commands/doctor.ts")).doctor,
  },
  explain: {
    summary: "what an error code means",
    load: async () => (await import("./commands/explain.ts")).explain,
  },
  completion: {
    summary: "complete command lines in bash, zsh and fish",
    load: async () => (await import("./commands/completion.ts")).completion,
  },
  version: {
    summary: "which version this is",
    load: async () => (await import("./commands/version.ts")).version,
  },
};
