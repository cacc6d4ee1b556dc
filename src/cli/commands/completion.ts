// Prints what a shell needs to complete our command lines.

import { defineCommand, oneOperand } from "../command.ts";
import type { CommandWords } from "../completion/words.ts";
import type { FlagTable } from "../flags.ts";
import { usageError } from "../flags.ts";
import { openFromFlags } from "../open.ts";
import { getPod, namespaceFlag } from "../pods.ts";
import { clean } from "../text.ts";

const usage = "completion bash|zsh|fish";

const flagTable = {
  containers: { kind: "text", value: "NAME", help: "for the scripts: the containers of a pod" },
  images: { kind: "switch", help: "for the scripts: the names of images" },
  ...namespaceFlag,
} as const satisfies FlagTable;

type Printer = (words: readonly CommandWords[]) => string;

const printers: Readonly<Record<string, () => Promise<Printer>>> = {
  bash: async () => (await import("../completion/bash.ts")).printBash,
  zsh: async () => (await import("../completion/zsh.ts")).printZsh,
  fish: async () => (await import("../completion/fish.ts")).printFish,
};

export const completion = defineCommand({
  usage: [usage],
  about: [
    "Print the script that makes a shell complete commands, flags, files, and the names of pods,",
    "containers and images.",
  ],
  examples: [
    ["source <(peapod completion bash)", "in ~/.bashrc"],
    ["source <(peapod completion zsh)", "in ~/.zshrc, after compinit"],
    ["peapod completion fish | source", "in ~/.config/fish/config.fish"],
  ],
  flags: flagTable,
  run: async ({ flags, operands, io }) => {
    if (flags.containers !== undefined || flags.images) {
      await using peapod = await openFromFlags(flags, io);
      const names = flags.images
        ? (await peapod.images.list()).flatMap((image) => image.names)
        : (await getPod(peapod, flags.containers ?? "", flags)).containers.map(({ name }) => name);
      for (const name of names) io.stdout.write(`${clean(name)}\n`);
      return 0;
    }
    const shell = oneOperand(operands, usage, "the name of a shell");
    const load = Object.hasOwn(printers, shell) ? printers[shell] : undefined;
    if (load === undefined) {
      throw usageError(
        `there is no completion for ${JSON.stringify(shell)}`,
        `usage: peapod ${usage}`,
      );
    }
    const { completionWords } = await import("../completion/words.ts");
    io.stdout.write((await load())(await completionWords()));
    return 0;
  },
});
