"""HTTP requests of sources and webhooks: each is bounded, and gives an answer or a typed error.

Every error names URL, status and the first 200 bytes; no error holds a header or a password. Of a
URL that may hold a token itself only the host is named.
"""

import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any

import httpx

from finops_pipeline.errors import (
    ServerExpired,
    ServerMalformed,
    ServerRejected,
    ServerUnavailable,
)

DEADLINE_SECONDS = 180.0  # OpenCost answers 3,000 containers in 1.7 s, long windows in minutes
MAX_BYTES = 256 * 2**20  # 10,000 pods are 21.5 MB; a gzip bomb stops here
_SHOWN_BYTES = 200
_CONNECT_SECONDS = 20.0  # three of TCP's own attempts; longer, and no server is there
# A connection to itself each: the deadline is kept by closing it, and a server that closes idle
# ones is never met in that moment. A window takes five.
_UNSHARED = httpx.Limits(max_keepalive_connections=0)


@dataclass(frozen=True)
class Answer:
    """A complete body with status 200."""

    request: str
    body: bytes
    received_at: datetime  # its headers, by the clock of this machine
    sent_at: datetime | None  # by the server's clock; None when it does not say

    @property
    def clock_difference(self) -> timedelta | None:
        """Lead of the server's clock over ours, to the second; None when it does not say."""
        return self.sent_at - self.received_at if self.sent_at else None

    def malformed(self, why: object) -> ServerMalformed:
        """Return the error to raise when the body is not what was asked for."""
        return ServerMalformed(_format_error(self.request, 200, self.body, str(why)))


def client(
    base_url: str = "",
    *,
    token: str | None = None,
    headers: Mapping[str, str] | None = None,
    verify: bool | ssl.SSLContext = True,
    timeout: float = DEADLINE_SECONDS,
    proxy: str | None = None,
) -> httpx.Client:
    """Return a client for one server; redirects are not followed.

    Args:
        base_url: kept as written; a path such as ``/model`` stays in front of every path. Without
            one each request names its whole URL.
        token: sent as bearer token.
        headers: sent with every request, such as ``X-Scope-OrgID``.
        verify: whether certificates are checked, or how.
        timeout: longest wait for a connection and for each piece of an answer [seconds].
        proxy: URL of a proxy; without it those of the environment are used.
    """
    authorization = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.Client(
        base_url=base_url,
        headers={"Accept-Encoding": "gzip", **(headers or {}), **authorization},
        verify=_trusted() if verify is True else verify,
        timeout=timeout,
        limits=_UNSHARED,
        proxy=proxy,
    )


@cache
def _trusted() -> ssl.SSLContext:
    """Load the usual authorities, once: it takes 35 ms, for each client of each cluster."""
    return httpx.create_ssl_context()


def get(
    client: httpx.Client,
    path: str,
    params: Mapping[str, str],
    *,
    deadline_seconds: float = DEADLINE_SECONDS,
    max_bytes: int = MAX_BYTES,
) -> Answer:
    """Fetch the body of one GET, decompressed.

    Args:
        client: from :func:`client`.
        path: below its base URL.
        params: the query, in this order.
        deadline_seconds: for the whole answer, from the first attempt to connect.
        max_bytes: of the decompressed body.

    Raises:
        ServerUnavailable: no answer in time, 429 or a 5xx.
        ServerRejected: any other status than 200; ServerExpired if that is 410.
        ServerMalformed: too large, or not in the encoding it claims.
    """
    request = client.build_request(
        "GET", path, params=params, timeout=_timeout(client, deadline_seconds)
    )
    return _answer(client, request, time.monotonic() + deadline_seconds, max_bytes)


def post_form(
    client: httpx.Client,
    path: str,
    form: Mapping[str, str],
    *,
    deadline_seconds: float = DEADLINE_SECONDS,
    max_bytes: int = MAX_BYTES,
) -> Answer:
    """Fetch the body of one POST of a form: as :func:`get`, for parameters too long for a URL."""
    request = client.build_request(
        "POST", path, data=form, timeout=_timeout(client, deadline_seconds)
    )
    return _answer(client, request, time.monotonic() + deadline_seconds, max_bytes)


