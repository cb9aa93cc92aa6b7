"""Spans of time that are deleted and filled at once."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

# Filled in one statement at most; a week of a large cluster still fits into memory.
_LONGEST = timedelta(days=7)


@dataclass(frozen=True)
class Range:
    """Instants ``[start, end)``, UTC."""

    start: datetime
    end: datetime


ALWAYS = Range(datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))
NEVER = Range(ALWAYS.start, ALWAYS.start)


def joined(slots: Iterable[datetime], step: timedelta) -> list[Range]:
    """Ranges of at most a week that cover slots of one length, joined where they touch.

    Args:
        slots: first instants, in any order.
        step: how long each slot is.
    """
    ranges: list[Range] = []
    for slot in sorted(slots):
        last = ranges[-1] if ranges else NEVER
        if last.end == slot and slot - last.start < _LONGEST:
            ranges[-1] = Range(last.start, slot + step)
        else:
            ranges.append(Range(slot, slot + step))
    return ranges
