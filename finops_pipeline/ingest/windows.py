"""Reads the windows that are due into the lake: one thread per cluster, one request at a time.

A source or cluster that fails stops no other: the ledger keeps the reason, the window stays due.
"""

import time
from collections.abc import Callable, Collection, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta

from finops_pipeline.errors import ServerError, ServerMalformed, ServerUnavailable
from finops_pipeline.ingest import inventory
from finops_pipeline.installation.context import Installation
from finops_pipeline.installation.recording import record
from finops_pipeline.installation.source_registry import SOURCES, Clients, Source, open_clients
from finops_pipeline.settings import Cluster
from finops_pipeline.sources.plausibility import is_without_containers
from finops_pipeline.sources.reading import REPORTED_CLOCK_DIFFERENCE, Reading
from finops_pipeline.sources.retry import RetryBudget
from finops_pipeline.state.ledger import Ledger
from finops_pipeline.state.schedule import FAILED, Due
from finops_pipeline.units import DAY, WINDOW, day_start, rfc3339, window_start

# A source that gives this many bad answers in a row is broken; asking on would only load it.
_MOST_BAD_ANSWERS = 3
MOST_CLUSTERS_AT_ONCE = 8  # answers of 10,000 containers take 40 MB apiece while they are read
# People look at the newest window: a gap that is filled does not keep it waiting for longer.
_MOST_BEFORE_NEWEST = 4
_LONG_AGO = datetime(2000, 1, 1, tzinfo=UTC)  # before Kubernetes
_TOO_OLD = "not read before it was too old to be asked for (ingest.lookback_days)"
_FORGOTTEN = "{source} has no row for it, but has some for later windows: it has forgotten it"
_MOST_ROWS_IN_MEMORY = 1_000_000  # over all clusters, about 300 MB; they share files otherwise


@dataclass
class Progress:
    """Readings and failures of one source of one cluster in this tick."""

    cluster: str
    window_counts: dict[date, int] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    newest_with_rows: datetime = datetime.min.replace(tzinfo=UTC)  # window that was read
    is_over: bool = False  # the source is gone or the time is up: the rest stays due
    clock_difference: timedelta = timedelta()  # how far its clock is ahead of ours

    def add(self, readings: Iterable[Reading]) -> None:
        """Count readings that are recorded."""
        for reading in readings:
            day = reading.window_start.date()
            self.window_counts[day] = self.window_counts.get(day, 0) + 1
            self.clock_difference = reading.clock_difference or self.clock_difference

    def warnings(self) -> list[str]:
        """List what went wrong, and what soon may."""
        if abs(self.clock_difference) <= REPORTED_CLOCK_DIFFERENCE:
            return self.failures
        seconds = self.clock_difference.total_seconds()
        clock = f"cluster {self.cluster}: clock {seconds:+.0f} s from ours: synchronise both (NTP)"
        return [*self.failures, clock]


def read_due(
    source: Source,
    installation: Installation,
    start: datetime,
    end: datetime,
    new_retry_budget: Callable[[float], RetryBudget] = RetryBudget,
    monotonic: Callable[[], float] = time.monotonic,
) -> list[Progress]:
    """Read the windows of ``[start, end)`` that are due, of every cluster, in the tick's budget.

    Args:
        source: what is read.
        installation: where it is kept.
        start: first instant, on the grid.
        end: first instant after the range.
        new_retry_budget: makes that of a cluster, out of the time at which the tick's share ends.
        monotonic: a clock of seconds that only goes forward, by which that time is measured.

    Returns:
        The progress of each cluster, in the order of the settings.
    """
    settings = installation.settings
    # Sources are read one after the other: each that is asked has its share of the tick.
    source_count = sum(any(map(other.is_asked, settings.clusters)) for other in SOURCES)
    until = monotonic() + settings.ingest.budget_seconds / max(1, source_count)
    clusters = [cluster for cluster in settings.clusters if source.is_asked(cluster)]
    with ThreadPoolExecutor(max(1, min(len(clusters), MOST_CLUSTERS_AT_ONCE))) as threads:
        progress = threads.map(
            lambda cluster: _read_cluster(
                source, installation, cluster, (start, end), new_retry_budget(until)
            ),
            clusters,
        )
    _finish_requests(source, installation, clusters, installation.clock())
    return list(progress)


