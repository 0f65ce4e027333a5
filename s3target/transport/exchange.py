"""From a Request to a Response: a connection out of the pool or a new one, head out, head back, the body's reader.

The working half of HttpTransport; a module of its own, so that what it imports is loaded at the first request.
"""

from __future__ import annotations

import time
from functools import partial

from ..logs import DEBUG, getLogger
from ..protocol.encoding import query_string
from ..protocol.messages import NO_HEADERS, BytesBody, Origin, Request, Response, Stream
from ..value import TYPE_CHECKING, BinaryIO
from .body import ChunkedBody, LengthBody, UntilCloseBody
from .connection import Answer, Connection
from .head import UNTIL_CLOSE, request_head
from .pool import Pool
from .proxy import Proxy, find_proxy

if TYPE_CHECKING:
    from . import TransportOptions
    from .tls import Tls

log = getLogger("s3target.transport")


class Exchange:
    """Everything of a transport that is not its options: pool, TLS context, chosen proxies. Thread-safe."""

    def __init__(self, options: TransportOptions) -> None:
        self._options = options
        self._pool = Pool(options.max_idle)
        self._proxies: dict[Origin, Proxy | None] = {}

    def close(self) -> None:
        self._pool.close()

    def send(self, request: Request) -> Response:
        head = self._head(request)
        body = request.body
        if isinstance(body, BytesBody):
            return self._traced(request, head, None)
        with body.open() as reader:
            return self._traced(request, head, reader)

    def _head(self, request: Request) -> bytes:
        query = query_string(request.query)
        target = f"{request.path}?{query}" if query else request.path
        proxy = self._proxy(request.origin) if self._options.proxies else None
        if proxy is None or request.origin.scheme == "https":
            return request_head(request, target, NO_HEADERS)
        return request_head(request, f"http://{request.origin.authority}{target}", proxy.headers)

    def _proxy(self, origin: Origin) -> Proxy | None:
        if origin not in self._proxies:
            self._proxies[origin] = find_proxy(self._options.proxies or {}, origin)
        return self._proxies[origin]

    def _traced(self, request: Request, head: bytes, reader: BinaryIO | None) -> Response:
        if not log.isEnabledFor(DEBUG):
            return self._send(request, head, reader)
        began = time.monotonic()
        response = self._send(request, head, reader)
        spent = (time.monotonic() - began) * 1000
        log.debug(
            "%s %s%s: %d, %.1f ms", request.method, request.origin.authority, request.path, response.status, spent
        )
        return response

    def _send(self, request: Request, head: bytes, reader: BinaryIO | None) -> Response:
        connection = self._pool.get(request.origin) or self._connect(request.origin)
        try:
            sent_all = connection.send_request(head, request.body, reader)
            answer = connection.read_answer(request.method)
        except BaseException:
            connection.close()
            raise
        reusable = sent_all and answer.keep_alive
        length, rest = answer.length, answer.rest
        if 0 <= length <= len(rest):  # all of the body came with the head
            self._release(connection, reusable, len(rest) == length)
            return Response(answer.status, answer.headers, rest[:length])
        return Response(answer.status, answer.headers, stream=self._stream(connection, answer, reusable))

    def _connect(self, origin: Origin) -> Connection:
        proxy = self._proxy(origin) if self._options.proxies else None
        secure = "https" in (origin.scheme, proxy and proxy.scheme)
        connection = Connection(origin, self._options, proxy, self._tls() if secure else None, self._pool.era)
        connection.connect()
        return connection

    def _tls(self) -> Tls:
        made: Tls | None = self.__dict__.get("_made_tls")
        if made is None:
            from .tls import Tls  # with ssl behind it, which plain http does without

            # setdefault is atomic: threads that come first together all get the same one.
            made = self.__dict__.setdefault("_made_tls", Tls(self._options))
        return made

    def _stream(self, connection: Connection, answer: Answer, reusable: bool) -> Stream:
        length, rest = answer.length, answer.rest
        finish = partial(self._release, connection, reusable)
        if length > 0:
            return LengthBody(connection.receive, finish, rest, length)
        return (UntilCloseBody if length == UNTIL_CLOSE else ChunkedBody)(connection.receive_some, finish, rest)

    def _release(self, connection: Connection, reusable: bool, whole: bool) -> None:
        if reusable and whole:
            self._pool.put(connection.origin, connection)
        else:
            connection.close()
