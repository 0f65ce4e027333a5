"""The checks. Each uses what luigi.contrib.s3 offers, with default settings, and raises if anything is wrong.

A check gets a Scene of its own: a client, targets, a bucket that others use too, and a prefix that is its alone. What
it has stored is looked at through servers.signed as well, which shares nothing with either package.
"""

from __future__ import annotations

import gzip
import hashlib
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, NamedTuple

from servers.signed import request
from servers.store import Store

MIB = 1 << 20
PART = 5 * MIB
Act = Callable[["Scene"], None]


class Scene(NamedTuple):
    """module: luigi.contrib.s3, or s3target. client: its S3Client. base: the path of everything here, without "/"."""

    module: Any
    client: Any
    store: Store
    base: str
    folder: Path

    def target(self, name: str, **options: Any) -> Any:
        return self.module.S3Target(f"{self.base}/{name}", client=self.client, **options)

    def put(self, *names: str) -> None:
        """Objects that hold their own names."""
        with ThreadPoolExecutor(8) as pool:
            list(pool.map(lambda name: self.client.put_string(name, f"{self.base}/{name}"), names))

    def file(self, size: int) -> str:
        """A local file of so many bytes, no two 64 KiB of which are alike."""
        path = self.folder / f"file-{size}"
        with path.open("wb") as file:
            for number in range(0, size, 65536):
                piece = hashlib.shake_128(number.to_bytes(8, "big")).digest(64) * 1024
                file.write(piece[: size - number])
        return str(path)

    def answer(self, name: str, method: str = "GET") -> Any:
        """What the store says of the object to a second opinion."""
        return request(self.store, method, f"/{self.base.removeprefix('s3://')}/{name}")

    def stored(self, name: str) -> bytes:
        answer = self.answer(name)
        assert answer.status == 200, answer.status
        content: bytes = answer.body
        return content

    def names(self, *below: str) -> list[str]:
        return sorted(self.client.list("/".join([self.base, *below])))


CHECKS: dict[str, dict[str, Act]] = {}
"""By group and name."""


def check(group: str, name: str) -> Callable[[Act], Act]:
    def note(act: Act) -> Act:
        CHECKS.setdefault(group, {})[name] = act
        return act

    return note


def refused(act: Callable[[], object]) -> Exception:
    try:
        act()
    except Exception as error:
        return error
    raise AssertionError("it was not refused")


@check("objects", "text is put and read")
def _text(scene: Scene) -> None:
    scene.client.put_string("größe\n", f"{scene.base}/text")
    assert scene.client.get_as_string(f"{scene.base}/text") == "größe\n"
    assert scene.stored("text") == "größe\n".encode()


@check("objects", "nothing is put and read")
def _nothing(scene: Scene) -> None:
    scene.client.put_string("", f"{scene.base}/nothing")
    assert scene.client.exists(f"{scene.base}/nothing")
    assert scene.client.get_as_bytes(f"{scene.base}/nothing") == b""


@check("objects", "a file goes up and comes down")
def _file(scene: Scene) -> None:
    _round(scene, 3 * MIB + 7)


@check("objects", "a second put replaces the first")
def _replaced(scene: Scene) -> None:
    for text in ("first and long", "second"):
        scene.client.put_string(text, f"{scene.base}/k")
    assert scene.stored("k") == b"second"


@check("objects", "type, headers and metadata stay")
def _described(scene: Scene) -> None:
    described = {"ContentType": "text/x-test", "CacheControl": "max-age=60", "Metadata": {"a": "b  c"}}
    scene.client.put_string("x", f"{scene.base}/k", **described)
    headers = scene.answer("k", "HEAD").headers
    found = [headers.get(name) for name in ("content-type", "cache-control", "x-amz-meta-a")]
    assert found == ["text/x-test", "max-age=60", "b  c"], found


