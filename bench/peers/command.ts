// `bun run bench peers`: which peers this machine has, and with --install those that Debian has.
import { parseArgs } from "node:util";
import { describeProgram, findProgram, missingPackages, programs } from "./find.ts";
import { peerSpans, peerSubjects } from "./peers.ts";

const usage = `bun run bench peers [--install] [--spans]

Lists the programs that the benchmark compares peapod with: version, place, or why it is absent.

  --install  installs what Debian has packages for (as root)
  --spans    what each peer is asked to do for each measurement`;

export async function peers(words: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...words],
    options: {
      install: { type: "boolean", default: false },
      spans: { type: "boolean", default: false },
      help: { type: "boolean", short: "h", default: false },
    },
  });
  if (values.help) {
    console.log(usage);
    return 0;
  }
  if (values.install && !(await install())) return 1;
  for (const { name, role } of programs) {
    const described = await describeProgram(name);
    const about = typeof described === "string" ? described : `absent: ${described.absent}`;
    console.log(`${name.padEnd(15)} ${role}\n${" ".repeat(15)} ${about}`);
    const file = findProgram(name);
    if (file !== undefined) console.log(`${" ".repeat(15)} ${file}`);
  }
  if (values.spans) printSpans();
  return 0;
}

function printSpans(): void {
  for (const { name } of peerSubjects()) {
    console.log(`\n${name}`);
    for (const [kind, span] of Object.entries<string>(peerSpans(name))) {
      console.log(`  ${kind}: ${span}`);
    }
  }
}

async function install(): Promise<boolean> {
  const packages = missingPackages();
  if (packages.length === 0) return true;
  const env = { ...process.env, DEBIAN_FRONTEND: "noninteractive" };
  for (const words of [["update"], ["install", "--no-install-recommends", ...packages]]) {
    console.log(`apt-get ${words.join(" ")}`);
    const apt = Bun.spawn(["apt-get", "--quiet", "--yes", ...words], {
      env,
      stdio: ["ignore", "inherit", "inherit"],
    });
    if ((await apt.exited) !== 0) {
      console.error(`apt-get ${words[0]} ended with status ${apt.exitCode}`);
      return false;
    }
  }
  return true;
}
