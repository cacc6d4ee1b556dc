// An HTTP service that runs strangers' scripts: each in a pod of its own, which is gone when the
// answer ends.
//
//     sudo bun run examples/script-runner/server.ts
//     curl --no-buffer --data-binary 'console.log(1 + 1)' http://127.0.0.1:8080/run
//
// The answer is a line of JSON for every piece of output, and a last one that says how the script
// ended:
//
//     {"stdout":"2\n"}
//     {"exitCode":0,"timedOut":false,"outOfMemory":false,"truncated":false}

import type { Execution, OpenOptions, Peapod, Pod, PodManifest } from "peapod";
import { openPeapod, PodError } from "peapod";

const scriptBytesMax = 256 << 10;
const outputBytesMax = 1 << 20;
const deadlineDefaultMs = 5000;

export interface ScriptRunnerOptions extends OpenOptions {
  /** Default 8080; 0 takes any free one. */
  readonly port?: number;
  /** From the start of the script. Default 5000. */
  readonly deadlineMs?: number;
}

export interface ScriptRunner extends AsyncDisposable {
  readonly url: URL;
}

/**
 * Listens on the loopback alone: who may submit scripts is for a proxy in front of it to decide.
 */
export async function openScriptRunner(options: ScriptRunnerOptions = {}): Promise<ScriptRunner> {
  const { port = 8080, deadlineMs = deadlineDefaultMs, ...rest } = options;
  // Bun alone has some twenty threads; a fork bomb has a hundred tries more.
  const peapod = await openPeapod({ podsMax: 4, queueMax: 16, podPidsMax: 128, ...rest });
  const server = Bun.serve({
    hostname: "127.0.0.1",
    port,
    maxRequestBodySize: scriptBytesMax,
    routes: { "/run": { POST: (request) => answer(peapod, request, deadlineMs) } },
    fetch: () => new Response("POST a script to /run\n", { status: 404 }),
  });
  return {
    url: server.url,
    async [Symbol.asyncDispose]() {
      await server.stop(true);
      await peapod[Symbol.asyncDispose]();
    },
  };
}

/**
 * The script can't reach any network but its own loopback, is root of nothing, and writes into
 * layers that go with the pod. `sleep` keeps the pod; the script runs beside it, so that its output
 * goes to the client and to no log.
 */
function manifestOf(name: string): PodManifest {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name },
    spec: {
      hostUsers: false,
      restartPolicy: "Never",
      terminationGracePeriodSeconds: 0,
      containers: [
        {
          name: "main",
          image: "host",
          command: ["sleep", "infinity"],
          resources: { limits: { memory: "512Mi", cpu: "1" } },
          volumeMounts: [{ name: "script", mountPath: "/script", readOnly: true }],
        },
      ],
      volumes: [{ name: "script", emptyDir: {} }],
    },
  };
}

async function answer(peapod: Peapod, request: Request, deadlineMs: number): Promise<Response> {
  const { signal } = request;
  const script = await request.text();
  try {
    const pod = await peapod.up(manifestOf(`script-${crypto.randomUUID()}`), {
      files: { script: { "main.ts": script } },
      signal,
    });
    const { readable, writable } = new TransformStream<Uint8Array, Uint8Array>();
    // A client that goes away ends both the signal and the stream; whatever happens, the pod goes
    // with it.
    void run(pod, writable.getWriter(), signal, deadlineMs).catch(() => {});
    return new Response(readable, { headers: { "content-type": "application/x-ndjson" } });
  } catch (error) {
    return refusal(error);
  }
}

async function run(
  pod: Pod,
  client: WritableStreamDefaultWriter<Uint8Array>,
  signal: AbortSignal,
  deadlineMs: number,
): Promise<void> {
  await using _ = pod;
  const encoder = new TextEncoder();
  const send = (event: Readonly<Record<string, unknown>>) =>
    client.write(encoder.encode(`${JSON.stringify(event)}\n`));
  let leftBytes = outputBytesMax;
  let truncated = false;
  let execution: Execution;
  /** Waits for the client, so that a script prints no faster than it is read. */
  const sink = (stream: "stdout" | "stderr") => {
    const decoder = new TextDecoder();
    return new WritableStream<Uint8Array>({
      async write(chunk) {
        const kept = chunk.subarray(0, leftBytes);
        leftBytes -= kept.length;
        if (kept.length > 0) await send({ [stream]: decoder.decode(kept, { stream: true }) });
        if (kept.length === chunk.length) return;
        truncated = true;
        await execution.kill("SIGKILL");
      },
    });
  };
  try {
    execution = pod.exec(["bun", "/script/main.ts"], {
      stdout: sink("stdout"),
      stderr: sink("stderr"),
      timeoutMs: deadlineMs,
      signal,
    });
    const { exitCode, timedOut, oomKilled: outOfMemory } = await execution.result;
    await send({ exitCode, timedOut, outOfMemory, truncated });
    await client.close();
  } catch (error) {
    await client.abort(error);
  }
}

function refusal(error: unknown): Response {
  const isPodError = error instanceof PodError;
  if (isPodError && error.code === "pod.queue-full") {
    const headers = { "retry-after": "5" };
    return Response.json({ error: "too many scripts run and wait" }, { status: 503, headers });
  }
  if (!isPodError || error.code !== "launch.aborted") console.error(error);
  return Response.json({ error: "the script could not be started" }, { status: 500 });
}

if (import.meta.main) {
  const runner = await openScriptRunner();
  console.log(`listening on ${runner.url}`);
  const stop = () => void runner[Symbol.asyncDispose]().then(() => process.exit());
  process.once("SIGINT", stop).once("SIGTERM", stop);
}
