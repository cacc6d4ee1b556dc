// Copies files and directories between a container and the host, or between containers.

import { basename, dirname, resolve } from "node:path";
import type { Peapod } from "../../open.ts";
import type { PackOptions } from "../../pod/copy/pack.ts";
import type { FileKind } from "../../pod/copy/place.ts";
import type { UnpackOptions } from "../../pod/copy/unpack.ts";
import type { Invocation, Io } from "../command.ts";
import { defineCommand } from "../command.ts";
import { PodError } from "../../errors/pod-error.ts";
import type { FlagTable } from "../flags.ts";
import { usageError } from "../flags.ts";
import { openFromFlags, warn } from "../open.ts";
import { getPod, namespaceFlag } from "../pods.ts";
import { clean } from "../text.ts";

const usage = "cp SOURCE TARGET [flags]";

const flagTable = {
  container: {
    kind: "text",
    short: "c",
    value: "NAME",
    help: "of this container (default: the pod's default container, else the first)",
  },
  archive: {
    kind: "switch",
    short: "a",
    help: "keep owners and set-id bits; else files belong to who copies, or to the container's root",
  },
  "follow-link": { kind: "switch", short: "L", help: "where SOURCE is a link: what it leads to" },
  ...namespaceFlag,
} as const satisfies FlagTable;

type Cp = Invocation<typeof flagTable>;

export const cp = defineCommand({
  usage: [usage, "cp POD:PATH - | cp - POD:PATH"],
  about: [
    "Copy files and directories between a running container and this host, or between containers.",
    "POD:PATH is in a container, - a tar archive on stdout or stdin, everything else on this host",
    "(a name with a colon as ./name). A directory that exists takes SOURCE in under its own name,",
    "or with SOURCE/. the content of it. Links stay links and are never followed on the way; devices",
    "are left out. Nothing is needed inside of the container.",
  ],
  examples: [
    ["peapod cp web:/var/log/app.log .", "a file out of the default container"],
    ["peapod cp ./site/. web:/srv -c nginx", "the content of a directory into one"],
    ["peapod cp web:/etc - | tar -t", "as an archive"],
  ],
  flags: flagTable,
  run: async (invocation) => {
    const { operands, flags, io } = invocation;
    const [source, target, extra] = operands;
    if (source === undefined || target === undefined || extra !== undefined) {
      throw usageError("a source and a target are wanted", `usage: peapod ${usage}`);
    }
    if (!isInPod(source) && !isInPod(target)) {
      throw usageError("neither names a pod", "POD:PATH is a path in a container");
    }
    if (target === "-" && io.stdout.isTerminal) {
      throw usageError("an archive is not written to a terminal", "send it on: | tar -t");
    }
    await using peapod = await openFromFlags(flags, io);
    const from = await openSide(peapod, source, invocation);
    const to = await openSide(peapod, target, invocation);
    await copy(from, to, invocation);
    return 0;
  },
});

/** The two ends of a copy do the same things. */
interface Side {
  /** Empty for an archive. */
  readonly path: string;
  /** As the user wrote it. */
  readonly label: string;
  kind(path: string, followLink?: boolean): Promise<FileKind | undefined>;
  pack(path: string, options: PackOptions): AsyncIterable<Uint8Array>;
  unpack(path: string, archive: AsyncIterable<Uint8Array>, options: UnpackOptions): Promise<void>;
}

/** `./a:b` and `/a:b` are paths of the host. */
function isInPod(word: string): boolean {
  return /^[^./][^:]*:/.test(word);
}

async function openSide(peapod: Peapod, word: string, { flags, io }: Cp): Promise<Side> {
  if (word === "-") return archiveSide(io);
  if (!isInPod(word)) return hostSide(word);
  const colon = word.indexOf(":");
  const { files } = await getPod(peapod, word.slice(0, colon), flags);
  const { container } = flags;
  const place = container === undefined ? {} : { container };
  const path = word.slice(colon + 1);
  return {
    path: path.startsWith("/") ? path : `/${path}`,
    label: word,
    kind: (name, followLink = true) => files.kind(name, { ...place, followLink }),
    pack: (name, options) => files.pack(name, { ...place, ...options }),
    unpack: (name, archive, options) => files.unpack(name, archive, { ...place, ...options }),
  };
}

async function hostSide(word: string): Promise<Side> {
  const [{ hostPlace, kindOf }, { packTree }, { unpackTree }] = await Promise.all([
    import("../../pod/copy/place.ts"),
    import("../../pod/copy/pack.ts"),
    import("../../pod/copy/unpack.ts"),
  ]);
  const ending = /(\/|\/\.)$/.exec(word)?.[1] ?? "";
  return {
    path: `${resolve(word)}${ending}`,
    label: word,
    kind: async (name, followLink = true) => kindOf(hostPlace, name, followLink),
    pack: (name, options) => packTree(hostPlace, name, options),
    unpack: (name, archive, options) => unpackTree(hostPlace, name, archive, options),
  };
}

function archiveSide(io: Io): Side {
  return {
    path: "",
    label: "-",
    kind: async () => "directory",
    pack: () => Bun.stdin.stream(),
    unpack: async (_path, archive) => {
      for await (const chunk of archive) await io.stdout.writeSlowly(chunk);
    },
  };
}

/** docker cp's rules: what is there already decides what the copy is called. */
async function copy(from: Side, to: Side, { flags, io }: Cp): Promise<void> {
  const onSkip = (path: string, why: string): void => warn(io, `left out ${path}: ${why}`);
  const unpackOptions = { keepOwner: flags.archive, onSkip };
  if (from.path === "") {
    await requireDirectory(to);
    return to.unpack(to.path, from.pack("", { name: "" }), unpackOptions);
  }
  const kind = await from.kind(from.path, flags["follow-link"]);
  if (kind === undefined) throw missing(from);
  const isContent = kind === "directory" && /\/\.$/.test(from.path);
  const own = basename(resolve(from.path)) || "root";
  const { directory, name } = await placeOf(to, kind, isContent ? "" : own);
  const source = from.path.replace(/\/+\.?$/, "") || "/";
  const archive = from.pack(source, { name, followLink: flags["follow-link"], onSkip });
  await to.unpack(directory, archive, unpackOptions);
}

/** Which directory of the target it goes to, and as what. */
async function placeOf(
  to: Side,
  kind: FileKind,
  own: string,
): Promise<{ readonly directory: string; readonly name: string }> {
  if (to.path === "") return { directory: "", name: own };
  const there = await to.kind(to.path);
  if (there === "directory") return { directory: to.path, name: own };
  if (there !== undefined && kind === "directory") {
    throw unusable(to, "it is not a directory, and a directory is copied");
  }
  if (to.path.endsWith("/") && (there !== undefined || kind !== "directory")) {
    throw unusable(to, "there is no such directory");
  }
  const path = to.path.replace(/\/+\.?$/, "");
  const parent = dirname(path);
  if ((await to.kind(parent)) !== "directory") {
    throw unusable(to, `${clean(parent)} is not a directory`);
  }
  return { directory: parent, name: basename(path) };
}

async function requireDirectory(to: Side): Promise<void> {
  const kind = await to.kind(to.path);
  if (kind === "directory") return;
  throw unusable(to, kind === undefined ? "there is no such directory" : "it is not a directory");
}

function missing({ label }: Side): PodError {
  return new PodError({ code: "file.unusable", message: `${clean(label)} does not exist` });
}

function unusable({ label }: Side, why: string): PodError {
  return new PodError({
    code: "file.unusable",
    message: `nothing can be copied to ${clean(label)}`,
    step: why,
  });
}
