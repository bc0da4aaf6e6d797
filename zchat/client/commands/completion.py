"""`zchat completion`: what bash, zsh and fish need to complete commands, options, rooms and people."""

import os
import sys
from contextlib import suppress
from typing import Final, NamedTuple

import click


@click.command()
@click.option("--line", hidden=True, help="Print what there is to offer at the end of this command line.")
@click.argument("shell", metavar="SHELL", type=click.Choice(["bash", "zsh", "fish"]))
@click.pass_context
def completion(context: click.Context, line: str | None, shell: str) -> None:
    """Print the script for SHELL (bash, zsh or fish) with which Tab completes zchat's commands.

    Rooms and people come from the broker if it answers within 0.3 s; else there are none to choose from.

    \b
    Install it:
      bash   echo 'eval "$(zchat completion bash)"' >> ~/.bashrc
      zsh    echo 'eval "$(zchat completion zsh)"' >> ~/.zshrc     (behind compinit)
      fish   zchat completion fish > ~/.config/fish/completions/zchat.fish

    \b
    Example, for this terminal only:
      eval "$(zchat completion bash)"
    """
    if line is None:
        click.echo(_SCRIPTS[shell], nl=False)
    else:
        _answer(context.find_root().command, line)


def _answer(root: click.Command, line: str) -> None:
    """Print the offers, and end at once: nothing that is still under way matters to anybody."""
    sys.stderr = None
    with suppress(Exception, KeyboardInterrupt):
        answer = "".join(f"{kind}\t{value}\t{help}\n" for kind, value, help in offers(root, line))
        sys.stdout.buffer.write(answer.encode())
        sys.stdout.flush()
    os._exit(0)


class Offer(NamedTuple):
    """`kind` is plain, or file or dir: then the shell knows better. `value` is the whole word."""

    kind: str
    value: str
    help: str


def offers(root: click.Command, line: str) -> list[Offer]:
    """What can stand at the end of the command line, whose last word is not complete. The first is no offer:
    its kind is `typed`, its value that word as it is when quotes and backslashes have done their work."""
    from click.shell_completion import ShellComplete, split_arg_string

    words = split_arg_string(line)
    typed = words.pop() if words and not line[-1].isspace() else ""
    before = [os.path.expandvars(word) for word in words[1:]]  # --link "$LINK"
    found = ShellComplete(root, {}, "zchat", "").get_completions(before, typed)
    option, equals, _ = typed.partition("=")
    front = option + equals if equals and option.startswith("-") else ""
    return [Offer("typed", typed, "")] + [
        Offer(item.type, f"{front}{item.value}", " ".join((item.help or "").split())) for item in found
    ]


# Each script reads the lines that `_answer` prints. The shell quotes the values: a nick may have characters
# that would otherwise be commands.

_BASH: Final = r"""
_zchat_completion() {
    local line=${COMP_LINE-${COMP_WORDS[*]}} current=${COMP_WORDS[COMP_CWORD]}
    local breaks=${COMP_WORDBREAKS//[^@:=]/} before= kind value help
    line=${line:0:${COMP_POINT:-${#line}}}
    COMPREPLY=()
    while IFS=$'\t' read -r kind value help; do
        case $kind in
            typed)  # unless it is quoted, bash completes from the last @ on, or behind the last : or =
                if [[ -n $breaks && $current != [\'\"]* ]]; then
                    before=${value%"${value##*["$breaks"]}"}
                    before=${before%@}
                fi ;;
            plain)
                value=${value#"$before"}
                case $current in
                    \'*) [[ $value == *\'* ]] && continue ;;
                    \"*) [[ $value == *[\"\\\`\$\!]* ]] && continue ;;
                    *) printf -v value %q "$value" ;;
                esac
                COMPREPLY+=("$value") ;;
            dir) compopt -o dirnames 2>/dev/null ;;
            file) compopt -o default 2>/dev/null ;;
        esac
    done < <(zchat completion bash --line "$line" 2>/dev/null)
}
complete -o nosort -F _zchat_completion zchat 2>/dev/null || complete -F _zchat_completion zchat
"""

_ZSH: Final = r"""#compdef zchat
_zchat_completion() {
    local -a values described shown
    local kind value help
    while IFS=$'\t' read -r kind value help; do
        case $kind in
            plain)
                if [[ -n $help ]]; then
                    described+=("$value")
                    shown+=("$value  -- $help")
                else
                    values+=("$value")
                fi ;;
            dir) _path_files -/ ;;
            file) _path_files -f ;;
        esac
    done < <(zchat completion zsh --line "${(j: :)words[1,CURRENT]}" 2>/dev/null)
    (( $#described )) && compadd -V commands -l -d shown -a described
    (( $#values )) && compadd -V names -a values
}
if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    _zchat_completion "$@"
else
    compdef _zchat_completion zchat
fi
"""

_FISH: Final = r"""function _zchat_completion
    for item in (zchat completion fish --line (commandline -cp | string collect) 2>/dev/null)
        set -l fields (string split \t -- $item)
        switch $fields[1]
            case plain
                printf '%s\t%s\n' $fields[2] $fields[3]
            case dir
                __fish_complete_directories (commandline -ct)
            case file
                __fish_complete_path (commandline -ct)
        end
    end
end
complete --no-files --command zchat --arguments '(_zchat_completion)'
"""

_SCRIPTS: Final = {"bash": _BASH.lstrip(), "zsh": _ZSH, "fish": _FISH}
