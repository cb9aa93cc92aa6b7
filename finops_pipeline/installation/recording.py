"""Records readings: files of the lake, and one commit of the ledger that makes them current."""

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal

import pyarrow as pa
import pyarrow.compute as pc

from finops_pipeline.errors import LakeDamaged, StateError
from finops_pipeline.lake.content_hash import content_sha256
from finops_pipeline.lake.files import Lake, LakeFile
from finops_pipeline.sources.reading import Reading
from finops_pipeline.state.ledger import Ledger
from finops_pipeline.state.schedule import Schedule
from finops_pipeline.state.window import (
    ALL_CLUSTERS,
    FINAL,
    LOST,
    PROVISIONAL,
    Key,
    StoredFile,
    Window,
)

# Column whose sum stands in ledger and restatements, so that one number tells what a change meant.
MEASURES = {
    "raw.allocation": "source_total_cost",
    "raw.asset": "source_total_cost",
    "raw.source_daily": "source_total_cost",
    "raw.bill": "billed_cost",
    "raw.statement": "total_cost",
    "raw.container_usage": "cpu_used_core_hours",
    "raw.volume_usage": "used_bytes",
}
FACTS = "finops.windows"  # key under which a lake file says what the ledger knew of its windows

_ATTEMPTS = 10  # a second writer of the same windows is rare, a tenth one a mistake
_FROZEN_MEASURE = "total_cost"  # of days of derived tables, where they have it
_EXACT = pa.decimal128(38, 10)
_NOT_IN_FILE = {"file", "failed_at", "failure"}  # what a file cannot know of itself


@dataclass(frozen=True)
class RecordedCounts:
    """Counts of what readings brought, over windows of a table."""

    window_count: int = 0  # read, those that say the same as before among them
    changed_count: int = 0  # saying something new
    row_count: int = 0  # rows of those
    file_count: int = 0  # files written


def record(lake: Lake, ledger: Ledger, readings: Iterable[Reading]) -> RecordedCounts:
    """Store what sources said of windows of one cluster and UTC day.

    Files come first and are durable before one commit names them: a crash leaves the old state or
    the new one. A window that says the same as before gets no file. Windows read for the last time
    share one file per table. A window without rows is in a file too: read and empty is not absent.
    A reading older than what the ledger holds changes nothing.

    Raises:
        ValueError: readings of several clusters or days.
        LakeDamaged: a file to be rewritten is damaged.
        StateError: other writers kept changing the same windows.
    """
    latest = _latest(readings)
    if not latest:
        return RecordedCounts()
    cluster, day = _only_day(latest.values())
    rows = {key: latest[key].tables[key[0]] for key in sorted(latest)}
    windows = {key: _window(latest[key], key[0], rows[key], ledger.schedule) for key in rows}
    at = max(reading.fetched_at for reading in latest.values())
    for _ in range(_ATTEMPTS):
        before = ledger.day({table_name for table_name, _ in rows}, cluster, day)
        read = {key: _next(before.get(key), window) for key, window in windows.items()}
        after, files = _store(lake, ledger, before, read, rows)
        if ledger.commit(before, after, [StoredFile(**vars(file)) for file in files], at):
            return _count(before, read, files)
    raise StateError(f"{cluster}, {day}: other processes keep writing the same windows")


def merge_day(
    lake: Lake, ledger: Ledger, table_name: str, cluster: str, day: date, at: datetime
) -> bool:
    """Put the windows of a finished day into one file; what they say stays as it is.

    Returns:
        False when a window may still change, or another writer was faster.

    Raises:
        LakeDamaged: a file is damaged.
    """
    before = ledger.day([table_name], cluster, day)
    stored = [window for window in before.values() if window.file]
    if any(window.status not in (FINAL, LOST) for window in before.values()):
        return False
    tables = {path: lake.read(path, ledger.file_sha256(path)) for path in _paths(stored)}
    rows = {
        window.window_start: _only(tables[window.file], window.window_start)
        for window in stored
        if window.file
    }
    file = lake.write(table_name, cluster, rows, window_facts(stored))
    after = [replace(window, file=file.path) for window in stored]
    return ledger.commit(before, after, [StoredFile(**vars(file))], at)


