"""The [s3] section, and what wins over it: argument, luigi.cfg or luigi.toml, environment, profile."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from luigi.configuration import LuigiConfigParser, LuigiTomlParser

from connected import settings_for
from s3target import ConfigError, ConnectFailed, DeprecatedBotoClientException, S3Client, S3Target
from s3target.client import Client
from s3target.luigi.options import section
from servers.store import Store

Configure = Callable[[str], None]


@pytest.fixture
def luigi_cfg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Configure]:
    """Makes Luigi read this text as its only luigi.cfg."""
    path = tmp_path / "luigi.cfg"

    def configure(text: str) -> None:
        path.write_text(text)
        monkeypatch.setattr(LuigiConfigParser, "_instance", None)
        monkeypatch.setattr(LuigiConfigParser, "_config_paths", [str(path)])

    return configure


@pytest.fixture
def luigi_toml(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Configure:
    """Makes Luigi read this text as its only luigi.toml."""
    pytest.importorskip("toml")
    path = tmp_path / "luigi.toml"
    monkeypatch.setenv("LUIGI_CONFIG_PARSER", "toml")

    def configure(text: str) -> None:
        path.write_text(text)
        monkeypatch.setattr(LuigiTomlParser, "_instance", None)
        monkeypatch.setattr(LuigiTomlParser, "_config_paths", [str(path)])

    return configure


def keys_of(client: S3Client) -> str | None:
    """The access key id it signs with."""
    found = client.s3.credentials.get()
    return found.access_key_id if found else None


def region_of(client: S3Client) -> str:
    return client.s3.endpoint.locate("bucket").region


# ----------------------------------------------------------------------------------------------------------- reading it


def test_no_section_is_no_setting(luigi_cfg: Configure) -> None:
    """An empty mapping."""
    luigi_cfg("[core]\nautoload_range: false\n")
    assert section() == {}


def test_the_sections_settings_are_used(luigi_cfg: Configure, store: Store, base: str) -> None:
    """A store, its region and keys: all that a pipeline needs."""
    luigi_cfg(
        f"[s3]\nendpoint_url = {store.endpoint_url}\nregion_name: {store.region}\n"
        f"aws_access_key_id = {store.access_key_id}\naws_secret_access_key = {store.secret_access_key}\n"
    )
    target = S3Target(f"{base}/key")
    with target.open("w") as file:
        file.write("x")
    assert target.exists()
    assert keys_of(target.fs) == store.access_key_id


@pytest.mark.parametrize(
    ("line", "look", "expected"),
    [
        ("verify = false", lambda client: client.transport.options.verify, False),
        ("verify = False", lambda client: client.transport.options.verify, False),
        ("verify = true", lambda client: client.transport.options.verify, True),
        ("verify = /etc/ca.pem", lambda client: client.transport.options.verify, "/etc/ca.pem"),
        ("use_ssl = false", lambda client: client.endpoint.locate("bucket").origin.scheme, "http"),
        ("use_ssl = true", lambda client: client.endpoint.locate("bucket").origin.scheme, "https"),
        ("connect_timeout = 7", lambda client: client.transport.options.connect_timeout, 7.0),
        ("read_timeout = 0.5", lambda client: client.transport.options.read_timeout, 0.5),
        ("max_attempts = 3", lambda client: client.policy.max_attempts, 3),
        ("anonymous = yes", lambda client: client.credentials.get(), None),
        ("region_name = eu-west-1", lambda client: client.endpoint.locate("bucket").region, "eu-west-1"),
        ("addressing_style = path", lambda client: client.endpoint.locate("bucket").base_path, "/bucket"),
        ("payload_signing_enabled = off", lambda client: client.payload_signing, False),
    ],
)
def test_text_is_read_by_the_settings_type(
    luigi_cfg: Configure, line: str, look: Callable[[Client], object], expected: object
) -> None:
    """luigi.cfg has only text; "false" is false all the same."""
    luigi_cfg(f"[s3]\n{line}\n")
    assert look(S3Client().s3) == expected


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("region = eu-west-1", r"luigi.cfg \[s3\] knows no setting 'region'; did you mean region_name"),
        ("aws-access-key-id = AK", "knows no setting 'aws-access-key-id'; did you mean aws_access_key_id"),
        ("config = x", "knows no setting 'config'; give the settings of botocore's Config one by one"),
        ("verify_ = x", "did you mean verify"),
        ("use_ssl = perhaps", r"use_ssl \(luigi.cfg \[s3\]\) is true or false, not 'perhaps'"),
        ("max_attempts = 2.5", r"max_attempts \(luigi.cfg \[s3\]\) is a .*number.*2\.5"),
        ("read_timeout = -1", r"read_timeout \(luigi.cfg \[s3\]\) is a .*number.*-1"),
        ("addressing_style = pfad", "is one of auto, virtual, path"),
        ("aws_access_key_id = AK", "aws_secret_access_key"),
    ],
)
def test_what_cannot_be_right_is_told(luigi_cfg: Configure, line: str, told: str) -> None:
    """By name, place and remedy, and as a ConfigError, at the first use of the client."""
    luigi_cfg(f"[s3]\n{line}\n")
    with pytest.raises(ConfigError, match=told):
        _ = S3Client().s3


def test_defaults_for_all_sections_are_not_settings(luigi_cfg: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    """What [DEFAULT] lends is left out, be it known or not, interpolated or not, even where it cannot be."""
    monkeypatch.setenv("HOSTNAME", "host")
    luigi_cfg(
        "[DEFAULT]\nhome = /home\nlogs = %(home)s/logs\nwho = ${HOSTNAME}\nmissing = ${NOT_SET_ANYWHERE}\n"
        "verify = false\nregion_name = eu-west-1\n"
        "[s3]\nregion_name = eu-west-2\nsts_endpoint_url = http://%(home)s\n"
    )
    assert section() == {"region_name": "eu-west-2", "sts_endpoint_url": "http:///home"}
    luigi_cfg("[DEFAULT]\nhome = /home\n[s3]\nregion_name = eu-west-2\n")
    assert section() == {"region_name": "eu-west-2"}
    luigi_cfg("[DEFAULT]\nverify = false\n")
    assert section() == {}
    luigi_cfg("[DEFAULT]\nverify = false\nregion_name = eu-west-1\n[s3]\nregion_name = eu-west-1\nuse_ssl = no\n")
    assert section() == {"region_name": "eu-west-1", "use_ssl": "no"}
    luigi_cfg("[DEFAULT]\nverify = false\n[s3]\nverify = false\nRegion_name = eu-west-1\n")
    with pytest.raises(ConfigError, match="'Region_name'; did you mean region_name"):
        section()


def test_variables_are_filled_in(luigi_cfg: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    """Luigi's ${NAME}: a secret need not stand in the file."""
    monkeypatch.setenv("OUR_SECRET", "a+b/c%d")
    luigi_cfg("[s3]\naws_access_key_id = AK\naws_secret_access_key = ${OUR_SECRET}\n")
    assert section() == {"aws_access_key_id": "AK", "aws_secret_access_key": "a+b/c%d"}


