"""Keys that clients get wrong, and which of the servers that check signatures can hold each of them.

A key that is sent otherwise than it is signed is refused by such a server, so passing there is proof. What a server
cannot hold at all is written down with the reason; every other pair of key and server has to pass in full.
"""

from __future__ import annotations

import unicodedata

CHECKING = ("seaweedfs", "moto-auth", "rclone", "ceph", "swift")

DOTS = "SeaweedFS is a file system: '.' and '..' are no names there (400)"
SLASH_ENDS = "SeaweedFS takes a key that ends with / for a directory, and drops its content"
SLASH_BEGINS = "SeaweedFS drops the first / of a key"
SLASHES_MERGE = "SeaweedFS is a file system: it takes several slashes for one, and lists the key so"
BACKSLASH = "SeaweedFS does not list keys with a backslash"
LONG_NAME = "it is a file system: a name has at most 255 bytes (400)"
PATHS = "rclone is a file system: it takes no empty name, '.' or '..' (400)"
ENDS = "rclone is a file system: a key that ends with / is an empty folder to it, which it does not list"
NEXT = "Swift lists nothing (503) below a prefix that ends in the last character that there is"
LONG_SOURCE = "rclone takes 2 kB of headers (400 MetadataTooLarge): too few for a copy's source"
LINES = "moto's router knows no line feed in a path (404)"

PLAIN = {
    "plain": "plain",
    "deep": "a/b/c/d/e/f/g/h/i/j",
    "space": "a key",
    "two spaces": "a  key",
    "space first": " key",
    "space last": "key ",
    "only a space": "a/ /b",
    "space at each end of a part": "a/ b /c",
    "plus": "a+b",
    "plus and space": "a+b c",
    "only plus": "+",
    "percent": "100%",
    "percent first": "%",
    "percent and no hex": "a%zz",
    "literal %20": "a%20b",
    "literal %2F": "a%2Fb",
    "literal %2f": "a%2fb",
    "literal %25": "a%25b",
    "literal %2520": "a%2520b",
    "literal %00": "a%00b",
    "literal %2B": "a%2Bb",
    "literal %2E%2E": "a/%2E%2E/b",
    "literal utf-8": "%C3%BC",
    "question mark": "a?b",
    "question mark last": "a?",
    "query": "a?versionId=1&x=y",
    "subresource": "a?acl",
    "uploads": "a?uploads",
    "hash": "a#b",
    "hash first": "#a",
    "ampersand": "a&b",
    "entity": "a&amp;b",
    "numeric entity": "a&#13;b",
    "equals": "a=b",
    "hive partition": "year=2026/month=11/part-0000.csv",
    "single quote": "it's",
    "double quote": 'say "hello"',
    "less than": "a<b",
    "greater than": "a>b",
    "markup": "<Key>a</Key>",
    "comment": "<!-- a -->",
    "cdata": "<![CDATA[a]]>",
    "colon": "a:b",
    "time": "2026-11-22T23:15:00.000Z",
    "windows drive": "C:/a",
    "url": "s3:/a",
    "semicolon": "a;b",
    "semicolon parameters": "a;v=1/b",
    "comma": "a,b",
    "at": "a@b",
    "user and host": "user:pw@host",
    "dollar": "a$b",
    "variable": "${a}",
    "folder marker": "a_$folder$",
    "temporary": "_temporary/0/_temporary/attempt",
    "tilde": "~",
    "home": "~user/a",
    "exclamation": "a!b",
    "star": "a*b",
    "only a star": "*",
    "parentheses": "a (1)",
    "brackets": "a[0-9]",
    "braces": "{a,b}",
    "pipe": "a|b",
    "caret": "a^b",
    "backtick": "a`b",
    "underscore": "_a_",
    "hyphen first": "-rf",
    "two hyphens": "--",
    "dot first": ".hidden",
    "three dots": "a/.../b",
    "dots inside": "a..b",
    "dot last": "a.",
    "umlaut": "Übergröße",
    "composed": unicodedata.normalize("NFC", "café"),
    "decomposed": unicodedata.normalize("NFD", "café"),
    "greek, cyrillic": "Ωμέγα/омега",
    "chinese, japanese": "数据/データ",
    "arabic, hebrew": "بيانات/נתונים",
    "emoji": "😀",
    "emoji of several": "👩‍👩‍👧‍👦/🏳️‍🌈",
    "last of three bytes": "\ufffd",
    "no-break space": "a\u00a0b",
    "ideographic space": "a\u3000b",
    "zero width": "a\u200bb",
    "byte order mark": "\ufeffa",
    "right to left mark": "a\u202eb",
    "line separator": "a\u2028b",
    "next line": "a\u0085b",
    "first above ascii": "\u0080",
    "tab": "a\tb",
    "tab last": "a\t",
    "carriage return": "a\rb",
    "control 01": "a\x01b",
    "bell": "a\x07b",
    "escape": "a\x1b[0mb",
    "last control": "a\x1fb",
    "delete": "a\x7fb",
    "all printable": " !\"#$%&'()*+,-.0123456789:;<=>?@ABCXYZ[]^_`abcxyz{|}~",
    "1024 bytes": "/".join(["0123456789abcdef" * 15] * 4)[:963] + "/" + "z" * 60,
    "a part of 255 bytes": "n" * 255,
    "a part of 255 bytes that are encoded": "ü" * 127 + "n",
    "a bucket again": "bucket/bucket",
    "favicon": "favicon.ico",
}

