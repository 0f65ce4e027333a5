"""Settings: where each may stand, which place wins, how its text is read, and what is said of what cannot be right."""

from __future__ import annotations

import logging
import pickle
import re
from itertools import takewhile
from pathlib import Path
from typing import Any

import pytest

from s3target.credentials import Profiles
from s3target.errors import ConfigError
from s3target.settings import SETTINGS, Settings, check_names, resolve

CFG = "luigi.cfg [s3]"


class Home:
    """A user's files and variables; resolve() gives what their client goes by."""

    def __init__(self, folder: Path) -> None:
        self.config, self.credentials = folder / "config", folder / "credentials"
        self.environ = {"AWS_CONFIG_FILE": str(self.config), "AWS_SHARED_CREDENTIALS_FILE": str(self.credentials)}

    def resolve(self, arguments: dict[str, Any] | None = None, origin: dict[str, str] | None = None) -> Settings:
        return resolve(arguments or {}, self.environ, Profiles.load(self.environ), origin)


@pytest.fixture
def home(tmp_path: Path) -> Home:
    return Home(tmp_path)


# ------------------------------------------------------------------------------------------------------ which one wins

FLAGS = (True, "no", "true", "True")
"""Values as they may stand in an argument, luigi.cfg, a variable and a profile."""

Row = tuple[tuple[Any, Any, Any, Any], tuple[Any, ...], Any]


def as_written(*values: Any, default: Any) -> Row:
    """A row of PLACES for values that mean what they look like."""
    return (*values,), tuple(value for value in values if value is not None), default


REGIONAL = ("regional", "legacy", "regional", "legacy")
CHECKSUMS = ("when_required", "when_supported") * 2

PLACES: dict[str, Row] = {
    # name: values in (argument, luigi.cfg, variable, profile); the same as they are understood; the default
    "aws_access_key_id": (("A", " B ", None, None), ("A", "B"), None),
    "aws_secret_access_key": as_written("A", "B", None, None, default=None),
    "aws_session_token": as_written("A", "B", None, None, default=None),
    "aws_role_arn": as_written("arn:a", "arn:b", None, None, default=None),
    "aws_role_session_name": as_written("a", "b", None, None, default=None),
    "aws_role_external_id": as_written("a", "b", None, None, default=None),
    "aws_role_duration": ((900, "1800", None, None), (900, 1800), None),
    "profile_name": as_written("x", "y", "z", None, default="default"),
    "anonymous": ((False, "yes", None, None), (False, True), False),
    "region_name": as_written("a-1", "b-1", "c-1", "d-1", default="us-east-1"),
    "endpoint_url": as_written("http://a", "http://b", "http://c", "http://d", default=None),
    "sts_endpoint_url": as_written("http://a", "http://b", "http://c", "http://d", default=None),
    "ignore_configured_endpoint_urls": (FLAGS, (True, False, True, True), False),
    "use_ssl": ((False, "on", None, None), (False, True), True),
    "verify": ((False, "TRUE", "/env.pem", "/profile.pem"), (False, True, "/env.pem", "/profile.pem"), True),
    "client_certificate": ((Path("/a.pem"), "/b.pem", None, None), ("/a.pem", "/b.pem"), None),
    "proxies": (({"no": "p"}, "http://q", None, None), ({"no": "p"}, {"http": "http://q", "https": "http://q"}), None),
    "store": (("aws", "AWS", None, None), ("aws", "aws"), "aws"),
    "addressing_style": (("path", "Virtual", None, "auto"), ("path", "virtual", "auto"), "auto"),
    "use_accelerate_endpoint": ((False, "1", None, "true"), (False, True, True), False),
    "use_dualstack_endpoint": (FLAGS, (True, False, True, True), False),
    "s3_use_dualstack_endpoint": ((False, "yes", None, "true"), (False, True, True), False),
    "use_fips_endpoint": (FLAGS, (True, False, True, True), False),
    "use_arn_region": ((False, "yes", "false", "true"), (False, True, False, True), True),
    "us_east_1_regional_endpoint": as_written(*REGIONAL, default="legacy"),
    "sts_regional_endpoints": as_written(*REGIONAL, default="regional"),
    "payload_signing_enabled": ((True, "off", None, "true"), (True, False, True), None),
    "request_checksum_calculation": as_written(*CHECKSUMS, default="when_supported"),
    "response_checksum_validation": as_written(*CHECKSUMS, default="when_supported"),
    "defaults_mode": as_written("standard", "in-region", "mobile", "auto", default="legacy"),
    "retry_mode": (
        ("legacy", "Standard", "ADAPTIVE", "legacy"),
        ("legacy", "standard", "adaptive", "legacy"),
        "standard",
    ),
    "max_attempts": ((2, "3", "4", "5"), (2, 3, 4, 5), 6),
    "deadline": ((1, "2.5", None, None), (1.0, 2.5), None),
    "connect_timeout": ((1, "2.5", None, None), (1.0, 2.5), 10.0),
    "read_timeout": ((0.5, "1e2", None, None), (0.5, 100.0), 60.0),
    "max_pool_connections": ((1, "2", None, None), (1, 2), 64),
    "tcp_keepalive": (FLAGS, (True, False, True, True), False),
}