@pytest.mark.parametrize("secret", ["s3cr%et", "s3cr${NOT_SET_ANYWHERE}et", "s3cr%(et"])
def test_what_cannot_be_filled_in_is_told_and_not_shown(luigi_cfg: Configure, secret: str) -> None:
    """Luigi's own error quotes the value, which may be a secret."""
    luigi_cfg(f"[s3]\naws_access_key_id = AK\naws_secret_access_key = {secret}\n")
    with pytest.raises(ConfigError, match=r"aws_secret_access_key cannot be filled in: write %% for %") as raised:
        section()
    assert raised.value.__context__ is None


def test_a_toml_file_gives_values_with_their_types(luigi_toml: Configure) -> None:
    """And its unknown names are told as well."""
    luigi_toml(
        '[s3]\nregion_name = "eu-west-2"\nuse_ssl = false\nmax_attempts = 3\nread_timeout = 1.5\n'
        'proxies = {http = "http://127.0.0.1:9"}\n'
    )
    client = S3Client().s3
    assert client.endpoint.locate("bucket").origin.scheme == "http"
    assert client.policy.max_attempts == 3
    assert client.transport.options.read_timeout == 1.5
    assert client.transport.options.proxies == {"http": "http://127.0.0.1:9"}
    luigi_toml('[s3]\nregion = "eu-west-2"\n')
    with pytest.raises(ConfigError, match=r"luigi\.cfg \[s3\].*did you mean region_name"):
        section()
    luigi_toml("[core]\nautoload_range = false\n")
    assert section() == {}


# ------------------------------------------------------------------------------------------------------ which one wins


