// How long a pod of two containers takes to start, beside the floor and the peers.
import { join } from "node:path";
import { parseArgs } from "node:util";
import { floorSubject } from "./floor.ts";
import { peerSubjects } from "./peers/peers.ts";
import { peapodSubject } from "./peapod.ts";
import { describeBusy, type Entry, readLoad, runRounds } from "./rounds.ts";
import { fullShape } from "./shape.ts";
import { printTable } from "./table.ts";

const usage = `bun run bench launch [--containers N] [--joins M] [--rounds R] [--seed S]
                        [--directory DIR] [--anyway] [--json FILE]

  --containers  containers of the pod (default 2)
  --joins       joined afterwards, where a cell can (default 10)
  --rounds      measured rounds (default 30), after three that are not
  --directory   where writable layers and logs lie (default /var/tmp): the same for every cell
  --anyway      measures on a busy machine, too
  --json        writes all samples`;

export async function launch(words: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...words],
    options: {
      containers: { type: "string", default: "2" },
      joins: { type: "string", default: "10" },
      rounds: { type: "string", default: "30" },
      seed: { type: "string", default: String(Date.now() % 100_000) },
      directory: { type: "string", default: "/var/tmp" },
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
  if (busy !== undefined) {
    console.error(
      `${busy}${values.anyway ? "; measured all the same" : " (--anyway measures all the same)"}`,
    );
    if (!values.anyway) return 1;
  }
  const seed = Number(values.seed);
  const cells = makeCells(
    Number(values.containers),
    Number(values.joins),
    join(values.directory, `peapod-bench-${process.pid}`),
  );
  const results = await runRounds(cells.all, {
    rounds: Number(values.rounds),
    warmUps: 3,
    seed,
    settleMs: 60,
  });
  await cells.end();
  printTable(results, { reference: "floor", seed });
  if (values.json !== undefined) {
    const all = {
      seed,
      load: results.load,
      samples: Object.fromEntries(results.samples),
      absent: Object.fromEntries(results.absent),
    };
    await Bun.write(values.json, JSON.stringify(all));
  }
  return 0;
}

function makeCells(
  containers: number,
  joins: number,
  directory: string,
): { all: Entry[]; end(): Promise<void> } {
  const shape = { ...fullShape, containers };
  const subjects = [floorSubject("best"), peapodSubject(), floorSubject("naive")];
  const launches = [...subjects, ...peerSubjects()].map((subject) => ({
    name: subject.name,
    cell: subject.cell({ work: { kind: "launch" }, shape, directory }),
  }));
  const joining = subjects.map((subject) => ({
    name: `${subject.name}, joins`,
    cell: subject.cell({ work: { kind: "join", count: joins }, shape, directory }),
  }));
  const end = async () => {
    await Bun.$`rmdir ${directory}`.quiet().nothrow();
  };
  return { all: joins > 0 ? [...launches, ...joining] : launches, end };
}
