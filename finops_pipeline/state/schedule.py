"""Schedule of readings: a window is read once it has settled, after an hour, a day, then never."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from finops_pipeline.units import DAY, HOUR, WINDOW, windows

MISSING = "missing"
FAILED = "failed before"
AGAIN = "to be read again"


@dataclass(frozen=True)
class WindowStatus:
    """Status of a window in the ledger, over all tables of one source."""

    is_read: bool  # every table is provisional, final or lost
    next_read_at: datetime | None = None  # earliest of its tables
    failure: str | None = None  # message of the last attempt, if that failed
    failed_at: datetime | None = None  # when that was


@dataclass(frozen=True)
class Due:
    """Window to be read now, and why."""

    window_start: datetime
    kind: str  # MISSING, FAILED or AGAIN
    detail: str = ""

    @property
    def reason(self) -> str:
        """``missing``, ``failed before: 503 …`` or ``to be read again after 1 h``."""
        return f"{self.kind}{': ' if self.kind == FAILED else ' '}{self.detail}".strip()


@dataclass(frozen=True)
class Schedule:
    """Instants at which a window is read, counted from its end.

    Args:
        settle: how long after its end it is read first; samples arrive late.
        rereads: ages at which it is read again.
        last_rereads: one age more by cluster, where the source goes on changing windows.
    """

    settle: timedelta = timedelta(minutes=5)
    rereads: tuple[timedelta, ...] = (HOUR, DAY)
    last_rereads: Mapping[str, timedelta] = field(default_factory=dict)

    def of_cluster(self, cluster: str) -> "Schedule":
        """Return the schedule of one cluster."""
        last_reread = self.last_rereads.get(cluster)
        return replace(self, rereads=(*self.rereads, last_reread)) if last_reread else self

    def next_reading(self, window_start: datetime, read_at: datetime) -> datetime | None:
        """Return the first point of the schedule after a reading; None if that was the last."""
        points = (window_start + WINDOW + after for after in sorted(self.rereads))
        return next((point for point in points if point > read_at), None)

    def due(
        self,
        now: datetime,
        statuses: Mapping[datetime, WindowStatus],
        start: datetime,
        end: datetime,
    ) -> list[Due]:
        """List the windows of ``[start, end)`` to be read now, in the order to serve them.

        The newest missing window comes first, since people look at it; then the other missing ones
        and then those to be read again, oldest first, since sources forget those first. What failed
        before comes last, the longest untried first: a source that is broken for a few windows is
        not asked on, and would keep all others waiting. Windows that end after ``now - settle`` are
        left out.
        """
        settled = [at for at in windows(start, end) if at + WINDOW <= now - self.settle]
        missing = [at for at in settled if at not in statuses or not statuses[at].is_read]
        again = [at for at in settled if at in statuses and _is_waiting(statuses[at], now)]
        due = [_first_reading(at, statuses.get(at)) for at in missing] + [
            _later_reading(at, statuses[at]) for at in again
        ]
        newest = due.pop(len(missing) - 1) if missing else None
        due.sort(key=lambda window: _failed_at(statuses.get(window.window_start)))
        return [newest, *due] if newest else due


def after_end(window_start: datetime, instant: datetime) -> str:
    """Format how long after a window's end an instant lies: ``after 1 h``."""
    hours = (instant - window_start - WINDOW) / HOUR
    return f"after {hours:.3g} h"


def _is_waiting(status: WindowStatus, now: datetime) -> bool:
    return status.is_read and status.next_read_at is not None and status.next_read_at <= now


def _failed_at(status: WindowStatus | None) -> datetime:
    """Return when a window was tried in vain; an instant long ago when it was not."""
    return (status and status.failed_at) or datetime.min.replace(tzinfo=UTC)


def _first_reading(window_start: datetime, status: WindowStatus | None) -> Due:
    failure = status.failure if status else None
    return Due(window_start, FAILED, failure) if failure else Due(window_start, MISSING)


def _later_reading(window_start: datetime, status: WindowStatus) -> Due:
    point = status.next_read_at or window_start
    return Due(window_start, AGAIN, after_end(window_start, point))
