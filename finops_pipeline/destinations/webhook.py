"""A message to whoever operates the pipeline: one JSON object, posted to a URL of their choice.

``text`` is what chats show. The URL may hold a token, so no error shows more of it than its host.
"""

import time
from collections.abc import Mapping
from contextlib import closing

import httpx
import stamina

from finops_pipeline.errors import DeliveryError, DeliveryUnavailable
from finops_pipeline.http import cut_off

_ATTEMPTS = 3
_PATIENCE_SECONDS = 6.0  # nothing is tried after it: Dagster gives five alerts 60 s together
_SHOWN_BYTES = 200


def post(url: str, message: Mapping[str, str], deadline_seconds: float = 4.0) -> None:
    """Post a message; any 2xx will do. Where nobody answers, it is tried again for some seconds.

    An answer that is lost makes a message arrive twice. A redirect is no delivery: followed, the
    message would be left behind.

    Args:
        url: ``http://`` or ``https://``, as the settings have checked.
        message: the object that is posted.
        deadline_seconds: for the whole of each attempt, however slowly an answer drips.

    Raises:
        DeliveryUnavailable: nobody answers, or with 429 or a 5xx, however often it is tried.
        DeliveryError: the message was refused.
    """
    with httpx.Client(timeout=deadline_seconds) as client:
        # Not as a decorator: the arguments, which hold the URL, would be logged with each attempt.
        for attempt in stamina.retry_context(
            on=DeliveryUnavailable,
            attempts=_ATTEMPTS,
            timeout=_PATIENCE_SECONDS,
            wait_initial=1.0,
            wait_max=2.0,
        ):
            with attempt:
                _send(client, client.build_request("POST", url, json=message), deadline_seconds)


def _send(client: httpx.Client, request: httpx.Request, deadline_seconds: float) -> None:
    host, until = request.url.host, time.monotonic() + deadline_seconds
    try:
        with cut_off(request, until), closing(client.send(request, stream=True)) as response:
            if response.is_success:
                return
            said = _beginning(response)
    except httpx.HTTPError as error:
        when = " before its deadline" if time.monotonic() >= until else ""
        raise DeliveryUnavailable(f"webhook at {host}: no answer{when}: {error}") from None
    status = response.status_code
    may_pass = status == httpx.codes.TOO_MANY_REQUESTS or response.is_server_error
    kind = DeliveryUnavailable if may_pass else DeliveryError
    raise kind(f"webhook at {host}: status {status}: {said}")


def _beginning(response: httpx.Response) -> str:
    """Of an answer that may break off, which changes nothing."""
    try:
        piece = next(response.iter_bytes(_SHOWN_BYTES), b"")
    except httpx.HTTPError as error:
        return f"its answer breaks off: {error}"
    return piece.decode(errors="replace").strip()