def request(source: Source, installation: Installation, days: Collection[date]) -> None:
    """Ask a source for UTC days that were chosen by hand, now and in later ticks, however old.

    Windows that were given up as lost are asked for again, final ones are not.
    """
    if not source.heartbeat:
        now = installation.clock()
        start = installation.lookback_start(now)
        installation.state.lookback.request(source.required_tables, days, start, now)


def due_windows(
    installation: Installation, now: datetime
) -> Iterator[tuple[Cluster, Source, list[Due]]]:
    """Yield the windows to be read at an instant, by cluster and source."""
    for cluster in installation.settings.clusters:
        for source in SOURCES:
            yield cluster, source, _due(source, installation, cluster, now, (_LONG_AGO, now))


def days_due(installation: Installation, now: datetime) -> set[date]:
    """Return the UTC days with windows to be read at an instant, of any cluster and source."""
    by_source = due_windows(installation, now)
    return {window.window_start.date() for _, _, due in by_source for window in due}


def _due(
    source: Source,
    installation: Installation,
    cluster: Cluster,
    now: datetime,
    within: tuple[datetime, datetime],
) -> list[Due]:
    if not source.is_asked(cluster):
        return []
    state, (start, end) = installation.state, within
    start = max(start, installation.raw_start(now))  # older days are frozen
    windows_of = source.required_tables, cluster.name, now
    if source.heartbeat:  # it knows nothing of the windows before the newest one
        newest = window_start(now - state.ledger.schedule.settle) - WINDOW
        return state.ledger.due(*windows_of, max(start, newest), end)
    oldest = installation.lookback_start(now)
    due = state.ledger.due(*windows_of, max(start, oldest), end)
    for first in map(day_start, sorted(state.lookback.requested_days(source.required_tables))):
        until = min(end, first + DAY, oldest)
        due += state.ledger.due(*windows_of, max(start, first), until)
    # After three failures nothing else is asked for: what failed before must come last over all.
    return due[:1] + sorted(due[1:], key=lambda window: window.kind == FAILED)


def _read_cluster(
    source: Source,
    installation: Installation,
    cluster: Cluster,
    within: tuple[datetime, datetime],
    retry_budget: RetryBudget,
) -> Progress:
    ledger, progress = installation.state.ledger, Progress(cluster.name)
    _advance_lookback(source, installation, cluster)
    due = _due(source, installation, cluster, installation.clock(), within)
    windows = _with_newest(source, installation, cluster, within, due)
    try:
        with open_clients(cluster, retry_budget) as clients:
            readings = _readings(source, installation, clients, windows, progress)
            most_rows = _MOST_ROWS_IN_MEMORY // len(installation.settings.clusters)
            for batch in _batches(readings, most_rows):
                record(installation.lake, ledger, batch)
                progress.add(batch)
                if source.heartbeat:
                    progress.failures += inventory.note_failures(ledger, batch)
                    inventory.merge_small_files(installation.lake, ledger, batch)
    except ServerError as error:  # no connection could even be tried
        progress.failures.append(str(error))
        for window in due[:1]:
            at = installation.clock()
            ledger.fail(source.required_tables, cluster.name, window.window_start, at, str(error))
    return progress


def _finish_requests(
    source: Source, installation: Installation, clusters: Iterable[Cluster], now: datetime
) -> None:
    lookback = installation.state.lookback
    if requested := lookback.requested_days(source.required_tables):
        everything = _LONG_AGO, now
        due = (_due(source, installation, cluster, now, everything) for cluster in clusters)
        days = {window.window_start.date() for windows in due for window in windows}
        lookback.finish(source.required_tables, requested - days)


def _advance_lookback(source: Source, installation: Installation, cluster: Cluster) -> None:
    """Give up the windows that have become too old to be asked for."""
    if not source.heartbeat:
        now = installation.clock()
        start, lookback = installation.lookback_start(now), installation.state.lookback
        lookback.advance(source.required_tables, cluster.name, start, now, _TOO_OLD)


def _with_newest(
    source: Source,
    installation: Installation,
    cluster: Cluster,
    within: tuple[datetime, datetime],
    due: Iterable[Due],
) -> Iterator[datetime]:
    """Yield windows in the order to ask for them; one that settles meanwhile waits for four."""
    settled = _newest_end(installation)
    for count, window in enumerate(due):
        if count % _MOST_BEFORE_NEWEST == 0 and (now := _newest_end(installation)) > settled:
            newer = max(settled, within[0]), min(now, within[1])
            for newest in _due(source, installation, cluster, installation.clock(), newer):
                yield newest.window_start
            settled = now
        yield window.window_start


