// Completion for zsh: _arguments does the work, with a specification for each command.

import type { CommandWords, FlagWords, Kind } from "./words.ts";

export function printZsh(words: readonly CommandWords[]): string {
  const list = words.map(({ name, summary }) => `    ${quote(`${name}:${summary}`)}`);
  return `#compdef peapod
# zsh completion of peapod. Load it with: source <(peapod completion zsh)

_peapod_pods() {
  local -a pods
  pods=(\${(f)"$(peapod ps -a -q 2>/dev/null)"})
  compadd -a pods
}

_peapod_containers() {
  local -a containers
  local word
  for word in \${words[2,-1]}; do
    [[ $word == -* ]] && continue
    containers=(\${(f)"$(peapod completion --containers $word 2>/dev/null)"})
    break
  done
  compadd -a containers
}

_peapod_images() {
  local -a images
  images=(\${(f)"$(peapod completion --images 2>/dev/null)"})
  compadd -a images
}

_peapod() {
  local line state
  local -a commands
  commands=(
${list.join("\n")}
  )
  _arguments -C '1: :->command' '*:: :->rest'
  case $state in
    command) _describe command commands ;;
    rest)
      case $line[1] in
${words.map(printCase).join("\n")}
      esac
      ;;
  esac
}

if [[ $funcstack[1] == _peapod ]]; then
  _peapod "$@"
else
  compdef _peapod peapod
fi
`;
}

function printCase({ name, flags, operand }: CommandWords): string {
  const specs = flags.flatMap(printFlag);
  return `        ${name})
          _arguments \\
${specs.map((spec) => `            ${quote(spec)} \\`).join("\n")}
            ${quote(`*: :${actionOf(operand)}`)}
          ;;`;
}

function printFlag({ names, help, value }: FlagWords): string[] {
  const text = help.replaceAll(/[[\]:]/g, " ");
  return names.map((name) => {
    const spec = `*${name}[${text}]`;
    return value === undefined ? spec : `${spec}: :${actionOf(value)}`;
  });
}

function actionOf(value: Kind | readonly string[]): string {
  if (typeof value !== "string") return `(${value.join(" ")})`;
  return actions[value];
}

const actions: Readonly<Record<Kind, string>> = {
  pod: "_peapod_pods",
  container: "_peapod_containers",
  image: "_peapod_images",
  file: "_files",
  directory: "_files -/",
  none: "",
};

function quote(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}
