"""Reads the windows that are due into the lake: one thread per cluster, one request at a time.

A source or cluster that fails stops nobody else: the ledger keeps the reason, the window stays due.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import groupby

from finops_pipeline.errors import SourceError, SourceMalformed, SourceUnavailable
from finops_pipeline.orchestration import inventory
from finops_pipeline.orchestration.installation import Installation
from finops_pipeline.orchestration.record import record
from finops_pipeline.orchestration.sources import SOURCES, Clients, Source, connected
from finops_pipeline.orchestration.tidy import compact, sweep
from finops_pipeline.settings import Cluster
from finops_pipeline.sources.belief import is_without_containers
from finops_pipeline.sources.patience import Patience
from finops_pipeline.sources.reading import REPORTED_CLOCK_DIFFERENCE, Reading
from finops_pipeline.state.ledger import Ledger
from finops_pipeline.state.schedule import Due
from finops_pipeline.units import DAY, WINDOW, rfc3339, window_start

# A source that gives this many bad answers in a row is broken; asking on would only load it.
_PATIENCE = 3
_MOST_CLUSTERS_AT_ONCE = 32


@dataclass
class Progress:
    """What one source of one cluster gave in this tick."""

    cluster: str
    window_counts: dict[date, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    is_over: bool = False  # the source is gone or the time is up: the rest stays due
    clock_difference: timedelta = timedelta()  # how far its clock is ahead of ours

    def add(self, readings: Iterable[Reading]) -> None:
        """Count readings that are recorded."""
        for reading in readings:
            day = reading.window_start.date()
            self.window_counts[day] = self.window_counts.get(day, 0) + 1
            self.clock_difference = reading.clock_difference or self.clock_difference

    def warnings(self) -> list[str]:
        """What went wrong, and what soon may."""
        if abs(self.clock_difference) <= REPORTED_CLOCK_DIFFERENCE:
            return self.failures
        seconds = self.clock_difference.total_seconds()
        told = f"cluster {self.cluster}: clock {seconds:+.0f} s from ours: synchronise both (NTP)"
        return [*self.failures, told]


def read_due(
    source: Source,
    installation: Installation,
    start: datetime,
    end: datetime,
    patience: Callable[[float], Patience] = Patience,
) -> list[Progress]:
    """Read the windows of ``[start, end)`` that are due, of every cluster, in the tick's budget.

    Args:
        source: what is read.
        installation: where it is kept.
        start: first instant, on the grid.
        end: first instant after the range.
        patience: makes that of a cluster, out of the monotonic time at which the budget is spent.

    Returns:
        What each cluster gave, in the order of the settings.
    """
    # Sources are read one after the other: each has its share of the tick.
    until = time.monotonic() + installation.settings.ingest.budget_seconds / len(SOURCES)
    clusters = [one for one in installation.settings.clusters if source.is_asked(one)]
    with ThreadPoolExecutor(max(1, min(len(clusters), _MOST_CLUSTERS_AT_ONCE))) as threads:
        given = threads.map(
            lambda cluster: _read_cluster(
                source, installation, cluster, (start, end), patience(until)
            ),
            clusters,
        )
    ledger, now = installation.state.ledger, installation.clock()
    compact(installation.lake, ledger, source.tables, now)
    sweep(installation.lake, ledger, now)
    return list(given)


def due_windows(
    installation: Installation, now: datetime
) -> Iterator[tuple[Cluster, Source, list[Due]]]:
    """What is to be read at an instant, within the horizon, by cluster and source."""
    start = installation.horizon_start(now)
    for cluster in installation.settings.clusters:
        for source in SOURCES:
            yield cluster, source, _due(source, installation, cluster, now, (start, now))


def days_due(installation: Installation, now: datetime) -> set[date]:
    """UTC days with windows to be read at an instant, of any cluster and source."""
    found = due_windows(installation, now)
    return {window.window_start.date() for _, _, due in found for window in due}


def _due(
    source: Source,
    installation: Installation,
    cluster: Cluster,
    now: datetime,
    within: tuple[datetime, datetime],
) -> list[Due]:
    if not source.is_asked(cluster):
        return []
    ledger, (start, end) = installation.state.ledger, within
    start = max(start, installation.raw_start(now))  # older days are frozen
    if source.heartbeat:  # it knows nothing of the windows before the newest one
        start = max(start, window_start(now - ledger.schedule.settle) - WINDOW)
    return ledger.due(source.in_each_window, cluster.name, now, start, end)


def _read_cluster(
    source: Source,
    installation: Installation,
    cluster: Cluster,
    within: tuple[datetime, datetime],
    patience: Patience,
) -> Progress:
    ledger, now = installation.state.ledger, installation.clock()
    progress = Progress(cluster.name)
    due = _due(source, installation, cluster, now, within)
    windows = [window.window_start for window in due]
    try:
        with connected(cluster, patience) as clients:
            for _day, batch in groupby(windows, key=lambda window: window.date()):
                readings = list(_readings(source, installation, clients, batch, progress))
                record(installation.lake, ledger, readings)
                progress.add(readings)
                if source.heartbeat:
                    progress.failures += inventory.note_failures(ledger, readings)
                    inventory.gather_day(installation.lake, ledger, readings)
                if progress.is_over:
                    break
    except SourceError as error:  # no connection could even be tried
        progress.failures.append(str(error))
        for window in windows[:1]:
            ledger.fail(source.in_each_window, cluster.name, window, now, str(error))
    return progress


def _readings(
    source: Source,
    installation: Installation,
    clients: Clients,
    windows: Iterable[datetime],
    progress: Progress,
) -> Iterator[Reading]:
    """The readings that succeed; what fails is recorded with its reason."""
    ledger = installation.state.ledger
    failures_in_a_row = 0
    for window in windows:
        progress.is_over = progress.is_over or not clients.patience.goes_on()
        if progress.is_over:
            return
        asked_at = installation.clock()
        schedule = ledger.schedule.of(clients.cluster.name)
        is_last = schedule.next_reading(window, asked_at) is None
        try:
            reading = source.read(clients, window, asked_at, is_last)
            _refuse_sudden_silence(ledger, source, reading, is_last)
            yield _to_be_stored(source, installation, reading)
            failures_in_a_row = 0
        except SourceError as error:
            name = clients.cluster.name
            ledger.fail(source.in_each_window, name, window, asked_at, str(error))
            progress.failures.append(str(error))
            failures_in_a_row += 1
            is_gone = isinstance(error, SourceUnavailable) or failures_in_a_row >= _PATIENCE
            progress.is_over = progress.is_over or is_gone


def _to_be_stored(source: Source, installation: Installation, reading: Reading) -> Reading:
    if not source.heartbeat:
        return reading
    inventory.lose_missed(
        installation.state.ledger, reading, installation.horizon_start(reading.fetched_at)
    )
    return inventory.changes(installation.lake, installation.state.ledger, reading)


def _refuse_sudden_silence(ledger: Ledger, source: Source, reading: Reading, is_last: bool) -> None:
    """No row at all is not believed where this window, or the last one before it, had some.

    A source that has lost its own data answers like an empty cluster. One without containers may
    still have volumes: then only a window with containers speaks against it.
    """
    has_rows = any(table.num_rows for table in reading.tables.values())
    if has_rows and not is_without_containers(reading):
        return
    start, counts = reading.window_start, dict[datetime, int]()
    for day in {(start - DAY).date(), start.date()}:
        for (_, at), window in ledger.day(source.tables, reading.cluster, day).items():
            if at == start or (at < start and not is_last and window.file):
                speaks = not has_rows or window.minutes_ratio is not None
                counts[at] = counts.get(at, 0) + (window.row_count or 0) * speaks
    newest = max(counts, default=start)
    if counts.get(start) or counts.get(newest):
        raise SourceMalformed(
            f"cluster {reading.cluster}: {source.name} has no {'container' if has_rows else 'row'}"
            f" for {rfc3339(start)}, but had {counts.get(start) or counts[newest]} until then"
        )
