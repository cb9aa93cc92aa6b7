"""Spans of time that are deleted and filled at once."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from finops_pipeline.units import DAY, HOUR, day_start

# Filled in one statement at most; a week of a large cluster still fits into memory.
_LONGEST = timedelta(days=7)


@dataclass(frozen=True)
class Range:
    """Instants ``[start, end)``, UTC."""

    start: datetime
    end: datetime

    def condition(self, column: str) -> str:
        """That a column of instants or days lies in it."""
        return f"{column} >= '{self.start}' and {column} < '{self.end}'"

    def of(self, instants: Iterable[datetime]) -> list[datetime]:
        """Those of some instants that lie in it."""
        return [instant for instant in instants if self.start <= instant < self.end]


def within(column: str) -> str:
    """That a column lies in the range whose instants are the parameters ``start`` and ``end``."""
    return f"{column} >= $start and {column} < $end"


ALWAYS = Range(datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))
NEVER = Range(ALWAYS.start, ALWAYS.start)


def days(instants: Iterable[datetime]) -> list[Range]:
    """The UTC days that some instants lie in, each a range of its own."""
    starts = sorted({day_start(instant.date()) for instant in instants})
    return [Range(start, start + DAY) for start in starts]


def hours(part: Range) -> list[datetime]:
    """First instants of the hours of a range that begins and ends with one."""
    count = (part.end - part.start) // HOUR
    return [part.start + number * HOUR for number in range(count)]


def joined(
    slots: Iterable[datetime], step: timedelta, longest: timedelta = _LONGEST
) -> list[Range]:
    """Ranges that cover slots of one length, joined where they touch.

    Args:
        slots: first instants, in any order.
        step: how long each slot is.
        longest: of a range; a week by default.
    """
    ranges: list[Range] = []
    for slot in sorted(slots):
        last = ranges[-1] if ranges else NEVER
        if last.end == slot and slot - last.start < longest:
            ranges[-1] = Range(last.start, slot + step)
        else:
            ranges.append(Range(slot, slot + step))
    return ranges