@pytest.fixture
def profile(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A configuration and a credentials file with a default profile."""
    config, credentials = tmp_path / "config", tmp_path / "credentials"
    config.write_text("[default]\nregion = ap-south-1\n")
    credentials.write_text("[default]\naws_access_key_id = OF-PROFILE\naws_secret_access_key = s\n")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", str(credentials))


@pytest.mark.usefixtures("profile")
def test_the_nearest_wins(luigi_cfg: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    """Argument, luigi.cfg, environment, profile: each step is asked only if the ones before say nothing."""
    assert (region_of(S3Client()), keys_of(S3Client())) == ("ap-south-1", "OF-PROFILE")
    for name, value in {"REGION": "eu-central-1", "ACCESS_KEY_ID": "OF-ENVIRONMENT", "SECRET_ACCESS_KEY": "s"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)
    assert (region_of(S3Client()), keys_of(S3Client())) == ("eu-central-1", "OF-ENVIRONMENT")
    luigi_cfg("[s3]\nregion_name = eu-west-1\naws_access_key_id = OF-LUIGI\naws_secret_access_key = s\n")
    assert (region_of(S3Client()), keys_of(S3Client())) == ("eu-west-1", "OF-LUIGI")
    client = S3Client("OF-CODE", "s", region_name="us-west-2")
    assert (region_of(client), keys_of(client)) == ("us-west-2", "OF-CODE")


def test_an_argument_that_is_none_is_not_given(luigi_cfg: Configure) -> None:
    """Nor is one that is empty: wrappers hand on what they did not get themselves."""
    luigi_cfg("[s3]\nregion_name = eu-west-1\naws_access_key_id = OF-LUIGI\naws_secret_access_key = s\n")
    for client in (S3Client(None, None, None, region_name=None, verify=None), S3Client("", "", "", region_name="")):
        assert (region_of(client), keys_of(client)) == ("eu-west-1", "OF-LUIGI")


def test_keys_come_from_one_place(luigi_cfg: Configure) -> None:
    """Given keys are not mixed with the token of [s3]; half of a pair is an error, not completed from there."""
    luigi_cfg("[s3]\naws_access_key_id = OF-LUIGI\naws_secret_access_key = s\naws_session_token = of-luigi\n")
    found = S3Client("OF-CODE", "s").s3.credentials.get()
    assert found is not None
    assert (found.access_key_id, found.session_token) == ("OF-CODE", None)
    with pytest.raises(ConfigError, match="aws_secret_access_key"):
        _ = S3Client("OF-CODE").s3


def test_an_error_names_the_place_of_the_value(luigi_cfg: Configure) -> None:
    """An argument is not told as luigi.cfg's, though that has the same name too."""
    luigi_cfg("[s3]\nmax_attempts = 5\n")
    with pytest.raises(ConfigError, match=r"^max_attempts is a .*number.*'many'"):
        _ = S3Client(max_attempts="many").s3


@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        ({"regionname": "x"}, "S3Client knows no setting 'regionname'; did you mean region_name"),
        ({"api_version": "x"}, "leave it out"),
        ({"config": object()}, "one by one"),
        ({"ServerSideEncryption": "AES256"}, "S3Client knows no setting 'ServerSideEncryption'"),
    ],
)
def test_an_unknown_argument_is_refused(arguments: dict[str, object], told: str) -> None:
    """At once, with luigi.contrib.s3's exception, which is a ConfigError here."""
    with pytest.raises(DeprecatedBotoClientException, match=told):
        S3Client(**arguments)


def test_the_section_may_be_another(luigi_cfg: Configure, monkeypatch: pytest.MonkeyPatch) -> None:
    """By S3TARGET_SECTION, as the demo does to keep away from the user's store."""
    luigi_cfg("[s3]\nregion_name = eu-west-1\n[s3-other]\nregion_name = eu-west-2\n")
    monkeypatch.setenv("S3TARGET_SECTION", "s3-other")
    assert section() == {"region_name": "eu-west-2"}
    monkeypatch.setenv("S3TARGET_SECTION", "no-such-section")
    assert section() == {}


# ---------------------------------------------------------------------------------------------------------------- roles