def _newest_end(installation: Installation) -> datetime:
    """Return the end of the newest window that may be read."""
    return window_start(installation.clock() - installation.state.ledger.schedule.settle)


def _batches(readings: Iterable[Reading], most_rows: int) -> Iterator[list[Reading]]:
    """Yield readings to be recorded together: of one day, and no more than memory should hold."""
    batch: list[Reading] = []
    for reading in readings:
        is_other_day = batch and batch[0].window_start.date() != reading.window_start.date()
        if is_other_day or sum(map(_row_count, batch)) > most_rows:
            yield batch
            batch = []
        batch.append(reading)
    if batch:
        yield batch


def _row_count(reading: Reading) -> int:
    return sum(table.num_rows for table in reading.tables.values())


def _readings(
    source: Source,
    installation: Installation,
    clients: Clients,
    windows: Iterable[datetime],
    progress: Progress,
) -> Iterator[Reading]:
    """Read windows, yield the readings that succeed, and record why the others fail."""
    ledger = installation.state.ledger
    failures_in_a_row = 0
    for window in windows:
        progress.is_over = progress.is_over or not clients.retry_budget.wait_for_next()
        if progress.is_over:
            return
        asked_at = installation.clock()
        schedule = ledger.schedule.of_cluster(clients.cluster.name)
        is_last = schedule.next_reading(window, asked_at) is None
        try:
            reading = source.read(clients, window, asked_at, is_last)
            if is_last and _is_forgotten(ledger, source, reading, progress):
                _lose_forgotten(ledger, source, reading)
                continue
            _refuse_sudden_silence(ledger, source, reading, is_last)
            if _row_count(reading):
                progress.newest_with_rows = max(progress.newest_with_rows, window)
            _lose_missed(source, installation, reading)
            yield _without_repetition(source, installation, reading)
            failures_in_a_row = 0
        except ServerError as error:
            name = clients.cluster.name
            ledger.fail(source.required_tables, name, window, asked_at, str(error))
            progress.failures.append(str(error))
            failures_in_a_row += 1
            is_gone = isinstance(error, ServerUnavailable) or failures_in_a_row >= _MOST_BAD_ANSWERS
            progress.is_over = progress.is_over or is_gone


def _lose_missed(source: Source, installation: Installation, reading: Reading) -> None:
    """Give up the windows that a source of states could not be asked for in time."""
    if source.heartbeat:
        oldest = installation.lookback_start(reading.fetched_at)
        inventory.lose_missed(installation.state.ledger, reading, oldest)


def _without_repetition(source: Source, installation: Installation, reading: Reading) -> Reading:
    """Return what there is to store of a reading: of a list of states, their changes."""
    if not source.heartbeat:
        return reading
    return inventory.changes(installation.lake, installation.state.ledger, reading)


def _is_forgotten(ledger: Ledger, source: Source, reading: Reading, progress: Progress) -> bool:
    """Return whether a reading has no row at all where later windows have some.

    False where Prometheus, which remembers the window, saw nothing either.
    """
    is_confirmed = is_without_containers(reading) and reading.is_verified
    if _row_count(reading) or (is_confirmed and not reading.is_degraded):
        return False
    start, cluster = reading.window_start, reading.cluster
    is_read = progress.newest_with_rows > start  # perhaps not yet in the ledger
    return is_read or ledger.has_rows_after(source.required_tables, cluster, start)


def _lose_forgotten(ledger: Ledger, source: Source, reading: Reading) -> None:
    start, reason = reading.window_start, _FORGOTTEN.format(source=source.name)
    tables, at = source.required_tables, reading.fetched_at
    ledger.lose(tables, reading.cluster, start, start + WINDOW, at, reason)


def _refuse_sudden_silence(ledger: Ledger, source: Source, reading: Reading, is_last: bool) -> None:
    """Refuse a reading without any row where its window, or the last one before, had some.

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
                counts_against = not has_rows or window.minutes_ratio is not None
                counts[at] = counts.get(at, 0) + (window.row_count or 0) * counts_against
    newest = max(counts, default=start)
    if counts.get(start) or counts.get(newest):
        raise ServerMalformed(
            f"cluster {reading.cluster}: {source.name} has no {'container' if has_rows else 'row'}"
            f" for {rfc3339(start)}, but had {counts.get(start) or counts[newest]} until then"
        )
