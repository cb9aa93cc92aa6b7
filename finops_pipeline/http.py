"""The only user of httpx: one bounded request, one answer or one typed error.

Every error names URL, status and the first 200 bytes; no error holds a header or a password.
"""

import ssl
import time
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cache

import httpx

from finops_pipeline.errors import (
    SourceExpired,
    SourceMalformed,
    SourceRejected,
    SourceUnavailable,
)

DEADLINE_SECONDS = 180.0  # OpenCost answers 3,000 containers in 1.7 s, long windows in minutes
MAX_BYTES = 256 * 2**20  # 10,000 pods are 21.5 MB; a gzip bomb stops here
_SHOWN_BYTES = 200


@dataclass(frozen=True)
class Answer:
    """A complete body with status 200."""

    request: str
    body: bytes
    sent_at: datetime | None = None  # by the server's clock; None when it does not say

    def malformed(self, why: object) -> SourceMalformed:
        """The error to raise when the body is not what was asked for."""
        return SourceMalformed(_told(self.request, 200, self.body, str(why)))


def client(
    base_url: str,
    *,
    token: str | None = None,
    headers: Mapping[str, str] | None = None,
    verify: bool | ssl.SSLContext = True,
    timeout: float = DEADLINE_SECONDS,
    proxy: str | None = None,
) -> httpx.Client:
    """A client for one server; redirects are not followed.

    Args:
        base_url: kept as written; a path such as ``/model`` stays in front of every path.
        token: sent as bearer token.
        headers: sent with every request, such as ``X-Scope-OrgID``.
        verify: whether certificates are checked, or how.
        timeout: longest wait for a connection and for each piece of an answer [seconds].
        proxy: URL of a proxy; without it those of the environment are used.
    """
    own = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.Client(
        base_url=base_url,
        headers={**(headers or {}), **own},
        verify=_trusted() if verify is True else verify,
        timeout=timeout,
        proxy=proxy,
    )


@cache
def _trusted() -> ssl.SSLContext:
    """The authorities that everybody trusts: 35 ms to load, for each client of each cluster."""
    return httpx.create_ssl_context()


def get(
    client: httpx.Client,
    path: str,
    params: Mapping[str, str],
    *,
    deadline_seconds: float = DEADLINE_SECONDS,
    max_bytes: int = MAX_BYTES,
) -> Answer:
    """Body of one GET, decompressed.

    Args:
        client: from :func:`client`.
        path: below its base URL.
        params: the query, in this order.
        deadline_seconds: for the whole answer; one that stops coming altogether is noticed no
            later than one such time after its last piece.
        max_bytes: of the decompressed body.

    Raises:
        SourceUnavailable: no complete answer in time, 429 or a 5xx.
        SourceRejected: any other status than 200; SourceExpired if that is 410.
        SourceMalformed: too large, or not in the encoding it claims.
    """
    request = client.build_request(
        "GET", path, params=params, timeout=_patience(client, deadline_seconds)
    )
    return _answer(client, request, time.monotonic() + deadline_seconds, max_bytes)


def post(
    client: httpx.Client,
    path: str,
    form: Mapping[str, str],
    *,
    deadline_seconds: float = DEADLINE_SECONDS,
    max_bytes: int = MAX_BYTES,
) -> Answer:
    """Body of one POST of a form: what :func:`get` does, for parameters too long for a URL."""
    request = client.build_request(
        "POST", path, data=form, timeout=_patience(client, deadline_seconds)
    )
    return _answer(client, request, time.monotonic() + deadline_seconds, max_bytes)


def _patience(client: httpx.Client, deadline_seconds: float) -> float:
    return max(0.001, min(client.timeout.read or deadline_seconds, deadline_seconds))


def _answer(client: httpx.Client, request: httpx.Request, until: float, max_bytes: int) -> Answer:
    asked = f"{request.method} {_without_secrets(request.url)}"
    with _typed_errors(asked):
        response = client.send(request, stream=True)
        with closing(response):
            if response.status_code != httpx.codes.OK:
                raise _refused(asked, response.status_code, _start(response, asked, until))
            sent_at = _sent_at(response.headers.get("Date", ""))
            return Answer(asked, _body(response, asked, until, max_bytes), sent_at)


def _sent_at(date: str) -> datetime | None:
    try:
        return parsedate_to_datetime(date).astimezone(UTC)
    except ValueError:
        return None


@contextmanager
def _typed_errors(asked: str) -> Iterator[None]:
    try:
        yield
    except httpx.DecodingError as error:
        raise SourceMalformed(f"{asked}: status 200: not in its encoding: {error}") from error
    except httpx.HTTPError as error:
        raise SourceUnavailable(f"{asked}: no answer: {type(error).__name__} {error}") from error


def _refused(asked: str, status: int, body: bytes) -> SourceUnavailable | SourceRejected:
    message = _told(asked, status, body, "refused")
    if status == httpx.codes.TOO_MANY_REQUESTS or status >= 500:
        return SourceUnavailable(message)
    return SourceExpired(message) if status == httpx.codes.GONE else SourceRejected(message)


def _start(response: httpx.Response, asked: str, until: float) -> bytes:
    """Enough of the body of an error to show; some hold 34 kB of inner workings."""
    body = b""
    for piece in _pieces(response, asked, until):
        body += piece
        if len(body) >= _SHOWN_BYTES:
            break
    return body


def _body(response: httpx.Response, asked: str, until: float, max_bytes: int) -> bytes:
    body = bytearray()
    for piece in _pieces(response, asked, until):
        body += piece
        if len(body) > max_bytes:
            raise SourceMalformed(_told(asked, 200, body, f"more than {max_bytes} bytes"))
    return bytes(body)


def _pieces(response: httpx.Response, asked: str, until: float) -> Iterator[bytes]:
    for piece in response.iter_bytes():
        # A server that drips a byte now and then never meets the timeout of a single read.
        if time.monotonic() > until:
            raise SourceUnavailable(
                _told(asked, response.status_code, piece, "not complete before its deadline")
            )
        yield piece


def _told(asked: str, status: int, body: bytes | bytearray, why: str) -> str:
    return f"{asked}: status {status}: {why}: {bytes(body[:_SHOWN_BYTES])!r}"


def _without_secrets(url: httpx.URL) -> httpx.URL:
    return url.copy_with(userinfo=b"") if url.userinfo else url
