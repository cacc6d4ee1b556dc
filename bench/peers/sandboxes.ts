// Programs that run one process in namespaces of its own, each with its own defaults. They know no
// pods: only create-run-delete can be asked of them.
import { mkdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { findProgram } from "./find.ts";
import type { Peer } from "./peer.ts";
import { copyRoot, planOne } from "./planned.ts";

/** The command up to the program that it runs; `@ROOT@` stands for the root's directory. */
const commands = {
  bubblewrap: "bwrap --unshare-all --bind @ROOT@ / --dev /dev --proc /proc --",
  "systemd-nspawn":
    "systemd-nspawn --quiet --register=no --keep-unit --private-network --directory=@ROOT@ --",
  unshare:
    "unshare --mount --uts --ipc --net --pid --cgroup --fork --kill-child --root=@ROOT@ " +
    "--mount-proc --",
} as const;

export const sandboxPeers: readonly Peer[] = Object.entries(commands).map(([name, command]) => {
  const program = command.split(" ")[0] ?? "";
  return {
    name,
    program,
    seesAllGroups: program === "systemd-nspawn",
    spans: { lifecycle: `${command} PROGRAM, where PROGRAM ends at once` },
    refuses(shape) {
      if (shape.level !== "full") return "asked for its own defaults only";
      if (shape.userNamespace || !shape.network) return "asked for its default namespaces only";
      return shape.readOnlyRoot ? "asked for its default root only" : undefined;
    },
    async drive(site, options) {
      const { directory } = site;
      mkdirSync(join(directory, "out"));
      const planned = planOne({
        directory,
        cgroupRoot: join(site.group, "peapod"),
        command: options.command,
      });
      const root = join(directory, "rootfs");
      copyRoot(planned, root, options.programs);
      const [, ...flags] = command.replace("@ROOT@", root).split(" ");
      const words = options.once.map((word) => `'${word}'`);
      const line = [findProgram(program), ...flags, ...words].join(" ");
      return {
        functions: `once() { ${line} >${directory}/out/once; }\n`,
        onceOutput: () => readFileSync(join(directory, "out", "once")),
      };
    },
  } satisfies Peer;
});
