"""The XML subset: what is read, what is refused, and that it comes back as it was written."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from s3target.errors import BadResponse
from s3target.protocol import xml
from s3target.protocol.xml import MAX_DEPTH, MAX_ELEMENTS, NAMESPACE, Element, build, expressible, parse


def outline(element: Element):
    """An element as the nested tuples of build()."""
    return element.name, [outline(child) for child in element.children] or element.text


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"<a/>", ("a", "")),
        (b"<a></a>", ("a", "")),
        (b"\n <a>x</a>\n\n", ("a", "x")),
        (b"<?xml version='1.0' encoding='UTF-8'?>\n<a>x</a>", ("a", "x")),
        (b"\xef\xbb\xbf<a>x</a>", ("a", "x")),
        (b"<a> x </a>", ("a", " x ")),
        (b"<a><b>1</b>\n  <b>2</b><c/></a>", ("a", [("b", "1"), ("b", "2"), ("c", "")])),
        (b"<a>&lt;&gt;&amp;&quot;&apos;&#34;&#x41;&#13;</a>", ("a", '<>&"\'"A\r')),
        (b"<a><![CDATA[<b>&amp;]]></a>", ("a", "<b>&amp;")),
        (b"<a>x<!-- b -->y<?pi?>z</a>", ("a", "xyz")),
        (b'<a xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><b>1</b></a>', ("a", [("b", "1")])),
        (b'<s3:a xmlns:s3="urn:x"><s3:b>1</s3:b><c>2</c></s3:a>', ("a", [("b", "1"), ("c", "2")])),
        (b'<a><b xmlns:xsi="urn:x" xsi:type="CanonicalUser">1</b></a>', ("a", [("b", "1")])),
        ("<?xml version='1.0' encoding='UTF-16'?><a>ü</a>".encode("utf-16"), ("a", "ü")),
        ("<?xml version='1.0' encoding='iso-8859-1'?><a>ü</a>".encode("latin-1"), ("a", "ü")),
        ("<a>日本😀</a>".encode(), ("a", "日本😀")),
    ],
)
def test_documents(content, expected):
    """Local names and text, whatever prefixes, comments, CDATA and character references it is dressed in."""
    assert outline(parse(content)) == expected


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b" ",
        b"x",
        b"<",
        b"<a",
        b"<a>",
        b"<a></b>",
        b"<a/><b/>",
        b"<a/>tail",
        b"lead<a/>",
        b" <?xml version='1.0'?><a/>",
        b"<a>&nbsp;</a>",
        b"<a>&#1;</a>",
        b"<a>\x01</a>",
        b"<a>\xff</a>",
        b"<a b=1/>",
        b"<p:a/><",
        b"<!-- no element -->",
        b"HTTP/1.1 200 OK",
        b"<html><br></html>",
        b'<?xml version="1.0" encoding="nobody-knows"?><a/>',
        b'<?xml version="1.0" encoding="hex"?><a/>',
        b'<?xml version="1.0" encoding="utf-7"?><a/>',
        b'<?xml version="1.0" encoding="idna"?><a/>',
    ],
)
def test_what_is_no_document(content):
    """BadResponse, also for encodings that are unknown or none."""
    with pytest.raises(BadResponse, match="XML cannot be read"):
        parse(content)


BOMB = b"""<?xml version="1.0"?><!DOCTYPE z [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY c "&b;&b;&b;&b;&b;&b;&b;&b;&b;&b;">]><z>&c;</z>"""


@pytest.mark.parametrize(
    "content",
    [
        BOMB,
        b"<!DOCTYPE a><a/>",
        b'<!DOCTYPE a SYSTEM "file:///etc/passwd"><a/>',
        b'<!DOCTYPE a [<!ENTITY x SYSTEM "file:///etc/passwd">]><a>&x;</a>',
        b'<!DOCTYPE html PUBLIC "-//W3C//DTD XHTML 1.0//EN" "http://www.w3.org/x.dtd"><html/>',
    ],
)
def test_doctype_is_refused(content):
    """So no entity is ever expanded and no file is ever read."""
    with pytest.raises(BadResponse, match="DOCTYPE"):
        parse(content)


def test_depth_is_bounded():
    """At the limit it is read, one deeper it is not."""
    element = parse(b"<a>" * MAX_DEPTH + b"</a>" * MAX_DEPTH)
    for _ in range(MAX_DEPTH - 1):
        (element,) = element.children
    assert element.children == []
    with pytest.raises(BadResponse, match=f"{MAX_DEPTH} levels"):
        parse(b"<a>" * (MAX_DEPTH + 1) + b"</a>" * (MAX_DEPTH + 1))
    with pytest.raises(BadResponse, match=f"{MAX_DEPTH} levels"):
        parse(b"<a>" * 1_000_000)


def test_number_of_elements_is_bounded():
    """At the limit it is read, one more is not."""
    assert len(parse(b"<a>" + b"<b/>" * (MAX_ELEMENTS - 1) + b"</a>").children) == MAX_ELEMENTS - 1
    with pytest.raises(BadResponse, match=f"{MAX_ELEMENTS} elements"):
        parse(b"<a>" + b"<b/>" * MAX_ELEMENTS + b"</a>")


WHOLE = build(("CompleteMultipartUploadResult", [("Bucket", "b"), ("ETag", '"e-2"'), ("Deep", [("er", "ü")])]))


def test_document_cut_off():
    """After any byte but the last: half an answer is no answer."""
    for end in range(len(WHOLE)):
        with pytest.raises(BadResponse):
            parse(WHOLE[:end])


_GOOD = ["<c/>", "<d>x\ty</d>", "<e></e>", "<f>ü\n</f>", "\n ", "<h>&quot;x&quot;&quot;</h>"]
_DOUBTFUL = [
    "<b>",
    "</b>",
    "<a>",
    "</a>",
    ' xmlns="urn:x"',
    "x",
    "\r",
    "&amp;",
    ">",
    "\0",
    "<d>]]></d>",
    "<g>\r</g>",
    "<i>&quot</i>",
]
_INSIDE = st.lists(st.sampled_from(_GOOD * 9 + _DOUBTFUL), max_size=8)
_AROUND = st.sampled_from(["", "", "\n", " ", "<?xml version='1.0'?>", "x"])


@given(_INSIDE, _AROUND, _AROUND)
def test_short_cut_reads_what_expat_reads(inside, before, after):
    """A document of one level is read without expat: to the same tree, and nothing that expat refuses is read."""
    content = "".join([before, "<a>", *inside, "</a>", after]).encode()
    short_cut = xml._parse_flat(content)
    if short_cut is not None:
        assert outline(short_cut) == outline(xml._parse_any(content))


def test_short_cut_is_taken():
    """By what stores write at their most frequent."""
    content = b'<?xml version="1.0"?>\n<Error xmlns="urn:x"><Code>&quot;a&quot;</Code>\n <Message/></Error>\n'
    assert outline(xml._parse_flat(content)) == ("Error", [("Code", '"a"'), ("Message", "")])


@given(st.binary() | st.text(alphabet="<>/ab&;!?[]\"'= x\n").map(str.encode))
def test_garbage_is_a_bad_response(content):
    """Whatever comes, parse() gives an element or BadResponse."""
    with suppress(BadResponse):
        assert isinstance(parse(content), Element)


@given(st.integers(0, len(WHOLE) - 1), st.binary(min_size=1, max_size=3))
def test_spoilt_document_is_an_element_or_a_bad_response(at, spoilt):
    """Bytes may flip on the way."""
    with suppress(BadResponse):
        assert isinstance(parse(WHOLE[:at] + spoilt + WHOLE[at + len(spoilt) :]), Element)


NAMES = st.from_regex(r"[A-Za-z][A-Za-z0-9]{0,8}", fullmatch=True)
TEXTS = st.text().filter(expressible)
TREES = st.recursive(
    st.tuples(NAMES, TEXTS), lambda inner: st.tuples(NAMES, st.lists(inner, min_size=1, max_size=4)), max_leaves=12
)


@given(TREES)
def test_what_was_built_is_parsed(markup):
    """Every text that XML can carry comes back as it was, blanks and line ends as well."""
    document = build(markup)
    assert document.startswith(b'<?xml version="1.0" encoding="UTF-8"?>\n<')
    assert outline(parse(document)) == markup


def test_build():
    """The namespace stands at the root, what is special is escaped."""
    assert build(("Delete", [("Object", [("Key", "a<b>&\"c'\r\n\t")]), ("Quiet", "true")])) == (
        b'<?xml version="1.0" encoding="UTF-8"?>\n'
        b'<Delete xmlns="http://s3.amazonaws.com/doc/2006-03-01/"><Object>'
        b"<Key>a&lt;b&gt;&amp;&quot;c'&#13;&#10;&#9;</Key></Object><Quiet>true</Quiet></Delete>"
    )
    assert build(("A", ""), "urn:x").endswith(b'<A xmlns="urn:x"></A>')
    assert NAMESPACE.encode() in build(("A", "x"))


def test_finding_one_s_way():
    """get() never fails, find() gives None, all() keeps the order; text around children is no text."""
    root = parse(b"<r>x<a><b>1</b><b>2</b></a>y<a><b>3</b><c>4</c></a>z</r>")
    assert root.get("a", "b") == "1"
    assert root.get("a", "c") == ""
    assert root.get("q", "b", "c") == ""
    assert root.find("a", "q", "b") is None
    assert root.find() is root
    assert [b.text for a in root.all("a") for b in a.all("b")] == ["1", "2", "3"]
    assert root.text == ""


def wellformed(char: str) -> bool:
    try:
        return parse(build(("a", char))).text == char
    except (BadResponse, UnicodeEncodeError):
        return False


def test_expressible_is_what_the_parser_takes():
    """Each character of the first plane and the borders of the others, by the parser's own judgement."""
    borders = [plane * 0x10000 + offset for plane in range(1, 17) for offset in (0, 1, 0xFFFD)]
    odd = [code for code in range(0x10000) if code < 0x100 or 0xD7F0 <= code < 0xE010 or code >= 0xFFF0]
    for code in [*odd, *borders]:
        assert expressible(chr(code)) == wellformed(chr(code)), hex(code)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("a b/ü日😀\t\r\n\x7f\x85", True),
        ("a\x00", False),
        ("\x01tail", False),
        ("a\x1fb", False),
        ("a\x0b", False),
        ("\ufffe", False),
        ("x\uffff", False),
        ("\udcff", False),
        ("\ufffd\U0010ffff", True),
    ],
)
def test_expressible(text, expected):
    """Keys that are not have to be deleted one by one; a lone surrogate comes of a listed key that is no UTF-8."""
    assert expressible(text) is expected