@check("objects", "nothing is added to what is stored")
def _as_given(scene: Scene) -> None:
    scene.client.put(scene.file(MIB), f"{scene.base}/k")
    headers = scene.answer("k", "HEAD").headers
    assert headers["content-length"] == str(MIB)
    assert not headers.get("content-encoding"), headers["content-encoding"]


@check("objects", "eight threads at once")
def _threads(scene: Scene) -> None:
    names = [f"d/{number}" for number in range(40)]
    scene.put(*names)
    with ThreadPoolExecutor(8) as pool:
        read = list(pool.map(lambda name: scene.client.get_as_string(f"{scene.base}/{name}"), names))
    assert read == names


@check("parts", "put in parts, get")
def _parts(scene: Scene) -> None:
    _round(scene, 2 * PART + 7, part_size=PART)


@check("parts", "a file of exactly two parts")
def _two_parts(scene: Scene) -> None:
    _round(scene, 2 * PART, part_size=PART)


@check("parts", "by default, 20 MiB")
def _large(scene: Scene) -> None:
    _round(scene, 20 * MIB)


@check("parts", "a big target")
def _big_target(scene: Scene) -> None:
    from luigi.format import Nop

    content = Path(scene.file(12 * MIB)).read_bytes()
    with scene.target("big", format=Nop).open("w") as file:
        file.write(content)
    assert scene.stored("big") == content
    with scene.target("big", format=Nop).open("r") as file:
        assert file.read() == content


def _round(scene: Scene, size: int, **options: Any) -> None:
    local, back = scene.file(size), str(scene.folder / "back")
    scene.client.put_multipart(local, f"{scene.base}/file", **options)
    content = Path(local).read_bytes()
    assert scene.stored("file") == content
    scene.client.get(f"{scene.base}/file", back)
    assert Path(back).read_bytes() == content


@check("targets", "there when closed, not before")
def _atomic(scene: Scene) -> None:
    target = scene.target("out")
    assert not target.exists()
    with target.open("w") as file:
        file.write("a\tb\n" * 10_000)
        assert not target.exists()
    assert target.exists()
    assert scene.stored("out") == b"a\tb\n" * 10_000


@check("targets", "a failed task leaves none")
def _failed(scene: Scene) -> None:
    target = scene.target("out")

    def fail() -> None:
        with target.open("w") as file:
            file.write("half")
            raise ZeroDivisionError

    assert isinstance(refused(fail), ZeroDivisionError)
    assert scene.answer("out").status == 404


@check("targets", "lines of text")
def _lines(scene: Scene) -> None:
    lines = [f"line {number} ü\n" for number in range(20_000)]
    scene.client.put_string("".join(lines), f"{scene.base}/k")
    with scene.target("k").open("r") as file:
        assert list(file) == lines


@check("targets", "gzip")
def _gzip(scene: Scene) -> None:
    from luigi.format import Gzip

    with scene.target("k.gz", format=Gzip).open("w") as file:
        file.write(b"packed\n" * 1000)
    assert gzip.decompress(scene.stored("k.gz")) == b"packed\n" * 1000
    with scene.target("k.gz", format=Gzip).open("r") as file:
        assert file.read() == b"packed\n" * 1000


@check("targets", "the beginning of a big object")
def _beginning(scene: Scene) -> None:
    from luigi.format import Nop

    local = scene.file(8 * MIB)
    scene.client.put(local, f"{scene.base}/k")
    with scene.target("k", format=Nop).open("r") as file:
        assert file.read(1000) == Path(local).read_bytes()[:1000]


@check("targets", "a flag makes a directory complete")
def _flag(scene: Scene) -> None:
    target = scene.module.S3FlagTarget(f"{scene.base}/out/", client=scene.client)
    scene.put("out/part-0")
    assert not target.exists()
    scene.put("out/_SUCCESS")
    assert target.exists()


@check("targets", "what is missing is told at open()")
def _missing(scene: Scene) -> None:
    error = refused(lambda: scene.target("missing").open("r"))
    assert type(error).__name__ == "FileNotFoundException", repr(error)