LIMITED: dict[str, tuple[str, dict[str, str]]] = {
    "line feed": ("a\nb", {"moto-auth": LINES}),
    "line feed last": ("a\n", {"moto-auth": LINES}),
    "carriage return and line feed": ("a\r\nb", {"moto-auth": LINES}),
    "two slashes": ("a//b", {"seaweedfs": SLASHES_MERGE, "rclone": PATHS}),
    "three slashes": ("a///b", {"seaweedfs": SLASHES_MERGE, "rclone": PATHS}),
    "slash first": ("/a", {"seaweedfs": SLASH_BEGINS, "rclone": PATHS}),
    "two slashes first": ("//a", {"seaweedfs": SLASH_BEGINS, "rclone": PATHS}),
    "only slashes": ("//", {"seaweedfs": SLASH_BEGINS, "rclone": PATHS}),
    "slash last": ("a/", {"seaweedfs": SLASH_ENDS, "rclone": ENDS}),
    "two slashes last": ("a//", {"seaweedfs": SLASH_ENDS, "rclone": ENDS}),
    "a dot": (".", {"seaweedfs": DOTS, "rclone": PATHS}),
    "two dots": ("..", {"seaweedfs": DOTS, "rclone": PATHS}),
    "a dot between": ("a/./b", {"seaweedfs": DOTS, "rclone": PATHS}),
    "two dots between": ("a/../b", {"seaweedfs": DOTS, "rclone": PATHS}),
    "a dot first": ("./a", {"seaweedfs": DOTS, "rclone": PATHS}),
    "two dots first": ("../a", {"seaweedfs": DOTS, "rclone": PATHS}),
    "up and up": ("../../../etc/passwd", {"seaweedfs": DOTS, "rclone": PATHS}),
    "a dot last": ("a/.", {"seaweedfs": DOTS, "rclone": PATHS}),
    "two dots last": ("a/..", {"seaweedfs": DOTS, "rclone": PATHS}),
    "backslash": ("a\\b", {"seaweedfs": BACKSLASH}),
    "windows path": ("C:\\Users\\a", {"seaweedfs": BACKSLASH}),
    "highest": ("\U0010ffff", {"swift": NEXT}),
    "1024 bytes that are encoded": ("/".join(["ü" * 127] * 4) + "/zz12", {"rclone": LONG_SOURCE}),
    "a part of 256 bytes": ("n" * 256, {"seaweedfs": LONG_NAME, "rclone": LONG_NAME}),
    "1024 bytes in one part": ("n" * 1024, {"seaweedfs": LONG_NAME, "rclone": LONG_NAME}),
}

KEYS: dict[str, str] = {**PLAIN, **{name: key for name, (key, _) in LIMITED.items()}}


def limits(name: str) -> dict[str, str]:
    """The checking servers that cannot hold this key, with the reason."""
    return LIMITED[name][1] if name in LIMITED else {}
