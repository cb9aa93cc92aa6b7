"""Reads the windows that are due into the lake: one thread per cluster, one request at a time.

A source or cluster that fails stops nobody else: the ledger keeps the reason, the window stays due.
"""

import time
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import date, datetime
from itertools import groupby

from finops_pipeline.errors import SourceError, SourceUnavailable
from finops_pipeline.orchestration.installation import Installation
from finops_pipeline.orchestration.record import record
from finops_pipeline.orchestration.sources import SOURCES, Clients, Source, connected
from finops_pipeline.orchestration.tidy import compact, sweep
from finops_pipeline.settings import Cluster
from finops_pipeline.sources.reading import Reading
from finops_pipeline.state.schedule import Due

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

    def add(self, readings: Iterable[Reading]) -> None:
        """Count readings that are recorded."""
        for reading in readings:
            day = reading.window_start.date()
            self.window_counts[day] = self.window_counts.get(day, 0) + 1


def read_due(
    source: Source, installation: Installation, start: datetime, end: datetime
) -> list[Progress]:
    """Read the windows of ``[start, end)`` that are due, of every cluster, in the tick's budget.

    Returns:
        What each cluster gave, in the order of the settings.
    """
    # Sources are read one after the other: each has its share of the tick.
    until = time.monotonic() + installation.settings.ingest.budget_seconds / len(SOURCES)
    clusters = installation.settings.clusters
    with ThreadPoolExecutor(min(len(clusters), _MOST_CLUSTERS_AT_ONCE)) as threads:
        given = threads.map(
            lambda cluster: _read_cluster(source, installation, cluster, (start, end), until),
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
            due = installation.state.ledger.due(source.tables, cluster.name, now, start, now)
            yield cluster, source, due


def days_due(installation: Installation, now: datetime) -> set[date]:
    """UTC days with windows to be read at an instant, of any cluster and source."""
    found = due_windows(installation, now)
    return {window.window_start.date() for _, _, due in found for window in due}


def _read_cluster(
    source: Source,
    installation: Installation,
    cluster: Cluster,
    within: tuple[datetime, datetime],
    until: float,
) -> Progress:
    ledger = installation.state.ledger
    progress = Progress(cluster.name)
    due = ledger.due(source.tables, cluster.name, installation.clock(), *within)
    windows = [window.window_start for window in due]
    with connected(cluster) as clients:
        for _day, batch in groupby(windows, key=lambda window: window.date()):
            readings = list(_readings(source, installation, clients, batch, until, progress))
            record(installation.lake, ledger, readings)
            progress.add(readings)
            if progress.is_over:
                break
    return progress


def _readings(
    source: Source,
    installation: Installation,
    clients: Clients,
    windows: Iterable[datetime],
    until: float,
    progress: Progress,
) -> Iterator[Reading]:
    """The readings that succeed; what fails is recorded with its reason."""
    failures_in_a_row = 0
    for window in windows:
        progress.is_over = progress.is_over or time.monotonic() > until
        if progress.is_over:
            return
        asked_at = installation.clock()
        try:
            yield source.read(clients, window, asked_at, _is_last(installation, window, asked_at))
            failures_in_a_row = 0
        except SourceError as error:
            cluster = clients.cluster.name
            installation.state.ledger.fail(source.tables, cluster, window, asked_at, str(error))
            progress.failures.append(str(error))
            failures_in_a_row += 1
            is_gone = isinstance(error, SourceUnavailable) or failures_in_a_row >= _PATIENCE
            progress.is_over = progress.is_over or is_gone


def _is_last(installation: Installation, window: datetime, at: datetime) -> bool:
    return installation.state.ledger.schedule.next_reading(window, at) is None
