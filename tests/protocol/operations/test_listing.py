"""ListObjectsV2 and DeleteObjects, with the dialects of real stores."""

from __future__ import annotations

import pytest

from s3target.errors import BadResponse, ConfigError
from s3target.protocol.operations.listing import DeleteObjects, DeleteResult, ListObjectsV2, ListPage
from s3target.protocol.operations.objects import ObjectInfo
from scripted import STORE, reply

ALWAYS = {"encoding-type": "url", "list-type": "2"}


@pytest.mark.parametrize(
    ("operation", "more"),
    [
        (ListObjectsV2("b"), {}),
        (ListObjectsV2("b", "p/ä", "/"), {"prefix": "p/ä", "delimiter": "/"}),
        (ListObjectsV2("b", start_after="k", max_keys=3), {"start-after": "k", "max-keys": "3"}),
        (ListObjectsV2("b", start_after="k", token="T="), {"continuation-token": "T="}),
    ],
)
def test_list_request(operation, more):
    """Keys are asked for encoded; a token supersedes where the listing began; the default page is not asked for."""
    request = operation.request(STORE)
    assert (request.method, request.path, dict(request.query)) == ("GET", "/b", {**ALWAYS, **more})


def listing(inner: str, encoding: str = "<EncodingType>url</EncodingType>", namespace: bool = True) -> bytes:
    name = ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"' if namespace else ""
    return f"<?xml version='1.0'?>\n<ListBucketResult{name}>{encoding}{inner}</ListBucketResult>".encode()


def entry(key: str, size: str = "1", **more: str) -> str:
    fields = "".join(f"<{name}>{value}</{name}>" for name, value in more.items())
    return f"<Contents><Key>{key}</Key><Size>{size}</Size>{fields}</Contents>"


AWS = listing(
    "<Name>b</Name><Prefix/><KeyCount>2</KeyCount><MaxKeys>1000</MaxKeys><Delimiter>%2F</Delimiter>"
    "<IsTruncated>true</IsTruncated><NextContinuationToken>1+/x==</NextContinuationToken>"
    + entry(
        "a%20b%2Bc/%C3%BC",
        "12",
        ETag="&quot;e-2&quot;",
        LastModified="2026-11-22T20:15:00.000Z",
        StorageClass="GLACIER",
        Owner="<ID>o</ID>",
    )
    + "<CommonPrefixes><Prefix>p%20q/</Prefix></CommonPrefixes>"
)


def test_page_of_a_listing():
    """Objects, prefixes and where to go on; the token is taken as it is, it is not encoded."""
    assert ListObjectsV2("b").parse(reply(200, AWS)) == ListPage(
        [ObjectInfo("b", "a b+c/ü", 12, "e-2", "2026-11-22T20:15:00.000Z", "GLACIER", {})], ["p q/"], "1+/x=="
    )


@pytest.mark.parametrize(
    ("content", "keys"),
    [
        (listing(entry("a+b%2Bc")), ["a b+c"]),  # SeaweedFS, rclone
        (listing(entry("a%20b%2Bc")), ["a b+c"]),  # Ceph, Swift, moto
        (listing(entry("a+b%20c"), ""), ["a+b%20c"]),  # encoding-type ignored
        (listing(entry("k"), namespace=False), ["k"]),
        (listing(entry("%01%0A%FF")), ["\x01\n\udcff"]),
        (listing(entry("z") + entry("a") + entry("z/1")), ["z", "a", "z/1"]),
        (listing(""), []),
        (listing("<KeyCount>0</KeyCount>"), []),
        (listing(entry("a%2F")), ["a/"]),
    ],
)
def test_keys_of_a_listing(content, keys):
    """Decoded by what the answer says of itself, in the order they came, whatever KeyCount says or does not."""
    page = ListObjectsV2("b").parse(reply(200, content))
    assert [info.key for info in page.objects] == keys
    assert (page.prefixes, page.next_token) == ([], None)


def usual(key: str = "k", e_tag: str = "e", more: str = "", storage_class: str = "GLACIER") -> str:
    """An entry in the form in which stores write it."""
    return (
        f"<Contents><Key>{key}</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>{e_tag}</ETag>"
        f"<ChecksumAlgorithm>CRC32</ChecksumAlgorithm><Size>7</Size>{more}<StorageClass>{storage_class}</StorageClass>"
        "</Contents>"
    )


@pytest.mark.parametrize(
    ("e_tag", "expected"),
    [
        *(("e", "e"), ('"e"', "e"), ("&quot;e&quot;", "e"), ("&#34;e-2&#34;", "e-2"), ("", "")),
        *(("W/&quot;e&quot;", "e"), ("&#x22;e&#x22;", "e"), ("a&amp;&lt;b", "a&<b")),
    ],
)
def test_e_tags_of_a_listing(e_tag, expected):
    """Bare in rclone's, quoted in one way or another elsewhere; in the usual form of an entry and in any other."""
    page = ListObjectsV2("b").parse(reply(200, listing(entry("k", ETag=e_tag, StorageClass="") + usual(e_tag=e_tag))))
    assert sorted((info.e_tag, info.storage_class) for info in page.objects) == [
        (expected, "GLACIER"),
        (expected, "STANDARD"),
    ]


OWNER = "<Owner><ID>o</ID><DisplayName>me</DisplayName></Owner>"


