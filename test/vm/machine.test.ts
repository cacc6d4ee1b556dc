// The machine itself: that it says truly how its command ended, and that its controllers bite.

import { beforeAll, expect, test } from "bun:test";
import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { testOrSkip } from "../support/must-run.ts";
import { probeAnswers, probePath } from "../support/probe.ts";
import { bootVm, vmMissing } from "./machine.ts";

const missing = vmMissing();
const vmTest = testOrSkip(missing === undefined, missing ?? "");
const timeoutMs = 60_000;

beforeAll(() => {
  if (missing === undefined) probePath();
}, timeoutMs);

async function failure(machine: Promise<unknown>): Promise<string> {
  try {
    await machine;
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error("the machine ended without an error");
}

/** Every limit of cgroup v2 that peapod sets, reached by a process that was put under it. */
const limits = `
  probe=zig-out/bin/peapod-probe
  top=/sys/fs/cgroup
  echo "+memory +pids +cpu" >$top/cgroup.subtree_control
  under() {
    group=$top/$1
    mkdir $group
    echo "$3" >$group/$2
    shift 3
    sh -c 'echo 0 >"$0/cgroup.procs"; exec "$@"' $group "$@"
  }

  cat $top/cgroup.controllers
  under memory memory.max 8M $probe eat-memory 0x4000000; echo "status $?"
  grep oom_kill $top/memory/memory.events
  under pids pids.max 5 $probe fork-bomb 100
  under cpu cpu.max "20000 100000" $probe burn-cpu 200
  mkdir $top/born; $probe try clone-into-cgroup $top/born
`;

vmTest(
  "limits bite: memory.max kills, pids.max refuses, cpu.max throttles",
  async () => {
    const { exitCode, output } = await bootVm({ command: ["sh", "-c", limits], timeoutMs });
    expect(output).toStartWith("cpuset cpu io memory hugetlb pids rdma misc\n");
    expect(output).toContain("status 137\noom_kill 1\n");
    const answers = probeAnswers(output);
    expect(answers["fork-bomb 100"]).toEqual({ forked: 4, error: "EAGAIN" });
    expect(answers["try clone-into-cgroup /sys/fs/cgroup/born"]).toBe("ok");
    const { cpuUs, wallUs } = answers["burn-cpu 200"] as { cpuUs: number; wallUs: number };
    expect(wallUs).toBeGreaterThan(cpuUs * 2);
    expect(exitCode).toBe(0);
  },
  timeoutMs,
);

vmTest(
  "the command has Bun, the repository, an ext4, modules, and the exit status it asks for",
  async () => {
    const script =
      'pwd; bun -e "console.log(process.env.GREETING)"; ip link add v0 type veth peer name v1; ' +
      "ip -o link show v0 | cut -d: -f2; stat -f -c %T /var/lib/peapod /tmp; " +
      "touch package.json && mkdir /etc/kept-from-the-host; exit 7";
    let streamed = "";
    const result = await bootVm({
      command: ["sh", "-c", script],
      env: { GREETING: "it's me" },
      diskMiB: 64,
      modules: ["veth"],
      timeoutMs,
      onOutput: (text) => (streamed += text),
    });
    expect(result).toEqual({
      exitCode: 7,
      output: `${resolve(import.meta.dir, "../..")}\nit's me\n v0@v1\next2/ext3\ntmpfs\n`,
    });
    expect(streamed).toBe(result.output);
    expect(readdirSync("/etc")).not.toContain("kept-from-the-host");
  },
  timeoutMs,
);

vmTest(
  "a machine that panics is an error that shows its console",
  async () => {
    const command = ["sh", "-c", "echo before; sleep 0.1; echo c >/proc/sysrq-trigger"];
    const message = await failure(bootVm({ command, timeoutMs }));
    expect(message).toMatch(/^the virtual machine ended early\n[^]*Kernel panic[^]*\nbefore/);
  },
  timeoutMs,
);

vmTest(
  "a machine that does not end in time is killed, and leaves no folder",
  async () => {
    const temporary = mkdtempSync(join(tmpdir(), "peapod-late-"));
    const before = process.env.TMPDIR;
    process.env.TMPDIR = temporary;
    try {
      const message = await failure(bootVm({ command: ["sleep", "1000"], timeoutMs: 500 }));
      expect(message).toStartWith("the virtual machine did not end within 500 ms");
      expect(readdirSync(temporary)).toEqual([]);
    } finally {
      if (before === undefined) delete process.env.TMPDIR;
      else process.env.TMPDIR = before;
      rmSync(temporary, { recursive: true, force: true });
    }
  },
  timeoutMs,
);

test("a machine does not boot another one", () => {
  const code = 'import { vmMissing } from "./test/vm/machine.ts"; console.log(vmMissing());';
  const env = { ...process.env, PEAPOD_TEST_IN_VM: "1" };
  const { stdout } = Bun.spawnSync({ cmd: [process.execPath, "-e", code], env });
  expect(stdout.toString()).toBe("this is the virtual machine\n");
});
