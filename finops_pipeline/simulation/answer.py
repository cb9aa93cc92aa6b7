"""The answer of every dialect: a status, a type and bytes."""

from typing import Final, NamedTuple

JSON: Final = "application/json"
TEXT: Final = "text/plain; charset=utf-8"


class Answer(NamedTuple):
    """HTTP answer of the pretend cluster."""

    body: bytes
    status: int = 200
    content_type: str = JSON
    sent_at: float | None = None  # seconds since 1970 that its Date says; None: the real time


def not_found() -> Answer:
    """Return Go's answer to a path that has no handler."""
    return Answer(b"404 page not found\n", 404, TEXT)