def variables_of(name: str) -> tuple[str, ...]:
    """Those that come before the profile."""
    return tuple(takewhile(str.isupper, SETTINGS[name].places))


def profile_of(name: str) -> tuple[str, ...]:
    return tuple(place for place in SETTINGS[name].places if not place.isupper())


def in_profile(key: str, value: str) -> tuple[str, str]:
    """Lines of the profile, and other sections, that hold the value; key as in the table of settings."""
    block, _, inner = key.rpartition(".")
    if block == "services":
        return "services = x\n", f"[services x]\n{inner} =\n  endpoint_url = {value}\n"
    return (f"{block} =\n  {inner} = {value}\n" if block else f"{key} = {value}\n"), ""


@pytest.mark.parametrize("name", SETTINGS)
def test_nearest_place_wins(home, name):
    """Argument, luigi.cfg, each variable in turn, each key of the profile in turn, default; and the place is told."""
    (argument, cfg, variable_text, profile_text), understood, default = PLACES[name]
    expected = list(understood)
    assert (variable_text is None, profile_text is None) == (not variables_of(name), not profile_of(name))
    home.config.write_text("[profile x]\n[profile y]\n[profile z]\n")
    found = home.resolve()
    assert (found[name], found.sources[name], name in found.given) == (default, "default", False)
    if profile_text is not None:
        value = expected.pop()
        for key in reversed(profile_of(name)):
            lines, sections = in_profile(key, profile_text)
            home.config.write_text(f"[default]\n{lines}{sections}")
            found = home.resolve()
            place = f"{home.config} [services x]" if key.startswith("services") else f"{home.config} [default]"
            place += f", {key.partition('.')[0]} block" if key.startswith("s3.") else ""
            assert (found[name], found.sources[name], name in found.given) == (value, place, False)
    if variable_text is not None:
        value = expected.pop()
        for variable in reversed(variables_of(name)):
            home.environ[variable] = variable_text
            found = home.resolve()
            assert (found[name], found.sources[name], name in found.given) == (value, variable, False)
    found = home.resolve({name: cfg}, {name: CFG})
    assert (found[name], found.sources[name], name in found.given) == (expected.pop(), CFG, True)
    found = home.resolve({name: argument})
    assert (found[name], found.sources[name], name in found.given) == (expected.pop(), "argument", True)
    assert not expected


@pytest.mark.parametrize("name", [name for name in SETTINGS if len(profile_of(name)) == 2])
def test_first_of_two_profile_keys_wins(home, name):
    """Of two keys for one thing, the one that the table names first."""
    first, second = profile_of(name)
    values = (
        ("http://a", "http://b")
        if "url" in name
        else ("regional", "legacy")
        if "us_east" in name
        else ("false", "true")
    )
    (mine, more), (other, _) = in_profile(first, values[0]), in_profile(second, values[1])
    home.config.write_text(f"[default]\n{other}{mine}{more}")
    assert str(home.resolve()[name]).lower() == values[0]


@pytest.mark.parametrize("name", [name for name in SETTINGS if len(variables_of(name)) == 2])
def test_first_of_two_variables_wins(home, name):
    """The service's own url before the general one; botocore's variable before that of the other SDKs."""
    first, second = variables_of(name)
    home.config.write_text("[profile one]\n[profile two]\n")
    home.environ.update({first: "one", second: "two"})
    found = home.resolve()
    assert (found[name], found.sources[name]) == ("one", first)


