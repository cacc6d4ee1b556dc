// The questions that can be asked, each as cells for the harness to run.
import type { Subject, Work } from "./cell.ts";
import type { Regime } from "./rounds.ts";
import { fullShape, type Shape } from "./shape.ts";

export type PlannedCell = {
  readonly subject: Subject;
  readonly work: Work;
  readonly shape: Shape;
  /** Further processes that sleep on the host meanwhile. */
  readonly processes?: number;
};

export type Subjects = {
  readonly peapod: Subject;
  /** peapod in a process that has only just started. */
  readonly fresh: Subject;
  readonly best: Subject;
  readonly naive: Subject;
  /** peapod started as a command for each request. */
  readonly commands: readonly Subject[];
  readonly peers: readonly Subject[];
};

/** Numbers that a bench takes, by flag. */
type Parameters = Readonly<Record<string, readonly number[]>>;

export type Bench = {
  readonly name: string;
  readonly question: string;
  readonly regime: Regime;
  readonly rounds: number;
  readonly warmUps: number;
  readonly parameters: Parameters;
  cells(subjects: Subjects, parameter: (name: string) => readonly number[]): PlannedCell[];
};

/** The same subject a second time: how far apart cells are between which nothing differs. */
export function again(subject: Subject): Subject {
  return { ...subject, name: `${subject.name} (again)` };
}

/** In more and larger pods commands would take minutes a round. */
const commandContainers = [1, 2, 10];

const launch: Bench = {
  name: "launch",
  question: "how long a pod takes to start and to end, by the number of its containers",
  regime: "isolated",
  rounds: 30,
  warmUps: 3,
  parameters: { containers: [1, 2, 5, 10, 50] },
  cells({ peapod, fresh, best, naive, commands, peers }, parameter) {
    const calls = [peapod, best, naive];
    return parameter("containers").flatMap((containers) => {
      const isUsual = containers === fullShape.containers;
      const controls = isUsual ? [again(peapod), again(best), fresh] : [];
      const started = commandContainers.includes(containers) ? [...commands, ...peers] : [];
      return [...calls, ...controls, ...started].map((subject) => ({
        subject,
        work: { kind: "launch" },
        shape: { ...fullShape, containers },
      }));
    });
  },
};

const shapes: Bench = {
  name: "shapes",
  question: "what each part of a container's isolation costs",
  regime: "isolated",
  rounds: 20,
  warmUps: 2,
  parameters: {},
  cells({ peapod, best, naive, peers }) {
    const one: Shape = { ...fullShape, containers: 1 };
    const variants: Shape[] = [
      { ...one, level: "process", network: false },
      { ...one, level: "namespaces", network: false },
      { ...one, level: "limits", network: false },
      { ...one, network: false },
      one,
      { ...one, readOnlyRoot: true },
      { ...one, userNamespace: true },
    ];
    return variants.flatMap((shape) =>
      [peapod, best, naive, ...peers].map((subject) => ({
        subject,
        work: { kind: "launch" },
        shape,
      })),
    );
  },
};

const crowd: Bench = {
  name: "crowd",
  question: "what a host with many mounts or many processes adds to a start and to a join",
  regime: "isolated",
  rounds: 10,
  warmUps: 1,
  parameters: { mounts: [0, 20, 500, 2000], processes: [4000], joins: [10] },
  cells({ peapod, best }, parameter) {
    const joins = parameter("joins")[0] ?? 0;
    const works: Work[] = [{ kind: "launch" }, { kind: "join", count: joins }];
    const both = works.flatMap((work) => [peapod, best].map((subject) => ({ subject, work })));
    return both.flatMap(({ subject, work }) => [
      ...parameter("mounts").map((hostMounts) => ({
        subject,
        work,
        shape: { ...fullShape, hostMounts },
      })),
      ...parameter("processes").map((processes) => ({
        subject,
        work,
        shape: fullShape,
        processes,
      })),
    ]);
  },
};

/** A command for each join: a thousand of them would take a minute a round. */
const commandJoins = 20;

