// What addresses cost a pod: starts with the default network and with loopback alone, by turns in
// one process, beside a crowd of pods that have addresses.
import { mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openPeapod, type Peapod } from "../src/open.ts";
import { directoryDefault } from "./ask.ts";
import { manifestOf, optionsBelow, removeGroups } from "./metrics/site.ts";
import { describeBusy, readLoad } from "./rounds.ts";
import { fullShape } from "./shape.ts";
import { type Interval, intervalOfRounds, median, seededRandom } from "./statistics.ts";

const usage = `bun run bench network [flags]

  --pods N          that have addresses meanwhile (default 0)
  --rounds N        a start of each kind (default 200), after fifty that are not measured
  --pool N          keepers held ready, for both kinds (default 0)
  --gap MS          between two starts (default 20): the kernel removes interfaces meanwhile
  --seed N          of the intervals
  --directory DIR   where writable layers and logs lie (default ${directoryDefault})
  --anyway          measures on a busy machine, too
  --json FILE       writes all samples

It moves into a network namespace of its own first: nothing of the host's network is touched.`;

const warmUps = 50;

/** Milliseconds of one round. */
type Round = Readonly<Record<"none" | "addressed", number>>;

export async function network(words: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...words],
    options: {
      pods: { type: "string", default: "0" },
      rounds: { type: "string", default: "200" },
      pool: { type: "string", default: "0" },
      gap: { type: "string", default: "20" },
      seed: { type: "string", default: "1" },
      directory: { type: "string", default: directoryDefault },
      anyway: { type: "boolean", default: false },
      json: { type: "string" },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    return 0;
  }
  const busy = describeBusy(readLoad());
  if (busy !== undefined && !values.anyway) {
    console.error(`${busy} (--anyway measures all the same)`);
    return 1;
  }
  if (process.env["PEAPOD_BENCH_NAMESPACE"] !== "1") return await runInNamespace(words);
  const [pods, rounds, pool, gapMs] = ["pods", "rounds", "pool", "gap"].map((name) =>
    Number(values[name as "pods"]),
  ) as [number, number, number, number];
  const samples = await measure({ directory: values.directory, pods, rounds, pool, gapMs });
  print(samples, seededRandom(Number(values.seed)), pods);
  if (values.json !== undefined) await Bun.write(values.json, JSON.stringify({ pods, samples }));
  return 0;
}

/** As a host has it: an address of its own, and a way out. */
const uplink = [
  "link set lo up",
  "link add up0 type veth peer name up1",
  "link set up1 up",
  "link set up0 up",
  "address add 198.18.0.1/24 dev up0",
  "address add 2001:db8:9::1/64 dev up0 nodad",
  "route add default via 198.18.0.2",
  "-6 route add default via 2001:db8:9::2",
];

async function runInNamespace(words: readonly string[]): Promise<number> {
  const again = [process.execPath, join(import.meta.dir, "main.ts"), "network", ...words];
  const script = `${uplink.map((words) => `ip ${words}`).join(" && ")} && exec "$@"`;
  const child = Bun.spawn(["unshare", "--net", "sh", "-c", script, "sh", ...again], {
    env: { ...process.env, PEAPOD_BENCH_NAMESPACE: "1" },
    stdio: ["ignore", "inherit", "inherit"],
  });
  return await child.exited;
}

type Wish = Readonly<Record<"pods" | "rounds" | "pool" | "gapMs", number>> & {
  readonly directory: string;
};

async function measure({ directory, pods, rounds, pool, gapMs }: Wish): Promise<Round[]> {
  const folder = await mkdtemp(join(directory, "peapod-bench-"));
  const options = optionsBelow(folder);
  const open = (mode: "none" | "default") =>
    openPeapod({
      ...{ ...options, network: mode, state: join(folder, mode) },
      ...(pool > 0 && { pool: { size: pool } }),
    });
  try {
    await using none = await open("none");
    await using addressed = await open("default");
    const command = ["sleep", "1000"];
    const crowd = manifestOf(fullShape, command);
    for (let index = 0; index < pods; index += 1) {
      await addressed.up({ ...crowd, metadata: { name: `crowd-${index}` } });
    }
    const found: Round[] = [];
    for (let round = -warmUps; round < rounds; round += 1) {
      const times = { none: 0, addressed: 0 };
      const order =
        round % 2 === 0 ? (["none", "addressed"] as const) : (["addressed", "none"] as const);
      for (const kind of order) {
        times[kind] = await timeStart(kind === "none" ? none : addressed, command);
        await Bun.sleep(gapMs);
      }
      if (round >= 0) found.push(times);
    }
    return found;
  } finally {
    await rm(folder, { recursive: true, force: true });
    removeGroups(options.cgroupRoot);
  }
}

async function timeStart(peapod: Peapod, command: readonly string[]): Promise<number> {
  const manifest = manifestOf(fullShape, command);
  const startedMs = performance.now();
  const pod = await peapod.up(manifest);
  const tookMs = performance.now() - startedMs;
  await pod.down({ graceMs: 0 });
  return tookMs;
}

function print(rounds: readonly Round[], random: () => number, pods: number): void {
  const of = (value: (round: Round) => number): Interval =>
    intervalOfRounds(rounds, (drawn) => median(drawn.map(value)), random);
  const lines = [
    ["loopback alone", of(({ none }) => none)],
    ["default network", of(({ addressed }) => addressed)],
    ["what it adds", of(({ none, addressed }) => addressed - none)],
  ] as const;
  console.log(`start of a pod beside ${pods} with addresses, ms (median, 95 % interval)`);
  for (const [name, { low, middle, high }] of lines) {
    const [a, b, c] = [middle, low, high].map((value) => value.toFixed(2));
    console.log(`  ${name.padEnd(18)}${a}  (${b}–${c})`);
  }
}