def test_requests_ca_bundle_comes_last(home):
    """botocore falls back on it, after the profile."""
    home.environ["REQUESTS_CA_BUNDLE"] = "/requests.pem"
    found = home.resolve()
    assert (found["verify"], found.sources["verify"]) == ("/requests.pem", "REQUESTS_CA_BUNDLE")
    home.config.write_text("[default]\nca_bundle = /profile.pem\n")
    assert home.resolve()["verify"] == "/profile.pem"


@pytest.mark.parametrize("empty", ["", "  ", None])
@pytest.mark.parametrize("name", SETTINGS)
def test_empty_is_not_given(home, name, empty):
    """In an argument, in luigi.cfg, in a variable: the next place is asked."""
    home.environ |= dict.fromkeys(variables_of(name), empty or "")
    for origin in (None, {name: CFG}):
        found = home.resolve({name: empty}, origin)
        assert (found[name], found.sources[name]) == (PLACES[name][2], "default")


def test_empty_variable_lets_the_profile_speak(home):
    """AWS_REGION= in a Dockerfile is no region."""
    home.config.write_text("[default]\nregion = eu-west-1\n")
    home.environ |= {"AWS_DEFAULT_REGION": "", "AWS_REGION": " "}
    assert home.resolve()["region_name"] == "eu-west-1"


def test_credentials_file_lies_over_the_config_file(home):
    """Settings may stand in both; the place told is the one that won."""
    home.config.write_text("[default]\nregion = eu-west-1\nmax_attempts = 3\n")
    home.credentials.write_text("[default]\nregion = eu-west-2\n")
    found = home.resolve()
    assert (found["region_name"], found.sources["region_name"]) == ("eu-west-2", f"{home.credentials} [default]")
    assert found.sources["max_attempts"] == f"{home.config} [default]"


# ------------------------------------------------------------------------------------------------------------- profiles


@pytest.mark.parametrize(
    ("arguments", "environ", "region"),
    [
        ({}, {}, "default-1"),
        ({}, {"AWS_PROFILE": "a"}, "a-1"),
        ({}, {"AWS_DEFAULT_PROFILE": "b", "AWS_PROFILE": "a"}, "b-1"),
        ({}, {"AWS_DEFAULT_PROFILE": "", "AWS_PROFILE": "a"}, "a-1"),
        ({"profile_name": "b c"}, {"AWS_PROFILE": "a"}, "bc-1"),
        ({"profile_name": ""}, {"AWS_PROFILE": "a"}, "a-1"),
    ],
)
def test_profile_whose_settings_count(home, arguments, environ, region):
    """Named by argument, by variable, or default."""
    home.config.write_text(
        "[default]\nregion = default-1\n[profile a]\nregion = a-1\n[profile b]\nregion = b-1\n"
        '[profile "b c"]\nregion = bc-1\n[a]\nregion = no-1\n'
    )
    home.environ |= environ
    assert home.resolve(arguments)["region_name"] == region


@pytest.mark.parametrize(("arguments", "environ"), [({"profile_name": "typo"}, {}), ({}, {"AWS_PROFILE": "typo"})])
def test_profile_that_does_not_exist(home, arguments, environ):
    """ConfigError that names both files and what profiles there are."""
    home.config.write_text("[profile mine]\n")
    home.credentials.write_text("[other]\naws_access_key_id = A\n")
    home.environ |= environ
    with pytest.raises(ConfigError) as raised:
        home.resolve(arguments)
    for told in ("'typo'", str(home.config), str(home.credentials), "mine, other"):
        assert told in str(raised.value)


def test_default_profile_need_not_exist(home):
    """Nor any file."""
    assert home.resolve()["profile_name"] == "default"


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("[default\n", "line 1"),
        ("[default]\nregion = a\nregion = b\n", "region comes twice"),
        ("[default]\ns3 =\n  addressing_style\n", "each line of a nested block must be name = value"),
        ("[default]\ns3 = path\n", "s3 must be a block of indented lines"),
        ("[default]\nregion =\n  a = b\n", "region is a block of lines where one value belongs"),
        ("[default]\nservices = gone\n", r"no section \[services gone\]"),
        ("[default]\nservices = x\n[services x]\ns3 = http://x\n", "s3 must be a block"),
    ],
)
def test_file_that_is_not_understood(home, text, told):
    """ConfigError names the file."""
    home.config.write_text(text)
    with pytest.raises(ConfigError, match=told) as raised:
        home.resolve()
    assert str(home.config) in str(raised.value)


