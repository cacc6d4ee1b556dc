// Where the programs of the peers are, which version, and where they come from when they are not
// there. Nothing here is required: what is absent says why.
import type { Absent } from "../cell.ts";

export type Program = {
  readonly name: string;
  /** What it is to the benchmark. */
  readonly role: string;
  readonly versionWords: readonly string[];
  /** Debian's package; where there is none, who offers it. */
  readonly from: { readonly debian: string } | { readonly elsewhere: string };
  /** Programs that it can't work without. */
  readonly needs: readonly string[];
};

const version = ["--version"];

export const programs: readonly Program[] = [
  program("crun", "OCI runtime", { debian: "crun" }),
  program("runc", "OCI runtime", { debian: "runc" }),
  program("youki", "OCI runtime", {
    elsewhere: "cargo install youki --no-default-features --features v2,seccomp",
  }),
  program("podman", "engine with pods", { debian: "podman" }, ["conmon", "crun", "catatonit"]),
  program("conmon", "podman's monitor of a container", { debian: "conmon" }),
  program("catatonit", "podman's first process of a pod", { debian: "catatonit" }),
  program("containerd", "engine", { debian: "containerd" }, ["ctr", "runc"]),
  program("ctr", "containerd's own client", { debian: "containerd" }),
  program("crictl", "client of the CRI", {
    elsewhere: "cri-tools, sigs.k8s.io/cri-tools/cmd/crictl",
  }),
  program("bwrap", "sandbox of one process", { debian: "bubblewrap" }),
  program("systemd-nspawn", "containers of systemd", { debian: "systemd-container" }),
  program("unshare", "namespaces and nothing else", { debian: "util-linux" }),
  { ...program("strace", "counts system calls", { debian: "strace" }), versionWords: ["-V"] },
];

function program(
  name: string,
  role: string,
  from: Program["from"],
  needs: readonly string[] = [],
): Program {
  return { name, role, versionWords: version, from, needs };
}

/** Debian keeps some outside of an ordinary user's PATH; catatonit has no place in any. */
const path = [
  process.env.PATH,
  "/usr/sbin:/sbin:/usr/local/bin:/usr/libexec/podman",
  `${process.env.HOME}/.cargo/bin:${process.env.HOME}/go/bin`,
].join(":");

export function findProgram(name: string): string | undefined {
  return Bun.which(name, { PATH: path }) ?? undefined;
}

/** Its first line about itself, or why it can't be asked to do anything. */
export async function describeProgram(name: string): Promise<string | Absent> {
  const known = programs.find((one) => one.name === name);
  const file = findProgram(name);
  if (known === undefined || file === undefined) return { absent: whereFrom(known) };
  const missing = known.needs.filter((needed) => findProgram(needed) === undefined);
  if (missing.length > 0) return { absent: `installed, but needs ${missing.join(", ")}` };
  const asked = Bun.spawn([file, ...known.versionWords], { stdout: "pipe", stderr: "ignore" });
  const [firstLine = ""] = (await asked.stdout.text()).split("\n");
  await asked.exited;
  return firstLine.trim();
}

function whereFrom(known: Program | undefined): string {
  if (known === undefined) return "not known to the benchmark";
  const { from } = known;
  return "debian" in from
    ? `not installed (Debian's package ${from.debian})`
    : `not installed (not in Debian: ${from.elsewhere})`;
}

/** Debian's packages of what is not here. */
export function missingPackages(): string[] {
  const packages = programs
    .filter(({ name }) => findProgram(name) === undefined)
    .flatMap(({ from }) => ("debian" in from ? [from.debian] : []));
  return [...new Set(packages)];
}
