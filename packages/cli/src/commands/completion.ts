import { Argument, type Command, type Option } from 'commander';
import { commandsBelow, pathOf, withHelp } from '../command-help.ts';
import type { Surroundings } from '../surroundings.ts';

/**
 * `lazuli completion`: a script in which every noun, verb and option stands, so that completing starts no process. Files are
 * completed where an option or an argument may be one.
 */
const shells = { bash: bashScript, zsh: zshScript } as const;

export function describeCompletion(
  command: Command,
  surroundings: Surroundings,
  describeEverything: (surroundings: Surroundings) => Promise<Command>,
): void {
  withHelp(command, {
    examples: ['source <(lazuli completion bash)', 'lazuli completion zsh > ~/.zfunc/_lazuli'],
  })
    .addArgument(new Argument('<shell>', 'whose language to print').choices(Object.keys(shells)))
    .action(async (shell: keyof typeof shells) => {
      surroundings.output.result(shells[shell](tables(await describeEverything(surroundings))));
    });
}

/** Two functions that both shells run: what can follow a command, and what an option takes. */
function tables(program: Command): string {
  const commands = commandsBelow(program);
  const words = commands.map((command) => {
    const verbs = command.commands.map((sub) => sub.name());
    const arguments_ = command.registeredArguments.flatMap(({ argChoices = [] }) => argChoices);
    const options = command.options.flatMap(({ long }) => long ?? []);
    return `    '${pathOf(command)}') echo '${[...verbs, ...arguments_, ...options, '--help'].join(' ')}' ;;`;
  });
  const values = commands.flatMap((command) =>
    command.options.filter(takesValue).map((option) => {
      const flags = [option.short, option.long].flatMap((flag) => flag ?? []);
      const patterns = flags.map((flag) => `'${pathOf(command)} ${flag}'`).join('|');
      return `    ${patterns}) echo '${(option.argChoices ?? []).join(' ')}' ;;`;
    }),
  );
  return `__lazuli_words() {
  case "$1" in
${words.join('\n')}
    *) return 1 ;;
  esac
}
__lazuli_values() {
  case "$1" in
${values.join('\n')}
    *) return 1 ;;
  esac
}`;
}

function takesValue(option: Option): boolean {
  return option.required || option.optional;
}

/** Without what bash 3.2 lacks, which macOS has. */
function bashScript(functions: string): string {
  return `${functions}
_lazuli() {
  local cur=\${COMP_WORDS[COMP_CWORD]} prev=\${COMP_WORDS[COMP_CWORD-1]} path=lazuli found i
  for (( i = 1; i < COMP_CWORD; i++ )); do
    if __lazuli_words "$path \${COMP_WORDS[i]}" > /dev/null; then path="$path \${COMP_WORDS[i]}"; fi
  done
  found=$(__lazuli_values "$path $prev") || found=$(__lazuli_words "$path")
  COMPREPLY=( $(compgen -W "$found" -- "$cur") )
}
complete -o default -F _lazuli lazuli`;
}

function zshScript(functions: string): string {
  return `#compdef lazuli
${functions}
_lazuli() {
  local line=lazuli found word
  for word in "\${(@)words[2,CURRENT-1]}"; do
    if __lazuli_words "$line $word" > /dev/null; then line="$line $word"; fi
  done
  if found=$(__lazuli_values "$line \${words[CURRENT-1]}"); then
    if [[ -z $found ]]; then _files; return; fi
  else
    found=$(__lazuli_words "$line")
  fi
  compadd -- \${=found}
}
if [[ $funcstack[1] == _lazuli ]]; then _lazuli "$@"; else compdef _lazuli lazuli; fi`;
}
