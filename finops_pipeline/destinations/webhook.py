"""A message to whoever operates the pipeline: one JSON object, posted to a URL of their choice.

``text`` is what chats show. The URL may hold a token, so no error shows more of it than its host.
"""

import json
from collections.abc import Mapping
from http import HTTPStatus
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

import stamina

from finops_pipeline.errors import DeliveryError, DeliveryUnavailable

_ATTEMPTS = 4
_PATIENCE_SECONDS = 30.0  # nothing is tried after it; whoever waits for a sensor waits 60


def post(url: str, message: Mapping[str, str], timeout_seconds: float = 10.0) -> None:
    """Post a message; any 2xx will do. Where nobody answers, it is tried again for half a minute.

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
        wait_initial=2.0,
        wait_max=8.0,
    ):
        with attempt:
            _send(request, timeout_seconds)


def _send(request: Request, timeout_seconds: float) -> None:
    host = urlsplit(request.full_url).hostname
    try:
        with urlopen(request, timeout=timeout_seconds):  # noqa: S310
            return
    except HTTPError as error:
        with error:
            said = error.read(200).decode(errors="replace").strip()
        may_pass = error.code == HTTPStatus.TOO_MANY_REQUESTS or error.code >= 500
        kind = DeliveryUnavailable if may_pass else DeliveryError
        raise kind(f"webhook at {host}: status {error.code}: {said}") from None
    except (OSError, HTTPException) as error:
        raise DeliveryUnavailable(f"webhook at {host}: no answer: {error}") from None
