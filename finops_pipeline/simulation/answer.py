"""What every dialect gives back: a status, a type and bytes."""

from typing import Final, NamedTuple

JSON: Final = "application/json"
TEXT: Final = "text/plain; charset=utf-8"


class Answer(NamedTuple):
    """One HTTP answer."""

    body: bytes
    status: int = 200
    content_type: str = JSON
    sent_at: float | None = None  # seconds since 1970 that its Date says; None: the real time


def not_found() -> Answer:
    """Go's answer to a path that nobody serves."""
    return Answer(b"404 page not found\n", 404, TEXT)
