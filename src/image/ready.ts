// What a container takes from its image, looked up once and kept: a start then reads one small file
// whatever the number of layers. Who removes a layer removes the files that name it.

import { readFileSync, rmSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import Type from "typebox";
import { Compile } from "typebox/compile";
import type { ResolvedUser } from "../spec/resolved.ts";
import type { ImageStore } from "./store.ts";
import { hexOf } from "./store.ts";

/** What a container takes from its image. */
export interface PreparedImage {
  readonly id: string;
  /** Directories, the topmost first. */
  readonly layers: readonly string[];
  readonly entrypoint: readonly string[];
  readonly cmd: readonly string[];
  readonly env: readonly string[];
  readonly home: string;
  readonly workingDir: string;
  readonly user: ResolvedUser;
  /** As the image names it; empty for a number. */
  readonly userName: string;
  readonly stopSignal: number;
}

const Texts = Type.Array(Type.String());
const Ready = Type.Object({
  version: Type.Literal(2),
  id: Type.String(),
  /** Names below `layers`: the store may be moved. */
  layers: Texts,
  entrypoint: Texts,
  cmd: Texts,
  env: Texts,
  home: Type.String(),
  workingDir: Type.String(),
  user: Type.Object({
    uid: Type.Integer(),
    gid: Type.Integer(),
    groups: Type.Array(Type.Integer()),
  }),
  userName: Type.String(),
  stopSignal: Type.Integer(),
});
const isReady = Compile(Ready);

export function readReady(store: ImageStore, id: string): PreparedImage | undefined {
  const found = readFile(placeOf(store, id));
  if (found === undefined) return undefined;
  const layers = found.layers.map((name) => `${store.path}/layers/${name}/root`);
  return { ...found, layers };
}

export function writeReady(store: ImageStore, image: PreparedImage): void {
  const layers = image.layers.map((path) => basename(dirname(path)));
  const text = JSON.stringify({ version: 2, ...image, layers });
  store.writeWhole(placeOf(store, image.id), text, false);
}

/** While the store is owned: those of layers that are gone. */
export function removeUnready(store: ImageStore, layers: ReadonlySet<string>): void {
  for (const name of store.names("ready")) {
    const path = join(store.path, "ready", name);
    const found = readFile(path);
    if (!found?.layers.every((layer) => layers.has(layer))) rmSync(path, { force: true });
  }
}

function placeOf(store: ImageStore, id: string): string {
  return join(store.path, "ready", `${hexOf(id)}.json`);
}

function readFile(path: string): Type.Static<typeof Ready> | undefined {
  try {
    const value: unknown = JSON.parse(readFileSync(path, "utf8"));
    return isReady.Check(value) ? value : undefined;
  } catch {
    return undefined;
  }
}
