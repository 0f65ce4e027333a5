"""completion: a script for the shell, made of the commands and options that there are."""

from __future__ import annotations

import argparse

from . import COMMANDS
from .arguments import parser_for
from .output import Output

_BASH = """\
_s3target() {
    local word=${COMP_WORDS[COMP_CWORD]} command= words= i
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${COMP_WORDS[i]} in
            -*) ;;
            *) command=${COMP_WORDS[i]}; break ;;
        esac
    done
    case $command in
        '') words='@commands' ;;
@cases
    esac
    COMPREPLY=($(compgen -W "$words" -- "$word"))
    if [[ -n $command && $word != -* ]]; then
        COMPREPLY+=($(compgen -f -- "$word"))
    fi
}
complete -o filenames -F _s3target s3target"""

_ZSH = """\
#compdef s3target
_s3target() {
    local -a commands
    commands=(
@described
    )
    if (( CURRENT == 2 )); then
        _describe command commands
        return
    fi
    case $words[2] in
@cases
    esac
    [[ $PREFIX == -* ]] || _files
}
compdef _s3target s3target"""


def completion(output: Output, options: argparse.Namespace) -> None:
    """Completion of commands, options and local files. Print the script, or have the shell read it at its start.

    examples:
      s3target completion bash > ~/.local/share/bash-completion/completions/s3target
      s3target completion zsh > ~/.zfunc/_s3target           (a folder in $fpath)
      s3target completion fish > ~/.config/fish/completions/s3target.fish
    """
    words = {name: _words(name) for name in COMMANDS}
    if options.shell == "fish":
        script = "\n".join(_fish(words))
    elif options.shell == "bash":
        cases = "\n".join(f"        {name}) words='{' '.join(each)}' ;;" for name, each in words.items())
        script = _BASH.replace("@commands", " ".join(words)).replace("@cases", cases)
    else:
        cases = "\n".join(f"        {name}) compadd -- {' '.join(each)} ;;" for name, each in words.items())
        described = "\n".join(f"        '{name}:{about}'" for name, (_, about, _) in COMMANDS.items())
        script = _ZSH.replace("@described", described).replace("@cases", cases)
    for line in script.splitlines():
        output.tell(line, {"line": line})


def _words(name: str) -> list[str]:
    """The words that stand in place of a path, and the options of a command."""
    actions = parser_for(name)._actions
    words = [str(word) for action in actions if not action.option_strings for word in action.choices or ()]
    return words + [option for action in actions for option in action.option_strings]


def _fish(commands: dict[str, list[str]]) -> list[str]:
    lines = []
    for name, words in commands.items():
        lines.append(f"complete -c s3target -n __fish_use_subcommand -f -a {name} -d '{COMMANDS[name][1]}'")
        for word in words:
            kind = "l" if word.startswith("--") else "s" if word.startswith("-") else "a"
            lines.append(f"complete -c s3target -n '__fish_seen_subcommand_from {name}' -{kind} {word.lstrip('-')}")
    return lines