def test_profile_in_all_its_grammar(home):
    """Comments, both separators, any case of names, a percent sign, blocks: as botocore reads them."""
    home.config.write_text(
        "# a comment\n; another\n[default]\nREGION: eu-west-1\nca_bundle=/50%/ca.pem\nunknown = kept quiet\n"
        "retry_mode = Legacy\nmax_attempts=4\n"
        "s3 =\n    addressing_style = path\n    payload_signing_enabled=TRUE\n    max_bandwidth = 5MB/s\n"
        "services = local\n"
        "[services local]\ns3 =\n  endpoint_url = http://s3.local\nsts =\n  endpoint_url = http://sts.local\n"
        "ec2 =\n  endpoint_url = http://no\n"
    )
    found = home.resolve()
    expected = {
        "region_name": "eu-west-1",
        "verify": "/50%/ca.pem",
        "retry_mode": "legacy",
        "max_attempts": 4,
        "addressing_style": "path",
        "payload_signing_enabled": True,
        "endpoint_url": "http://s3.local",
        "sts_endpoint_url": "http://sts.local",
    }
    assert {name: found[name] for name in expected} == expected


# ------------------------------------------------------------------------------------------------- configured endpoints

URLS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL_STS", "AWS_ENDPOINT_URL")
PROFILE_URL = "[default]\nendpoint_url = http://profile\n"
SERVICES = (
    "[default]\nendpoint_url = http://profile\nservices = x\n"
    "[services x]\ns3 =\n  endpoint_url = http://services-s3\nsts =\n  endpoint_url = http://services-sts\n"
)


@pytest.mark.parametrize(
    ("variables", "config", "s3", "sts"),
    [
        ([], "", None, None),
        ([], PROFILE_URL, "http://profile", "http://profile"),
        ([], SERVICES, "http://services-s3", "http://services-sts"),
        (["AWS_ENDPOINT_URL"], SERVICES, "http://AWS_ENDPOINT_URL", "http://AWS_ENDPOINT_URL"),
        (["AWS_ENDPOINT_URL_S3"], SERVICES, "http://AWS_ENDPOINT_URL_S3", "http://services-sts"),
        (["AWS_ENDPOINT_URL_STS"], PROFILE_URL, "http://profile", "http://AWS_ENDPOINT_URL_STS"),
        (["AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL"], "", "http://AWS_ENDPOINT_URL_S3", "http://AWS_ENDPOINT_URL"),
        (list(URLS), SERVICES, "http://AWS_ENDPOINT_URL_S3", "http://AWS_ENDPOINT_URL_STS"),
    ],
)
def test_endpoint_urls(home, variables, config, s3, sts):
    """The service's variable, the general one, the services section, the profile."""
    home.config.write_text(config)
    home.environ |= {name: f"http://{name}" for name in variables}
    found = home.resolve()
    assert (found["endpoint_url"], found["sts_endpoint_url"]) == (s3, sts)


@pytest.mark.parametrize("by", ["variable", "profile", "argument", "luigi.cfg"])
def test_configured_urls_can_be_ignored(home, by):
    """All but those of arguments and luigi.cfg; a services section that is not looked at need not exist."""
    home.config.write_text("[default]\nendpoint_url = http://profile\nservices = gone\n")
    home.environ |= dict.fromkeys(URLS, "http://variable")
    arguments: dict[str, Any] = {}
    if by == "variable":
        home.environ["AWS_IGNORE_CONFIGURED_ENDPOINT_URLS"] = "true"
    elif by == "profile":
        home.config.write_text(home.config.read_text() + "ignore_configured_endpoint_urls = True\n")
    else:
        arguments["ignore_configured_endpoint_urls"] = True
    found = home.resolve(arguments, dict.fromkeys(arguments, CFG) if by == "luigi.cfg" else None)
    assert (found["endpoint_url"], found["sts_endpoint_url"]) == (None, None)
    assert (found.sources["endpoint_url"], found.sources["sts_endpoint_url"]) == ("default", "default")
    found = home.resolve(
        {**arguments, "endpoint_url": "http://a", "sts_endpoint_url": "http://b"}, {"endpoint_url": CFG}
    )
    assert (found["endpoint_url"], found["sts_endpoint_url"]) == ("http://a", "http://b")


