// What this host can do, what it lacks, and what that costs. Every line is probed, none is guessed
// from a version alone.

import { accessSync, constants, existsSync } from "node:fs";
import { PodError } from "../errors/pod-error.ts";
import * as host from "../native/host.ts";
import { library } from "../native/library.ts";
import { oldestKernel, resolveHostFacts } from "../resolve/host-facts.ts";
import { examineHost as examineNetworkOfHost } from "../network/setup.ts";
import { PodHost } from "./peapod.ts";
import type { OpenOptions } from "./types.ts";

export interface DoctorFinding {
  readonly name: string;
  readonly isOk: boolean;
  readonly found: string;
  /** What its absence costs. */
  readonly cost?: string;
  readonly remedy?: string;
}

export function examineHost(options: OpenOptions): DoctorFinding[] {
  return [
    examineLibrary(),
    examineUser(),
    examineKernel(),
    examineLayers(),
    ...examineCgroups(options),
    examineUsr(),
    ...examineDirectories(options),
    examineUserNamespaces(),
    examineNetwork(),
  ];
}

function ok(name: string, found: string): DoctorFinding {
  return { name, isOk: true, found };
}

function lack(name: string, found: string, cost: string, remedy: string): DoctorFinding {
  return { name, isOk: false, found, cost, remedy };
}

function examineLibrary(): DoctorFinding {
  try {
    library();
    return ok("library", "libpeapod.so is here and fits");
  } catch (error) {
    const remedy = error instanceof PodError ? (error.hint ?? "") : "reinstall peapod";
    return lack(
      "library",
      error instanceof Error ? error.message : String(error),
      "nothing runs",
      remedy,
    );
  }
}

function examineUser(): DoctorFinding {
  const uid = process.getuid?.() ?? -1;
  if (uid === 0) return ok("user", "root");
  return lack("user", `user ${uid}`, "pods cannot be started", "run it with sudo");
}

function examineKernel(): DoctorFinding {
  const kernel = host.kernelVersion();
  if (host.isAtLeast(kernel, oldestKernel)) return ok("kernel", `Linux ${kernel.join(".")}`);
  return lack(
    "kernel",
    `Linux ${kernel.join(".")}`,
    "pods cannot be started",
    `boot ${oldestKernel.join(".")} or later`,
  );
}

function examineLayers(): DoctorFinding {
  const kernel = host.kernelVersion();
  if (host.isAtLeast(kernel, [6, 15])) {
    return ok("detached mounts", "layers and shared trees are used by descriptor");
  }
  return lack(
    "detached mounts",
    `Linux ${kernel.join(".")} clones only mounts that are attached`,
    "a start takes longer: the keeper prepares what containers otherwise do side by side",
    "boot Linux 6.15 or later",
  );
}

const uses: Readonly<Record<string, string>> = {
  cpu: "cpu limits are refused, cpu requests have no effect",
  memory: "memory limits are refused, and one pod can use all memory",
  pids: "the default limit of 4096 processes a pod is not applied",
};

function examineCgroups(options: OpenOptions): DoctorFinding[] {
  try {
    const { cgroup } = resolveHostFacts(
      options.cgroupRoot === undefined ? {} : { cgroupRoot: options.cgroupRoot },
    );
    return [
      ok("cgroup root", cgroup.root),
      ...Object.entries<string>(uses).map(([name, cost]) =>
        cgroup.controllers.has(name)
          ? ok(`cgroup ${name}`, "offered to pods")
          : lack(
              `cgroup ${name}`,
              `the ${name} controller is not offered at ${cgroup.root}`,
              cost,
              "boot with cgroup v2 alone: systemd.unified_cgroup_hierarchy=1, or cgroup_no_v1=all",
            ),
      ),
    ];
  } catch (error) {
    const message = error instanceof PodError && error.step ? error.step : String(error);
    const remedy = error instanceof PodError ? (error.hint ?? "") : "";
    return [lack("cgroup root", message, "pods cannot be started", remedy)];
  }
}

function examineUsr(): DoctorFinding {
  const isMerged = host.isLink("/bin") && host.isLink("/lib");
  if (isMerged) return ok("merged /usr", "image: host works");
  return lack(
    "merged /usr",
    "/bin or /lib is a directory",
    "image: host finds no programs",
    "install usrmerge",
  );
}

function examineDirectories(options: OpenOptions): DoctorFinding[] {
  const { places } = new PodHost(options);
  return Object.entries<string>({ ...places }).map(([name, path]) => {
    const parent = nearest(path);
    try {
      accessSync(parent, constants.W_OK | constants.X_OK);
      return ok(`directory ${name}`, path);
    } catch {
      return lack(
        `directory ${name}`,
        `${parent} cannot be written`,
        "pods cannot be started",
        `choose another with --${name}`,
      );
    }
  });
}

function nearest(path: string): string {
  let current = path;
  while (current !== "" && !existsSync(current))
    current = current.slice(0, current.lastIndexOf("/"));
  return current === "" ? "/" : current;
}

function examineNetwork(): DoctorFinding {
  if (process.getuid?.() !== 0) return ok("network", "not looked at without root");
  const { hasV6, lacks } = examineNetworkOfHost();
  const [problem] = lacks;
  const families = hasV6 ? "IPv4 and IPv6" : "IPv4; this host has no IPv6";
  if (problem === undefined) return ok("network", `addresses, ports and a way out: ${families}`);
  return lack(
    "network",
    problem,
    "pods have less of a network than in Kubernetes",
    "load the kernel modules veth and nf_tables, and give peapod CAP_NET_ADMIN",
  );
}

function examineUserNamespaces(): DoctorFinding {
  const [max = "0"] = host.readWords("/proc/sys/user/max_user_namespaces");
  if (Number(max) > 0) return ok("user namespaces", `up to ${max}`);
  return lack(
    "user namespaces",
    "user.max_user_namespaces is 0",
    "hostUsers: false does not work",
    "sysctl -w user.max_user_namespaces=15000",
  );
}
