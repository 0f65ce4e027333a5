"""Whether a store keeps its word about If-None-Match and If-Match, found out before it is relied upon.

Some stores do not know the header, say 200 and overwrite: rclone always, Ceph 16 on CompleteMultipartUpload. So before
the first conditional write of a kind to a bucket, a scratch object beside the key is written twice, and the second time
must be refused. That costs three requests (six for uploads in parts), once per client, bucket and kind of write. What
is known of the store already (stores.py), as of AWS, is not asked.
"""

from __future__ import annotations

import os
from collections.abc import Callable

from ..client import Client
from ..errors import ConfigError, PreconditionFailed, S3Error, ServiceError
from ..logs import getLogger
from ..protocol.messages import BytesBody, Headers
from ..protocol.operations.objects import CopyObject, CopySource, DeleteObject, PutObject
from ..protocol.options import ExtraArgs, headers_for
from .marks import is_conditional

_ONCE = {"if-none-match": "*"}
_ROOM = 960
"""Bytes of the key that the scratch object's own begins with: a policy may allow nothing but what begins so."""
_NEEDED = ("ACL", "GrantFullControl", "ServerSideEncryption", "SSEKMSKeyId", "SSEKMSEncryptionContext", "RequestPayer")
"""Options that a bucket may insist on. No others: a scratch object that is locked could not be removed."""
_log = getLogger("s3target.transfer")


def insist(client: Client, bucket: str, key: str, extra_args: ExtraArgs, operation: str = "PutObject") -> None:
    """ConfigError if the write is conditional and the store ignores that. operation: the kind that will commit it."""
    if is_conditional(extra_args) and not keeps_condition(client, bucket, key, extra_args, operation):
        raise ConfigError(
            f"this store does not keep conditions (If-None-Match, If-Match) on {operation}, so s3://{bucket}/{key} "
            "might be overwritten in silence; nothing was written. Allow overwriting, or give each writer a path of "
            f"its own{_ADVICE.get(operation, '')}"
        )


_ADVICE = {"CompleteMultipartUpload": ", or write the object in one piece (upload at close, a larger part_size)"}


def keeps_condition(client: Client, bucket: str, key: str, extra_args: ExtraArgs, operation: str) -> bool:
    """Whether If-None-Match: * works here. S3Error if that cannot be found out."""
    if operation in client.store.lacks:
        return False
    origin = client.endpoint.locate(bucket).origin
    proof = (__name__, origin, bucket, operation)
    if proof in client.proven or operation in client.store.keeps:
        return True
    headers = headers_for("PutObject", {name: extra_args[name] for name in _NEEDED if name in extra_args})
    scratch = f"{key.encode()[:_ROOM].decode(errors='ignore')}.s3target-{os.urandom(6).hex()}"
    try:
        _PROBES[operation](client, bucket, scratch, headers)
    except PreconditionFailed:
        client.proven.add(proof)
        return True
    except ServiceError as error:
        if error.status != 501:
            raise
        _log.info("%s does not take If-None-Match: %s", origin.authority, error)
        return False
    finally:
        _remove(client, bucket, scratch)
    return False


def _put_twice(client: Client, bucket: str, scratch: str, headers: Headers) -> None:
    # Other bytes each time: should an answer be lost, the loop knows by them which of the two is there.
    for content in (b"1", b"2"):
        client.call(PutObject(bucket, scratch, BytesBody(content), {**headers, **_ONCE}))


def _complete_over(client: Client, bucket: str, scratch: str, headers: Headers) -> None:
    from ..protocol.operations.multipart import UploadPart
    from .multipart import MultipartUpload

    client.call(PutObject(bucket, scratch, BytesBody(b"1"), headers))
    with MultipartUpload(client, bucket, scratch, {}, headers) as upload:
        part = upload.part(UploadPart(bucket, scratch, upload.upload_id, 1, BytesBody(b"2")))
        upload.complete([part], _ONCE)


def _copy_over(client: Client, bucket: str, scratch: str, headers: Headers) -> None:
    client.call(PutObject(bucket, scratch, BytesBody(b"1"), headers))
    # Without new metadata a copy onto itself is refused for that.
    given = {**headers, **_ONCE, "x-amz-metadata-directive": "REPLACE"}
    client.call(CopyObject(CopySource(bucket, scratch), bucket, scratch, given))


_PROBES: dict[str, Callable[[Client, str, str, Headers], None]] = {
    "PutObject": _put_twice,
    "CompleteMultipartUpload": _complete_over,
    "CopyObject": _copy_over,
}


def _remove(client: Client, bucket: str, scratch: str) -> None:
    try:
        client.call(DeleteObject(bucket, scratch))
    except S3Error as error:
        _log.warning("the scratch object s3://%s/%s could not be removed: %s", bucket, scratch, error)