def test_ignoring_can_be_turned_off_by_an_argument(home):
    """Nearest place first, here as everywhere."""
    home.environ |= {"AWS_ENDPOINT_URL": "http://variable", "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "true"}
    assert home.resolve({"ignore_configured_endpoint_urls": "false"})["endpoint_url"] == "http://variable"


# ---------------------------------------------------------------------------------------------------------------- types


@pytest.mark.parametrize("word", ["true", "True", " TRUE ", "yes", "on", "1", 1, True])
def test_true_for_people(home, word):
    """Arguments and luigi.cfg may say it in any of these ways."""
    assert home.resolve({"use_ssl": word})["use_ssl"] is True


@pytest.mark.parametrize("word", ["false", "FALSE", "no", "Off", "0", 0, False])
def test_false_for_people(home, word):
    """Arguments and luigi.cfg may say it in any of these ways."""
    assert home.resolve({"use_ssl": word})["use_ssl"] is False


@pytest.mark.parametrize(
    ("text", "value", "warned"),
    [
        ("true", True, False),
        ("TRUE", True, False),
        (" true ", True, False),
        ("false", False, False),
        ("0", False, False),
        ("1", False, True),
        ("yes", False, True),
        ("on", False, True),
        ("maybe", False, True),
    ],
)
@pytest.mark.parametrize("place", ["variable", "profile"])
def test_true_for_botocore(home, caplog, text, value, warned, place):
    """In AWS's variables and files only "true" is true; a word that seems to mean it is told about."""
    if place == "variable":
        home.environ["AWS_USE_FIPS_ENDPOINT"] = text
    else:
        home.config.write_text(f"[default]\nuse_fips_endpoint = {text}\n")
    assert home.resolve()["use_fips_endpoint"] is value
    assert ("write true" in caplog.text) is warned


@pytest.mark.parametrize("text", ["true", "false", "0", "no"])
@pytest.mark.parametrize("variable", ["AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE"])
def test_ca_bundle_of_the_environment_is_a_path(home, text, variable):
    """No variable turns the checking of certificates off."""
    home.environ[variable] = text
    assert home.resolve()["verify"] == text


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("use_ssl", "perhaps", "use_ssl is true or false, not 'perhaps'"),
        ("use_ssl", 2, "use_ssl is true or false, not 2"),
        ("anonymous", [], r"anonymous is true or false, not \[\]"),
        ("region_name", 5, "region_name is text, not int"),
        ("aws_access_key_id", 1234567890, "aws_access_key_id is text, not int; in luigi.toml text stands in quotes"),
        ("aws_secret_access_key", b"secret", "aws_secret_access_key is text, not bytes"),
        ("verify", 5, "verify is text, not int"),
        ("client_certificate", ("a", "b"), "client_certificate is text, not tuple"),
        ("max_attempts", 0, "max_attempts is a positive number, not 0"),
        ("max_attempts", -1, "max_attempts is a positive number"),
        ("max_attempts", 2.5, "max_attempts is a whole number, not 2.5"),
        ("max_attempts", "three", "max_attempts is a positive number, not 'three'"),
        ("max_attempts", True, "max_attempts is a positive number, not True"),
        ("max_attempts", "inf", "max_attempts is a positive number"),
        ("read_timeout", "nan", "read_timeout is a positive number"),
        ("deadline", 0, "deadline is a positive number"),
        ("retry_mode", "eager", "retry_mode is one of standard, legacy, adaptive, not 'eager'"),
        ("addressing_style", "pfad", "addressing_style is one of auto, virtual, path"),
        ("request_checksum_calculation", "never", "is one of when_supported, when_required"),
        ("defaults_mode", "fast", "defaults_mode is one of legacy, standard"),
        ("proxies", 5, 'proxies is the URL of one proxy, or maps "http", "https" and "no" to text'),
        ("proxies", {"ftp": "x"}, "proxies is the URL of one proxy"),
        ("proxies", {"http": None}, "proxies is the URL of one proxy"),
    ],
)
def test_value_that_cannot_be_right(home, name, value, told):
    """ConfigError (a ValueError) with the setting's name and what it may be."""
    with pytest.raises(ConfigError, match=told) as raised:
        home.resolve({name: value})
    assert isinstance(raised.value, ValueError)


