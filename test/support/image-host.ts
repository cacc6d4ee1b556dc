// Images without the tools of others, as `docker save` writes them, in the store of a test's host.

import { readFileSync } from "node:fs";
import { Images } from "../../src/image/images.ts";
import type { TestHost } from "./host.ts";
import { openTestHost } from "./host.ts";
import { probePath } from "./probe.ts";
import type { TarItem } from "./tar.ts";
import { tarOf } from "./tar.ts";

export const program = (): TarItem => ({
  name: "probe",
  mode: 0o755,
  content: readFileSync(probePath()),
});
export const directory = (name: string, mode = 0o755): TarItem => ({
  name: `${name}/`,
  flag: "5",
  mode,
});
export const file = (name: string, content = name): TarItem => ({ name, content });
const hex = (bytes: Uint8Array) => new Bun.CryptoHasher("sha256").update(bytes).digest("hex");

/** As `docker save` writes it. */
export function dockerArchive(
  name: string,
  layers: readonly Uint8Array[],
  run: object,
): Uint8Array {
  const config = JSON.stringify({
    ...{ architecture: process.arch === "x64" ? "amd64" : "arm64", os: "linux", config: run },
    rootfs: { type: "layers", diff_ids: layers.map((layer) => `sha256:${hex(layer)}`) },
  });
  const paths = layers.map((_, index) => `${index}.tar`);
  const manifest = JSON.stringify([{ Config: "config.json", RepoTags: [name], Layers: paths }]);
  return tarOf([
    ...layers.map((content, index) => ({ name: `${index}.tar`, content })),
    file("config.json", config),
    file("manifest.json", manifest),
  ]);
}

/** A host whose store has this image. */
export async function openWith(
  name: string,
  layers: readonly (readonly TarItem[])[],
  run: object,
): Promise<{ readonly host: TestHost; readonly images: Images }> {
  const host = await openTestHost({ images: { hostsDirectories: [] } });
  // Streams and threads of the runtime are opened once, by the first image that passes them.
  host.opensItself = false;
  const images = new Images(host.places.root, { hostsDirectories: [] });
  await loadInto(images, name, layers, run);
  return { host, images };
}

export async function loadInto(
  images: Images,
  name: string,
  layers: readonly (readonly TarItem[])[],
  run: object = {},
): Promise<void> {
  const archive = dockerArchive(name, layers.map(tarOf), run);
  await images.load(new Blob([Uint8Array.from(archive)]).stream());
}
