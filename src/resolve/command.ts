// Finding a command the way execvp does, as a list of places to try: only inside the container is
// it known which exists.

const defaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

/** A command with a slash is one place; another is looked for along the container's own PATH. */
export function resolveCandidates(command: string, env: readonly string[]): string[] {
  if (command.includes("/")) return [command];
  const path = env.find((entry) => entry.startsWith("PATH="))?.slice("PATH=".length) ?? defaultPath;
  // An empty entry means the working directory (man 3 exec).
  return path.split(":").map((directory) => `${directory === "" ? "." : directory}/${command}`);
}

/** Container runtimes give a PATH where the image has none. */
export function withPath(env: readonly string[]): string[] {
  return env.some((entry) => entry.startsWith("PATH="))
    ? [...env]
    : [`PATH=${defaultPath}`, ...env];
}

/** As Kubernetes: `command` takes the place of both, `args` only of what the image would add. */
export function mergeCommand(
  own: {
    readonly command: readonly string[] | undefined;
    readonly args: readonly string[] | undefined;
  },
  image: { readonly entrypoint: readonly string[]; readonly cmd: readonly string[] },
): string[] {
  if (own.command) return [...own.command, ...(own.args ?? [])];
  return [...image.entrypoint, ...(own.args ?? image.cmd)];
}

/** A later variable of the same name wins, in the place of the first. */
export function mergeEnv(defaults: readonly string[], own: readonly string[]): string[] {
  const byName = new Map<string, string>();
  for (const entry of [...defaults, ...own]) byName.set(entry.slice(0, entry.indexOf("=")), entry);
  return [...byName.values()];
}
