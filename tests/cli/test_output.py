"""What is said, and how."""

from __future__ import annotations

import io
import json
import sys
import threading
from argparse import Namespace

import pytest

from s3target.cli.output import DONE, FAILED, SOME_FAILED, Output, message, object_record, shown
from s3target.errors import AccessDenied, ConfigError
from s3target.protocol.operations.objects import ObjectInfo


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True


def test_no_key_steers_the_terminal() -> None:
    """Control characters are shown as escapes there, and only there."""
    name = "a\x1b]0;title\x07\nb\x9b1m"
    assert shown(name, Terminal()) == "a\\x1b]0;title\\x07\\x0ab\\x9b1m"
    assert shown(name, io.StringIO()) == name


@pytest.mark.parametrize(
    ("done", "failed", "status"), [(0, 0, DONE), (3, 0, DONE), (0, 2, FAILED), (3, 2, SOME_FAILED)]
)
def test_the_status_tells_whether_some_went_well(done: int, failed: int, status: int) -> None:
    """3 if so."""
    output = Output(Namespace(json=False, quiet=False))
    output.count(done, failed)
    assert output.status == status
    assert (DONE, FAILED, SOME_FAILED) == (0, 1, 3)


@pytest.mark.parametrize(
    ("error", "text"),
    [
        (FileNotFoundError(2, "No such file or directory", "x"), "x: No such file or directory"),
        (IsADirectoryError(21, "Is a directory", ".x.part", None, "x"), "x: Is a directory"),
        (OSError(28, "No space left on device"), "No space left on device"),
        (FileNotFoundError("there is nothing"), "there is nothing"),
        (ConfigError("so not"), "so not"),
        (ValueError(), "ValueError"),
    ],
)
def test_errors_in_words(error: Exception, text: str) -> None:
    """Of an OSError the file and what is wrong with it."""
    assert message(error) == text


def test_results_and_failures_as_json(capsys: pytest.CaptureFixture[str]) -> None:
    """One object a line, results on stdout, errors on stderr; a lone surrogate does no harm."""
    output = Output(Namespace(json=True, quiet=False))
    output.tell("text", {"key": "a\udc80\n"})
    output.failure(AccessDenied(403, "AccessDenied", "no", request_id="R1"), "rm x")
    out, err = capsys.readouterr()
    assert json.loads(out) == {"key": "a\udc80\n"}
    told = json.loads(err)
    assert (told["subject"], told["code"], told["http_status"], told["request_id"]) == (
        "rm x",
        "AccessDenied",
        403,
        "R1",
    )


@pytest.mark.parametrize(
    ("dry_run", "skipped", "line", "status"),
    [
        (False, False, "cp a b\n", "ok"),
        (True, False, "(dry run) cp a b\n", "planned"),
        (False, True, "cp a b: is there already, left alone\n", "skipped"),
        (True, True, "cp a b: is there already, left alone\n", "skipped"),
    ],
)
def test_what_went_well(
    capsys: pytest.CaptureFixture[str], dry_run: bool, skipped: bool, line: str, status: str
) -> None:
    """Or would, or was there already; in JSON the operation is told by itself."""
    for json_too, expected in ((False, line), (True, {"operation": "cp", "size": 1, "status": status})):
        Output(Namespace(json=json_too, quiet=False, dry_run=dry_run)).did("cp a b", {"size": 1}, skipped)
        out = capsys.readouterr().out
        assert (json.loads(out) if json_too else out) == expected


def test_an_attempt_counts(capsys: pytest.CaptureFixture[str]) -> None:
    """Once all has been stopped its error is no news; an error of another kind, or of who reads us, ends all."""
    output, stopped = Output(Namespace(json=True, quiet=False)), threading.Event()
    for error, unless in ((ConfigError("so not"), None), (OSError("full"), stopped)):
        with output.attempt(unless=unless):
            raise error
    told = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    assert [(one["status"], one["subject"], one["message"]) for one in told] == [
        ("failed", None, "so not"),
        ("failed", None, "full"),
    ]
    assert output.status == FAILED
    stopped.set()
    with output.attempt(unless=stopped):
        raise ConfigError("stopped")
    with output.attempt():
        pass
    assert (capsys.readouterr().err, output.status) == ("", SOME_FAILED)
    for other in (BrokenPipeError, ValueError):
        with pytest.raises(other), output.attempt():
            raise other


@pytest.mark.parametrize(("told", "modified"), [("2026-11-25T10:00:00.000Z", "2026-11-25T10:00:00+00:00"), ("", None)])
def test_an_object_as_json(told: str, modified: str | None) -> None:
    """Some stores list folders, which have no date."""
    assert object_record(ObjectInfo("b", "a/k", 3, "e", told, "GLACIER")) == {
        "type": "object",
        "url": "s3://b/a/k",
        "bucket": "b",
        "key": "a/k",
        "size": 3,
        "modified": modified,
        "etag": "e",
        "storage_class": "GLACIER",
    }


def test_an_error_has_its_lines_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """And its tabs, but nothing else that steers it."""
    monkeypatch.setattr(sys, "stderr", Terminal())
    Output(Namespace(json=False, quiet=False)).failure(ConfigError("a\x1b[1m\n\tb"))
    assert sys.stderr.getvalue() == "s3target: a\\x1b[1m\n\tb\n"


def test_quiet_says_errors_alone(capsys: pytest.CaptureFixture[str]) -> None:
    """With -q."""
    output = Output(Namespace(json=False, quiet=True))
    output.tell("text", {})
    output.failure(ConfigError("so not"), "cp x")
    output.failure(ConfigError("so not"))
    assert capsys.readouterr() == ("", "s3target: cp x: so not\ns3target: so not\n")
