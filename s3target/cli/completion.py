"""completion: a script for the shell, made of the commands and options that there are."""

from __future__ import annotations

import argparse

from .arguments import declare
from .output import Output


def completion(parser: argparse.ArgumentParser) -> None:
    declare(
        parser,
        "Completion of commands, options and local files. Print the script, or have the shell read it at its start.",
        [
            "completion bash > ~/.local/share/bash-completion/completions/s3target",
            "completion zsh > ~/.zfunc/_s3target           (a folder in $fpath)",
            "completion fish > ~/.config/fish/completions/s3target.fish",
        ],
    )
    parser.add_argument("shell", choices=["bash", "zsh", "fish"])
    parser.set_defaults(run=_completion)


def _completion(options: argparse.Namespace) -> int:
    from . import COMMANDS

    makers = {"bash": _bash, "zsh": _zsh, "fish": _fish}
    script = makers[options.shell]({name: _options_of(name) for name in COMMANDS})
    for line in script.splitlines():
        Output(options).tell(line, {"line": line})
    return 0


def _options_of(name: str) -> list[str]:
    """The options of a command, and the words that stand in place of a path."""
    from . import parser_for

    actions = parser_for(name)._actions
    words = [str(word) for action in actions if not action.option_strings for word in action.choices or ()]
    return words + [option for action in actions for option in action.option_strings]


def _about(name: str) -> str:
    from . import COMMANDS

    return COMMANDS[name].about


_BASH = """\
_s3target() {{
    local word=${{COMP_WORDS[COMP_CWORD]}} command= words= i
    for ((i = 1; i < COMP_CWORD; i++)); do
        case ${{COMP_WORDS[i]}} in
            -*) ;;
            *) command=${{COMP_WORDS[i]}}; break ;;
        esac
    done
    case $command in
        '') words='{commands}' ;;
{cases}
    esac
    COMPREPLY=($(compgen -W "$words" -- "$word"))
    if [[ -n $command && $word != -* ]]; then
        COMPREPLY+=($(compgen -f -- "$word"))
    fi
}}
complete -o filenames -F _s3target s3target"""


def _bash(commands: dict[str, list[str]]) -> str:
    cases = "\n".join(f"        {name}) words='{' '.join(words)}' ;;" for name, words in commands.items())
    return _BASH.format(commands=" ".join(commands), cases=cases)


_ZSH = """\
#compdef s3target
_s3target() {{
    local -a commands
    commands=(
{commands}
    )
    if (( CURRENT == 2 )); then
        _describe command commands
        return
    fi
    case $words[2] in
{cases}
    esac
    [[ $PREFIX == -* ]] || _files
}}
compdef _s3target s3target"""


def _zsh(commands: dict[str, list[str]]) -> str:
    described = "\n".join(f"        '{name}:{_about(name)}'" for name in commands)
    cases = "\n".join(f"        {name}) compadd -- {' '.join(words)} ;;" for name, words in commands.items())
    return _ZSH.format(commands=described, cases=cases)


def _fish(commands: dict[str, list[str]]) -> str:
    lines = []
    for name, words in commands.items():
        lines.append(f"complete -c s3target -n __fish_use_subcommand -f -a {name} -d '{_about(name)}'")
        condition = f"-n '__fish_seen_subcommand_from {name}'"
        for word in words:
            if word.startswith("--"):
                lines.append(f"complete -c s3target {condition} -l {word[2:]}")
            elif word.startswith("-"):
                lines.append(f"complete -c s3target {condition} -s {word[1:]}")
            else:
                lines.append(f"complete -c s3target {condition} -a {word}")
    return "\n".join(lines)
