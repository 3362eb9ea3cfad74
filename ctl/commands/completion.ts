/**
 * `vpcctl completion <shell>`: a script that lets a shell complete command lines of `vpcctl`,
 * values of the running lab included. Each script asks `vpcctl __complete` (complete.ts), so that
 * it never has to be written again when a command is added.
 */
import { type Command, defineCommand } from '../command.ts'

/** Splits by white space alone: bash would take an IPv6 address apart at its colons. */
const BASH = `\
# bash completion of vpcctl. In ~/.bashrc: source <(vpcctl completion bash)
_vpcctl () {
  local line=\${COMP_LINE:0:COMP_POINT} typed candidate head
  local -a words
  read -ra words <<< "$line"
  [[ $line == *[[:space:]] ]] && words+=('')
  typed=\${words[-1]}
  # Readline replaces what stands behind the last of these alone.
  head=\${typed%"\${typed##*[:=]}"}
  COMPREPLY=()
  while IFS=$'\\t' read -r candidate _; do
    if [[ $candidate == :files ]]; then
      compopt -o default 2> /dev/null
      return
    fi
    COMPREPLY+=("$(printf %q "\${candidate#"$head"}")")
  done < <("\${words[0]}" __complete "\${words[@]:1}" 2> /dev/null)
}
complete -F _vpcctl vpcctl`

const ZSH = `\
#compdef vpcctl
# zsh completion of vpcctl. In ~/.zshrc, behind compinit: source <(vpcctl completion zsh)
_vpcctl () {
  local -a candidates
  local word about
  while IFS=$'\\t' read -r word about; do
    if [[ $word == :files ]]; then
      _files
      return
    fi
    candidates+=("\${word//:/\\\\:}:$about")
  done < <("\${words[1]}" __complete "\${(@Q)words[2,CURRENT]}" 2> /dev/null)
  (( $#candidates )) && _describe vpcctl candidates
}
compdef _vpcctl vpcctl`

const FISH = `\
# fish completion of vpcctl. In ~/.config/fish/completions/vpcctl.fish, or:
#   vpcctl completion fish | source
function __vpcctl_complete
  set -l words (commandline -opc) "$(commandline -ct)"
  set -l candidates ($words[1] __complete $words[2..] 2> /dev/null)
  if test "$candidates" = :files
    __fish_complete_path $words[-1]
  else
    printf '%s\\n' $candidates
  end
end
complete -c vpcctl -f -a '(__vpcctl_complete)'`

const SCRIPTS: Readonly<Record<string, string>> = { bash: BASH, zsh: ZSH, fish: FISH }

const EXAMPLES: Readonly<Record<string, string>> = {
  bash: 'source <(vpcctl completion bash)',
  zsh: 'source <(vpcctl completion zsh)',
  fish: 'vpcctl completion fish | source'
}

export const completionCommands: readonly Command[] = Object.entries(SCRIPTS)
  .map(([shell, script]) => defineCommand({
    name: shell,
    summary: `Print the script for ${shell}`,
    action: 'prints a script on this machine',
    examples: [EXAMPLES[shell] ?? ''],
    run ({ output }) {
      output.text(script)
      return Promise.resolve()
    }
  }))