def _latest(readings: Iterable[Reading]) -> dict[Key, Reading]:
    """Return the last reading of each table and window."""
    in_order = sorted(readings, key=lambda reading: reading.fetched_at)
    return {
        (name, reading.window_start): reading for reading in in_order for name in reading.tables
    }


def _only_day(readings: Iterable[Reading]) -> tuple[str, date]:
    days = {(reading.cluster, reading.window_start.date()) for reading in readings}
    if len(days) > 1:
        raise ValueError(f"one cluster and day at a time, got {sorted(days)}")
    return days.pop()


def _window(reading: Reading, table_name: str, rows: pa.Table, schedule: Schedule) -> Window:
    """Return the ledger's row of a reading, as if it were the first of its window."""
    next_read_at = (
        None
        if reading.is_final
        else schedule.of_cluster(reading.cluster).next_reading(
            reading.window_start, reading.fetched_at
        )
    )
    start, at = reading.window_start, reading.fetched_at
    return replace(
        final_window(table_name, reading.cluster, start, at, rows),
        status=PROVISIONAL if next_read_at else FINAL,
        is_verified=reading.is_verified,
        is_degraded=reading.is_degraded,
        reason=reading.reason,
        minutes_ratio=reading.minutes_ratio,
        next_read_at=next_read_at,
    )


def final_window(
    table_name: str, cluster: str, window_start: datetime, at: datetime, rows: pa.Table
) -> Window:
    """Return the ledger's row of a window that was read once, is verified and stays as it is."""
    return Window(
        table_name=table_name,
        cluster=cluster,
        window_start=window_start,
        status=FINAL,
        is_verified=True,
        row_count=rows.num_rows,
        total=_total(table_name, rows),
        read_count=1,
        fetched_at=at,
        content_sha256=content_sha256(rows),
    )


def _total(table_name: str, rows: pa.Table) -> Decimal | None:
    """Return the exact sum of the known values; None where nothing is measured."""
    column = MEASURES.get(table_name, "" if table_name.startswith("raw.") else _FROZEN_MEASURE)
    if column not in rows.column_names:
        return None
    total: Decimal = pc.sum(rows[column].cast(_EXACT), min_count=0).as_py()
    return total


def _next(old: Window | None, new: Window) -> Window:
    """Return the ledger's row after a reading; without a file where one is to be written."""
    if old is None or old.fetched_at is None or new.fetched_at is None:
        return replace(new, read_count=1 + (old.read_count if old else 0))
    is_equal = old.content_sha256 == new.content_sha256
    if new.fetched_at < old.fetched_at or (is_equal and new.fetched_at == old.fetched_at):
        return old
    return replace(new, read_count=old.read_count + 1, file=old.file if is_equal else None)


def _store(
    lake: Lake,
    ledger: Ledger,
    before: Mapping[Key, Window],
    read: Mapping[Key, Window],
    rows: Mapping[Key, pa.Table],
) -> tuple[list[Window], list[LakeFile]]:
    """Write the files; return the ledger's windows that name them, and the files."""
    after, files = dict(read), []
    for group in _groups(before, read):
        first = group[0]
        moving = _moving_rows(lake, ledger, group)
        tables = {w.window_start: moving[w.key] if w.file else rows[w.key] for w in group}
        file = lake.write(first.table_name, first.cluster, tables, window_facts(group))
        after |= {window.key: replace(window, file=file.path) for window in group}
        files.append(file)
    return list(after.values()), files


