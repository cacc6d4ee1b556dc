// Writing the journal down: at once for what a next owner builds on, soon for what is only read.

import type { PodState } from "../read-state.ts";
import { noteStatus } from "../status.ts";
import type { Clock } from "./clock.ts";
import type { EventText } from "./events.ts";
import { addEvent } from "./events.ts";
import type { Journal } from "./journal.ts";
import { writeJournal } from "./journal.ts";

/** Probes that fail come in numbers. */
const soonMs = 100;

export interface JournalPlace {
  readonly state: PodState;
  readonly directory: string;
  readonly clock: Pick<Clock, "nowMs">;
}

export class JournalKeeper implements Disposable {
  readonly #place: JournalPlace;
  readonly #journal: Journal;
  #timer: ReturnType<typeof setTimeout> | undefined;

  constructor(place: JournalPlace, journal: Journal) {
    this.#place = place;
    this.#journal = journal;
  }

  save(): void {
    this[Symbol.dispose]();
    const { state, directory, clock } = this.#place;
    try {
      noteStatus(this.#journal, state, directory, clock.nowMs());
      writeJournal(directory, this.#journal);
    } catch {
      // The pod has just gone, or the disk is full: what counts most the keeper records.
    }
  }

  tell(event: EventText): void {
    addEvent(this.#journal, event, this.#place.clock.nowMs());
    this.#timer ??= setTimeout(() => this.save(), soonMs);
  }

  /** What is still to be written is left to the next owner. */
  [Symbol.dispose](): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }
}
