// Everything that can be measured on this machine, and what cannot.
import type { Subjects } from "./benches.ts";
import type { Subject } from "./cell.ts";
import { floorSubject } from "./floor.ts";
import { commandSubject } from "./metrics/command.ts";
import { freshSubject, peapodSubject } from "./peapod.ts";
import { peerSubjects } from "./peers/peers.ts";

export function allSubjects(): Subjects {
  return {
    peapod: peapodSubject(),
    fresh: freshSubject(),
    best: floorSubject("best"),
    naive: floorSubject("naive"),
    commands: [commandSubject("source"), commandSubject("compiled")],
    peers: peerSubjects(),
  };
}

export function subjectList(subjects: Subjects): Subject[] {
  const { peapod, fresh, best, naive, commands, peers } = subjects;
  return [peapod, fresh, best, naive, ...commands, ...peers];
}
