// Restarts that somebody asks for: whatever the policy says, and without a delay.

import { PodError } from "../../errors/pod-error.ts";
import type { PodLife } from "./pod-life.ts";
import type { Unit } from "./unit.ts";

/** All containers that go on running unless one is named; resolves when they are being started. */
export async function restartNamed(
  life: PodLife,
  name: string | undefined,
  graceMs?: number,
): Promise<void> {
  const { name: pod } = life.parts.state;
  const units = life.units.filter((unit) =>
    name === undefined ? mayRestart(unit) : unit.name === name,
  );
  const [first] = units;
  if (first === undefined || !mayRestart(first)) {
    throw new PodError({
      code: "container.unknown",
      message: `pod ${pod} has no container ${JSON.stringify(name)} that could be restarted`,
    });
  }
  if (life.journal.outcome) {
    throw new PodError({
      code: "pod.failed",
      message: `pod ${pod} has done its work: nothing of it runs again`,
      hint: "peapod up --force-recreate starts it anew",
    });
  }
  await Promise.all(units.map((unit) => stopForRestart(life, unit, graceMs)));
  life.step();
}

function mayRestart({ kind }: Unit): boolean {
  return kind === "container" || kind === "sidecar";
}

async function stopForRestart(life: PodLife, unit: Unit, graceMs?: number): Promise<void> {
  await unit.launching.catch(() => undefined);
  const { exited } = unit;
  if (unit.state === "running") {
    await life.restart(unit, asked, `Stopping container ${unit.name}`, graceMs);
    await exited;
  }
  // One that waits for its back-off, or that its policy would leave, starts over at once.
  if (unit.state === "exited") unit.discard();
}

/** The reason that the journal keeps: an owner that goes on with it knows that it comes back. */
export const asked = "Asked";