def post_json(
    client: httpx.Client,
    url: str,
    document: object,
    *,
    name: str,
    deadline_seconds: float = DEADLINE_SECONDS,
) -> None:
    """Send one JSON document to a URL that may hold a token; any 2xx will do.

    What follows the headers of a 2xx is not read: a document that was taken must not be sent again
    because its answer breaks off. A redirect is a refusal: followed, the document would be left
    behind.

    Args:
        client: from :func:`client`.
        url: below its base URL, or a whole one; errors show its host alone.
        document: sent as JSON.
        name: of what is there, for errors: ``webhook``.
        deadline_seconds: for the answer, from the first attempt to connect.

    Raises:
        ServerUnavailable: no answer in time, 429 or a 5xx.
        ServerRejected: any other status than a 2xx.
    """
    request = client.build_request(
        "POST", url, json=document, timeout=_timeout(client, deadline_seconds)
    )
    label, until = f"{name} at {request.url.host}", time.monotonic() + deadline_seconds
    try:
        with _send(client, request, label, until, httpx.codes.is_success, is_secret=True):
            pass
    except ServerUnavailable as error:
        raise error from None  # the cause holds the request, and so its URL


def _timeout(client: httpx.Client, deadline_seconds: float) -> httpx.Timeout:
    seconds = max(0.001, min(client.timeout.read or deadline_seconds, deadline_seconds))
    return httpx.Timeout(seconds, connect=min(seconds, _CONNECT_SECONDS))


def _answer(client: httpx.Client, request: httpx.Request, until: float, max_bytes: int) -> Answer:
    label = f"{request.method} {_without_secrets(request.url)}"
    with _send(client, request, label, until, _is_ok) as (response, received_at):
        body = _body(response, label, until, max_bytes)
        return Answer(label, body, received_at, _sent_at(response))


def _is_ok(status: int) -> bool:
    return status == httpx.codes.OK


@contextmanager
def _send(
    client: httpx.Client,
    request: httpx.Request,
    label: str,
    until: float,
    is_accepted: Callable[[int], bool],
    *,
    is_secret: bool = False,
) -> Iterator[tuple[httpx.Response, datetime]]:
    """Send a request and yield the response, whose body is not read yet, and when it came.

    Of a secret URL no answer is shown, since it may repeat the URL in any form.
    """
    with _translate_errors(label, until, is_secret), _cut_off(request, until):
        response = client.send(request, stream=True)
        with closing(response):
            received_at = datetime.now(UTC)
            if not is_accepted(response.status_code):
                body = None if is_secret else _start(response, until)
                raise _read_refusal(label, response, body, received_at)
            yield response, received_at


@contextmanager
def _cut_off(request: httpx.Request, until: float) -> Iterator[None]:
    """Close the connection at the deadline.

    The timeouts of httpx are those of a single read: one byte now and then, in headers as in the
    body, would keep it waiting for ever.
    """
    sockets: list[socket.socket] = []

    def watch(event: str, info: Mapping[str, Any]) -> None:
        if event.endswith("connect_tcp.complete"):  # of a proxy, too
            # A number of its own: the other may be closed, and given to another socket, meanwhile.
            sockets.append(info["return_value"].get_extra_info("socket").dup())
            if time.monotonic() >= until:
                _shut_down(sockets)

    request.extensions["trace"] = watch
    timer = threading.Timer(until - time.monotonic(), lambda: _shut_down(sockets))
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        timer.join()
        for connection in sockets:
            connection.close()


def _shut_down(sockets: list[socket.socket]) -> None:
    for connection in sockets:
        with suppress(OSError):  # the server was faster
            connection.shutdown(socket.SHUT_RDWR)


