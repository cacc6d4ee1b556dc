// Filters at work: profiles of the host's administrator, and what the default one does with
// capabilities.

import { expect } from "bun:test";
import { mkdirSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { PodManifest } from "../../src/read/pod-manifest/read.ts";
import type { TestHost } from "../support/host.ts";
import { hostMissing, openTestHost, podOf } from "../support/host.ts";
import { testOrSkip } from "../support/must-run.ts";
import { probeAnswers } from "../support/probe.ts";

const kernelTest = testOrSkip(hostMissing === undefined, hostMissing ?? "");

type Spec = NonNullable<PodManifest["spec"]>;
type Context = NonNullable<Spec["containers"][number]["securityContext"]>;

function writeProfile(host: TestHost, name: string, profile: object): void {
  mkdirSync(join(host.places.root, "seccomp/team"), { recursive: true });
  writeFileSync(join(host.places.root, "seccomp", name), JSON.stringify(profile));
}

const wordsOf = (attempts: readonly string[]) =>
  attempts.flatMap((attempt) => ["try", ...attempt.split(" ")]);

/** By the container itself, and by a command in it when its profile has changed meanwhile. */
async function attempt(
  host: TestHost,
  attempts: readonly string[],
  context: Context,
  meanwhile: () => void = () => {},
): Promise<Record<string, unknown>> {
  const words = wordsOf(attempts);
  const own = await host.answers(
    podOf(host, "tried", { only: words }, {}, { securityContext: context }),
  );
  await using pod = await host.up(
    podOf(host, "joined", { only: ["pause"] }, {}, { securityContext: context }),
  );
  meanwhile();
  const { stdout } = await pod.exec(["/probe", ...words]).result;
  expect(probeAnswers(new TextDecoder().decode(stdout))).toEqual(own["only"] ?? {});
  return own["only"] ?? {};
}

const localhost = (localhostProfile: string): Context => ({
  seccompProfile: { type: "Localhost", localhostProfile },
});

kernelTest(
  "a profile of the host's decides: by name, by argument, with its error numbers",
  async () => {
    await using host = await openTestHost();
    const eq = (value: number) => [{ index: 0, value, op: "SCMP_CMP_EQ" }];
    const profile = {
      defaultAction: "SCMP_ACT_ALLOW",
      syscalls: [
        { names: ["sethostname"], action: "SCMP_ACT_ERRNO", errnoRet: 95 },
        { names: ["socket"], action: "SCMP_ACT_ERRNO", args: eq(16) },
        { names: ["chroot"], action: "SCMP_ACT_KILL_PROCESS" },
        { names: ["no_such_call_on_any_machine"], action: "SCMP_ACT_TRAP" },
      ],
    };
    writeProfile(host, "team/web.json", profile);
    const seen = await attempt(
      host,
      ["sethostname a", "socket 16 3 0", "socket 2 1 0", "chroot /", "io-uring"],
      localhost("team/web.json"),
      // What a container runs with stays as it was.
      () => writeProfile(host, "team/web.json", { defaultAction: "SCMP_ACT_ALLOW" }),
    );
    expect(seen).toEqual({
      "try sethostname a": "EOPNOTSUPP",
      "try socket 16 3 0": "EPERM",
      "try socket 2 1 0": "ok",
      "try chroot /": "signal 31",
      "try io-uring": "ok",
    });
  },
);

kernelTest("a profile may forbid escalation to be needed, and is there without it", async () => {
  await using host = await openTestHost();
  writeProfile(host, "deny.json", {
    defaultAction: "SCMP_ACT_ALLOW",
    syscalls: [{ names: ["sethostname"], action: "SCMP_ACT_ERRNO", errnoRet: 95 }],
  });
  const context = { ...localhost("deny.json"), allowPrivilegeEscalation: true, runAsUser: 1000 };
  expect(await attempt(host, ["sethostname a"], context)).toEqual({
    "try sethostname a": "EOPNOTSUPP",
  });
});

kernelTest("capabilities open the calls that they are for, and no others", async () => {
  await using host = await openTestHost();
  const attempts = ["fsopen", "bpf", "ptrace 1", "io-uring", "keyctl", "clone3 0", "chroot /"];
  const withAdmin = await attempt(host, attempts, { capabilities: { add: ["SYS_ADMIN"] } });
  expect(withAdmin).toMatchObject({
    "try fsopen": "ok",
    "try bpf": "ok",
    "try clone3 0": "ok",
    "try io-uring": "EPERM",
    "try keyctl": "EPERM",
    "try chroot /": "EPERM",
  });
  const withChroot = await attempt(host, attempts, { capabilities: { add: ["SYS_CHROOT"] } });
  expect(withChroot).toMatchObject({
    "try fsopen": "EPERM",
    "try bpf": "EPERM",
    "try clone3 0": "ENOSYS",
    "try chroot /": "ok",
  });
});

kernelTest("no filter, and only the session keyring of the pod's own", async () => {
  await using host = await openTestHost();
  const unconfined: Context = { seccompProfile: { type: "Unconfined" } };
  const seen = await attempt(host, ["io-uring", "clone3 0", "keyctl"], unconfined);
  expect(seen).toEqual({ "try io-uring": "ok", "try clone3 0": "ok", "try keyctl": "ok" });
});

kernelTest("a profile's name does not lead out of its directory", async () => {
  await using host = await openTestHost();
  writeProfile(host, "good.json", { defaultAction: "SCMP_ACT_ALLOW" });
  symlinkSync("/etc/passwd", join(host.places.root, "seccomp/link.json"));
  const up = (name: string) =>
    host
      .up(podOf(host, "tried", { only: ["exit", "0"] }, {}, { securityContext: localhost(name) }))
      .then(
        (pod) => pod.down(),
        (error: unknown) => (error instanceof Error ? error.message : error),
      );
  expect(await up("good.json")).toBe(undefined);
  const text = (name: string, why: string) =>
    `the seccomp profile ${host.places.root}/seccomp/${name} cannot be used: ${why}`;
  expect(await up("missing.json")).toBe(text("missing.json", "ENOENT"));
  expect(await up("team")).toBe(text("team", "EISDIR"));
  expect(String(await up("link.json"))).toStartWith(text("link.json", ""));
  expect(String(await up("link.json"))).not.toContain("root:");
});
