"""A message to whoever operates the pipeline: one JSON object, posted to a URL of their choice.

``text`` is what chats show. The URL may hold a token, so no error shows more of it than its host.
"""

import json
from collections.abc import Mapping
from http.client import HTTPException
from urllib.error import HTTPError
from urllib.parse import urlsplit
from urllib.request import Request, urlopen

from finops_pipeline.errors import DeliveryError


def post(url: str, message: Mapping[str, str], timeout_seconds: float = 10.0) -> None:
    """Post a message; any 2xx will do.

    Args:
        url: ``http://`` or ``https://``, as the settings have checked.
        message: the object that is posted.
        timeout_seconds: for the connection, and again for the answer.

    Raises:
        DeliveryError: nobody answers, or the message was refused.
    """
    host = urlsplit(url).hostname
    body = json.dumps(message).encode()
    request = Request(url, body, {"Content-Type": "application/json"})  # noqa: S310  # checked
    try:
        with urlopen(request, timeout=timeout_seconds):  # noqa: S310
            return
    except HTTPError as error:
        with error:
            said = error.read(200).decode(errors="replace").strip()
        raise DeliveryError(f"webhook at {host}: status {error.code}: {said}") from None
    except (OSError, HTTPException) as error:
        raise DeliveryError(f"webhook at {host}: no answer: {error}") from None