@contextmanager
def _translate_errors(label: str, until: float, is_secret: bool) -> Iterator[None]:
    try:
        yield
    except httpx.DecodingError as error:
        raise ServerMalformed(f"{label}: status 200: not in its encoding: {error}") from error
    except httpx.HTTPError as error:
        when = " before its deadline" if time.monotonic() >= until else ""
        # Of an answer that is no HTTP the error holds a part.
        text = "" if is_secret and isinstance(error, httpx.ProtocolError) else f" {error}"
        raise ServerUnavailable(
            f"{label}: no answer{when}: {type(error).__name__}{text}"
        ) from error


def refusal(
    status: int, message: str, retry_after_seconds: float | None = None
) -> ServerUnavailable | ServerRejected:
    """Return the error to raise for a status that is none of success.

    Args:
        status: of the answer.
        message: what was asked and what came.
        retry_after_seconds: how long the server wants to be left alone.
    """
    if status == httpx.codes.TOO_MANY_REQUESTS or status >= 500:
        return ServerUnavailable(message, retry_after_seconds)
    return ServerExpired(message) if status == httpx.codes.GONE else ServerRejected(message)


def _read_refusal(
    label: str, response: httpx.Response, body: bytes | None, received_at: datetime
) -> ServerUnavailable | ServerRejected:
    message = _format_error(label, response.status_code, body, "refused")
    return refusal(response.status_code, message, _retry_after_seconds(response, received_at))


def _retry_after_seconds(response: httpx.Response, received_at: datetime) -> float | None:
    """Read seconds, or an instant by the server's clock (RFC 9110, section 10.2.3)."""
    text = response.headers.get("Retry-After", "")
    if text.isascii() and text.isdigit():
        return float(text)
    instant = _instant(text)
    if instant is None:
        return None
    return max(0.0, (instant - (_sent_at(response) or received_at)).total_seconds())


def _sent_at(response: httpx.Response) -> datetime | None:
    # A cache repeats the time of the first answer, and says so by its age.
    return None if "Age" in response.headers else _instant(response.headers.get("Date", ""))


def _instant(date: str) -> datetime | None:
    try:
        instant = parsedate_to_datetime(date)
        return instant.astimezone(UTC) if instant.tzinfo else instant.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _is_readable(response: httpx.Response) -> bool:
    """Return whether to unpack it: gzip within gzip grows a millionfold before it is counted."""
    return response.headers.get("Content-Encoding", "").lower() in ("", "identity", "gzip")


def _start(response: httpx.Response, until: float) -> bytes:
    """Read enough of the body of an error to show; some hold 34 kB of inner workings."""
    body = b""
    if _is_readable(response):
        with suppress(httpx.HTTPError):  # the status says what is wrong all the same
            for piece in response.iter_bytes():
                body += piece
                if len(body) >= _SHOWN_BYTES or time.monotonic() >= until:
                    break
    return body


def _body(response: httpx.Response, label: str, until: float, max_bytes: int) -> bytes:
    if not _is_readable(response):
        encoding = response.headers["Content-Encoding"]
        raise ServerMalformed(
            f"{label}: status 200: in an encoding that was not asked for: {encoding!r}"
        )
    body = bytearray()
    for piece in _pieces(response, label, until):
        body += piece
        if len(body) > max_bytes:
            raise ServerMalformed(_format_error(label, 200, body, f"more than {max_bytes} bytes"))
    return bytes(body)


def _pieces(response: httpx.Response, label: str, until: float) -> Iterator[bytes]:
    for piece in response.iter_bytes():
        _refuse_late(response, label, until, piece)
        yield piece
    _refuse_late(response, label, until)  # without a length, what was cut off looks complete


def _refuse_late(response: httpx.Response, label: str, until: float, piece: bytes = b"") -> None:
    if time.monotonic() >= until:
        raise ServerUnavailable(
            _format_error(label, response.status_code, piece, "not complete before its deadline")
        )


def _format_error(label: str, status: int, body: bytes | bytearray | None, why: str) -> str:
    shown = "" if body is None else f": {bytes(body[:_SHOWN_BYTES])!r}"
    return f"{label}: status {status}: {why}{shown}"


def _without_secrets(url: httpx.URL) -> httpx.URL:
    return url.copy_with(userinfo=b"") if url.userinfo else url
