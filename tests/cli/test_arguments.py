"""How the store is reached: options, luigi.cfg, and where each came from."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path

import pytest

from s3target.cli.arguments import LUIGI_CFG, add_connection, connection_settings, read_luigi_cfg
from s3target.errors import ConfigError


def settings(*argv: str) -> tuple[dict[str, object], dict[str, str]]:
    parser = ArgumentParser()
    add_connection(parser)
    return connection_settings(parser.parse_args(argv))


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ([], {}),
        (["--endpoint-url", "http://x", "--region", "r"], {"endpoint_url": "http://x", "region_name": "r"}),
        (["--profile", "p", "--no-sign-request"], {"profile_name": "p", "anonymous": True}),
        (["--ca-bundle", "ca.pem"], {"verify": "ca.pem"}),
        (["--ca-bundle", "ca.pem", "--no-verify-ssl"], {"verify": False}),
        (
            ["--setting", "addressing_style=path", "--setting", "max_attempts=2"],
            {"addressing_style": "path", "max_attempts": "2"},
        ),
    ],
)
def test_options_are_arguments_of_connect(argv: list[str], expected: dict[str, object]) -> None:
    """Those that are not given are left out."""
    assert settings(*argv) == (expected, {})


def test_luigi_cfg_comes_after_the_options(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its [s3] section alone, variables filled in; what came from it is known."""
    monkeypatch.setenv("THE_HOST", "ceph.example")
    monkeypatch.setenv("THE-SECRET", "a%%b${THE_HOST}")
    path = tmp_path / "luigi.cfg"
    text = "[DEFAULT]\nx = 1\n[core]\ny = 2\n[s3]\nendpoint_url = http://${THE_HOST}\nregion_name = r%%1\n"
    text += "aws_secret_access_key = ${THE-SECRET}%%\n"
    path.write_text(text, encoding="utf-8-sig")  # as editors on Windows do
    assert settings("--luigi-cfg", str(path), "--region", "mine") == (
        {"endpoint_url": "http://ceph.example", "region_name": "mine", "aws_secret_access_key": "a%%b${THE_HOST}%"},
        {"endpoint_url": LUIGI_CFG, "aws_secret_access_key": LUIGI_CFG},
    )
    assert read_luigi_cfg(str(path))["region_name"] == "r%1"


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("[core]\n", "has no section [s3]"),
        ("very-secret", "luigi.cfg, line 1: a [section] must come before this line"),
        ("[s3]\nverify = true\nvery-secret\n", "luigi.cfg, line 3: neither a [section] nor key = value"),
        ("[s3]\nx = very-secret\nx = 1\n", "luigi.cfg, line 3: x comes twice in [s3]"),
        ("[s3]\nx = \xfc\n", "luigi.cfg is not a text file in UTF-8"),
        ("[s3]\naws_access_key_id = ${S3TARGET_NOT_SET}\n", "names the variable S3TARGET_NOT_SET, which is not set"),
    ],
)
def test_a_luigi_cfg_that_is_of_no_use(tmp_path: Path, content: str, told: str) -> None:
    """Is told, not passed over; nor is what stands in it."""
    path = tmp_path / "luigi.cfg"
    path.write_text(content, encoding="latin-1")
    with pytest.raises(ConfigError) as caught:
        read_luigi_cfg(str(path))
    assert told in str(caught.value)
    assert "very-secret" not in str(caught.value)
    assert caught.value.__suppress_context__
