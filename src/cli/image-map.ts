// `--image-map FROM=TO`: what to run where a manifest names an image that is not to be had here.

import { parseReference, printReference } from "../image/reference.ts";
import { usageError } from "./flags.ts";
import { unreadable } from "./manifests.ts";

interface Rule {
  readonly from: string;
  /** `from` ended in a star: every image that begins so. */
  readonly isPrefix: boolean;
  readonly to: string;
}

/** The first rule that fits. An image that none fits stays as it is. */
export async function imageMap(words: readonly string[]): Promise<(image: string) => string> {
  const rules: Rule[] = [];
  for (const word of words) {
    if (word.includes("=")) rules.push(readRule(word, word));
    else rules.push(...(await readFile(word)));
  }
  return (image) => {
    const names = [image, fullName(image)];
    const fits = ({ from, isPrefix }: Rule) =>
      isPrefix
        ? names.some((name) => name.startsWith(from))
        : names.includes(from) || names.includes(fullName(from));
    return rules.find(fits)?.to ?? image;
  };
}

function readRule(text: string, shown: string): Rule {
  const at = text.indexOf("=");
  const [from, to] = [text.slice(0, at).trim(), text.slice(at + 1).trim()];
  if (at < 0 || from === "" || to === "") {
    throw usageError(
      `${JSON.stringify(shown)} is not FROM=TO`,
      "for example nginx=rootfs:/srv/nginx",
    );
  }
  const isPrefix = from.endsWith("*");
  return { from: isPrefix ? from.slice(0, -1) : from, isPrefix, to };
}

/** Lines of FROM=TO; empty ones and those behind a # are not looked at. */
async function readFile(name: string): Promise<Rule[]> {
  let text: string;
  try {
    text = await Bun.file(name).text();
  } catch (error) {
    throw unreadable(name, error);
  }
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "" && !line.startsWith("#"))
    .map((line) => readRule(line, line));
}

/** As a registry knows it, where it is the name of an image of one. */
function fullName(image: string): string {
  try {
    return printReference(parseReference(image));
  } catch {
    return image;
  }
}
