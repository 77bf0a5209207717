/** Completion scripts for shells, from the tree of commands. */

export interface CommandTree {
  name: string;
  description: string;
  /** Long flags such as --json. */
  flags: string[];
  commands: CommandTree[];
}

const SHELLS = ["bash", "zsh", "fish"] as const;
export type Shell = (typeof SHELLS)[number];

/** Each command with the words before it: [["user", "add"], …]; the program itself has none. */
function paths(tree: CommandTree, before: readonly string[] = []): Array<[string[], CommandTree]> {
  return [
    [[...before], tree],
    ...tree.commands.flatMap((command) => paths(command, [...before, command.name])),
  ];
}

/**
 * A script that the shell reads.
 *
 * @param tree the program; names and flags are of letters, digits and hyphens
 */
export function completionScript(shell: Shell, tree: CommandTree): string {
  const scripts: Record<Shell, (tree: CommandTree) => string> = { bash, zsh, fish };
  return scripts[shell](tree);
}

/** What may follow the words of a path: commands, flags. */
const completionWords = ({ commands, flags }: CommandTree): string =>
  [...commands.map(({ name }) => name), ...flags].join(" ");

function cases(tree: CommandTree): string {
  return paths(tree)
    .map(([path, command]) => `    "${path.join(" ")}") words="${completionWords(command)}" ;;`)
    .join("\n");
}

/** The words before the one that is typed, without flags, as far as they name commands. */
function bash(tree: CommandTree): string {
  const known = paths(tree)
    .filter(([path]) => path.length > 0)
    .map(([path]) => `"${path.join(" ")}"`)
    .join(" | ");
  return `# bash completion of ${tree.name}; source it, or put it into /etc/bash_completion.d/
_${tree.name}() {
  local path="" words="" word
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    case "\${path:+$path }$word" in
    ${known}) path="\${path:+$path }$word" ;;
    esac
  done
  case "$path" in
${cases(tree)}
  esac
  COMPREPLY=($(compgen -W "$words" -- "\${COMP_WORDS[COMP_CWORD]}"))
  # Where no word fits it is a file or a name of one's own.
  if [ \${#COMPREPLY[@]} -eq 0 ]; then COMPREPLY=($(compgen -f -- "\${COMP_WORDS[COMP_CWORD]}")); fi
}
complete -F _${tree.name} ${tree.name}
`;
}

/** zsh runs the completion of bash. */
function zsh(tree: CommandTree): string {
  return `# zsh completion of ${tree.name}; source it after compinit
autoload -Uz bashcompinit && bashcompinit
${bash(tree)}`;
}

function fish(tree: CommandTree): string {
  const lines = paths(tree).flatMap(([path, command]) => {
    const condition =
      path.length === 0
        ? "__fish_use_subcommand"
        : path.map((word) => `__fish_seen_subcommand_from ${word}`).join("; and ");
    const prefix = `complete -c ${tree.name} -n "${condition}"`;
    return [
      ...command.commands.map(
        ({ name, description }) => `${prefix} -f -a ${name} -d '${description.replaceAll("'", "\\'")}'`,
      ),
      ...command.flags.map((flag) => `${prefix} -l ${flag.slice(2)}`),
    ];
  });
  return `# fish completion of ${tree.name}; put it into ~/.config/fish/completions/${tree.name}.fish\n${lines.join("\n")}\n`;
}
