"""The command as a whole: help, usage, statuses, where options may stand, what is loaded."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from cli.conftest import Run
from s3target import __version__
from s3target.cli import COMMANDS, _ending_well, split
from server.scripted_socket import Peer, ScriptedServer

ROOT = Path(__file__).parents[2]


@pytest.mark.parametrize("name", [name for name in COMMANDS if name != "luigi"])
def test_every_command_has_help_with_examples(run: Run, name: str) -> None:
    """--help, and `help NAME`: usage, what it does, examples that name the command."""
    told = run(name, "--help")
    assert (told.status, told.err) == (0, "")
    assert told.out.startswith(f"usage: s3target {name}")
    assert f"s3target {name}" in told.out.partition("examples:")[2]
    assert run("help", name) == told


def test_the_overview_names_every_command(run: Run) -> None:
    """By help or --help on stdout with status 0; without any argument on stderr, as wrong usage."""
    told = run("--help")
    assert (told.status, run("help")) == (0, told)
    assert all(f"\n  {name} " in told.out for name in COMMANDS)
    assert run() == (2, b"", told.out)


def test_the_version_is_told(run: Run) -> None:
    """s3target --version."""
    assert run("--version").out == f"s3target {__version__}\n"


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["lss"], "no command 'lss'; did you mean ls?"),
        (["frobnicate"], "no command 'frobnicate'; there are ls, "),
        (["ls", "bucket/key"], "'bucket/key' is no S3 path; write s3://bucket/key"),
        (["ls", "--nonsense"], "unrecognized arguments: --nonsense"),
        (["cp", "s3://b/k"], "there is a source and a destination to be named"),
        (["cp", "a", "b"], "neither a nor b is an s3:// path"),
        (["cp", "-", "s3://b/dir/"], "stdin goes to one object"),
        (["cp", "s3://b/1", "s3://b/2", "-"], "only one object goes to stdout"),
        (["cp", "-r", "s3://b/a", "s3://b/a/b"], "s3://b/a/b lies in s3://b/a"),
        (["mv", "-r", "s3://b/a", "s3://b/a"], "lies in"),
        (["sync", "s3://b", "s3://b/a"], "lie in one another"),
        (["sync", "-", "s3://b/a"], "sync is for folders"),
        (["sync", "s3://b/a", "-"], "sync is for folders"),
        (["sync", "s3://b/a", "s3://b"], "lie in one another"),
        (["sync", "a", "b"], "neither a nor b is an s3:// path"),
        (["sync", "--size-only", "--checksum", "a", "s3://b"], "give --size-only or --checksum, not both"),
        (["mv", "-", "s3://b/k"], "stdin goes to one object"),
        (["mv", "s3://b/k", "-"], "only one object goes to stdout"),
        (["cp", "-", "a", "s3://b/d"], "stdin goes to one object"),
        (["cp", "-", "s3://b"], "stdin goes to one object"),
        (["presign", "--put", "--version-id", "v1", "s3://b/k"], "--put writes a new one"),
        (["rm", "s3://b/dir/"], "is a folder; give -r"),
        (["rm", "s3://b"], "is a folder; give -r"),
        (["mb", "s3://b/key"], "is more than a bucket; write s3://b"),
        (["uploads", "abort", "s3://b"], "abort needs --older-than"),
        (["uploads", "ls", "--older-than", "soon", "s3://b"], "'soon' is no time: write 90s, 15m, 12h, 1d or 2w"),
        (["cp", "--jobs", "0", "s3://b/k", "."], "'0' is no whole number of 1 or more"),
        (["ls", "--setting", "nonsense"], "'nonsense' is no NAME=VALUE"),
        (["cp", "--set", "nonsense", "a", "s3://b"], "'nonsense' is no NAME=VALUE"),
        (["cp", "s3://b/*", "-"], "only one object goes to stdout"),
        (["--endpoint-url", "ls"], "there is no command after --endpoint-url ls"),
        (["--region", "x", "luigi", "Task"], "luigi takes no --region"),
        (["--region", "x", "demo"], "unrecognized arguments: --region x"),
        (["demo", "--quiet"], "unrecognized arguments: --quiet"),
        (["vendor", "dir", "--zipapp", "x.pyz"], "name either a folder or --zipapp FILE"),
        (["vendor"], "name either a folder or --zipapp FILE"),
        (["vendor", "--name", "not-a-name", "dir"], "is no name of a Python package"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_wrong_usage_is_status_2_and_told(run: Run, argv: list[str], told: str) -> None:
    """Nothing was tried then: no store is configured here."""
    ran = run(*argv)
    assert (ran.status, ran.content) == (2, b"")
    assert told in ran.err


@pytest.mark.parametrize(
    ("argv", "told"),
    [
        (["ls", "--setting", "regoin=x"], "did you mean region_name"),
        (["cp", "--set", "ContentTyp=x", "a", "s3://b/k"], "did you mean ContentType?"),
        (["ls", "--endpoint-url", "nonsense"], "nonsense"),
        (["ls", "--profile", "nobody"], "nobody"),
        (["ls", "--luigi-cfg", "/no/such.cfg"], "--luigi-cfg /no/such.cfg cannot be read"),
        (["presign", "--expires", "8d", "s3://b/k"], "a presigned URL lives 1 to 604800 seconds"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_what_cannot_be_right_is_one_line(
    run: Run, monkeypatch: pytest.MonkeyPatch, argv: list[str], told: str
) -> None:
    """No traceback; status 1."""
    monkeypatch.setenv("AWS_ACCESS_KEY_ID", "AKID")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "very-secret")
    ran = run(*argv)
    assert (ran.status, ran.content, ran.err.count("\n")) == (1, b"", 1)
    assert ran.err.startswith("s3target: ")
    assert told in ran.err


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ([], ([], "", [])),
        (["ls"], ([], "ls", [])),
        (["--region", "ls", "cat", "-r", "x"], (["--region", "ls"], "cat", ["-r", "x"])),
        (["--region=ls", "--json", "cat"], (["--region=ls", "--json"], "cat", [])),
        (["--version"], (["--version"], "", [])),
        (["--region"], (["--region"], "", [])),
    ],
)
def test_options_may_stand_before_the_command(argv: list[str], expected: tuple[list[str], str, list[str]]) -> None:
    """The value of one is not taken for the command."""
    assert split(argv) == expected


def test_errors_are_json_too(run: Run) -> None:
    """With --json, one object a line on stderr."""
    ran = run("--json", "ls", "--endpoint-url", "nonsense")
    error = json.loads(ran.err)
    assert (ran.status, error["status"], error["error"], error["code"]) == (1, "failed", "ConfigError", None)
    assert "nonsense" in error["message"]


def python(*argv: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter on this package."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    return subprocess.run([sys.executable, *argv], env=env, capture_output=True, text=True, timeout=60, check=False)


def in_shell(command: str, **variables: str) -> subprocess.CompletedProcess[str]:
    """A fresh interpreter, its streams redirected."""
    env = {**os.environ, "PYTHONPATH": str(ROOT), **variables}
    argv = ["/bin/sh", "-c", f"exec {sys.executable} {command}"]
    return subprocess.run(argv, env=env, capture_output=True, text=True, timeout=60, check=False)


KEYS = {"AWS_ACCESS_KEY_ID": "AKID", "AWS_SECRET_ACCESS_KEY": "secret"}


def loaded(done: subprocess.CompletedProcess[str]) -> set[str]:
    assert done.returncode == 0, done.stderr
    return {line.rpartition("|")[2].strip() for line in done.stderr.splitlines()}


def test_help_loads_next_to_nothing() -> None:
    """Neither argparse nor any floor below."""
    modules = loaded(python("-S", "-X", "importtime", "-m", "s3target", "--help"))
    assert "s3target.cli" in modules
    assert [name for name in modules if name in ("argparse", "s3target.client", "s3target.errors", "luigi")] == []


def test_a_command_loads_what_it_needs() -> None:
    """To presign needs no network; and never Luigi."""
    modules = loaded(python("-S", "-X", "importtime", "-m", "s3target", "presign", "s3://b/k", **KEYS))
    assert "s3target.composition" in modules
    strangers = {"luigi", "http.client", "ssl", "email.parser", "configparser", "json", "logging", "urllib.parse"}
    unwanted = {*strangers, "s3target.transfer.copy", "s3target.transfer.writer"}
    assert modules & unwanted == set()


def test_a_reader_that_has_enough_ends_it_quietly(tmp_path: Path) -> None:
    """As in `s3target ... | head -1`: status 141, and not a word."""
    script = "from s3target.cli import main; import sys; sys.exit(main(['completion', 'bash']))"
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    with subprocess.Popen(
        [sys.executable, "-c", "import os; os.read(0, 1);" + script],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=env,
    ) as process:
        assert process.stdin
        assert process.stdout
        assert process.stderr
        process.stdout.close()
        process.stdin.write(b"g")
        process.stdin.close()
        assert (process.wait(60), process.stderr.read()) == (141, b"")


@pytest.mark.parametrize(
    ("closed", "argv", "told"),
    [
        (">&-", "completion bash", "s3target: Bad file descriptor\n"),
        (">&-", "--help", "s3target: Bad file descriptor\n"),
        ("<&-", "cp - s3://b/k", "s3target: cp -: Bad file descriptor\n"),
        (">&- 2>&-", "completion bash", ""),
    ],
)
def test_streams_that_are_closed(closed: str, argv: str, told: str) -> None:
    """Status 1 and a line, as coreutils: what was to be read or written is not lost without a word."""
    done = in_shell(f"-m s3target {argv} {closed}", **KEYS, AWS_ENDPOINT_URL="http://127.0.0.1:9")
    assert (done.returncode, done.stderr) == (1, told)


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
@pytest.mark.parametrize("unbuffered", ["", "1"])
@pytest.mark.parametrize("argv", ["--help", "--version", "ls --help", "completion bash"])
def test_a_full_disk_is_told(argv: str, unbuffered: str) -> None:
    """Of help texts too, whether it shows at the first write or at the last."""
    done = in_shell(f"-m s3target {argv} >/dev/full", PYTHONUNBUFFERED=unbuffered)
    assert (done.returncode, done.stderr) == (1, "s3target: No space left on device\n")


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no such signals here")
@pytest.mark.parametrize(("name", "status"), [("SIGINT", 130), ("SIGTERM", 143), ("SIGHUP", 129)])
def test_signals_end_it_quietly(tmp_path: Path, name: str, status: int) -> None:
    """No traceback, no temporary file; here while the store is thinking, in the middle of an object."""
    asked, over = threading.Event(), threading.Event()

    def think(peer: Peer) -> None:
        peer.read_request()
        peer.send(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf")
        asked.set()
        over.wait(30)

    with ScriptedServer(think) as server:
        argv = [sys.executable, "-m", "s3target", "cp", "s3://b/k", str(tmp_path / "down")]
        env = {**os.environ, **KEYS, "PYTHONPATH": str(ROOT), "AWS_ENDPOINT_URL": f"http://127.0.0.1:{server.port}"}
        with subprocess.Popen(argv, env=env, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
            assert asked.wait(30)
            process.send_signal(getattr(signal, name))
            told = process.communicate(timeout=30)
            over.set()
    # Python ends itself by SIGINT where that strikes in an exec(); to a shell that is 130 as well.
    ended = {-signal.SIGINT: 130}.get(process.returncode, process.returncode)
    assert (told, ended) == ((b"", b""), status)
    assert not list(tmp_path.iterdir())


def test_debug_tells_what_is_tried_and_no_secret() -> None:
    """Log lines and the traceback."""
    argv = ("-m", "s3target", "ls", "--debug", "--endpoint-url", "http://127.0.0.1:9", "s3://b/")
    done = python(*argv, **{**KEYS, "AWS_SECRET_ACCESS_KEY": "very-secret", "AWS_MAX_ATTEMPTS": "2"})
    assert done.returncode == 1
    assert "s3target.client: ListObjectsV2: cannot connect to 127.0.0.1:9" in done.stderr
    assert "Traceback" in done.stderr
    assert "very-secret" not in done.stderr


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no such signals here")
def test_a_signal_that_is_ignored_stays_so() -> None:
    """As under nohup; the others end it, and are as before afterwards."""
    before = signal.signal(signal.SIGHUP, signal.SIG_IGN)
    try:
        with _ending_well():
            assert signal.getsignal(signal.SIGHUP) is signal.SIG_IGN
            assert signal.getsignal(signal.SIGTERM) is not signal.SIG_DFL
        assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL
    finally:
        signal.signal(signal.SIGHUP, before)


def test_a_name_that_the_terminal_cannot_show(tmp_path: Path) -> None:
    """Is shown by escapes."""
    (tmp_path / "\u00fc").touch()
    argv = ("-m", "s3target", "cp", "--dry-run", str(tmp_path / "\u00fc"), "s3://b/")
    done = python(*argv, **{**KEYS, "PYTHONIOENCODING": "ascii", "PYTHONUTF8": "0"})
    assert (done.returncode, done.stdout) == (0, f"(dry run) cp {tmp_path}/\\xfc s3://b/\\xfc\n")
