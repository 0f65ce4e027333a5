"""What a store does with a request that is in order: objects and multipart uploads in memory. One lock around it all.

`history` has every state that any key ever had, so that a test can say: never anything but whole objects.
"""

from __future__ import annotations

import hashlib
import itertools
import re
import time
from dataclasses import dataclass, field
from email.utils import formatdate
from typing import NamedTuple
from urllib.parse import quote, unquote
from xml.etree import ElementTree

from server.asked import Asked

_KEPT = ("content-type", "x-amz-checksum-crc32")


class Answer(NamedTuple):
    """length: the Content-Length where it is not that of the body (HEAD)."""

    status: int
    headers: dict[str, str] = {}  # noqa: RUF012 - never changed
    body: bytes = b""
    length: int | None = None


def refusal(status: int, code: str, extra: str = "", **headers: str) -> Answer:
    document = f"<Error><Code>{code}</Code><Message>as ordered</Message>{extra}</Error>"
    given = {name.replace("_", "-"): value for name, value in headers.items()}
    return Answer(status, {"content-type": "application/xml", **given}, document.encode())


def _document(markup: str) -> Answer:
    return Answer(200, {"content-type": "application/xml"}, f'<?xml version="1.0"?>\n{markup}'.encode())


def _timestamp(seconds: float) -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%S.000Z", time.gmtime(seconds))


@dataclass
class Stored:
    content: bytes
    headers: dict[str, str] = field(default_factory=dict)
    e_tag: str = ""
    modified: float = field(default_factory=time.time)

    def __post_init__(self) -> None:
        self.e_tag = self.e_tag or hashlib.md5(self.content).hexdigest()


@dataclass
class Upload:
    key: str
    headers: dict[str, str]
    parts: dict[int, bytes] = field(default_factory=dict)
    begun: float = field(default_factory=time.time)


