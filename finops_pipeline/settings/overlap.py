"""Comparison of patterns by the names they match, and of entries by the days they hold."""

from datetime import date
from fnmatch import fnmatchcase
from typing import Protocol


class Dated(Protocol):
    """An entry of the settings that holds for some days."""

    @property
    def valid_from(self) -> date | None:
        """The first day it holds; None: it always did."""

    @property
    def valid_until(self) -> date | None:
        """The first day it no longer holds; None: it has no end."""


def matches(pattern: str, name: str) -> bool:
    """Return whether a pattern matches a name: ``*`` is any text, ``?`` any character."""
    return fnmatchcase(name, pattern)


def is_wider(wide: str, narrow: str) -> bool:
    """Return whether a pattern matches every name that the other matches.

    True is certain; ``?*`` matches all that ``*a*`` does, and is not recognised.
    """
    # The narrow pattern is read as a name: only a * can stand for its *.
    return fnmatchcase(narrow, wide.replace("?", "[!*]"))


def holds(entry: Dated, day: date) -> bool:
    """Return whether an entry holds on a day."""
    start, end = _span(entry)
    return start <= day < end


def is_simultaneous(first: Dated, second: Dated) -> bool:
    """Return whether there is a day on which both entries hold."""
    (first_start, first_end), (second_start, second_end) = _span(first), _span(second)
    return max(first_start, second_start) < min(first_end, second_end)


def is_longer(long: Dated, short: Dated) -> bool:
    """Return whether an entry holds on every day on which the other holds."""
    (long_start, long_end), (short_start, short_end) = _span(long), _span(short)
    return long_start <= short_start and short_end <= long_end


def _span(entry: Dated) -> tuple[date, date]:
    return entry.valid_from or date.min, entry.valid_until or date.max
