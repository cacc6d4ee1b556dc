// How many system calls a peer makes to start the pod of the full shape, counted under strace,
// never while anything is timed. bench/system-calls.ts counts peapod's and the floor's.
import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import type { Absent } from "../cell.ts";
import { buildFloor } from "../floor.ts";
import { findProgram } from "../peers/find.ts";
import { defineFunctions, type Peer } from "../peers/peer.ts";
import { openSite } from "../peers/site.ts";
import { fullShape } from "../shape.ts";

export async function countPeerCalls(peer: Peer, parent: string): Promise<number | Absent> {
  const strace = findProgram("strace");
  if (strace === undefined) return { absent: "strace is not installed" };
  try {
    await using site = await openSite({ name: "calls", directory: parent, hostMounts: 0 });
    const driver = await peer.drive(site, {
      shape: fullShape,
      lanes: 1,
      containersMax: fullShape.containers,
      programs: [join(await buildFloor(), "..", "stamp")],
      command: ["/stamp"],
      once: [],
    });
    await defineFunctions(driver, site, [site.lane]);
    const { directory } = site;
    const trace = join(directory, "trace");
    const script = `lane=0; . ${directory}/functions.sh && up 1 && : >${trace}.done`;
    const flags = "--follow-forks --quiet=all --signal=none --string-limit=64";
    await site.lane.must(
      `${strace} ${flags} --output=${trace} sh -c '${script}' & echo $! >${trace}.pid`,
    );
    await until(() => existsSync(`${trace}.done`));
    await Bun.sleep(settleMs); // The last program may not have begun.
    // It follows containers that do not end; it lets them go.
    process.kill(Number(readFileSync(`${trace}.pid`, "utf8")), "SIGTERM");
    await site.lane.must("down 1");
    return countCalls(readFileSync(trace, "utf8"));
  } catch (error) {
    return { absent: error instanceof Error ? error.message.slice(0, messageMax) : String(error) };
  }
}

const settleMs = 200;
const messageMax = 200;

async function until(isTrue: () => boolean): Promise<void> {
  const deadline = performance.now() + 20_000;
  while (!isTrue()) {
    if (performance.now() > deadline) throw new Error("the pod did not start under strace");
    await Bun.sleep(10);
  }
}

/**
 * Lines of strace that begin a call, without those of the shell that starts the peer and without
 * those of a container's own program.
 */
export function countCalls(trace: string): number {
  const lines = trace.split("\n").flatMap((line) => {
    const [, pid = "", call = ""] = /^(\d+)\s+(.*)$/.exec(line) ?? [];
    return call === "" ? [] : [{ pid, call }];
  });
  const shell = lines[0]?.pid;
  const inContainer = new Set<string>();
  let count = 0;
  for (const { pid, call } of lines) {
    if (pid === shell || inContainer.has(pid)) continue;
    if (!/^(<\.\.\.|\+\+\+|---)/.test(call)) count += 1;
    if (call.startsWith('execve("/stamp"')) inContainer.add(pid);
  }
  return count;
}