@check("targets", "tasks run by Luigi")
def _tasks(scene: Scene) -> None:
    import luigi

    class Made(luigi.Task):  # type: ignore[misc]
        name = luigi.Parameter()

        def output(self) -> Any:
            return scene.target(self.name)

        def run(self) -> None:
            with self.output().open("w") as file:
                file.write(self.name)

    assert luigi.build([Made(name="a"), Made(name="b")], local_scheduler=True, log_level="CRITICAL")
    assert scene.names() == ["a", "b"]


@check("listing, removing", "exists, isdir")
def _exists(scene: Scene) -> None:
    scene.put("d/e/f", "file")
    there = {name: scene.client.exists(f"{scene.base}/{name}") for name in ("d", "d/e", "d/e/f", "file", "fil", "x")}
    assert there == {"d": True, "d/e": True, "d/e/f": True, "file": True, "fil": False, "x": False}, there
    assert [scene.client.isdir(f"{scene.base}/{name}") for name in ("d", "file", "x")] == [True, False, False]


@check("listing, removing", "list and listdir")
def _list(scene: Scene) -> None:
    scene.put("d/a", "d/b c", "d/e/f+g", "other")
    assert scene.names("d") == ["a", "b c", "e/f+g"]
    assert sorted(scene.client.listdir(f"{scene.base}/d")) == [f"{scene.base}/d/{n}" for n in ("a", "b c", "e/f+g")]
    (key,) = scene.client.listdir(f"{scene.base}/d/e", return_key=True)
    assert (key.size, key.key.rpartition("/")[2]) == (len("d/e/f+g"), "f+g")


@check("listing, removing", "1,050 keys by pages, then none")
def _pages(scene: Scene) -> None:
    scene.put(*(f"many/{number:04}" for number in range(1050)))
    assert len(scene.names("many")) == 1050
    assert scene.client.remove(f"{scene.base}/many")
    assert scene.names("many") == []


@check("listing, removing", "remove an object")
def _remove(scene: Scene) -> None:
    scene.put("a", "b")
    assert scene.client.remove(f"{scene.base}/a")
    assert not scene.client.remove(f"{scene.base}/a")
    assert scene.names() == ["b"]


@check("listing, removing", "remove a directory")
def _remove_directory(scene: Scene) -> None:
    scene.put("d/a", "d/e/f", "d-other")
    assert type(refused(lambda: scene.client.remove(f"{scene.base}/d", recursive=False))).__name__ == (
        "InvalidDeleteException"
    )
    assert scene.client.remove(f"{scene.base}/d")
    assert scene.names() == ["d-other"]
    assert not scene.client.exists(f"{scene.base}/d")


@check("listing, removing", "mkdir")
def _mkdir(scene: Scene) -> None:
    assert not scene.client.isdir(f"{scene.base}/new")
    scene.client.mkdir(f"{scene.base}/new")
    assert scene.client.isdir(f"{scene.base}/new")


@check("copy, move", "copy an object")
def _copy(scene: Scene) -> None:
    scene.client.put_string("0123", f"{scene.base}/a b", ContentType="text/x-test", Metadata={"m": "1"})
    assert tuple(scene.client.copy(f"{scene.base}/a b", f"{scene.base}/c+d")) == (1, 4)
    headers = scene.answer("c+d", "HEAD").headers
    assert (headers["content-type"], headers["x-amz-meta-m"]) == ("text/x-test", "1")
    assert scene.stored("c+d") == b"0123"


@check("copy, move", "copy 12 MiB")
def _copy_large(scene: Scene) -> None:
    local = scene.file(12 * MIB)
    scene.client.put(local, f"{scene.base}/a")
    scene.client.copy(f"{scene.base}/a", f"{scene.base}/b", part_size=PART)
    assert scene.stored("b") == Path(local).read_bytes()


