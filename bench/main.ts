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
];

const others: readonly Command[] = [];

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
