"""Messages to the operators of the pipeline: one JSON object, posted to a URL of their choice.

``text`` is what chats show. The URL may hold a token, so no error shows more of it than its host.
"""

from collections.abc import Mapping

import stamina

from finops_pipeline import http
from finops_pipeline.errors import ServerUnavailable

_ATTEMPTS = 3
_RETRY_SECONDS = 6.0  # nothing is tried after it: Dagster gives five alerts 60 s together


def post(url: str, message: Mapping[str, str], deadline_seconds: float = 4.0) -> None:
    """Post a message; any 2xx will do. Where no answer comes, it is tried again for some seconds.

    An answer that is lost makes a message arrive twice.

    Args:
        url: ``http://`` or ``https://``, as the settings have checked.
        message: the object that is posted.
        deadline_seconds: for the whole of each attempt, however slowly an answer drips.

    Raises:
        ServerUnavailable: no answer, 429 or a 5xx, however often it is tried.
        ServerRejected: the message was refused, or redirected.
    """
    with http.client(timeout=deadline_seconds) as client:
        # Not as a decorator: the arguments, which hold the URL, would be logged with each attempt.
        for attempt in stamina.retry_context(
            on=ServerUnavailable,
            attempts=_ATTEMPTS,
            timeout=_RETRY_SECONDS,
            wait_initial=1.0,
            wait_max=2.0,
        ):
            with attempt:
                http.post_json(
                    client, url, message, name="webhook", deadline_seconds=deadline_seconds
                )
