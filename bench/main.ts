// `bun run bench <name>`: one question each.
import { joins } from "./joins.ts";
import { launch } from "./launch.ts";

const questions: Readonly<Record<string, (words: readonly string[]) => Promise<number>>> = {
  joins,
  launch,
};

const [name = "", ...words] = process.argv.slice(2);
const question = questions[name];
if (question === undefined) {
  console.error(
    `usage: bun run bench <name> [--help]\n  names: ${Object.keys(questions).join(", ")}`,
  );
  process.exit(2);
}
process.exitCode = await question(words);
