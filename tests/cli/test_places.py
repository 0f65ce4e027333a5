"""Where things lie, and what may be a file's name."""

from __future__ import annotations

import argparse
import os

import pytest

from s3target.cli.places import (
    LocalPath,
    Stdio,
    UnsafeName,
    bucket_path,
    excluded,
    file_name,
    folder_of,
    is_pattern,
    place,
)
from s3target.filesystem import S3Path


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("s3://b/k", S3Path("b", "k")),
        ("s3a://b", S3Path("b", "")),
        ("-", Stdio()),
        ("./-", LocalPath("./-")),
        ("s3", LocalPath("s3")),
        ("dir/", LocalPath("dir/")),
    ],
)
def test_a_text_is_a_place(text: str, expected: object) -> None:
    """What has a scheme is in the store."""
    assert place(text) == expected


@pytest.mark.parametrize("text", ["", "a\0b", "http://host/x", "s3://", "s3:///key"])
def test_what_is_no_place_is_a_usage_error(text: str) -> None:
    """Told by argparse, so status 2."""
    with pytest.raises(argparse.ArgumentTypeError):
        place(text)


def test_a_bucket_has_nothing_after_it() -> None:
    """But may have a slash."""
    assert bucket_path("s3://b/") == S3Path("b", "")
    with pytest.raises(argparse.ArgumentTypeError):
        bucket_path("s3://b/k")


@pytest.mark.parametrize(("key", "pattern"), [("a/b*", True), ("a/?/c", True), ("[ab]", True), ("a/b", False)])
def test_a_pattern_is_what_has_wildcards(key: str, pattern: bool) -> None:
    """Unless they are characters like any other."""
    assert is_pattern(S3Path("b", key)) is pattern
    assert not is_pattern(S3Path("b", key), raw=True)


@pytest.mark.parametrize(("key", "folder"), [("a/b/c", "a/b/"), ("a/b/", "a/b/"), ("a", "")])
def test_the_folder_of_a_key(key: str, folder: str) -> None:
    """Up to and with the last slash."""
    assert folder_of(key) == folder


@pytest.mark.parametrize(
    ("name", "out"),
    [("a.tmp", True), ("x/a.tmp", True), ("a.txt", False), ("_logs/1", True), ("a/_logs/1", False)],
)
def test_excluded_patterns_are_those_of_keys(name: str, out: bool) -> None:
    """ "*" matches "/" too."""
    assert excluded(["*.tmp", "_logs/*"])(name) is out


@pytest.mark.parametrize("key", ["a", "a/b/c.txt", "..a/b..", "...", "a:b", "c:d/e", "ä/☃", "a b", "-rf", "~"])
def test_harmless_keys_are_file_names(key: str) -> None:
    """Also those that look a little strange."""
    assert file_name(key) == key.replace("/", os.sep)


@pytest.mark.parametrize(
    "key",
    [
        "..",
        "../../etc/passwd",
        "a/../../b",
        "a/..",
        "/etc/passwd",
        "//etc/passwd",
        "C:/Windows/x",
        "C:\\Windows\\x",
        "c:",
        "a\0b",
        "a//b",
        "./a",
        "a/./b",
        "a/",
        "",
    ],
)
def test_keys_that_lead_elsewhere_are_refused(key: str) -> None:
    """Out of the folder, or to another name than their own."""
    with pytest.raises(UnsafeName):
        file_name(key)