@pytest.mark.parametrize("more", ["", OWNER, f"\n {OWNER}\n"])
@pytest.mark.parametrize(
    ("key", "encoding", "expected"),
    [("a%20b%26", "<EncodingType>url</EncodingType>", "a b&"), ("a%20&amp;&lt;", "", "a%20&<"), ("&#1;", "", None)],
)
def test_entry_in_the_usual_form(key, encoding, expected, more):
    """It tells what the same entry tells in another form, and is refused as that is."""
    spelt = usual(key, more=more), usual(key, more=more).replace("<Contents>", "<Contents><X/>")
    pages = [lambda one=one: ListObjectsV2("b").parse(reply(200, listing(one, encoding))) for one in spelt]
    if expected is None:
        for page in pages:
            with pytest.raises(BadResponse):
                page()
        return
    info = ObjectInfo("b", expected, 7, "e", "2026-01-01T00:00:00.000Z", "GLACIER", {})
    assert [list(page().objects) for page in pages] == [[info], [info]]


def test_objects_of_a_page_are_a_sequence():
    """Of which there are slices."""
    objects = ListObjectsV2("b").parse(reply(200, listing(usual("a") + usual("b") + usual("c")))).objects
    assert (len(objects), objects[-1].key, objects[1:].keys) == (3, "c", ["b", "c"])
    assert objects[1:] == [objects[1], objects[2]]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"<ListBucketResult>",
        b"<ListAllMyBucketsResult/>",
        listing("<Contents><Size>1</Size></Contents>"),
        listing("<Contents><Key>k</Key></Contents>"),
        listing(entry("k", "")),
        listing(entry("k", "many")),
        listing(usual(e_tag="&a;")),
        listing(usual()) + b"\xff",
        listing(entry("k", "9" * 5000)),
        listing(entry("k", "٣")),
        listing("<IsTruncated>true</IsTruncated>"),
        listing("<IsTruncated>true</IsTruncated><NextContinuationToken/>"),
        listing("<IsTruncated>true</IsTruncated><NextContinuationToken>T</NextContinuationToken>"),
    ],
)
def test_listing_that_cannot_be_used(content):
    """A key or size missing, or going on from nowhere or from where it stood: never a wrong or endless listing."""
    with pytest.raises(BadResponse):
        ListObjectsV2("b", token="T").parse(reply(200, content))


def test_last_page():
    """A token that comes with the last page is none."""
    content = listing("<IsTruncated>false</IsTruncated><NextContinuationToken>T</NextContinuationToken>")
    assert ListObjectsV2("b").parse(reply(200, content)).next_token is None


def test_delete_request():
    """One quiet document; Content-MD5 comes with seal()."""
    request = DeleteObjects("b", ("a&b", "c\r\nd", "ü")).request(STORE)
    assert (request.method, request.path, request.query) == ("POST", "/b", (("delete", ""),))
    assert request.headers == {"content-type": "application/xml"}
    assert (
        b"".join(request.body.pieces)
        == (
            '<?xml version="1.0" encoding="UTF-8"?>\n'
            '<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Object><Key>a&amp;b</Key></Object>'
            "<Object><Key>c&#13;&#10;d</Key></Object><Object><Key>ü</Key></Object><Quiet>true</Quiet></Delete>"
        ).encode()
    )


@pytest.mark.parametrize("count", [0, 1001])
def test_too_few_or_many_keys_to_delete(count):
    """1 to 1000, as S3 has it; moto would take more."""
    with pytest.raises(ConfigError, match=f"1 to 1000 keys, not {count}"):
        DeleteObjects("b", ("k",) * count)
    assert len(DeleteObjects("b", ("k",) * 1000).keys) == 1000


@pytest.mark.parametrize(
    ("inner", "errors"),
    [
        ("", ()),
        ("<Deleted><Key>k</Key></Deleted>", ()),
        (
            "<Deleted><Key>k</Key></Deleted><Error><Key>a&amp;b</Key><Code>AccessDenied</Code>"
            "<Message>no</Message></Error><Error><Key>c</Key><Code>InternalError</Code></Error>",
            (("a&b", "AccessDenied", "no"), ("c", "InternalError", "")),
        ),
    ],
)
@pytest.mark.parametrize("namespace", ["", ' xmlns="http://s3.amazonaws.com/doc/2006-03-01/"'])
def test_answers_to_delete(inner, errors, namespace):
    """Each key that stays is named, whether the deleted ones are or not."""
    content = f"<DeleteResult{namespace}>{inner}</DeleteResult>".encode()
    assert DeleteObjects("b", ("k",)).parse(reply(200, content)) == DeleteResult(errors)


def test_delete_without_its_result():
    """Ceph answers 1001 keys with nothing at all; nothing is not "all deleted"."""
    with pytest.raises(BadResponse):
        DeleteObjects("b", ("k",)).parse(reply(200, b""))


def test_a_prefix_that_is_no_xml_is_not_read() -> None:
    """Ceph repeats it unencoded: a reference to a control character, which parsers refuse. What it lists is encoded."""
    page = (
        "<ListBucketResult><Name>b</Name><Prefix>a&#1;</Prefix><EncodingType>url</EncodingType>"
        "<Contents><Key>a%01b</Key><LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>e</ETag><Size>1</Size>"
        "<StorageClass>STANDARD</StorageClass></Contents><IsTruncated>false</IsTruncated>"
        "<CommonPrefixes><Prefix>a%01/</Prefix></CommonPrefixes></ListBucketResult>"
    )
    found = ListObjectsV2("b", "a\x01", "/").parse(reply(200, page.encode()))
    assert (found.objects.keys, found.prefixes) == (["a\x01b"], ["a\x01/"])