@check("copy, move", "copy a directory")
def _copy_directory(scene: Scene) -> None:
    scene.put("d/a", "d/e/f")
    assert scene.client.copy(f"{scene.base}/d", f"{scene.base}/to")[0] == 2
    assert scene.names() == ["d/a", "d/e/f", "to/a", "to/e/f"]


@check("copy, move", "move an object and a directory")
def _move(scene: Scene) -> None:
    scene.put("a", "d/x", "d/y/z")
    scene.client.move(f"{scene.base}/a", f"{scene.base}/b")
    scene.client.move(f"{scene.base}/d", f"{scene.base}/e")
    assert scene.names() == ["b", "e/x", "e/y/z"]
    assert scene.stored("b") == b"a"


AWKWARD = {
    "blanks and plus": "a b/ c+d ",
    "percent": "100%/a%20b%2F",
    "? # & = ;": "a?b#c&d=e;f",
    "quotes and markup": '<a>"b"\'&amp;',
    "Unicode": "größe/数据/😀",
    "tab": "a\tb",
    "two slashes": "a//b",
    "dots": "a/../b",
    "backslash": "a\\b",
}


def _awkward(key: str) -> Act:
    def live(scene: Scene) -> None:
        path = f"{scene.base}/{key}"
        scene.client.put_string("x", path)
        assert scene.stored(key) == b"x"
        assert scene.client.exists(path)
        assert scene.client.get_as_string(path) == "x"
        assert scene.names() == [key]
        scene.client.copy(path, f"{scene.base}/copy")
        assert scene.client.remove(path)
        assert scene.names() == ["copy"]

    return live


for _name, _key in AWKWARD.items():
    check("awkward keys", _name)(_awkward(_key))


def _kept(scene: Scene, size: int) -> None:
    """What was there first stays, and who comes second is told."""
    scene.client.put(scene.file(11), f"{scene.base}/k")
    local = scene.file(size)
    refused(lambda: scene.client.put(local, f"{scene.base}/k", IfNoneMatch="*"))
    assert scene.answer("k", "HEAD").headers["content-length"] == "11", "it was overwritten"


@check("safety", "IfNoneMatch never overwrites")
def _first(scene: Scene) -> None:
    _kept(scene, 100)


@check("safety", "IfNoneMatch never overwrites, 12 MiB")
def _first_large(scene: Scene) -> None:
    _kept(scene, 12 * MIB)


@check("safety", "a wrong secret is told as such")
def _secret(scene: Scene) -> None:
    client = scene.module.S3Client(scene.store.access_key_id, "wrong")
    text = str(refused(lambda: client.put_string("x", f"{scene.base}/k")))
    assert any(code in text for code in ("SignatureDoesNotMatch", "AccessDenied")), text


@check("safety", "a bucket that is not there is told as such")
def _bucket(scene: Scene) -> None:
    text = str(refused(lambda: scene.client.get_as_string("s3://no-such-bucket-of-ours/k")))
    assert "NoSuchBucket" in text, text


@check("roles", "put, list, read under a role")
def _role(scene: Scene) -> None:
    client = scene.module.S3Client(aws_role_arn=scene.store.role_arn, aws_role_session_name="interop")
    client.put_string("x", f"{scene.base}/k")
    assert list(client.list(scene.base)) == ["k"]
    assert client.get_as_string(f"{scene.base}/k") == "x"


def environment(store: Store) -> dict[str, str]:
    """All that either package is told of the store: no setting is made but where it is and who asks."""
    keys = {"AWS_ACCESS_KEY_ID": store.access_key_id, "AWS_SECRET_ACCESS_KEY": store.secret_access_key}
    place = {"AWS_ENDPOINT_URL": store.endpoint_url, "AWS_DEFAULT_REGION": store.region}
    quiet = {"AWS_EC2_METADATA_DISABLED": "true", "AWS_CONFIG_FILE": os.devnull}
    return {**keys, **place, **quiet, **({"AWS_CA_BUNDLE": store.ca_file} if store.ca_file else {})}
