"""Windows, days and byte units: the grid that every number lies on."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta

WINDOW = timedelta(minutes=15)
HOUR = timedelta(hours=1)
DAY = timedelta(days=1)
MIB = 2**20
GIB = 2**30
GB = 10**9
MONTH_HOURS = 730  # of a mean month, as clouds count


def rfc3339(instant: datetime) -> str:
    """Format an instant as ``2026-11-23T10:00:00Z``, the only form that OpenCost takes."""
    return instant.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def window_start(instant: datetime) -> datetime:
    """Return the first instant of the window that an instant lies in."""
    utc = instant.astimezone(UTC)
    return utc.replace(minute=utc.minute - utc.minute % 15, second=0, microsecond=0)


def windows(start: datetime, end: datetime) -> Iterator[datetime]:
    """List the starts of the windows of ``[start, end)``, oldest first; ``start`` is one."""
    while start < end:
        yield start
        start += WINDOW


def day_start(day: date) -> datetime:
    """Return the first instant of a UTC day."""
    return datetime(day.year, day.month, day.day, tzinfo=UTC)