def _groups(before: Mapping[Key, Window], read: Mapping[Key, Window]) -> list[list[Window]]:
    """Group windows by the new file they go into, oldest first; others keep the file they have.

    A window leaves a shared file together with all others in it, so that every row of a current
    file is current.
    """
    sharing = Counter(window.file for window in before.values())
    groups: dict[tuple[str, object], list[Window]] = defaultdict(list)
    for key, window in read.items():
        old_file = before[key].file if key in before else None
        if window.file is None:
            alone = None if window.status == FINAL else window.window_start
            shared = old_file if sharing[old_file] > 1 else None
            groups[window.table_name, shared or alone].append(window)
    for key, old in before.items():
        window = read.get(key, old)
        if window.file and (window.table_name, window.file) in groups:
            groups[window.table_name, window.file].append(window)
    return [sorted(group, key=lambda window: window.window_start) for group in groups.values()]


def _moving_rows(lake: Lake, ledger: Ledger, group: Sequence[Window]) -> dict[Key, pa.Table]:
    """Return the rows of windows that move from an old file to a new one without a change."""
    moving = [window for window in group if window.file]
    if not moving or moving[0].file is None:
        return {}
    path = moving[0].file
    rows = lake.read(path, ledger.file_sha256(path))
    return {window.key: _only(rows, window.window_start) for window in moving}


def _only(rows: pa.Table, window_start: datetime) -> pa.Table:
    return rows.filter(pc.field("window_start") == window_start)


def _paths(windows: Iterable[Window]) -> list[str]:
    return sorted({window.file for window in windows if window.file})


def write_and_verify(lake: Lake, window: Window, rows: pa.Table) -> tuple[StoredFile, Window]:
    """Write a file of one window, and read it back before the ledger names it.

    Raises:
        LakeDamaged: it does not hold what was written.
    """
    days = {window.window_start: rows}
    file = lake.write(window.table_name, window.cluster, days, window_facts([window]))
    if not lake.read(file.path, file.file_sha256).equals(rows):
        raise LakeDamaged(file.path, "does not hold what was written")
    return StoredFile(**vars(file)), replace(window, file=file.path)


def append(
    lake: Lake,
    ledger: Ledger,
    table_name: str,
    window_start: datetime,
    at: datetime,
    rows: pa.Table,
) -> Window | None:
    """Store rows that are said once and never change, of all clusters together.

    Args:
        lake: where the file is written.
        ledger: names it.
        table_name: a raw table that is appended.
        window_start: the instant, day or month that the rows are of.
        at: when they were said.
        rows: in the table's columns.

    Returns:
        The ledger's row; None where the window has rows already, which then stay.

    Raises:
        LakeDamaged: what was written cannot be read back; the ledger does not name it.
    """
    before = ledger.day([table_name], ALL_CLUSTERS, window_start.date())
    if (table_name, window_start) in before:
        return None
    file, window = write_and_verify(
        lake, final_window(table_name, ALL_CLUSTERS, window_start, at, rows), rows
    )
    is_committed = ledger.commit(before, [*before.values(), window], [file], at)
    return window if is_committed else None


def window_facts(windows: Iterable[Window]) -> dict[str, str]:
    """Return what a file says of its windows: a lost ledger is made from it again."""
    return {FACTS: json.dumps([_facts(window) for window in windows])}


def _facts(window: Window) -> dict[str, object]:
    facts = {name: value for name, value in vars(window).items() if name not in _NOT_IN_FILE}
    return {name: _json(value) for name, value in facts.items()}


def _json(value: object) -> object:
    if isinstance(value, datetime):
        return value.isoformat()
    return str(value) if isinstance(value, Decimal) else value


def _count(
    before: Mapping[Key, Window], read: Mapping[Key, Window], files: Sequence[LakeFile]
) -> RecordedCounts:
    old = {key: window.content_sha256 for key, window in before.items()}
    changed = [window for key, window in read.items() if window.content_sha256 != old.get(key)]
    rows = sum(window.row_count or 0 for window in changed)
    return RecordedCounts(len(read), len(changed), rows, len(files))