@pytest.mark.parametrize(
    ("name", "variable", "text"),
    [
        ("max_attempts", "AWS_MAX_ATTEMPTS", "many"),
        ("max_attempts", "AWS_MAX_ATTEMPTS", "0"),
        ("retry_mode", "AWS_RETRY_MODE", "eager"),
        ("us_east_1_regional_endpoint", "AWS_S3_US_EAST_1_REGIONAL_ENDPOINT", "local"),
        ("request_checksum_calculation", "AWS_REQUEST_CHECKSUM_CALCULATION", "never"),
    ],
)
def test_wrong_value_names_its_place(home, name, variable, text):
    """Whoever reads the error knows which variable, file or section to correct."""
    home.environ[variable] = text
    with pytest.raises(ConfigError, match=rf"^{name} \({variable}\) is .* not '{text}'$"):
        home.resolve()
    with pytest.raises(ConfigError, match=rf"^{name} \(luigi.cfg \[s3\]\) is .* not '{text}'$"):
        home.resolve({name: text}, {name: CFG})
    del home.environ[variable]
    lines, sections = in_profile(profile_of(name)[-1], text)
    home.config.write_text(f"[default]\n{lines}{sections}")
    with pytest.raises(ConfigError) as raised:
        home.resolve()
    assert f"{name} ({home.config} [default]" in str(raised.value)


def test_no_secret_in_an_error(home):
    """Not even that of a value of the wrong type."""
    for name in ("aws_secret_access_key", "aws_session_token", "proxies"):
        with pytest.raises(ConfigError) as raised:
            home.resolve({name: ["SeCrEt"]})
        assert "SeCrEt" not in str(raised.value)
    with pytest.raises(ConfigError) as raised:
        home.resolve({"proxies": {"https": "http://user:SeCrEt@proxy", "socks": "x"}})
    assert "SeCrEt" not in str(raised.value)


@pytest.mark.parametrize(
    ("mode", "host", "timeout"),
    [
        ("legacy", "legacy", 10.0),
        ("standard", "regional", 3.1),
        ("in-region", "regional", 1.1),
        ("cross-region", "regional", 3.1),
        ("mobile", "regional", 30.0),
    ],
)
def test_defaults_mode(home, mode, host, timeout):
    """It changes defaults, and nothing that was set."""
    home.environ["AWS_DEFAULTS_MODE"] = mode
    found = home.resolve()
    assert (found["us_east_1_regional_endpoint"], found["connect_timeout"]) == (host, timeout)
    place = "default" if mode == "legacy" else f"defaults_mode {mode} (AWS_DEFAULTS_MODE)"
    assert found.sources["connect_timeout"] == place
    home.environ["AWS_S3_US_EAST_1_REGIONAL_ENDPOINT"] = "legacy"
    found = home.resolve({"connect_timeout": 7})
    assert (found["us_east_1_regional_endpoint"], found["connect_timeout"]) == ("legacy", 7.0)
    assert not {"us_east_1_regional_endpoint"} & found.given


# ---------------------------------------------------------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("region", "did you mean region_name?"),
        ("endpoint", "did you mean endpoint_url?"),
        ("access_key_id", "did you mean aws_access_key_id?"),
        ("role_arn", "did you mean aws_role_arn?"),
        ("profile", "did you mean profile_name?"),
        ("use_fips", "did you mean use_fips_endpoint?"),
        ("verifiy", "did you mean verify?"),
        ("zzzz", "known are: aws_access_key_id, "),
        ("config", "one by one: addressing_style=, max_attempts="),
        ("s3", "one by one"),
        ("retries", "max_attempts="),
        ("signature_version", "anonymous=True"),
        ("client_cert", "client_certificate="),
        ("api_version", "leave it out"),
        ("botocore_session", "profile_name= or keys"),
        ("is_secure", "use_ssl="),
        ("host", "endpoint_url="),
        ("encrypt_key", "ServerSideEncryption"),
        ("aws_account_id", "botocore's"),
        ("user_agent_extra", "botocore's"),
    ],
)
def test_unknown_name(home, name, told):
    """ConfigError with the nearest known one, or what to do in place of what only botocore has."""
    with pytest.raises(ConfigError) as raised:
        home.resolve({name: "x"})
    assert str(raised.value).startswith(f"this package knows no setting {name!r}; ")
    assert told in str(raised.value)
    with pytest.raises(ConfigError, match=r"^luigi.cfg \[s3\] knows no setting"):
        check_names([name], CFG)


