// Changes of a pod that runs, by its owner: another image, a container added to look at the others.

import { PodError } from "../../errors/pod-error.ts";
import type { ContainerEntry } from "../read-state.ts";
import { replacePodState } from "../state.ts";
import type { PodLife } from "./pod-life.ts";
import { restartNamed } from "./restart-named.ts";
import type { Unit } from "./unit.ts";

/** The container gets a new run of the new image; the pod stays. */
export async function changeImage(life: PodLife, name: string, image: string): Promise<void> {
  const unit = unitOf(life, name);
  unit.spec = { ...unit.spec, image };
  const { state, directory } = life.parts;
  state.manifest = withContainer(state.manifest, name, { image });
  replacePodState(directory, state);
  // Another image is another container to the back-off.
  delete unit.life.backOff;
  await restartNamed(life, name);
  await unit.launching;
}

export interface EphemeralWish {
  /** As `spec.ephemeralContainers[]` of the Pod API. */
  readonly container: Readonly<Record<string, unknown>>;
}

/** Runs once, beside the others; its processes see those of its target. */
export async function addEphemeral(life: PodLife, { container }: EphemeralWish): Promise<string> {
  const { targetContainerName: target = "", ...own } = container;
  const { state, directory, readContainer, onAdded } = life.parts;
  const spec = await readContainer(own);
  if (state.containers.some(({ name }) => name === spec.name)) {
    throw new PodError({
      code: "manifest.invalid",
      message: `pod ${state.name} has a container ${JSON.stringify(spec.name)} already`,
    });
  }
  const targetUnit = target === "" ? undefined : unitOf(life, String(target));
  const entry: ContainerEntry = {
    name: spec.name,
    id: Buffer.from(crypto.getRandomValues(new Uint8Array(32))).toString("hex"),
    process: Math.max(...state.containers.map(({ process }) => process)) + 1,
    kind: "ephemeral",
    ephemeral: { container: own, target: targetUnit?.name ?? "" },
    env: [],
    workingDir: spec.workingDir ?? "/",
    oomScoreAdj: targetUnit?.entry.oomScoreAdj ?? 0,
    tty: spec.tty,
    stdin: spec.stdin,
  };
  state.containers.push(entry);
  state.manifest = withEphemeral(state.manifest, container);
  replacePodState(directory, state);
  const unit = life.addUnit(entry, spec);
  onAdded(entry);
  await life.launchNow(unit);
  if (unit.isUnmade || unit.life.termination?.reason === "StartError") {
    const why = unit.life.waiting?.message ?? "it could not be started";
    throw new PodError({ code: "launch.failed", message: why });
  }
  return spec.name;
}

function unitOf(life: PodLife, name: string): Unit {
  const found = life.units.find((unit) => unit.name === name);
  if (found) return found;
  throw new PodError({
    code: "container.unknown",
    message: `pod ${life.parts.state.name} has no container ${JSON.stringify(name)}`,
  });
}

type Json = Record<string, unknown>;

function withContainer(manifest: Json, name: string, changes: Json): Json {
  const spec = asJson(manifest["spec"]);
  const changed = (list: string) =>
    listOf(spec[list]).map((one) =>
      asJson(one)["name"] === name ? { ...asJson(one), ...changes } : one,
    );
  const init =
    spec["initContainers"] === undefined ? {} : { initContainers: changed("initContainers") };
  return { ...manifest, spec: { ...spec, containers: changed("containers"), ...init } };
}

function withEphemeral(manifest: Json, container: Json): Json {
  const spec = asJson(manifest["spec"]);
  const ephemeralContainers = [...listOf(spec["ephemeralContainers"]), container];
  return { ...manifest, spec: { ...spec, ephemeralContainers } };
}

function listOf(value: unknown): readonly unknown[] {
  return Array.isArray(value) ? value : [];
}

function asJson(value: unknown): Json {
  return typeof value === "object" && value !== null ? (value as Json) : {};
}
