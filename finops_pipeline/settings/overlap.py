"""Which names a pattern is for, and when something holds: whether two of them meet."""

from datetime import date
from fnmatch import fnmatchcase
from typing import Protocol


class Dated(Protocol):
    """Something that holds for a while."""

    @property
    def valid_from(self) -> date | None:
        """First day it holds; None: always did."""

    @property
    def valid_until(self) -> date | None:
        """First day it no longer holds; None: open."""


def matches(pattern: str, name: str) -> bool:
    """Whether a pattern is for a name: ``*`` is any text, ``?`` any character."""
    return fnmatchcase(name, pattern)


def covers(wide: str, narrow: str) -> bool:
    """Whether one pattern is for every name that the other is for.

    True is certain; ``?*`` is for all that ``*a*`` is for, and is not recognised.
    """
    # The narrow pattern is read as a name: only a * can stand for its *.
    return fnmatchcase(narrow, wide.replace("?", "[!*]"))


def holds(it: Dated, day: date) -> bool:
    """Whether it holds on a day."""
    start, end = _span(it)
    return start <= day < end


def meet(one: Dated, other: Dated) -> bool:
    """Whether there is a day on which both hold."""
    (one_start, one_end), (other_start, other_end) = _span(one), _span(other)
    return max(one_start, other_start) < min(one_end, other_end)


def outlasts(long: Dated, short: Dated) -> bool:
    """Whether one holds on every day on which the other holds."""
    (long_start, long_end), (short_start, short_end) = _span(long), _span(short)
    return long_start <= short_start and short_end <= long_end


def _span(it: Dated) -> tuple[date, date]:
    return it.valid_from or date.min, it.valid_until or date.max
