// Completion for fish: one line for each flag and each kind of operand.

import type { CommandWords, FlagWords, Kind } from "./words.ts";

export function printFish(words: readonly CommandWords[]): string {
  const names = words.map(({ name }) => name).join(" ");
  const starts = words.map(
    ({ name, summary }) =>
      `complete -c peapod -n __peapod_no_command -a ${name} -d ${quote(summary)}`,
  );
  return `# fish completion of peapod. Load it with: peapod completion fish | source

function __peapod_no_command
    not __fish_seen_subcommand_from ${names} help
end

function __peapod_pods
    peapod ps -a -q 2>/dev/null
end

function __peapod_containers
    for word in (commandline -opc)[3..]
        string match -q -- '-*' $word; and continue
        peapod completion --containers $word 2>/dev/null
        return
    end
end

function __peapod_images
    peapod completion --images 2>/dev/null
end

complete -c peapod -f
${starts.join("\n")}
${words.flatMap(printCommand).join("\n")}
`;
}

function printCommand({ name, flags, operand }: CommandWords): string[] {
  const seen = `complete -c peapod -n '__fish_seen_subcommand_from ${name}'`;
  const offered = offer(operand);
  return [
    ...flags.map((flag) => `${seen} ${printFlag(flag)}`),
    ...(offered === "" ? [] : [`${seen} ${offered}`]),
  ];
}

function printFlag({ names, help, value }: FlagWords): string {
  const written = names.map((name) =>
    name.startsWith("--") ? `-l ${name.slice(2)}` : `-s ${name.slice(1)}`,
  );
  const isPath = value === "file" || value === "directory";
  const needs = value === undefined ? "" : ` ${isPath ? "-r" : "-x"} ${offer(value)}`.trimEnd();
  return `${written.join(" ")}${needs} -d ${quote(help)}`;
}

function offer(value: Kind | readonly string[]): string {
  if (typeof value !== "string") return `-a ${quote(value.join(" "))}`;
  return offers[value];
}

const offers: Readonly<Record<Kind, string>> = {
  pod: "-a '(__peapod_pods)'",
  container: "-a '(__peapod_containers)'",
  image: "-a '(__peapod_images)'",
  file: "-F",
  directory: "-a '(__fish_complete_directories)'",
  none: "",
};

function quote(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
