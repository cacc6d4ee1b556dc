// Images made to lead a runtime out of them: links where a runtime makes, opens or mounts
// something. Each is a known escape of some runtime; the canary outside must not change.

import { expect } from "bun:test";
import { cpSync, mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { PodError } from "../../src/errors/pod-error.ts";
import type { PodManifest } from "../../src/read/pod-manifest/read.ts";
import type { TestHost } from "../support/host.ts";
import { answersOf, hostMissing, openTestHost, podOf } from "../support/host.ts";
import { testOrSkip } from "../support/must-run.ts";
import { Canary, secret } from "./canary.ts";

const kernelTest = testOrSkip(hostMissing === undefined, hostMissing ?? "");

type Spec = NonNullable<PodManifest["spec"]>;
type Container = Spec["containers"][number];

interface Attack {
  /** The advisory whose mechanism it is. */
  readonly name: string;
  /** In the image: path → where it points, `H` standing for the canary. */
  readonly links: Readonly<Record<string, string>>;
  readonly container?: Partial<Container>;
  readonly spec?: Partial<Spec>;
  readonly words?: readonly string[];
  /** The code of the refusal, where the container can't come up; else what it sees. */
  readonly outcome: string | Readonly<Record<string, unknown>>;
}

const mounts = (...paths: readonly string[]): Pick<Attack, "container" | "spec"> => ({
  container: { volumeMounts: paths.map((mountPath) => ({ name: "data", mountPath })) },
  spec: { volumes: [{ name: "data", emptyDir: {} }] },
});
/** include/uapi/linux/magic.h. */
const devptsMagic = 0x1cd1;
/** Up and out again, further than any root is deep. */
const upwards = `${"../".repeat(40)}H`;

const attacks: readonly Attack[] = [
  {
    name: "/dev is a link (CVE-2026-41579, CVE-2026-47766)",
    links: { "/dev": "H" },
    outcome: "image.unusable",
  },
  {
    name: "/dev is a link, with a terminal (CVE-2026-88264)",
    links: { "/dev": "H" },
    container: { tty: true },
    outcome: "image.unusable",
  },
  {
    name: "/proc is a link (CVE-2019-19921, CVE-2023-27561)",
    links: { "/proc": "H/directory" },
    outcome: "image.unusable",
  },
  {
    name: "/proc is a link into a volume that others may change (CVE-2019-19921)",
    links: { "/proc": "data" },
    ...mounts("/data"),
    outcome: "image.unusable",
  },
  {
    name: "/sys is a link to /proc (CVE-2023-28642)",
    links: { "/sys": "/proc" },
    outcome: "image.unusable",
  },
  { name: "/sys is a link out", links: { "/sys": upwards }, outcome: "image.unusable" },
  {
    name: "/dev holds links where devices go (CVE-2025-31133, CVE-2025-52565, CVE-2026-88265)",
    links: {
      "/dev/null": "/proc/sys/kernel/domainname",
      "/dev/console": "H/file",
      "/dev/ptmx": "H/ptmx",
      "/dev/pts": "H/directory",
      "/dev/shm": "H/directory",
      "/dev/mqueue": upwards,
    },
    container: { tty: true },
    words: ["stat", "/dev/null", "statfs", "/dev/pts", "head", "/proc/timer_list", "9"],
    outcome: {
      "stat /dev/null": expect.objectContaining({ type: "character", mode: "0666", rdev: [1, 3] }),
      "statfs /dev/pts": expect.objectContaining({ type: devptsMagic }),
      "head /proc/timer_list 9": "",
    },
  },
  {
    name: "/etc is a link (CVE-2025-24965, CVE-2024-5154)",
    links: { "/etc": "H" },
    outcome: "volume.denied",
  },
  {
    name: "generated files are links",
    links: { "/etc/hosts": "H/hosts", "/etc/hostname": "H/new", "/etc/resolv.conf": upwards },
    words: ["read", "/etc/hostname"],
    outcome: "volume.denied",
  },
  {
    name: "a mount target's parent is a link out (CVE-2019-18837, CVE-2021-30465)",
    links: { "/a": "H" },
    ...mounts("/a/directory"),
    outcome: "volume.denied",
  },
  {
    name: "a mount target is a link upwards",
    links: { "/a": upwards },
    ...mounts("/a"),
    outcome: "volume.denied",
  },
  {
    name: "a chain of 42 links stands before a mount target",
    links: Object.fromEntries(
      Array.from({ length: 42 }, (_, at) => [`/l${at}`, at === 41 ? "H" : `l${at + 1}`]),
    ),
    ...mounts("/l0/x"),
    outcome: "volume.denied",
  },
  {
    name: "the working directory leads out (CVE-2026-55686)",
    links: { "/link": "H" },
    container: { workingDir: "/link/made" },
    outcome: "container.bad-directory",
  },
  ...[3, 4, 5, 6, 7, 8, 9, 10, 20, 100, 1023, 1024].map((fd) => ({
    name: `the working directory is descriptor ${fd} (CVE-2024-21626)`,
    links: { "/way": `/proc/self/fd/${fd}` },
    container: { workingDir: "/way" },
    outcome: "container.bad-directory",
  })),
  {
    name: "the command lies behind a descriptor (CVE-2024-21626)",
    links: {},
    container: { command: ["/proc/self/fd/7/../../../../../../../bin/true"] },
    outcome: "container.not-found",
  },
  {
    name: "the command is a script whose interpreter is the runtime (CVE-2019-5736)",
    links: { "/script": "own-script" },
    container: { command: ["/script"] },
    outcome: {},
  },
];

/** A root file system with the probe and these links; what they need stands around them. */
function makeRoot(host: TestHost, canary: Canary, links: Attack["links"]): string {
  const root = join(canary.scratch, "image");
  cpSync(host.rootfs, root, { recursive: true });
  for (const [path, target] of Object.entries(links)) {
    mkdirSync(join(root, dirname(path)), { recursive: true });
    symlinkSync(
      target.replace("H", canary.place.slice(target.startsWith("H") ? 0 : 1)),
      join(root, path),
    );
  }
  writeFileSync(join(root, "own-script"), "#!/proc/self/exe\n", { mode: 0o755 });
  return root;
}

async function outcomeOf(host: TestHost, root: string, attack: Attack) {
  const { container, spec, words = ["cwd"] } = attack;
  const image = `rootfs:${root}`;
  const manifest = podOf(host, "hostile", { only: words }, spec, { image, ...container });
  try {
    await using pod = await host.up(manifest);
    const { only = {} } = await answersOf(pod);
    return only;
  } catch (error) {
    if (error instanceof PodError) return error.code;
    throw error;
  }
}

for (const hostUsers of [true, false]) {
  for (const attack of attacks) {
    const where = hostUsers ? "" : ", in a user namespace";
    kernelTest(`${attack.name}: nothing outside changes${where}`, async () => {
      await using host = await openTestHost();
      using canary = new Canary();
      const root = makeRoot(host, canary, attack.links);
      const spec = { ...attack.spec, hostUsers };
      const outcome = await outcomeOf(host, root, { ...attack, spec });
      expect(canary.changes()).toEqual([]);
      expect(JSON.stringify(outcome)).not.toContain(secret);
      expect(outcome as unknown).toEqual(attack.outcome);
    });
  }
}
