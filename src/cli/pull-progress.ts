// What a pull shows while it goes on: a bar for each layer at a terminal, a line for each step
// elsewhere, nothing with -o json.

import type { PullProgress } from "../image/types.ts";
import type { Io } from "./command.ts";
import { formatBytes } from "./text.ts";

const barColumns = 24;
const redrawMs = 60;
/** More layers than this are drawn as their sum: a bar that scrolled away cannot be redrawn. */
const barsMax = 20;

export class ProgressPrinter implements Disposable {
  readonly #io: Io;
  readonly #isTerminal: boolean;
  readonly #layers = new Map<string, PullProgress>();
  #drawn = 0;
  #drawnMs = 0;

  constructor(io: Io) {
    this.#io = io;
    this.#isTerminal = io.stderr.isTerminal;
  }

  readonly tell = (progress: PullProgress): void => {
    const before = this.#layers.get(progress.digest)?.state;
    this.#layers.set(progress.digest, progress);
    if (!this.#isTerminal) {
      if (before !== progress.state && progress.state !== "waiting") this.#line(progress);
    } else if (before !== progress.state || performance.now() - this.#drawnMs > redrawMs) {
      this.#draw();
    }
  };

  #line({ digest, state, bytesTotal }: PullProgress): void {
    this.#io.stderr.write(`${short(digest)}: ${state}, ${formatBytes(bytesTotal)}\n`);
  }

  #draw(): void {
    this.#drawnMs = performance.now();
    const layers = [...this.#layers.values()];
    const lines =
      layers.length > barsMax ? [sumLine(layers)] : layers.map((layer) => barLine(layer));
    const up = this.#drawn > 0 ? `\x1b[${this.#drawn}A` : "";
    this.#drawn = lines.length;
    this.#io.stderr.write(`${up}${lines.map((line) => `\r\x1b[K${line}\n`).join("")}`);
  }

  [Symbol.dispose](): void {
    if (this.#isTerminal && this.#layers.size > 0) this.#draw();
  }
}

function short(digest: string): string {
  return digest.replace("sha256:", "").slice(0, 12);
}

function barLine({ digest, state, bytes, bytesTotal }: PullProgress): string {
  return `${short(digest)}  ${bar(bytes, bytesTotal)}  ${state.padEnd(11)} ${formatBytes(bytesTotal)}`;
}

function sumLine(layers: readonly PullProgress[]): string {
  const total = layers.reduce((sum, { bytesTotal }) => sum + bytesTotal, 0);
  const bytes = layers.reduce((sum, layer) => sum + layer.bytes, 0);
  const done = layers.filter(({ state }) => state === "done").length;
  return `${bar(bytes, total)}  ${done} of ${layers.length} layers, ${formatBytes(total)}`;
}

function bar(bytes: number, total: number): string {
  const filled = total === 0 ? barColumns : Math.round((barColumns * bytes) / total);
  return `[${"#".repeat(filled)}${".".repeat(barColumns - filled)}]`;
}
