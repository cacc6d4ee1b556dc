// What of a span's time was spent in system calls that it had to wait for. The floor writes down
// every call of every process with its beginning and end, and who wakes whom; this walks back from
// the span's end.

/**
 * Process, step, call, edge, channel, start and end in nanoseconds from the span's beginning. A
 * clone and an exec have no end: they last until their process writes down something else, or until
 * the process begins that they made.
 */
export type Call = readonly [
  process: number,
  step: string,
  call: string,
  edge: "none" | "waits" | "wakes",
  channel: number,
  start: number,
  end: number | null,
];

export type Span = {
  readonly span: string;
  readonly wallNs: number;
  readonly calls: readonly Call[];
};

export type Segment = {
  readonly process: number;
  readonly step: string;
  readonly call: string;
  readonly startNs: number;
  readonly endNs: number;
};

export type Path = {
  readonly wallNs: number;
  /** The sum of the calls on the path: waiting is not in it, nor what lies between two calls. */
  readonly callsNs: number;
  /** In order of time, without overlap. */
  readonly segments: readonly Segment[];
};

const launcher = 0;

/**
 * Backwards from the span's end, in the launcher. A call that lies on the way counts from its start
 * to where the way left it. Where the call is a wait for something that came later than the wait
 * began, the way goes on with the call that brought it, in the process that made that. Where a
 * process begins, it goes on with the clone that began it, which counts until then. Nothing is
 * counted twice. What is left of the wall time lies between two calls: the programs' own
 * instructions, page faults, and the time that it takes to wake a sleeping process.
 */
export function criticalPath({ wallNs, calls }: Span): Path {
  const segments: Segment[] = [];
  let process = launcher;
  let time = wallNs;
  while (time > 0) {
    const last = lastBefore(calls, process, time);
    if (last === undefined) break;
    const waker = last[edge] === "waits" ? wakerOf(calls, last) : undefined;
    if (waker !== undefined) time = Math.min(time, last[end] ?? time);
    // A wait that found what it waited for is a call like any other.
    const call = waker ?? last;
    const startNs = Math.max(0, call[start]);
    const endNs = Math.max(startNs, Math.min(call[end] ?? time, time));
    segments.push({ process: call[0], step: call[1], call: call[2], startNs, endNs });
    process = call[0];
    time = startNs;
  }
  const callsNs = segments.reduce((sum, { startNs, endNs }) => sum + endNs - startNs, 0);
  return { wallNs, callsNs, segments: segments.reverse() };
}

const edge = 3;
const channel = 4;
const start = 5;
const end = 6;

function lastBefore(calls: readonly Call[], process: number, time: number): Call | undefined {
  return latest(calls.filter((call) => call[0] === process && call[start] < time));
}

/** Who ended this wait: the last of those who could have, and only if the wait was there first. */
function wakerOf(calls: readonly Call[], wait: Call): Call | undefined {
  const until = wait[end] ?? Number.POSITIVE_INFINITY;
  const waker = latest(
    calls.filter(
      (call) =>
        call[edge] === "wakes" &&
        call[channel] === wait[channel] &&
        call[0] !== wait[0] &&
        call[start] < until,
    ),
  );
  const began = wait[start] === wait[end];
  const slept = waker !== undefined && (began || (waker[end] ?? until) > wait[start]);
  return slept ? waker : undefined;
}

function latest(calls: readonly Call[]): Call | undefined {
  return calls.reduce<Call | undefined>(
    (last, call) => (last === undefined || call[start] >= last[start] ? call : last),
    undefined,
  );
}