class MemoryS3:
    """One bucket, whatever it is called. page_size: of listings. ignores_conditions: operations for which If-None-Match
    is not looked at. forgets: an upload that was completed is not known any more (rclone; AWS after a while)."""

    def __init__(self) -> None:
        self.objects: dict[str, Stored] = {}
        self.history: list[tuple[str, bytes]] = []
        self.uploads: dict[str, Upload] = {}
        self.page_size = 1000
        self.ignores_conditions: set[str] = set()
        self._numbers = itertools.count(1)

    def put(self, key: str, content: bytes, headers: dict[str, str] | None = None, e_tag: str = "") -> Stored:
        stored = self.objects[key] = Stored(content, headers or {}, e_tag)
        self.history.append((key, content))
        return stored

    def act(self, asked: Asked) -> Answer:
        """The operation's effect, and its answer."""
        act = getattr(self, f"_{asked.operation}")
        answer: Answer = act(asked)
        return answer

    def _kept(self, asked: Asked) -> dict[str, str]:
        return {name: value for name, value in asked.headers.items() if name in _KEPT or name.startswith("x-amz-meta-")}

    def _condition_fails(self, asked: Asked) -> bool:
        there = self.objects.get(asked.key)
        if asked.operation in self.ignores_conditions:
            return False
        if asked.headers.get("if-none-match") == "*" and there:
            return True
        wanted = asked.headers.get("if-match")
        return wanted is not None and (there is None or wanted.strip('"') != there.e_tag)

    def _PutObject(self, asked: Asked) -> Answer:
        if self._condition_fails(asked):
            return refusal(412, "PreconditionFailed")
        return Answer(200, {"etag": f'"{self.put(asked.key, asked.body, self._kept(asked)).e_tag}"'})

    def _described(self, stored: Stored, asked: Asked) -> dict[str, str]:
        headers = {
            **stored.headers,
            "etag": f'"{stored.e_tag}"',
            "last-modified": formatdate(stored.modified, usegmt=True),
        }
        if asked.headers.get("x-amz-checksum-mode") != "ENABLED":
            headers.pop("x-amz-checksum-crc32", None)
        return headers

    def _HeadObject(self, asked: Asked) -> Answer:
        stored = self.objects.get(asked.key)
        if stored is None:
            return refusal(404, "NoSuchKey")
        return Answer(200, self._described(stored, asked), length=len(stored.content))

    def _GetObject(self, asked: Asked) -> Answer:
        stored = self.objects.get(asked.key)
        if stored is None:
            return refusal(404, "NoSuchKey")
        if asked.headers.get("if-match", f'"{stored.e_tag}"') != f'"{stored.e_tag}"':
            return refusal(412, "PreconditionFailed")
        headers, size = self._described(stored, asked), len(stored.content)
        found = re.fullmatch(r"bytes=(\d+)-(\d*)", asked.headers.get("range", ""))
        if found is None:
            return Answer(200, headers, stored.content)
        first, last = int(found[1]), min(int(found[2] or size), size - 1)
        if first > last:
            return refusal(416, "InvalidRange")
        if (first, last) != (0, size - 1):
            headers.pop("x-amz-checksum-crc32", None)
        headers["content-range"] = f"bytes {first}-{last}/{size}"
        return Answer(206, headers, stored.content[first : last + 1])

    def _GetObjectTagging(self, asked: Asked) -> Answer:
        return _document("<Tagging><TagSet/></Tagging>") if asked.key in self.objects else refusal(404, "NoSuchKey")

    def _DeleteObject(self, asked: Asked) -> Answer:
        self.objects.pop(asked.key, None)
        return Answer(204)

    def _DeleteObjects(self, asked: Asked) -> Answer:
        for element in ElementTree.fromstring(asked.body).iter():
            if element.tag.endswith("Key"):
                self.objects.pop(element.text or "", None)
        return _document("<DeleteResult></DeleteResult>")

    def _HeadBucket(self, asked: Asked) -> Answer:
        return Answer(200)

    def _ListObjectsV2(self, asked: Asked) -> Answer:
        arguments = asked.arguments
        after = arguments.get("continuation-token", "")
        keys = sorted(key for key in self.objects if key.startswith(arguments.get("prefix", "")) and key > after)
        page = keys[: min(self.page_size, int(arguments.get("max-keys", "1000")))]
        entries = "".join(map(self._entry, page)) if not arguments.get("delimiter") else self._grouped(page, arguments)
        more = f"<NextContinuationToken>{quote(page[-1])}</NextContinuationToken>" if len(page) < len(keys) else ""
        truncated = "true" if more else "false"
        return _document(
            f"<ListBucketResult><EncodingType>url</EncodingType><IsTruncated>{truncated}</IsTruncated>"
            f"{more}{entries}</ListBucketResult>"
        )

    def _grouped(self, keys: list[str], arguments: dict[str, str]) -> str:
        """Of a page, and so a prefix may be told by two pages: clients have to bear that."""
        skip, groups, entries = len(arguments.get("prefix", "")), [], []
        for key in keys:
            name, mark, _ = key[skip:].partition(arguments["delimiter"])
            if not mark:
                entries.append(self._entry(key))
            elif (group := key[:skip] + name + mark) not in groups:
                groups.append(group)
        told = "".join(f"<CommonPrefixes><Prefix>{quote(group)}</Prefix></CommonPrefixes>" for group in groups)
        return "".join(entries) + told

    def _entry(self, key: str) -> str:
        stored = self.objects[key]
        return (
            f"<Contents><Key>{quote(key)}</Key><LastModified>{_timestamp(stored.modified)}</LastModified>"
            f"<ETag>&quot;{stored.e_tag}&quot;</ETag><Size>{len(stored.content)}</Size>"
            f"<StorageClass>STANDARD</StorageClass></Contents>"
        )

    def _source(self, asked: Asked) -> Stored | None:
        return self.objects.get(unquote(asked.headers["x-amz-copy-source"]).lstrip("/").partition("/")[2])

    def _CopyObject(self, asked: Asked) -> Answer:
        source = self._source(asked)
        if source is None:
            return refusal(404, "NoSuchKey")
        wanted = asked.headers.get("x-amz-copy-source-if-match", "").strip('"')
        if self._condition_fails(asked) or wanted not in ("", source.e_tag):
            return refusal(412, "PreconditionFailed")
        replaced = asked.headers.get("x-amz-metadata-directive") == "REPLACE"
        copied = self.put(asked.key, source.content, self._kept(asked) if replaced else dict(source.headers))
        return _document(f"<CopyObjectResult><ETag>&quot;{copied.e_tag}&quot;</ETag></CopyObjectResult>")

    def _CreateMultipartUpload(self, asked: Asked) -> Answer:
        upload_id = f"upload-{next(self._numbers)}"
        self.uploads[upload_id] = Upload(asked.key, self._kept(asked))
        return _document(
            f"<InitiateMultipartUploadResult><UploadId>{upload_id}</UploadId></InitiateMultipartUploadResult>"
        )

    def _upload(self, asked: Asked) -> Upload | None:
        return self.uploads.get(asked.arguments["uploadId"])

    def _UploadPart(self, asked: Asked) -> Answer:
        upload = self._upload(asked)
        if upload is None:
            return refusal(404, "NoSuchUpload")
        upload.parts[int(asked.arguments["partNumber"])] = asked.body
        return Answer(200, {"etag": f'"{hashlib.md5(asked.body).hexdigest()}"'})

    def _UploadPartCopy(self, asked: Asked) -> Answer:
        upload, source = self._upload(asked), self._source(asked)
        if upload is None or source is None:
            return refusal(404, "NoSuchKey" if upload else "NoSuchUpload")
        first, last = asked.headers["x-amz-copy-source-range"].removeprefix("bytes=").split("-")
        piece = source.content[int(first) : int(last) + 1]
        upload.parts[int(asked.arguments["partNumber"])] = piece
        return _document(f"<CopyPartResult><ETag>&quot;{hashlib.md5(piece).hexdigest()}&quot;</ETag></CopyPartResult>")

    def _CompleteMultipartUpload(self, asked: Asked) -> Answer:
        upload = self._upload(asked)
        if upload is None:
            return refusal(404, "NoSuchUpload")
        if self._condition_fails(asked):
            return refusal(412, "PreconditionFailed")
        named = re.findall(rb"<ETag>&quot;([0-9a-f]+)&quot;</ETag><PartNumber>(\d+)<", asked.body)
        digests = [(hashlib.md5(content), number) for number, content in sorted(upload.parts.items())]
        if [(e_tag.decode(), int(number)) for e_tag, number in named] != [(md5.hexdigest(), n) for md5, n in digests]:
            return refusal(400, "InvalidPart")
        joined = hashlib.md5(b"".join(md5.digest() for md5, _ in digests)).hexdigest()
        content = b"".join(content for _, content in sorted(upload.parts.items()))
        made = self.put(upload.key, content, upload.headers, f"{joined}-{len(digests)}")
        del self.uploads[asked.arguments["uploadId"]]
        return _document(
            f"<CompleteMultipartUploadResult><ETag>&quot;{made.e_tag}&quot;</ETag></CompleteMultipartUploadResult>"
        )

    def _AbortMultipartUpload(self, asked: Asked) -> Answer:
        gone = self.uploads.pop(asked.arguments["uploadId"], None)
        return Answer(204) if gone else refusal(404, "NoSuchUpload")

    def _ListMultipartUploads(self, asked: Asked) -> Answer:
        entries = "".join(
            f"<Upload><Key>{quote(upload.key)}</Key><UploadId>{upload_id}</UploadId>"
            f"<Initiated>{_timestamp(upload.begun)}</Initiated></Upload>"
            for upload_id, upload in self.uploads.items()
            if upload.key.startswith(asked.arguments.get("prefix", ""))
        )
        return _document(
            f"<ListMultipartUploadsResult><EncodingType>url</EncodingType>{entries}</ListMultipartUploadsResult>"
        )
