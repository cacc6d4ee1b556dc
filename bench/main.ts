// `bun run bench NAME`: one question each, or all of them, and what to do with their results.
import { benches } from "./benches.ts";
import { ask } from "./ask.ts";

type Command = {
  readonly usage: string;
  readonly says: string;
  run(words: readonly string[]): Promise<number>;
};

const questions: readonly Command[] = [
  ...benches.map((bench) => ({
    usage: bench.name,
    says: bench.question,
    run: (words: readonly string[]) => ask(bench, words),
  })),
  {
    usage: "logs",
    says: "how fast what containers write gets into their logs, by the length of lines",
    run: async (words) => await (await import("./logs.ts")).logs(words),
  },
  {
    usage: "network",
    says: "what addresses add to the start of a pod, alone and in a crowd",
    run: async (words) => await (await import("./network.ts")).network(words),
  },
];

const others: readonly Command[] = [
  {
    usage: "peers",
    says: "which peers this machine has; --install adds those that Debian has packages for",
    run: async (words) => await (await import("./peers/command.ts")).peers(words),
  },
  {
    usage: "end-state",
    says: "proves that the compared containers are equal, field by field",
    run: async (words) => await (await import("./end-state/command.ts")).endState(words),
  },
  {
    usage: "full",
    says: "all of the above, written as JSON and as one page (takes an hour; see --help)",
    run: async (words) => await (await import("./full.ts")).full(words),
  },
  {
    usage: "gate",
    says: "two minutes: is this slower, relative to the floor, than bench/limits.json allows",
    run: async (words) => await (await import("./gate.ts")).gate(words),
  },
  {
    usage: "report FILE.json",
    says: "make table, page and plots of a result again",
    run: async (words) => await (await import("./report/write.ts")).reportAgain(words),
  },
  {
    usage: "figures FILE.json",
    says: "write the figures of a result into docs/performance.md, and its plots into docs/plots",
    run: async (words) => await (await import("./report/figures.ts")).writeFigures(words),
  },
  {
    usage: "compare A.json B.json",
    says: "what changed between two results of one machine",
    run: async (words) => await (await import("./report/compare.ts")).compareFiles(words),
  },
];

function help(): string {
  const list = (commands: readonly Command[]) =>
    commands.map(({ usage, says }) => `  ${usage.padEnd(22)}${says}`).join("\n");
  return `usage: bun run bench NAME [flags]     flags of NAME: bun run bench NAME --help

questions
${list(questions)}

everything at once, and afterwards
${list(others)}

Needs root. Run it on a machine that does nothing else. docs/performance.md says how to read it.`;
}

const [name, ...words] = process.argv.slice(2);
const command = [...questions, ...others].find(({ usage }) => usage.split(" ")[0] === name);
if (command === undefined) {
  const isAsked = name === undefined || name === "--help" || name === "-h" || name === "help";
  if (!isAsked) console.error(`no such benchmark: ${name}\n`);
  (isAsked ? console.log : console.error)(help());
  process.exit(isAsked ? 0 : 2);
}
process.exitCode = await command.run(words);
