"""What seal() puts on a request, CRCs of joined parts, and streams that check what they hand out."""

from __future__ import annotations

import hashlib
import zlib
from base64 import b64encode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3target.errors import ConfigError, Truncated
from s3target.protocol.checksum import ALGORITHMS, Crc32, crc32_combine, digest_body, seal, stored_checksum
from s3target.protocol.messages import EMPTY, BytesBody, FileSlice, Origin, Request
from s3target.protocol.sigv4 import EMPTY_SHA256, UNSIGNED_PAYLOAD

CONTENT = b"Welcome to Amazon S3."
CRC32 = b64encode(zlib.crc32(CONTENT).to_bytes(4, "big")).decode()
MD5 = b64encode(hashlib.md5(CONTENT).digest()).decode()
SHA1 = b64encode(hashlib.sha1(CONTENT).digest()).decode()
SHA256 = b64encode(hashlib.sha256(CONTENT).digest()).decode()
PAYLOAD = hashlib.sha256(CONTENT).hexdigest()
FLAG = "x-amz-sdk-checksum-algorithm"


def request(scheme="https", body=None, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request("PUT", Origin(scheme, "h", 1), "/b/k", (), named, BytesBody(CONTENT) if body is None else body)


def sealed(original, checksum, payload_signing=None):
    """The headers that seal() adds."""
    return {
        name: value
        for name, value in seal(original, checksum, payload_signing).headers.items()
        if original.headers.get(name) != value
    }


@pytest.mark.parametrize("payload_signing", [None, True, False])
@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize(
    ("checksum", "header"),
    [("CRC32", {"x-amz-checksum-crc32": CRC32}), ("MD5", {"content-md5": MD5}), (None, {})],
)
def test_seal(checksum, header, scheme, payload_signing):
    """The payload is signed when told to; else on plain http, where no checksum is, and where S3 insists on MD5."""
    signed = (
        payload_signing if payload_signing is not None else {"http": True, "https": checksum in (None, "MD5")}[scheme]
    )
    expected = {**header, "x-amz-content-sha256": PAYLOAD if signed else UNSIGNED_PAYLOAD}
    assert sealed(request(scheme), checksum, payload_signing) == expected


@pytest.mark.parametrize("scheme", ["http", "https"])
@pytest.mark.parametrize("payload_signing", [None, True, False])
@pytest.mark.parametrize("checksum", ["CRC32", None])
def test_seal_without_a_body(checksum, payload_signing, scheme):
    """The hash of nothing is known and costs nothing, so it is always signed."""
    expected = {"x-amz-content-sha256": EMPTY_SHA256} | ({"x-amz-checksum-crc32": "AAAAAA=="} if checksum else {})
    assert sealed(request(scheme, EMPTY), checksum, payload_signing) == expected


@pytest.mark.parametrize(
    ("headers", "checksum", "added"),
    [
        ({FLAG: "CRC32"}, "CRC32", {"x-amz-checksum-crc32": CRC32}),
        ({FLAG: "SHA256"}, "CRC32", {"x-amz-checksum-sha256": SHA256}),
        ({FLAG: "SHA1"}, "CRC32", {"x-amz-checksum-sha1": SHA1}),
        ({FLAG: "SHA256"}, None, {"x-amz-checksum-sha256": SHA256}),
        ({FLAG: "SHA256"}, "MD5", {"content-md5": MD5}),
        ({"x-amz-checksum-sha256": SHA256}, "CRC32", {}),
        ({"x-amz-checksum-crc32c": "mine"}, "CRC32", {}),
        ({"x-amz-checksum-crc32c": "mine", FLAG: "CRC32C"}, "CRC32", {}),
        ({"content-md5": "mine"}, "CRC32", {}),
        ({"content-md5": "mine"}, "MD5", {}),
        ({"x-amz-checksum-type": "FULL_OBJECT"}, "CRC32", {"x-amz-checksum-crc32": CRC32}),
        ({"x-amz-checksum-mode": "ENABLED"}, "CRC32", {"x-amz-checksum-crc32": CRC32}),
        ({"x-amz-checksum-algorithm": "CRC32"}, "CRC32", {"x-amz-checksum-crc32": CRC32}),
    ],
)
def test_checksum_of_the_callers_choice(headers, checksum, added):
    """The value a caller gives is sent as it is; the algorithm a caller names is computed, even with checksums off."""
    got = sealed(request("https", None, **headers), checksum)
    payload = got.pop("x-amz-content-sha256")
    assert got == added
    assert payload == (PAYLOAD if checksum == "MD5" else UNSIGNED_PAYLOAD)


@pytest.mark.parametrize("algorithm", ["CRC32C", "CRC64NVME", "MD5", "", "sha256"])
def test_algorithm_that_cannot_be_computed(algorithm):
    """The error names what can be, and the way out."""
    with pytest.raises(ConfigError, match=rf"'{algorithm}'.*CRC32, SHA1, SHA256.*Checksum{algorithm}="):
        seal(request(**{FLAG: algorithm}), "CRC32")


@pytest.mark.parametrize(
    ("offset", "length"), [(0, 3_000_000), (0, 1), (5, 0), (1_048_575, 2), (7, 1 << 20), (2_999_999, 1)]
)
def test_slice_of_a_file_is_sealed_without_its_neighbours(tmp_path, offset, length):
    """Exactly the bytes of the slice count, in however many pieces they are read."""
    content = bytes(range(256)) * 11719
    path = tmp_path / "f"
    path.write_bytes(content)
    piece = content[offset : offset + length]
    headers = sealed(request("http", FileSlice(str(path), offset, length)), "CRC32")
    assert headers == {
        "x-amz-checksum-crc32": b64encode(zlib.crc32(piece).to_bytes(4, "big")).decode(),
        "x-amz-content-sha256": hashlib.sha256(piece).hexdigest(),
    }


def test_file_shorter_than_announced(tmp_path):
    """It was changed while it was being sent: no request is made of it, and nothing loops for ever."""
    path = tmp_path / "f"
    path.write_bytes(b"12345")
    with pytest.raises(Truncated, match="ends 3 bytes early"):
        seal(request("http", FileSlice(str(path), 2, 6)), "CRC32")


def test_file_is_not_read_without_need(tmp_path):
    """With the checksum given and the payload unsigned there is nothing to compute."""
    missing = FileSlice(str(tmp_path / "missing"), 0, 10)
    headers = sealed(request("https", missing, x_amz_checksum_sha256=SHA256), "CRC32")
    assert headers == {"x-amz-content-sha256": UNSIGNED_PAYLOAD}
    with pytest.raises(FileNotFoundError):
        seal(request("https", missing), "CRC32")


@pytest.mark.parametrize("kind", [bytes, memoryview])
def test_one_pass_feeds_all_digests(kind):
    """Also of a memoryview, which is not copied."""
    digests = [make() for make in ALGORITHMS.values()]
    digest_body(BytesBody(kind(CONTENT)), *digests)
    assert [b64encode(digest.digest()).decode() for digest in digests] == [CRC32, SHA1, SHA256]


@given(st.lists(st.binary(max_size=300), max_size=8))
def test_crc_of_joined_pieces(pieces):
    """From the pieces' CRCs and lengths alone it is zlib's CRC of the whole."""
    assert crc32_combine((zlib.crc32(piece), len(piece)) for piece in pieces) == zlib.crc32(b"".join(pieces))


@given(st.binary(max_size=50), st.integers(0, 200_000))
def test_crc_with_zeros_behind(head, zeros):
    """Lengths beyond those of the other test."""
    tail = bytes(zeros)
    assert crc32_combine([(zlib.crc32(head), len(head)), (zlib.crc32(tail), zeros)]) == zlib.crc32(head + tail)


def test_crc_of_terabytes():
    """Combining is associative, also where nobody could compute the CRC from bytes."""
    a, b, c = (0x12345678, 5 << 40), (0x9ABCDEF0, 3 << 41), (0x0F1E2D3C, (1 << 40) + 7)
    assert crc32_combine([a, b, c]) == crc32_combine([(crc32_combine([a, b]), a[1] + b[1]), c])
    assert crc32_combine([a, b, c]) == crc32_combine([a, (crc32_combine([b, c]), b[1] + c[1])])
    assert crc32_combine([]) == 0


def test_crc32_has_hashlibs_verbs():
    """Big-endian bytes of zlib's number, fed in pieces."""
    digest = Crc32()
    assert digest.digest() == bytes(4)
    digest.update(CONTENT[:5])
    digest.update(memoryview(CONTENT)[5:])
    assert digest.digest() == zlib.crc32(CONTENT).to_bytes(4, "big")


@pytest.mark.parametrize(
    ("headers", "expected"),
    [
        ({"x-amz-checksum-crc32": CRC32}, CRC32),
        ({"x-amz-checksum-sha1": SHA1}, SHA1),
        ({"x-amz-checksum-sha256": SHA256, "x-amz-checksum-type": "FULL_OBJECT"}, SHA256),
    ],
)
def test_a_checksum_of_the_whole_can_be_compared(headers, expected):
    """The digest, fed with the object, comes to what the store says."""
    digest, said = stored_checksum(headers)
    digest.update(CONTENT)
    assert b64encode(digest.digest()).decode() == said == expected


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-amz-checksum-crc32": "anF9hg==-1"},
        {"x-amz-checksum-crc32": CRC32, "x-amz-checksum-type": "COMPOSITE"},
        {"x-amz-checksum-crc32c": "AAAAAA=="},
    ],
)
def test_what_cannot_be_compared(headers):
    """No checksum, one of parts' checksums, and algorithms that the standard library does not have."""
    assert stored_checksum(headers) == (None, "")
