// Images for tests: an archive of the probe and whatever else a test wants, in a layout or a
// registry.

import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { probePath } from "./probe.ts";
import { makeLayout, pushLayout, run } from "./registry.ts";
import type { TestRegistry } from "./registry.ts";

export class ImageFolder implements Disposable {
  readonly path = mkdtempSync(join(tmpdir(), "peapod-images-"));
  #archives = 0;

  /** Relative path → content, in an archive as GNU tar makes it. */
  archive(files: Readonly<Record<string, string>>, withProbe = false): string {
    const folder = join(this.path, `tree-${this.#archives}`);
    mkdirSync(folder);
    for (const [path, text] of Object.entries<string>(files)) {
      mkdirSync(dirname(join(folder, path)), { recursive: true });
      writeFileSync(join(folder, path), text);
    }
    if (withProbe) copyFileSync(probePath(), join(folder, "probe"));
    return this.pack(folder);
  }

  /** Of a directory that the test made as it likes. */
  pack(folder: string): string {
    const path = join(this.path, `layer-${this.#archives++}.tar`);
    run(["tar", "--xattrs", "--xattrs-include=*", "-cf", path, "-C", folder, "."]);
    return path;
  }

  layout(tag: string, archives: readonly string[], settings: readonly string[] = []): string {
    return makeLayout(join(this.path, "layout"), tag, archives, settings);
  }

  /** Its name in the registry. */
  push(
    registry: TestRegistry,
    tag: string,
    archives: readonly string[],
    settings: readonly string[] = [],
  ): string {
    const name = `${registry.host}/team/app:${tag}`;
    pushLayout(this.layout(tag, archives, settings), name);
    return name;
  }

  [Symbol.dispose](): void {
    rmSync(this.path, { recursive: true, force: true });
  }
}
