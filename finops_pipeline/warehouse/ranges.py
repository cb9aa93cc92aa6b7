"""Spans of time that are deleted and filled at once.

At most a week of a table is filled in one statement: what years add up to need not fit into the
database at once, and a crash loses a week.
"""

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
        """Return the SQL condition that a column of instants or days lies in the range."""
        return f"{column} >= '{self.start}' and {column} < '{self.end}'"

    def select(self, instants: Iterable[datetime]) -> list[datetime]:
        """Return the instants that lie in the range."""
        return [instant for instant in instants if self.start <= instant < self.end]


def range_condition(column: str) -> str:
    """Return the SQL condition that a column lies between the parameters ``start`` and ``end``."""
    return f"{column} >= $start and {column} < $end"


ALWAYS = Range(datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))
NEVER = Range(ALWAYS.start, ALWAYS.start)


def day_ranges(instants: Iterable[datetime]) -> list[Range]:
    """List the UTC days that instants lie in, each as a range of its own."""
    starts = sorted({day_start(instant.date()) for instant in instants})
    return [Range(start, start + DAY) for start in starts]


def hour_starts(part: Range) -> list[datetime]:
    """List the first instants of the hours of a range that begins and ends on the hour."""
    count = (part.end - part.start) // HOUR
    return [part.start + number * HOUR for number in range(count)]


def join_slots(
    slots: Iterable[datetime], step: timedelta, longest: timedelta = _LONGEST
) -> list[Range]:
    """Cover slots of one length by ranges, joined where the slots touch.

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
