// Completion for bash 4 and later: one function over tables that are printed here.

import type { CommandWords, FlagWords } from "./words.ts";

export function printBash(words: readonly CommandWords[]): string {
  return `# bash completion of peapod. Load it with: source <(peapod completion bash)

_peapod_pods() {
  peapod ps -a -q 2>/dev/null
}

_peapod_containers() {
  local word
  for word in "\${COMP_WORDS[@]:2}"; do
    [[ $word == -* ]] && continue
    peapod completion --containers "$word" 2>/dev/null
    return
  done
}

_peapod_offer() {
  local IFS=$'\\n'
  case $1 in
    pod) COMPREPLY=($(compgen -W "$(_peapod_pods)" -- "$2")) ;;
    container) COMPREPLY=($(compgen -W "$(_peapod_containers)" -- "$2")) ;;
    image) COMPREPLY=($(compgen -W "$(peapod completion --images 2>/dev/null)" -- "$2")) ;;
    file) COMPREPLY=($(compgen -f -- "$2")); compopt -o filenames ;;
    directory) COMPREPLY=($(compgen -d -- "$2")); compopt -o filenames ;;
    none) COMPREPLY=() ;;
    *) COMPREPLY=($(compgen -W "\${1//,/$'\\n'}" -- "$2")) ;;
  esac
}

_peapod() {
  local word=\${COMP_WORDS[COMP_CWORD]} before=\${COMP_WORDS[COMP_CWORD-1]}
  local command= index flags= operand=none value
  COMPREPLY=()
  for ((index = 1; index < COMP_CWORD; index++)); do
    [[ \${COMP_WORDS[index]} == -- ]] && { compopt -o default; return; }
    [[ -z $command && \${COMP_WORDS[index]} != -* ]] && command=\${COMP_WORDS[index]}
  done
  if [[ -z $command ]]; then
    COMPREPLY=($(compgen -W "${words.map(({ name }) => name).join(" ")} help" -- "$word"))
    return
  fi
  case $command in
${words.map(printCase).join("\n")}
    help) _peapod_offer ${words.map(({ name }) => name).join(",")} "$word"; return ;;
  esac
  if [[ $word == -* ]]; then
    COMPREPLY=($(compgen -W "$flags" -- "$word"))
  else
    _peapod_offer "$operand" "$word"
  fi
}

complete -F _peapod peapod
`;
}

function printCase({ name, flags, operand }: CommandWords): string {
  const valued = flags.filter(({ value }) => value !== undefined);
  const names = flags.flatMap((flag) => flag.names).join(" ");
  const kind = Array.isArray(operand) ? operand.join(",") : String(operand);
  return `    ${name})
      flags="${names}" operand=${kind}
      case $before in
${valued.map(printValue).join("\n")}
      esac
      ;;`;
}

function printValue({ names, value }: FlagWords): string {
  const kind = Array.isArray(value) ? value.join(",") : String(value);
  return `        ${names.join("|")}) _peapod_offer ${kind} "$word"; return ;;`;
}
