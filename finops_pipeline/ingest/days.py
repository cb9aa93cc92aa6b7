"""Reads what each UTC day cost in one piece, once its windows are read for the last time.

Days come after all windows and have a small share of the tick: they delay nothing. The ledger knows
a day as the window that it begins with.
"""

import time
from collections.abc import Callable, Collection, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime

import pyarrow as pa

from finops_pipeline.errors import ServerError
from finops_pipeline.ingest.windows import MOST_CLUSTERS_AT_ONCE, Progress
from finops_pipeline.installation.context import Installation
from finops_pipeline.installation.recording import record
from finops_pipeline.installation.source_registry import OPENCOST_DAY, Clients, open_clients
from finops_pipeline.settings import Cluster
from finops_pipeline.sources.reconciliation import COLUMNS, judge_day
from finops_pipeline.sources.retry import RetryBudget
from finops_pipeline.state.window import FINAL, LOST, Key, Window
from finops_pipeline.units import DAY, WINDOW, day_start

_TABLES = OPENCOST_DAY.tables
_WINDOWS = "raw.allocation"
_WINDOWS_A_DAY = DAY // WINDOW
_BUDGET_RATIO = 0.25  # of the time for windows; a day of 10,000 containers takes a minute or two
# Days of a cluster in a tick: a backlog of 14 is read within a bit more than an hour.
_MOST_AT_ONCE = 3
# Days before the lookback that are looked for, so that the ledger says that they are lost.
_BEFORE_LOOKBACK = 2 * DAY
_EMPTY = "no window of the day was read"
_TOO_OLD = "not read before the day was too old to be asked for (ingest.lookback_days)"
_FORGOTTEN = "opencost has no row for the day: it has forgotten it"


def read_days(
    installation: Installation,
    new_retry_budget: Callable[[float], RetryBudget] = RetryBudget,
    monotonic: Callable[[], float] = time.monotonic,
) -> list[Progress]:
    """Read the days that are due, of every cluster, a few at a time.

    Args:
        installation: where they are kept.
        new_retry_budget: makes that of a cluster, out of the time at which the days' share ends.
        monotonic: a clock of seconds that only goes forward, by which that time is measured.

    Returns:
        The progress of each cluster, in the order of the settings.

    Raises:
        LakeDamaged: a file with windows of a day is damaged.
    """
    settings = installation.settings
    until = monotonic() + settings.ingest.budget_seconds * _BUDGET_RATIO
    count = max(1, min(len(settings.clusters), MOST_CLUSTERS_AT_ONCE))
    with ThreadPoolExecutor(count) as threads:
        progress = threads.map(
            lambda cluster: _read_cluster(installation, cluster, new_retry_budget(until)),
            settings.clusters,
        )
    _finish_requests(installation)
    return list(progress)


def request_days(installation: Installation, days: Collection[date]) -> None:
    """Ask for days that were chosen by hand, however old; lost ones are asked for again."""
    now = installation.clock()
    start = installation.lookback_start(now)
    installation.state.lookback.request(_TABLES, days, start, now)


def due_days(installation: Installation, cluster: Cluster) -> list[date]:
    """List the days to be read now: oldest first, since sources forget those; failed ones last.

    A day whose windows are all lost, or that has become too old, is lost on the way.
    """
    unread = dict(_unread(installation, cluster))
    due = [day for day in unread if not _is_given_up(installation, cluster, day)]
    return sorted(due, key=lambda day: (_failed_at(unread[day]), day))


def _failed_at(window: Window | None) -> datetime:
    """Return when a day was tried in vain; long ago when it was not."""
    return (window and window.failed_at) or datetime.min.replace(tzinfo=UTC)


