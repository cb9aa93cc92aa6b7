"""When a window is read: once it has settled, again after an hour and a day, then never."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from finops_pipeline.units import DAY, HOUR, WINDOW, windows

MISSING = "missing"
FAILED = "failed before"
AGAIN = "to be read again"


@dataclass(frozen=True)
class KnownWindow:
    """What the ledger knows of a window, over all tables of one source."""

    is_read: bool  # every table is provisional, final or lost
    next_read_at: datetime | None = None  # earliest of its tables
    failure: str | None = None  # message of the last attempt, if that failed
    failed_at: datetime | None = None  # when that was


@dataclass(frozen=True)
class Due:
    """A window to be read now, and why."""

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

    def of(self, cluster: str) -> "Schedule":
        """The schedule of one cluster."""
        own = self.last_rereads.get(cluster)
        return replace(self, rereads=(*self.rereads, own)) if own else self

    def next_reading(self, window_start: datetime, read_at: datetime) -> datetime | None:
        """First point of the schedule after a reading; None when that was the last one."""
        points = (window_start + WINDOW + after for after in sorted(self.rereads))
        return next((point for point in points if point > read_at), None)

    def due(
        self, now: datetime, known: Mapping[datetime, KnownWindow], start: datetime, end: datetime
    ) -> list[Due]:
        """Windows of ``[start, end)`` to be read now, in the order to serve them.

        The newest missing window comes first, since people look at it; then the other missing ones
        and then those to be read again, oldest first, since sources forget those first. What failed
        before comes last, the longest untried first: a source that is broken for a few windows is
        not asked on, and would keep all others waiting. Windows that end after ``now - settle`` are
        left out.
        """
        settled = [at for at in windows(start, end) if at + WINDOW <= now - self.settle]
        missing = [at for at in settled if at not in known or not known[at].is_read]
        again = [at for at in settled if at in known and _is_waiting(known[at], now)]
        due = [_missing(at, known.get(at)) for at in missing] + [
            _again(at, known[at]) for at in again
        ]
        newest = due.pop(len(missing) - 1) if missing else None
        due.sort(key=lambda window: _failed_at(known.get(window.window_start)))
        return [newest, *due] if newest else due


def after_end(window_start: datetime, instant: datetime) -> str:
    """How long after a window's end an instant lies: ``after 1 h``."""
    hours = (instant - window_start - WINDOW) / HOUR
    return f"after {hours:.3g} h"


def _is_waiting(known: KnownWindow, now: datetime) -> bool:
    return known.is_read and known.next_read_at is not None and known.next_read_at <= now


def _failed_at(known: KnownWindow | None) -> datetime:
    """When it was tried in vain; long ago when it was not."""
    return (known and known.failed_at) or datetime.min.replace(tzinfo=UTC)


def _missing(window_start: datetime, known: KnownWindow | None) -> Due:
    failure = known.failure if known else None
    return Due(window_start, FAILED, failure) if failure else Due(window_start, MISSING)


def _again(window_start: datetime, known: KnownWindow) -> Due:
    point = known.next_read_at or window_start
    return Due(window_start, AGAIN, after_end(window_start, point))
