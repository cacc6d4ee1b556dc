// What was removed from the store of images, in words.

import type { Collected } from "../image/types.ts";
import { clean, formatBytes, plural } from "./text.ts";

export function printCollected({ names, layers, blobs, bytes }: Collected): string {
  const lines = names.map((name) => `removed ${clean(name)}\n`);
  const rest = `${plural(layers, "layer")} and ${plural(blobs, "blob")}, ${formatBytes(bytes)}`;
  return `${lines.join("")}freed ${rest}\n`;
}