@pytest.mark.parametrize("store", ["moto", "seaweedfs"], indirect=True)
@pytest.mark.parametrize("name", ["", "aws_role_session_name = nightly"], ids=["unnamed", "named"])
def test_a_role_of_the_section_is_assumed(luigi_cfg: Configure, store: Store, base: str, name: str) -> None:
    """Over the section's keys; the store takes the role's keys with their token."""
    luigi_cfg(
        f"[s3]\nendpoint_url = {store.endpoint_url}\nsts_endpoint_url = {store.sts_endpoint_url}\n"
        f"region_name = {store.region}\n{name}\naws_role_arn = {store.role_arn}\n"
        f"aws_access_key_id = {store.access_key_id}\naws_secret_access_key = {store.secret_access_key}\n"
    )
    client = S3Client()
    client.put_string("x", f"{base}/key")
    assert client.get_as_string(f"{base}/key") == "x"
    found = client.s3.credentials.get()
    assert found is not None
    assert found.session_token
    assert found.source == f"assume-role: {store.role_arn}"
    assert found.access_key_id != store.access_key_id


@pytest.mark.usefixtures("in_environment")
def test_a_role_is_assumed_over_the_environments_keys(store: Store, base: str) -> None:
    """As the README's example has it."""
    client = S3Client(
        aws_role_arn=store.role_arn, aws_role_session_name="nightly", sts_endpoint_url=store.sts_endpoint_url
    )
    client.put_string("x", f"{base}/key")
    found = client.s3.credentials.get()
    assert found is not None
    assert found.source == f"assume-role: {store.role_arn}"


# --------------------------------------------------------------------------------------------------- one client for all


@pytest.mark.usefixtures("in_environment")
def test_clients_of_one_configuration_are_one() -> None:
    """They share connections and credentials; thousands of targets, one pool."""
    one, two = S3Client(max_attempts=2), S3Client(max_attempts=2)
    assert one.s3 is two.s3
    assert S3Target("s3://bucket/a").fs.s3 is S3Target("s3://bucket/b").fs.s3 is S3Client().s3
    assert one.s3 is not S3Client().s3


@pytest.mark.usefixtures("in_environment")
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_REGION", "eu-west-1"),
        ("AWS_ACCESS_KEY_ID", "OTHER"),
        ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9"),
        ("https_proxy", "http://127.0.0.1:9"),
        ("HOME", "/nowhere"),
    ],
)
def test_another_environment_is_another_configuration(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    """A variable that holds a setting or leads to one."""
    before = S3Client().s3
    monkeypatch.setenv(name, value)
    after = S3Client().s3
    assert after is not before
    assert S3Client().s3 is after


@pytest.mark.usefixtures("in_environment")
def test_another_luigi_cfg_is_another_configuration(luigi_cfg: Configure) -> None:
    """But the same settings in another file are not."""
    luigi_cfg("[s3]\nregion_name = eu-west-1\n")
    first = S3Client().s3
    luigi_cfg("[s3]\nregion_name = eu-west-2\n")
    second = S3Client().s3
    luigi_cfg("[core]\nautoload_range: false\n[s3]\nregion_name = eu-west-1\n")
    assert S3Client().s3 is first is not second


@pytest.mark.usefixtures("in_environment")
def test_threads_get_the_same_client(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also those that ask for it at the same moment, for the first time."""
    monkeypatch.setenv("AWS_REGION", f"region-{os.getpid()}")
    barrier = threading.Barrier(8)
    found = []

    def ask() -> None:
        barrier.wait(10)
        found.append(S3Client().s3)

    threads = [threading.Thread(target=ask) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(10)
    assert len(found) == 8
    assert len(set(map(id, found))) == 1


def test_nothing_is_asked_before_it_is_needed() -> None:
    """Making a client or a target reads no file and no configuration: tasks make thousands of them."""
    S3Client(endpoint_url="no url at all")
    target = S3Target("s3://bucket/key", client=S3Client(profile_name="no-such-profile"))
    with pytest.raises(ConfigError, match="there is no profile 'no-such-profile'"):
        target.exists()


def test_a_store_behind_tls_is_verified(running_store: Callable[[str], Store]) -> None:
    """`verify` names the CA file; verify=False checks nothing."""
    store = running_store("moto-tls")
    for verify in (store.ca_file, False, "false"):
        assert S3Client(**settings_for(store, verify=verify)).get_key("s3://no-such-bucket-here/key") is None
    with pytest.raises(ConnectFailed, match="certificate"):
        S3Client(**settings_for(store, verify=True, max_attempts=1)).get_key("s3://no-such-bucket-here/key")