const join: Bench = {
  name: "join",
  question: "whether the thousandth container joins a pod as fast as the second",
  regime: "isolated",
  rounds: 5,
  warmUps: 1,
  parameters: { joins: [1000] },
  cells({ peapod, best, naive, peers }, parameter) {
    const cell = (subject: Subject, count: number): PlannedCell => ({
      subject,
      work: { kind: "join", count },
      shape: { ...fullShape, containers: 1 },
    });
    return [
      ...parameter("joins").flatMap((count) => [peapod, best].map((each) => cell(each, count))),
      ...[peapod, best, naive, ...peers].map((subject) => cell(subject, commandJoins)),
    ];
  },
};

const exec: Bench = {
  name: "exec",
  question: "how long a command in a running container takes, beside how many others",
  regime: "isolated",
  rounds: 10,
  warmUps: 1,
  parameters: { commands: [20], others: [0, 100, 500] },
  cells({ peapod, best, naive, peers }, parameter) {
    const count = parameter("commands")[0] ?? 1;
    return parameter("others").flatMap((existing) => {
      const subjects = [peapod, best, naive, ...(existing === 0 ? peers : [])];
      return subjects.map((subject) => ({
        subject,
        work: { kind: "exec", count },
        shape: { ...fullShape, containers: 1, existing },
      }));
    });
  },
};

const lifecycle: Bench = {
  name: "lifecycle",
  question: "how long one container takes from nothing to nothing, its program ending at once",
  regime: "isolated",
  rounds: 30,
  warmUps: 3,
  parameters: {},
  cells: ({ peapod, best, naive, commands, peers }) =>
    [peapod, best, naive, ...commands, ...peers].map((subject) => ({
      subject,
      work: { kind: "lifecycle" },
      shape: { ...fullShape, containers: 1 },
    })),
};

const throughput: Bench = {
  name: "throughput",
  question: "how many pods a second can be created and destroyed, by how many at a time",
  regime: "sustained",
  rounds: 5,
  warmUps: 1,
  parameters: { concurrency: [1, 2, 4, 8], milliseconds: [2000] },
  cells({ peapod, best, peers }, parameter) {
    const durationMs = parameter("milliseconds")[0] ?? 0;
    return parameter("concurrency").flatMap((concurrency) =>
      [peapod, best, ...peers].map((subject) => ({
        subject,
        work: { kind: "throughput", concurrency, durationMs },
        shape: { ...fullShape, containers: 1 },
      })),
    );
  },
};

const sustained: Bench = {
  name: "sustained",
  question: "whether creating and destroying pods stays as fast as it begins",
  regime: "sustained",
  rounds: 1,
  warmUps: 0,
  parameters: { milliseconds: [20_000] },
  cells: ({ peapod, best }, parameter) =>
    [peapod, best].map((subject) => ({
      subject,
      work: {
        kind: "throughput",
        concurrency: 2,
        durationMs: parameter("milliseconds")[0] ?? 0,
      },
      shape: { ...fullShape, containers: 1 },
    })),
};

const teardown: Bench = {
  name: "teardown",
  question: "how long many pods take to end when all are told at once",
  regime: "isolated",
  rounds: 3,
  warmUps: 0,
  parameters: { pods: [500] },
  cells: ({ peapod, best }, parameter) =>
    parameter("pods").flatMap((pods) =>
      [peapod, best].map((subject) => ({
        subject,
        work: { kind: "mass-down", pods },
        shape: { ...fullShape, containers: 1 },
      })),
    ),
};

const memory: Bench = {
  name: "memory",
  question: "what an idle pod weighs, beyond its own processes",
  regime: "isolated",
  rounds: 3,
  warmUps: 0,
  parameters: { pods: [200], "peers-pods": [50] },
  cells({ peapod, best, peers }, parameter) {
    const cell = (subject: Subject, pods: number): PlannedCell => ({
      subject,
      work: { kind: "memory", pods },
      shape: { ...fullShape, containers: 1 },
    });
    return [
      ...parameter("pods").flatMap((pods) => [peapod, best].map((each) => cell(each, pods))),
      ...parameter("peers-pods").flatMap((pods) =>
        [peapod, best, ...peers].map((each) => cell(each, pods)),
      ),
    ];
  },
};

export const benches: readonly Bench[] = [
  launch,
  join,
  exec,
  lifecycle,
  shapes,
  crowd,
  throughput,
  sustained,
  teardown,
  memory,
];
