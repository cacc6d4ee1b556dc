// The differences between end states that are known and stay, each with its reason. A difference
// that is not here is a flaw: of the floor, of a bundle, or of peapod.
import type { Known } from "./compare.ts";

const floors = ["floor", "floor (naive)"];
const runtimes = ["crun", "runc", "youki", "containerd (ctr)"];

const maskedFile =
  "proc/(interrupts|kcore|keys|latency_stats|sched_debug|timer_list|timer_stats)" +
  "|sys/devices/system/cpu/.*";
const maskedDirectory = "proc/(acpi|asound|scsi)|sys/(firmware|devices/virtual/powercap)";
const readOnlyPath = "proc/(bus|fs|irq|sys|sysrq-trigger)";

const mount = (paths: string): RegExp => new RegExp(`^mount /(${paths})$`);

export const known: readonly Known[] = [
  {
    subjects: floors,
    field: /^(\/tmp|files of \/|lines of \/etc\/.*|mount \/usr\/local\/bin\/bun)$/,
    reason: "what the image and the generated files hold; no step of a launch",
  },
  {
    subjects: [...floors, ...runtimes],
    field: /^file for a last message$/,
    reason: "an engine makes it, and reads it when the container has ended",
  },
  {
    subjects: floors,
    field: mount(maskedDirectory),
    reason: "an empty directory of another file system, read-only as well",
  },
  {
    subjects: ["floor (naive)", "runc", "containerd (ctr)"],
    field: /^mount \/sys$/,
    reason: "mount(2) makes the file system read-only and not only the mount",
  },
  {
    subjects: runtimes,
    field: /^mount \/$/,
    reason: "a plain directory: an engine would have mounted the overlay before",
  },
  {
    subjects: runtimes,
    field: /^mount \/etc\/(hosts|hostname|resolv\.conf)$/,
    reason: "bound from the benchmark's directory: an engine would have made a tmpfs before",
  },
  {
    subjects: runtimes,
    field: /^descriptors$/,
    reason: "output goes to a file: an engine would have made pipes and would read them",
  },
  {
    subjects: runtimes,
    field: mount(`${maskedFile}|${maskedDirectory}`),
    reason: "its own kind of empty file or directory",
  },
  {
    subjects: runtimes,
    field: mount(readOnlyPath),
    reason: "read-only as well; it does not keep the flags of the mount below",
  },
  {
    subjects: runtimes,
    field: /^parent-death signal$/,
    reason: "no process of it stays that the container could die with",
  },
  {
    subjects: ["runc", "youki", "containerd (ctr)"],
    field: /^files of \/dev$/,
    reason: "it makes no /dev/core",
  },
  {
    subjects: ["youki"],
    field: /^loopback$/,
    reason: "it leaves the loopback interface down",
  },
  {
    subjects: ["youki"],
    field: /^ignored signals$/,
    reason: "SIGPIPE stays ignored, as in every program of its language",
  },
];