def _unread(installation: Installation, cluster: Cluster) -> Iterator[tuple[date, Window | None]]:
    """Yield days whose windows are all final or lost, with the ledger's row of the day itself."""
    now = installation.clock()
    first = max(installation.lookback_start(now) - _BEFORE_LOOKBACK, installation.raw_start(now))
    count = (now - day_start(first.date())) // DAY
    recent = {first.date() + n * DAY for n in range(count)}
    requested = installation.state.lookback.requested_days(_TABLES)
    older = {day for day in requested if day_start(day) >= installation.raw_start(now)}
    for day in sorted(recent | older):
        whole = _day_windows(installation, cluster, day).get((_TABLES[0], day_start(day)))
        if whole is None or not _is_over([whole]):
            windows = installation.state.ledger.day([_WINDOWS], cluster.name, day)
            if _is_over(windows.values()) and len(windows) == _WINDOWS_A_DAY:
                yield day, whole


def _is_over(windows: Collection[Window]) -> bool:
    """Return whether none is going to be read any more; False where there are none."""
    return bool(windows) and all(window.status in (FINAL, LOST) for window in windows)


def _day_windows(installation: Installation, cluster: Cluster, day: date) -> dict[Key, Window]:
    return installation.state.ledger.day(_TABLES, cluster.name, day)


def _is_given_up(installation: Installation, cluster: Cluster, day: date) -> bool:
    now, ledger = installation.clock(), installation.state.ledger
    windows = ledger.day([_WINDOWS], cluster.name, day).values()
    is_old = day_start(day) + DAY <= installation.lookback_start(now)
    if not any(window.file for window in windows):
        _lose_day(installation, cluster, day, _EMPTY)
    elif is_old and day not in installation.state.lookback.requested_days(_TABLES):
        _lose_day(installation, cluster, day, _TOO_OLD)
    else:
        return False
    return True


def _lose_day(installation: Installation, cluster: Cluster, day: date, reason: str) -> None:
    start, at = day_start(day), installation.clock()
    installation.state.ledger.lose(_TABLES, cluster.name, start, start + WINDOW, at, reason)


def _read_cluster(
    installation: Installation, cluster: Cluster, retry_budget: RetryBudget
) -> Progress:
    progress = Progress(cluster.name)
    days = due_days(installation, cluster)[:_MOST_AT_ONCE]
    if not days:
        return progress
    try:
        with open_clients(cluster, retry_budget) as clients:
            for day in days:
                if retry_budget.wait_for_next():
                    _read(installation, clients, day, progress)
    except ServerError as error:
        progress.failures.append(str(error))
        start, at = day_start(day), installation.clock()
        installation.state.ledger.fail(_TABLES, cluster.name, start, at, str(error))
    return progress


def _read(installation: Installation, clients: Clients, day: date, progress: Progress) -> None:
    at = installation.clock()
    reading = OPENCOST_DAY.read(clients, day_start(day), at, True)
    if not reading.tables[_TABLES[0]].num_rows:
        _lose_day(installation, clients.cluster, day, _FORGOTTEN)
        return
    reading = judge_day(reading, _window_rows(installation, clients.cluster, day))
    record(installation.lake, installation.state.ledger, [reading])
    progress.add([reading])


def _window_rows(installation: Installation, cluster: Cluster, day: date) -> pa.Table | None:
    """Return the rows of all windows of a day; None where some were never read."""
    ledger = installation.state.ledger
    windows = ledger.day([_WINDOWS], cluster.name, day).values()
    paths = sorted({window.file for window in windows if window.file})
    if any(window.file is None for window in windows):
        return None
    return pa.concat_tables(
        installation.lake.read(path, ledger.file_sha256(path), COLUMNS) for path in paths
    )


def _finish_requests(installation: Installation) -> None:
    lookback = installation.state.lookback
    requested = lookback.requested_days(_TABLES)
    open_days = {
        day
        for day in requested
        for cluster in installation.settings.clusters
        if not _is_over(_day_windows(installation, cluster, day).values())
    }
    lookback.finish(_TABLES, requested - open_days)
