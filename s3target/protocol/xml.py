"""The XML of S3 and STS: parse() to small trees, build() from nested tuples. Nothing else here touches XML.

Parsing knows local names only (some look-alikes leave the namespace out), refuses DOCTYPE, so no entity is ever
expanded, and bounds depth and number of elements. Whatever is not one whole well-formed document is BadResponse.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from ..errors import BadResponse

MAX_DEPTH = 32
MAX_ELEMENTS = 200_000
NAMESPACE = "http://s3.amazonaws.com/doc/2006-03-01/"

Markup = tuple[str, "str | list[Markup]"]
"""(name, text) or (name, [children])."""

_ESCAPES = str.maketrans(
    {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "\r": "&#13;", "\n": "&#10;", "\t": "&#9;"}
)


# A document of one level, the form of most: the pattern matches all of it, at C speed, or expat has its say.
_NAME, _SPACE, _PLAIN = "[A-Za-z][A-Za-z0-9]*", "[ \t\n]*", "[^<>&\0-\x08\x0b-\x1f\ufffe\uffff]*"
_TEXT = f"{_PLAIN}(?:&quot;{_PLAIN})*"  # ETags have quotes; of the other entities expat knows
_CHILD = rf"<({_NAME})(?:/>|>({_TEXT})</\{{}}>)"
_FLAT = (  # compiled at its first use
    rf"""(?:<\?xml version=["']1\.0["'](?: encoding=["'](?:UTF|utf)-8["'])? ?\?>{_SPACE})?"""
    rf"""<({_NAME})(?: xmlns="[A-Za-z0-9:/.-]*")?>((?:{_SPACE}{_CHILD.format(3)})+){_SPACE}</\1>{_SPACE}"""
)

# Told by what it has, not by what it has not: to compile all of Unicode but these takes ten times as long.
_INEXPRESSIBLE = "[\0-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]"


class Element:
    """One element: local name, text directly in it, child elements in order."""

    __slots__ = ("children", "name", "text")

    def __init__(self, name: str, text: str = "", children: list[Element] | None = None) -> None:
        self.name = name
        self.text = text
        self.children = [] if children is None else children

    def all(self, name: str) -> Iterator[Element]:
        return (child for child in self.children if child.name == name)

    def find(self, *path: str) -> Element | None:
        """The first element at this path of names."""
        found = self
        for name in path:
            for child in found.children:
                if child.name == name:
                    found = child
                    break
            else:
                return None
        return found

    def get(self, *path: str) -> str:
        """The text at this path, "" if there is no such element."""
        found = self.find(*path)
        return found.text if found else ""


class _Builder:
    def __init__(self) -> None:
        self.root = Element("")
        self.stack = [self.root]
        self.text: list[str] = []
        self.count = 0

    def start(self, name: str, _attributes: object) -> None:
        self.count += 1
        if len(self.stack) > MAX_DEPTH or self.count > MAX_ELEMENTS:
            raise BadResponse(f"XML answer with over {MAX_DEPTH} levels or {MAX_ELEMENTS} elements")
        element = Element(name.rpartition(":")[2])
        self.stack[-1].children.append(element)
        self.stack.append(element)
        self.text.clear()

    def end(self, _name: str) -> None:
        element = self.stack.pop()
        if not element.children:
            element.text = "".join(self.text)
        self.text.clear()

    def doctype(self, *_: object) -> None:
        raise BadResponse("XML answer with a DOCTYPE; refused")


def parse(content: bytes) -> Element:
    """The root element of a whole document. BadResponse if it is none."""
    return _parse_flat(content) or _parse_any(content)


def _parse_flat(content: bytes) -> Element | None:
    """The root of a document of one level; None of any other."""
    try:
        found = re.fullmatch(_FLAT, content.decode())
    except UnicodeDecodeError:
        return None
    if found is None:
        return None
    children = re.findall(_CHILD.format(1), found[2])
    if len(children) >= MAX_ELEMENTS:
        return None
    return Element(found[1], "", [Element(name, text.replace("&quot;", '"')) for name, text in children])


def _parse_any(content: bytes) -> Element:
    from xml.parsers import expat

    builder, parser = _Builder(), expat.ParserCreate()
    parser.buffer_text = True
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.text.append
    parser.StartDoctypeDeclHandler = builder.doctype
    try:
        parser.Parse(content, True)
    except (expat.ExpatError, ValueError, LookupError) as error:  # LookupError: an encoding nobody knows
        raise BadResponse(f"the answer's XML cannot be read: {error}") from None
    return builder.root.children[0]


def build(markup: Markup, namespace: str = NAMESPACE) -> bytes:
    """The document for nested (name, text or children), escaped."""
    body = _element(markup)
    opening = f"<{markup[0]}"
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{opening} xmlns="{namespace}"{body[len(opening) :]}'.encode()


def _element(markup: Markup) -> str:
    name, content = markup
    inner = content.translate(_ESCAPES) if isinstance(content, str) else "".join([_element(child) for child in content])
    return f"<{name}>{inner}</{name}>"


def expressible(text: str) -> bool:
    """Whether XML 1.0 has a form for this text: control characters but tab, CR and LF have none (section 2.2)."""
    return re.search(_INEXPRESSIBLE, text) is None
