"""A message to whoever operates the pipeline: one JSON object, posted to a URL of their choice.

``text`` is what chats show. The URL may hold a token, so no error shows more of it than its host.
"""

import json
from collections.abc import Mapping
from http import HTTPStatus
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import HTTPRedirectHandler, Request, build_opener

import stamina

from finops_pipeline.errors import DeliveryError, DeliveryUnavailable

_ATTEMPTS = 3
_PATIENCE_SECONDS = 6.0  # nothing is tried after it: Dagster gives five alerts 60 s together


class _Refused(HTTPRedirectHandler):
    """Followed, a POST would become a GET, and the answer to that no delivery."""

    def redirect_request(self, *_: object) -> None:
        """No request: the redirect is the answer."""


_OPENER = build_opener(_Refused)


def post(url: str, message: Mapping[str, str], timeout_seconds: float = 4.0) -> None:
    """Post a message; any 2xx will do. Where nobody answers, it is tried again for some seconds.

    An answer that is lost makes a message arrive twice.

    Args:
        url: ``http://`` or ``https://``, as the settings have checked.
        message: the object that is posted.
        timeout_seconds: for the connection, and again for the answer; of each attempt.

    Raises:
        DeliveryUnavailable: nobody answers, or with 429 or a 5xx, however often it is tried.
        DeliveryError: the message was refused.
    """
    body = json.dumps(message).encode()
    request = Request(url, body, {"Content-Type": "application/json"})  # noqa: S310  # checked
    # Not as a decorator: the arguments, which hold the URL, would be logged with each attempt.
    for attempt in stamina.retry_context(
        on=DeliveryUnavailable,
        attempts=_ATTEMPTS,
        timeout=_PATIENCE_SECONDS,
        wait_initial=1.0,
        wait_max=2.0,
    ):
        with attempt:
            _send(request, timeout_seconds)


def _send(request: Request, timeout_seconds: float) -> None:
    host = urlsplit(request.full_url).hostname
    try:
        with _OPENER.open(request, timeout=timeout_seconds):
            return
    except HTTPError as error:
        may_pass = error.code == HTTPStatus.TOO_MANY_REQUESTS or error.code >= 500
        kind = DeliveryUnavailable if may_pass else DeliveryError
        raise kind(f"webhook at {host}: status {error.code}: {_said(error)}") from None
    except (OSError, HTTPException) as error:
        raise DeliveryUnavailable(f"webhook at {host}: no answer: {error}") from None


def _said(error: HTTPError) -> str:
    """The beginning of an answer; it may break off, which changes nothing."""
    with error:
        try:
            return error.read(200).decode(errors="replace").strip()
        except (OSError, HTTPException) as broken:
            return f"its answer breaks off: {broken}"
