// The report as JSON: raw samples and what they were taken with. Everything else (tables, plots,
// the page) is made from it and can be made again.
import { type Static, Type } from "typebox";
import { Value } from "typebox/value";

const Text = Type.String();
const Count = Type.Number();
const closed = { additionalProperties: false };

/** Raw values by metric, in the units of `metric.ts`. */
const Sample = Type.Record(Text, Type.Array(Type.Number()));

const CellResult = Type.Object(
  {
    subject: Text,
    /** As `shapeName` and `workName` say it. Cells are compared only where both are equal. */
    shape: Text,
    work: Text,
    absent: Type.Optional(Text),
    /** By round; null where it failed. */
    samples: Type.Array(Type.Union([Sample, Type.Null()])),
    failures: Type.Array(Type.Object({ round: Count, message: Text }, closed)),
  },
  closed,
);

const Load = Type.Object({ runnable: Count, stolenTicks: Count }, closed);

const BenchResult = Type.Object(
  {
    name: Text,
    question: Text,
    regime: Type.Union([Type.Literal("isolated"), Type.Literal("sustained")]),
    seed: Count,
    warmUps: Count,
    /** Disturbed rounds are kept here and left out of every statistic. */
    rounds: Type.Array(
      Type.Object({ wallMs: Count, stolenMs: Count, disturbed: Type.Boolean() }, closed),
    ),
    load: Type.Object({ before: Load, after: Load }, closed),
    cells: Type.Array(CellResult),
  },
  closed,
);

const Waterfall = Type.Object(
  {
    subject: Text,
    shape: Text,
    spans: Type.Array(
      Type.Object({ lane: Text, label: Text, stage: Text, startMs: Count, endMs: Count }, closed),
    ),
  },
  closed,
);

/** What each subject's container finally was, as bench/end-state/end-states.ts describes it. */
const EndStates = Type.Object(
  {
    reference: Type.Literal("peapod"),
    fields: Type.Array(Text),
    subjects: Type.Record(Text, Type.Record(Text, Text)),
    differences: Type.Record(
      Text,
      Type.Array(
        Type.Object(
          {
            field: Text,
            reference: Type.Optional(Text),
            value: Type.Optional(Text),
            reason: Type.Optional(Text),
          },
          closed,
        ),
      ),
    ),
    calls: Type.Record(Text, Count),
    absent: Type.Record(Text, Text),
  },
  closed,
);

const Report = Type.Object(
  {
    format: Type.Literal(1),
    startedAt: Text,
    tookSeconds: Count,
    /** What was on the machine, line by line: kernel, CPUs, memory, limits, versions. */
    environment: Type.Record(Text, Text),
    subjects: Type.Array(
      Type.Object(
        {
          name: Text,
          surface: Type.Union([Type.Literal("call"), Type.Literal("command")]),
          cpuCounts: Text,
          version: Type.Optional(Text),
          absent: Type.Optional(Text),
        },
        closed,
      ),
    ),
    benches: Type.Array(BenchResult),
    waterfalls: Type.Array(Waterfall),
    endStates: Type.Optional(EndStates),
    /** As `bench logs --json` writes it. */
    logs: Type.Optional(Type.Unknown()),
  },
  closed,
);

export type CellResult = Static<typeof CellResult>;
export type BenchResult = Static<typeof BenchResult>;
export type Waterfall = Static<typeof Waterfall>;
export type Report = Static<typeof Report>;

export async function readReport(path: string): Promise<Report> {
  const file = Bun.file(path);
  if (!(await file.exists())) throw new Error(`${path}: there is no such file`);
  return parseReport(await file.json(), path);
}

export function parseReport(value: unknown, path: string): Report {
  if (Value.Check(Report, value)) return value;
  const [error] = Value.Errors(Report, value);
  throw new Error(`${path} is no report of a benchmark: ${error?.instancePath} ${error?.message}`);
}