def test_advice_is_only_for_names_that_are_none():
    """What became a setting needs no advice any more."""
    from s3target.settings import _ADVICE

    assert not set(_ADVICE) & set(SETTINGS)


# ------------------------------------------------------------------------------------------------------------ README


def readme_rows(heading: str) -> list[list[str]]:
    """The cells of the table below a heading of the README."""
    text = (Path(__file__).parents[1] / "README.md").read_text(encoding="utf-8")
    section = text.partition(f"\n{heading}\n")[2].partition("\n#")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    return [[cell.strip() for cell in line[1:-1].split("|")] for line in lines[2:]]


def code(cell: str) -> list[str]:
    return re.findall(r"`([^`]+)`", cell)


def test_readme_has_every_setting():
    """With its variables in order, its keys of the profile, and its default."""
    rows = {name: row for row in readme_rows("## Configuration") for name in code(row[0])}
    assert set(rows) == set(SETTINGS) - {"s3_use_dualstack_endpoint"}
    for name, (_, variables, keys, default) in rows.items():
        setting = SETTINGS[name]
        if name != "proxies":
            assert tuple(code(variables)) == variables_of(name), name
        blocks = [key.partition(".")[0] if "." in key else key for key in profile_of(name)]
        told = [name if "the same" in keys else "", *code(keys)]
        if name != "use_dualstack_endpoint":  # whose s3 block is a setting of its own
            assert [key for key in told if key] == blocks, name
        if isinstance(setting.default, bool | str) and "`" not in default:
            assert str(setting.default).lower() == default, name


def test_readme_has_the_providers_in_order(home):
    """As the error that lists them has."""
    from credentials.fakes import sources_of
    from s3target.credentials import default_chain

    chain = repr(default_chain(sources_of(home.environ)))
    told = [name for row in readme_rows("### Credentials") for name in code(row[0])]
    assert chain == f"Chain({', '.join(told)})"


# -------------------------------------------------------------------------------------------------- what is told of it


def test_describe(home):
    """Every setting that is set, with its source; secrets masked, key ids shown."""
    home.environ |= {"AWS_REGION": "eu-west-1", "AWS_USE_FIPS_ENDPOINT": "true"}
    home.config.write_text("[default]\nmax_attempts = 3\ns3 =\n  addressing_style = path\n")
    found = home.resolve(
        {
            "aws_access_key_id": "AKIA",
            "aws_secret_access_key": "SeCrEt",
            "aws_session_token": "SeCrEt",
            "proxies": {"http": "http://user:SeCrEt@proxy"},
            "endpoint_url": "https://user:SeCrEt@ceph",
            "verify": False,
        },
        {"verify": CFG},
    )
    told = {name: (value, source) for name, value, source in found.describe()}
    assert "SeCrEt" not in str(told)
    assert "SeCrEt" not in repr(found)
    assert told["aws_access_key_id"] == ("AKIA", "argument")
    assert told["aws_secret_access_key"] == ("***", "argument")
    assert told["proxies"] == ("***", "argument")
    assert told["verify"] == ("False", CFG)
    assert told["region_name"] == ("eu-west-1", "AWS_REGION")
    assert told["use_fips_endpoint"] == ("True", "AWS_USE_FIPS_ENDPOINT")
    assert told["max_attempts"] == ("3", f"{home.config} [default]")
    assert told["addressing_style"] == ("path", f"{home.config} [default], s3 block")
    assert told["read_timeout"] == ("60.0", "default")
    assert told["endpoint_url"] == ("***", "argument")
    assert "deadline" not in told


def test_settings_can_be_pickled(home):
    """As part of a client that assumes a role."""
    found = home.resolve({"region_name": "eu-west-1"})
    assert pickle.loads(pickle.dumps(found)) == found


def test_no_log_without_reason(home, caplog):
    """Usual settings are read in silence."""
    caplog.set_level(logging.DEBUG)
    home.environ |= {"AWS_REGION": "eu-west-1", "AWS_USE_FIPS_ENDPOINT": "false", "AWS_MAX_ATTEMPTS": "3"}
    home.resolve()
    assert caplog.records == []
