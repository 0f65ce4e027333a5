"""The scripts that shells read."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from cli.conftest import Run
from s3target.cli import COMMANDS


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_knows_commands_and_options(run: Run, shell: str) -> None:
    """All commands; an option of one of them; the words that stand in place of a path."""
    ran = run("completion", shell)
    assert ran.status == 0
    assert [name for name in COMMANDS if name not in ran.out] == []
    assert "older-than" in ran.out
    assert "abort" in ran.out


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_can_read_it(run: Run, shell: str) -> None:
    """Where it is installed."""
    program = shutil.which(shell)
    if program is None:
        pytest.skip(f"no {shell} here")
    script = run("completion", shell).content
    done = subprocess.run([program, "-n"], input=script, capture_output=True, timeout=30, check=False)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["pre"], ["presign"]),
        (["--json", "mb", "--no"], ["--no-sign-request", "--no-verify-ssl"]),
        (["uploads", "ab"], ["abort"]),
        (["completion", "z"], ["zsh"]),
        (["cp", "--no-cl"], ["--no-clobber"]),
    ],
)
def test_bash_completes(run: Run, words: list[str], expected: list[str]) -> None:
    """Commands, their options, their words."""
    line = " ".join(f"'{word}'" for word in ["s3target", *words])
    script = run("completion", "bash").out + (
        f"\ncd /; COMP_WORDS=({line}); COMP_CWORD={len(words)}; _s3target; printf '%s\\n' \"${{COMPREPLY[@]}}\""
    )
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=30, check=True)
    assert done.stdout.split() == expected


def test_the_words_of_fish(run: Run) -> None:
    """Commands with what they do; long and short options, and words, each by its own flag of complete."""
    lines = run("completion", "fish").lines
    assert "complete -c s3target -n __fish_use_subcommand -f -a mb -d 'make a bucket'" in lines
    about_ls, about_uploads = (
        f"complete -c s3target -n '__fish_seen_subcommand_from {name}'" for name in ("ls", "uploads")
    )
    assert {f"{about_ls} -l recursive", f"{about_ls} -s r", f"{about_uploads} -a abort"} <= set(lines)


def test_the_words_of_zsh(run: Run) -> None:
    """The same; nothing is left to be filled in."""
    ran = run("completion", "zsh")
    assert ran.lines[0] == "#compdef s3target"
    assert "        'mb:make a bucket'" in ran.lines
    (line,) = [line for line in ran.lines if line.startswith("        uploads) ")]
    assert line.startswith("        uploads) compadd -- ls abort -h --help ")
    assert "@" not in ran.out
