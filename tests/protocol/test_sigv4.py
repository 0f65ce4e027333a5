"""Signatures, by AWS's own worked examples and against botocore's signer.

Examples: https://docs.aws.amazon.com/AmazonS3/latest/API/sig-v4-header-based-auth.html and sigv4-query-string-auth.html
"""

from __future__ import annotations

import hashlib
from datetime import datetime, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from s3target.errors import ConfigError
from s3target.protocol import sigv4
from s3target.protocol.encoding import encode_key
from s3target.protocol.messages import BytesBody, Credentials, Origin, Request

NOW = datetime(2013, 5, 24, tzinfo=timezone.utc).timestamp()
STAMP = "20130524T000000Z"
SCOPE = sigv4.Scope("20130524", "us-east-1", "s3")
KEYS = Credentials("AKIAIOSFODNN7EXAMPLE", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")
HOST = "examplebucket.s3.amazonaws.com"
ORIGIN = Origin("https", HOST, 443)
WELCOME = BytesBody(b"Welcome to Amazon S3.")
WELCOME_HASH = "44ce7dd67c959e0d3524ffac1771dfbba87d2b6b4b4e99e42034a8b803f8b072"


def example(method, path, query=(), body_hash=sigv4.EMPTY_SHA256, **headers):
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Request(method, ORIGIN, path, query, {**named, "x-amz-content-sha256": body_hash}, region="us-east-1")


GET = example("GET", "/test.txt", range="bytes=0-9")
GET_CANONICAL = f"""GET
/test.txt

host:{HOST}
range:bytes=0-9
x-amz-content-sha256:{sigv4.EMPTY_SHA256}
x-amz-date:{STAMP}

host;range;x-amz-content-sha256;x-amz-date
{sigv4.EMPTY_SHA256}"""
PUT = example(
    "PUT",
    encode_key("/test$file.text"),
    (),
    WELCOME_HASH,
    date="Fri, 24 May 2013 00:00:00 GMT",
    x_amz_storage_class="REDUCED_REDUNDANCY",
)._replace(body=WELCOME)
PUT_CANONICAL = f"""PUT
/test%24file.text

date:Fri, 24 May 2013 00:00:00 GMT
host:{HOST}
x-amz-content-sha256:{WELCOME_HASH}
x-amz-date:{STAMP}
x-amz-storage-class:REDUCED_REDUNDANCY

date;host;x-amz-content-sha256;x-amz-date;x-amz-storage-class
{WELCOME_HASH}"""
LIFECYCLE = example("GET", "/", (("lifecycle", ""),))
LIFECYCLE_CANONICAL = f"""GET
/
lifecycle=
host:{HOST}
x-amz-content-sha256:{sigv4.EMPTY_SHA256}
x-amz-date:{STAMP}

host;x-amz-content-sha256;x-amz-date
{sigv4.EMPTY_SHA256}"""
LIST = example("GET", "/", (("prefix", "J"), ("max-keys", "2")))
LIST_CANONICAL = LIFECYCLE_CANONICAL.replace("lifecycle=", "max-keys=2&prefix=J")

EXAMPLES = [
    pytest.param(
        GET,
        GET_CANONICAL,
        "7344ae5b7ee6c3e7e6b0fe0640412a37625d1fbfff95c48bbb2dc43964946972",
        "f0e8bdb87c964420e857bd35b5d6ed310bd44f0170aba48dd91039c6036bdb41",
        id="GET with Range",
    ),
    pytest.param(
        PUT,
        PUT_CANONICAL,
        "9e0e90d9c76de8fa5b200d8c849cd5b8dc7a3be3951ddb7f6a76b4158342019d",
        "98ad721746da40c64f1a55b78f14c238d841ea1380cd77a1b5971af0ece108bd",
        id="PUT",
    ),
    pytest.param(
        LIFECYCLE,
        LIFECYCLE_CANONICAL,
        "9766c798316ff2757b517bc739a67f6213b4ab36dd5da2f94eaebf79c77395ca",
        "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
        id="GET lifecycle",
    ),
    pytest.param(
        LIST,
        LIST_CANONICAL,
        "df57d21db20da04d7fa30298dd4488ba3a2b47ca3a489c74750e0f1e7df1b9b7",
        "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
        id="list",
    ),
]


@pytest.mark.parametrize(("request_", "canonical", "canonical_hash", "signature"), EXAMPLES)
def test_worked_example_of_aws(request_, canonical, canonical_hash, signature):
    """Each intermediate string is the one AWS prints, and so is the signature."""
    signed = sigv4.sign(request_, KEYS, NOW, {})
    bare = {name: value for name, value in signed.headers.items() if name != "authorization"}
    assert sigv4.canonical_request(signed._replace(headers=bare), sigv4.payload_hash(signed))[0] == canonical
    assert hashlib.sha256(canonical.encode()).hexdigest() == canonical_hash
    to_sign = f"AWS4-HMAC-SHA256\n{STAMP}\n20130524/us-east-1/s3/aws4_request\n{canonical_hash}"
    assert sigv4.string_to_sign(canonical, SCOPE, STAMP) == to_sign
    assert sigv4.signature(sigv4.signing_key(KEYS.secret_access_key, SCOPE), to_sign) == signature
    assert signed.headers["authorization"] == (
        "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request,"
        f"SignedHeaders={canonical.splitlines()[-2]},Signature={signature}"
    )


def test_worked_example_of_a_presigned_url():
    """The URL that AWS's page ends with, for 86,400 seconds."""
    request = Request("GET", ORIGIN, "/test.txt", region="us-east-1")
    assert sigv4.presign(request, KEYS, NOW, 86400, {}) == (
        f"https://{HOST}/test.txt?X-Amz-Algorithm=AWS4-HMAC-SHA256"
        "&X-Amz-Credential=AKIAIOSFODNN7EXAMPLE%2F20130524%2Fus-east-1%2Fs3%2Faws4_request"
        f"&X-Amz-Date={STAMP}&X-Amz-Expires=86400&X-Amz-SignedHeaders=host"
        "&X-Amz-Signature=aeeed9bbccd4d02ee5c0109b86d86835f995330da4c265957d157751f604d404"
    )


def test_signing_leaves_the_request_as_it_was():
    """The same request is signed again for the next attempt."""
    before = dict(GET.headers)
    sigv4.sign(GET, KEYS, NOW, {})
    assert GET.headers == before


def test_each_attempt_has_a_signature_of_its_own():
    """A second later it is another one; at the same time it is the same."""
    first = sigv4.sign(GET, KEYS, NOW, {})
    assert sigv4.sign(GET, KEYS, NOW, {}) == first
    assert sigv4.sign(GET, KEYS, NOW + 1, {}).headers["authorization"] != first.headers["authorization"]


def test_session_token_is_signed():
    """As a header of the request, or in the query of a URL."""
    session = Credentials("AK", "SK", "a/token+=")
    signed = sigv4.sign(GET, session, NOW, {})
    assert signed.headers["x-amz-security-token"] == "a/token+="
    assert ";x-amz-security-token," in signed.headers["authorization"]
    assert "&X-Amz-Security-Token=a%2Ftoken%2B%3D&" in sigv4.presign(GET, session, NOW, 60, {})


def test_headers_of_a_presigned_request_are_signed():
    """Whoever uses the URL has to send them."""
    request = Request("PUT", ORIGIN, "/k", headers={"content-type": "text/plain"}, region="us-east-1")
    assert "X-Amz-SignedHeaders=content-type%3Bhost&" in sigv4.presign(request, KEYS, NOW, 60, {})


@pytest.mark.parametrize("expires", [-1, 0, 604801, 10**9])
def test_lifetime_of_a_url_out_of_range(expires):
    """AWS takes up to seven days; the error says so."""
    with pytest.raises(ConfigError, match=f"1 to 604800 seconds, not {expires}"):
        sigv4.presign(GET, KEYS, NOW, expires, {})


@pytest.mark.parametrize("expires", [1, 604800])
def test_lifetime_of_a_url_at_the_limits(expires):
    """Both ends are good."""
    assert f"X-Amz-Expires={expires}&" in sigv4.presign(GET, KEYS, NOW, expires, {})


def test_url_of_a_request():
    """With a query if there is one."""
    assert sigv4.url(GET) == f"https://{HOST}/test.txt"
    assert sigv4.url(LIST) == f"https://{HOST}/?max-keys=2&prefix=J"


@pytest.mark.parametrize(
    ("headers", "lines"),
    [
        ({"b": "2", "a": "1", "a-b": "3"}, "a:1\na-b:3\nb:2\n"),
        ({"a": "  x  y  "}, "a:x y\n"),
        ({"a": "x\ty"}, "a:x y\n"),
        ({"a": "x y z"}, "a:x y z\n"),
        ({"a": ""}, "a:\n"),
        ({"a": '"two  blanks"'}, 'a:"two blanks"\n'),
    ],
)
def test_canonical_headers(headers, lines):
    """Every store that checks collapses blanks, also between quotes."""
    assert sigv4.canonical_headers(headers)[0] == lines


def test_payload_hash_is_what_the_header_says():
    """Only without x-amz-content-sha256, as to STS, is the body hashed here."""
    assert sigv4.payload_hash(Request("PUT", ORIGIN, "/", headers={"x-amz-content-sha256": "X"})) == "X"
    assert sigv4.payload_hash(Request("POST", ORIGIN, "/", body=WELCOME)) == WELCOME_HASH
    assert sigv4.payload_hash(Request("POST", ORIGIN, "/")) == sigv4.EMPTY_SHA256


def test_signing_key_is_computed_once_a_day():
    """The cache is filled by the first signature and used by the next, which would else differ."""
    cache: sigv4.KeyCache = {}
    first = sigv4.sign(GET, KEYS, NOW, cache)
    ((slot, key),) = cache.items()
    assert slot == (KEYS.secret_access_key, *SCOPE)
    assert key == sigv4.signing_key(KEYS.secret_access_key, SCOPE)
    assert sigv4.sign(GET, KEYS, NOW + 3600, cache).headers["x-amz-date"] == "20130524T010000Z"
    assert len(cache) == 1
    cache[slot] = b"another key"
    assert sigv4.sign(GET, KEYS, NOW, cache) != first


@pytest.mark.parametrize(
    ("keys", "now", "region", "service"),
    [
        (Credentials("AK", "another"), NOW, "us-east-1", "s3"),
        (KEYS, NOW + 86400, "us-east-1", "s3"),
        (KEYS, NOW, "eu-west-1", "s3"),
        (KEYS, NOW, "us-east-1", "sts"),
    ],
)
def test_signing_key_of_another_scope(keys, now, region, service):
    """Secret, day, region and service each ask for a key of their own."""
    cache: sigv4.KeyCache = {}
    sigv4.sign(GET, KEYS, NOW, cache)
    sigv4.sign(GET._replace(region=region, service=service), keys, now, cache)
    assert len(set(cache.values())) == 2


def test_signing_keys_do_not_pile_up():
    """A process that runs for years, or meets many regions, keeps a bounded number of them."""
    cache: sigv4.KeyCache = {}
    sizes = set()
    for day in range(200):
        sigv4.sign(GET, KEYS, NOW + day * 86400, cache)
        sizes.add(len(cache))
    assert max(sizes) <= 65


PRINTABLE = [chr(code) for code in range(0x20, 0x7F)]
BLANKS = st.lists(st.sampled_from(["  ", "\t", " ", "\u3000", "\xa0", "\xe9", *PRINTABLE]), max_size=20).map("".join)
NAMES = st.from_regex(r"x-amz-meta-[a-z0-9-]{1,12}", fullmatch=True)
CASES = st.fixed_dictionaries(
    {
        "method": st.sampled_from(["GET", "PUT", "DELETE", "HEAD", "POST"]),
        "scheme": st.sampled_from(["http", "https"]),
        "port": st.sampled_from([80, 443, 9000]),
        "key": st.text(max_size=30),
        "query": st.dictionaries(st.text(min_size=1, max_size=10), st.text(max_size=10), max_size=4),
        "headers": st.dictionaries(NAMES, BLANKS, max_size=4),
        "body": st.binary(max_size=20),
        "secret": st.text(min_size=1, max_size=40),
        "token": st.none() | st.text(alphabet="abcXYZ019+/=", min_size=1, max_size=40),
        "region": st.sampled_from(["us-east-1", "eu-central-1", "default"]),
        "now": st.integers(0, 2**32),
    }
)


def both_requests(case):
    """The case as a request of ours, and as botocore's, before anything is signed."""
    from botocore.awsrequest import AWSRequest

    ours = Request(
        case["method"],
        Origin(case["scheme"], "h.test", case["port"]),
        f"/{encode_key(case['key'])}",
        tuple(case["query"].items()),
        case["headers"],
        BytesBody(case["body"]),
        case["region"],
    )
    theirs = AWSRequest(
        ours.method,
        sigv4.url(ours._replace(query=())),
        headers=dict(case["headers"]),
        data=case["body"],
        params=dict(case["query"]),
    )
    return ours, theirs


def botocore_clock(patch, now):
    """botocore's signers take no clock, so the function they ask is replaced; it is not our module."""
    patch.setattr("botocore.auth.get_current_datetime", lambda: datetime.fromtimestamp(now, timezone.utc))


def both_keys(case):
    from botocore.credentials import Credentials as TheirCredentials

    return Credentials("AK", case["secret"], case["token"]), TheirCredentials("AK", case["secret"], case["token"])


@settings(deadline=None)  # a busy machine is no fault of the signer's
@given(CASES)
def test_any_request_is_signed_as_botocore_signs_it(case):
    """Any key, query, metadata with blanks, session token or none: the same Authorization header."""
    auth = pytest.importorskip("botocore.auth")
    ours, theirs = both_requests(case)
    our_keys, their_keys = both_keys(case)
    hashed = ours.with_headers({"x-amz-content-sha256": hashlib.sha256(case["body"]).hexdigest()})
    signed = sigv4.sign(hashed, our_keys, case["now"], {})
    with pytest.MonkeyPatch.context() as patch:
        botocore_clock(patch, case["now"])
        auth.S3SigV4Auth(their_keys, "s3", case["region"]).add_auth(theirs)
    assert signed.headers["authorization"] == theirs.headers["Authorization"].replace(", ", ",")
    assert signed.headers["x-amz-date"] == theirs.headers["X-Amz-Date"]
    assert signed.headers.get("x-amz-security-token") == theirs.headers.get("X-Amz-Security-Token")


@settings(deadline=None)
@given(CASES, st.integers(1, 604800))
def test_any_request_is_presigned_as_botocore_presigns_it(case, expires):
    """The same parameters in the URL, the signature among them."""
    auth = pytest.importorskip("botocore.auth")
    case = {**case, "body": b""}  # botocore would move a body into the query
    ours, theirs = both_requests(case)
    our_keys, their_keys = both_keys(case)
    presigned = sigv4.presign(ours, our_keys, case["now"], expires, {})
    with pytest.MonkeyPatch.context() as patch:
        botocore_clock(patch, case["now"])
        auth.S3SigV4QueryAuth(their_keys, "s3", case["region"], expires=expires).add_auth(theirs)
    path, _, query = theirs.url.partition("?")
    assert presigned.partition("?")[0] == path
    assert sorted(presigned.partition("?")[2].split("&")) == sorted(query.split("&"))
