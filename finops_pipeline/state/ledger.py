"""Ledger of windows: what was read, what is due, and the commit that makes files current.

Files of the lake are never overwritten; the ledger names the current one. Its commit is the one
point at which a reading counts, so that a crash between file and ledger loses nothing.
"""

import hashlib
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import date, datetime
from itertools import product
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Engine,
    Row,
    Select,
    Table,
    and_,
    delete,
    func,
    insert,
    select,
    tuple_,
    update,
)

from finops_pipeline.catalog.tables import tables
from finops_pipeline.state.connect import begin_writing, upsert
from finops_pipeline.state.schedule import Due, Schedule, after_end
from finops_pipeline.state.tables import lake_file, ledger, ledger_day, restatement
from finops_pipeline.state.window import (
    ABSENT,
    BILL,
    FINAL,
    LOST,
    PROVISIONAL,
    RAW,
    Day,
    Key,
    StoredFile,
    Window,
)
from finops_pipeline.state.window_statuses import window_statuses
from finops_pipeline.units import DAY, day_start, windows

_COLUMNS = [field.name for field in fields(Window)]
_VALUE_COLUMNS = [name for name in _COLUMNS if not ledger.c[name].primary_key]
_DAY_COLUMNS = (ledger_day.c.table_name, ledger_day.c.cluster, ledger_day.c.day)


class Ledger:
    """Reads and changes the ledger; each call is one transaction."""

    def __init__(self, engine: Engine, schedule: Schedule) -> None:
        """Keep engine and schedule; ``open_state`` calls this."""
        self.schedule = schedule
        self._engine = engine

    def due(
        self,
        table_names: Sequence[str],
        cluster: str,
        now: datetime,
        start: datetime,
        end: datetime,
    ) -> list[Due]:
        """List the windows of ``[start, end)`` to be read now, in the order to serve them.

        Args:
            table_names: what one source fills together; a window is missing when any of them is.
            cluster: name of the cluster that it reads.
            now: windows that have not settled by then are left out.
            start: first instant, on the grid: how far back windows are still asked for.
            end: first instant after the range; ``now`` will do.
        """
        with self._engine.connect() as connection:
            statuses = window_statuses(connection, table_names, cluster, start, end)
        return self.schedule.due(now, statuses, start, end)

    def day(self, table_names: Iterable[str], cluster: str, day: date) -> dict[Key, Window]:
        """Return the windows of a UTC day, by table and first instant."""
        with self._engine.connect() as connection:
            return _by_key(connection.execute(_select_day(table_names, cluster, day)))

    def all_windows(self, table_name: str, cluster: str) -> list[Window]:
        """List all windows of a table that has few, oldest first."""
        query = select(*(ledger.c[name] for name in _COLUMNS))
        query = query.where(ledger.c.table_name == table_name, ledger.c.cluster == cluster)
        with self._engine.connect() as connection:
            rows = connection.execute(query.order_by(ledger.c.window_start))
            return [Window(*row) for row in rows]

    def newest_read_window(
        self, table_name: str, cluster: str, before: datetime
    ) -> datetime | None:
        """Return the newest window before an instant that was read."""
        query = select(func.max(ledger.c.window_start)).where(
            ledger.c.table_name == table_name,
            ledger.c.cluster == cluster,
            ledger.c.window_start < before,
            ledger.c.status.in_((PROVISIONAL, FINAL)),
        )
        with self._engine.connect() as connection:
            return connection.execute(query).scalar()

    def file_sha256(self, path: str) -> str:
        """Return the hash that a file was recorded with."""
        query = select(lake_file.c.file_sha256).where(lake_file.c.path == path)
        with self._engine.connect() as connection:
            return str(connection.execute(query).scalar_one())

    def commit(
        self,
        before: Mapping[Key, Window],
        after: Sequence[Window],
        files: Iterable[StoredFile],
        at: datetime,
    ) -> bool:
        """Make readings current, in one transaction: the one commit point of the platform.

        Where content changes, the change is kept as a restatement. Files that lose their windows
        are dropped: a publication may still name them, so they stay on disk for a while.

        Args:
            before: the windows of the day as they were when ``after`` was made from them.
            after: windows of the same cluster and day; all that live in ``files`` are among them.
            files: new, and already durable.
            at: instant of the commit.

        Returns:
            False when another writer has changed one of the windows since; then nothing is changed.
        """
        with begin_writing(self._engine) as connection:
            stored_windows = _lock(connection, {window.day for window in after}, at)
            if any(stored_windows.get(window.key) != before.get(window.key) for window in after):
                return False
            _make_current(connection, before, after, files, at)
            _restate(connection, before, after, at)
            _write_windows(connection, stored_windows, after, at)
        return True

    def fail(
        self,
        table_names: Iterable[str],
        cluster: str,
        window_start: datetime,
        at: datetime,
        message: str,
    ) -> None:
        """Record an attempt that failed; what was read before stays as it is."""
        windows = [Window(name, cluster, window_start) for name in table_names]
        with begin_writing(self._engine) as connection:
            stored_windows = _lock(connection, {window.day for window in windows}, at)
            failed_windows = [
                replace(stored_windows.get(window.key, window), failed_at=at, failure=message)
                for window in windows
            ]
            _write_windows(connection, stored_windows, failed_windows, at)

    def lose(
        self,
        table_names: Sequence[str],
        cluster: str,
        start: datetime,
        end: datetime,
        at: datetime,
        reason: str,
    ) -> None:
        """Ask no more for the windows of ``[start, end)``: the source has forgotten them.

        Those never read are lost; those that were keep what was read and become final.
        """
        absent_windows = [
            Window(name, cluster, window_start)
            for name, window_start in product(table_names, windows(start, end))
        ]
        with begin_writing(self._engine) as connection:
            stored_windows = _lock(connection, {window.day for window in absent_windows}, at)
            after = [
                _give_up(stored_windows.get(window.key, window), reason)
                for window in absent_windows
            ]
            _write_windows(connection, stored_windows, after, at)

    def adopt(self, days: Iterable[tuple[list[StoredFile], list[Window]]], at: datetime) -> None:
        """Take over files and their windows from elsewhere, in one transaction.

        Args:
            days: files and their windows, each of one table, cluster and day.
            at: instant of the commit.
        """
        with begin_writing(self._engine) as connection:
            for files, windows in days:
                stored_windows = _lock(connection, {window.day for window in windows}, at)
                _make_current(connection, {}, windows, files, at)
                _write_windows(connection, stored_windows, windows, at)

    def discard_file(
        self, path: str, at: datetime, reason: str, oldest: Mapping[str, datetime]
    ) -> int:
        """Take a damaged file from the ledger, so that it is not read any more.

        Its windows are absent again, and due; those that no source can give again are lost.

        Args:
            path: of the file, current or dropped.
            at: instant of the commit.
            reason: kept with the windows until they are read again.
            oldest: by raw table, the first window that is still asked for; without it none is.

        Returns:
            How many windows it held.
        """
        with begin_writing(self._engine) as connection:
            query = select(lake_file.c.table_name, lake_file.c.cluster, lake_file.c.day)
            row = connection.execute(query.where(lake_file.c.path == path)).one_or_none()
            if row is None:  # another process was faster
                return 0
            table_name, cluster, day = row
            stored_windows = _lock(connection, {(table_name, cluster, day)}, at)
            windows = [window for window in stored_windows.values() if window.file == path]
            first = oldest.get(table_name)
            after = [_remove_rows(window, at, reason, first) for window in windows]
            _write_windows(connection, stored_windows, after, at)
            connection.execute(delete(lake_file).where(lake_file.c.path == path))
        return len(windows)

    def raw_days(self, before: date) -> list[date]:
        """List the UTC days with raw rows that are not kept for good, the oldest first."""
        query = (
            select(ledger_day.c.day)
            .where(
                _is_expiring(ledger_day),
                ledger_day.c.day < before,
                ledger_day.c.content_sha256.is_not(None),
            )
            .distinct()
            .order_by(ledger_day.c.day)
        )
        with self._engine.connect() as connection:
            return list(connection.execute(query).scalars())

    def expire(
        self, day: date, files: Iterable[StoredFile], frozen_windows: Sequence[Window], at: datetime
    ) -> None:
        """Replace the raw rows of a UTC day by the frozen ones, in one transaction.

        The raw windows are forgotten and their files dropped; restatements stay.

        Args:
            day: every raw window of which goes.
            files: hold the frozen rows, and are already durable.
            frozen_windows: of tables that are not raw, one per table and cluster.
            at: instant of the commit.
        """
        of_day = ledger_day.c.day == day, _is_expiring(ledger_day)
        with begin_writing(self._engine) as connection:
            rows = connection.execute(select(*_DAY_COLUMNS).where(*of_day)).all()
            raw_days = {(table_name, cluster, of) for table_name, cluster, of in rows}
            stored_windows = _lock(
                connection, raw_days | {window.day for window in frozen_windows}, at
            )
            _make_current(connection, {}, frozen_windows, files, at)
            _write_windows(connection, stored_windows, frozen_windows, at)
            _forget(
                connection, [window for window in stored_windows.values() if window.day in raw_days]
            )
            revision = {"revision": ledger_day.c.revision + 1, "changed_at": at}
            values = {"content_sha256": None, **revision}
            connection.execute(update(ledger_day).where(*of_day).values(values))
            is_current = lake_file.c.day == day, lake_file.c.dropped_at.is_(None)
            query = update(lake_file).where(*is_current, _is_expiring(lake_file))
            connection.execute(query.values(dropped_at=at))

    def reopen(self, table_names: Sequence[str], day: date, at: datetime) -> None:
        """Ask again for the lost windows of a requested day: the source may have them after all."""
        start = day_start(day)
        is_lost = (
            ledger.c.table_name.in_(table_names),
            ledger.c.window_start >= start,
            ledger.c.window_start < start + DAY,
            ledger.c.status == LOST,
        )
        with begin_writing(self._engine) as connection:
            query = select(ledger.c.cluster).where(*is_lost).distinct().order_by(ledger.c.cluster)
            for cluster in connection.execute(query).scalars().all():
                stored_windows = _lock(
                    connection, {(name, cluster, day) for name in table_names}, at
                )
                lost = (window for window in stored_windows.values() if window.status == LOST)
                absent = [Window(*window.identity) for window in lost]
                _write_windows(connection, stored_windows, absent, at)

    def has_rows_after(self, table_names: Sequence[str], cluster: str, instant: datetime) -> bool:
        """Return whether a window that begins later was read and has rows."""
        query = select(ledger.c.window_start).where(
            ledger.c.table_name.in_(table_names),
            ledger.c.cluster == cluster,
            ledger.c.window_start > instant,
            ledger.c.row_count > 0,
        )
        with self._engine.connect() as connection:
            return connection.execute(query.limit(1)).first() is not None

    def scattered_days(self, table_names: Iterable[str], before: date) -> list[Day]:
        """List days of tables and clusters that lie in several current files, oldest first."""
        table_day = (lake_file.c.table_name, lake_file.c.cluster, lake_file.c.day)
        query = (
            select(*table_day)
            .where(
                lake_file.c.table_name.in_(table_names),
                lake_file.c.day < before,
                lake_file.c.dropped_at.is_(None),
            )
            .group_by(*table_day)
            .having(func.count() > 1)
            .order_by(lake_file.c.day, lake_file.c.table_name, lake_file.c.cluster)
        )
        with self._engine.connect() as connection:
            return [(name, cluster, day) for name, cluster, day in connection.execute(query)]

    def is_empty(self) -> bool:
        """Return whether no file was ever made current."""
        with self._engine.connect() as connection:
            return connection.execute(select(lake_file.c.path).limit(1)).first() is None

    def current_files(self) -> list[StoredFile]:
        """List the current files, in the order of their paths."""
        query = select(*(lake_file.c[field.name] for field in fields(StoredFile)))
        query = query.where(lake_file.c.dropped_at.is_(None)).order_by(lake_file.c.path)
        with self._engine.connect() as connection:
            return [StoredFile(*row) for row in connection.execute(query)]

    def named_paths(self) -> set[str]:
        """Return the paths of all files that the ledger names: current ones, and dropped ones."""
        with self._engine.connect() as connection:
            return set(connection.execute(select(lake_file.c.path)).scalars())

    def forget_files(self, before: datetime) -> list[str]:
        """Forget the files dropped before an instant; the caller deletes what is returned."""
        is_old = lake_file.c.dropped_at < before
        with begin_writing(self._engine) as connection:
            paths = connection.execute(select(lake_file.c.path).where(is_old)).scalars().all()
            connection.execute(delete(lake_file).where(is_old))
        return list(paths)


def _is_expiring(table: Table) -> ColumnElement[bool]:
    """Return the condition for rows about raw tables that are not kept for good."""
    kept = [name for name, file in tables().items() if file.kind.is_kept_for_good]
    return and_(table.c.table_name.startswith(RAW), table.c.table_name.not_in(kept))


def _select_day(table_names: Iterable[str], cluster: str, day: date) -> Select[*tuple[Any, ...]]:
    start = day_start(day)
    return select(*(ledger.c[name] for name in _COLUMNS)).where(
        ledger.c.table_name.in_(table_names),
        ledger.c.cluster == cluster,
        ledger.c.window_start >= start,
        ledger.c.window_start < start + DAY,
    )


def _lock(connection: Connection, days: Collection[Day], at: datetime) -> dict[Key, Window]:
    """Keep other writers from days until the end of the transaction; return their windows.

    The days are locked in order, so that two writers cannot wait for each other.
    """
    windows: dict[Key, Window] = {}
    for table_name, cluster, day in sorted(days):
        row = {"table_name": table_name, "cluster": cluster, "day": day}
        upsert(connection, ledger_day, [{**row, "revision": 0, "changed_at": at}], [])
        connection.execute(select(ledger_day).filter_by(**row).with_for_update())
        windows |= _by_key(connection.execute(_select_day([table_name], cluster, day)))
    return windows


def _by_key(rows: Iterable[Row[*tuple[Any, ...]]]) -> dict[Key, Window]:
    windows = (Window(*row) for row in rows)
    return {window.key: window for window in windows}


def _write_windows(
    connection: Connection,
    stored_windows: Mapping[Key, Window],
    after: Iterable[Window],
    at: datetime,
) -> None:
    """Write the windows that differ, and mark their days as changed."""
    changed = [window for window in after if window != stored_windows.get(window.key)]
    upsert(connection, ledger, [vars(window) for window in changed], _VALUE_COLUMNS)
    windows_by_day: dict[Day, list[Window]] = defaultdict(list)
    for window in (dict(stored_windows) | {window.key: window for window in changed}).values():
        windows_by_day[window.day].append(window)
    for day in sorted({window.day for window in changed}):
        connection.execute(
            update(ledger_day)
            .where(tuple_(*_DAY_COLUMNS) == day)
            .values(
                content_sha256=_hash_day(windows_by_day[day]),
                revision=ledger_day.c.revision + 1,
                changed_at=at,
            )
        )


def _hash_day(windows: Iterable[Window]) -> str | None:
    """Hash what was read of a day; None when nothing was."""
    hashes = sorted((w.window_start, w.content_sha256) for w in windows if w.content_sha256)
    lines = "\n".join(f"{start:%H%M} {content}" for start, content in hashes)
    return hashlib.sha256(lines.encode()).hexdigest() if hashes else None


def _make_current(
    connection: Connection,
    before: Mapping[Key, Window],
    after: Iterable[Window],
    files: Iterable[StoredFile],
    at: datetime,
) -> None:
    """Make new files current and drop those whose windows have all moved."""
    starts_by_path: dict[str, list[datetime]] = defaultdict(list)
    for window in after:
        starts_by_path[window.file or ""].append(window.window_start)
    rows = [
        {
            **vars(file),
            "first_window": min(starts_by_path[file.path]),
            "last_window": max(starts_by_path[file.path]),
            "dropped_at": None,  # the same bytes may have been current before
        }
        for file in files
    ]
    upsert(connection, lake_file, rows, ["dropped_at"])
    old_paths = {old.file for window in after if (old := before.get(window.key)) and old.file}
    is_dropped = lake_file.c.path.in_(sorted(old_paths - starts_by_path.keys()))
    connection.execute(update(lake_file).where(is_dropped).values(dropped_at=at))


def _restate(
    connection: Connection, before: Mapping[Key, Window], after: Iterable[Window], at: datetime
) -> None:
    """Record as a restatement what a window said before, where it now says something else."""
    pairs = [(before.get(window.key), window) for window in after]
    rows = [
        {
            "table_name": new.table_name,
            "cluster": new.cluster,
            "window_start": new.window_start,
            "read_count": new.read_count,
            "restated_at": at,
            "reason": _reason_of_reading(old, at),
            "old_row_count": old.row_count,
            "new_row_count": new.row_count,
            "old_total": old.total,
            "new_total": new.total,
            "old_content_sha256": old.content_sha256,
            "new_content_sha256": new.content_sha256,
        }
        for old, new in pairs
        if old and old.content_sha256 and old.content_sha256 != new.content_sha256
    ]
    if rows:
        connection.execute(insert(restatement), rows)


def _reason_of_reading(old: Window, at: datetime) -> str:
    if old.table_name == BILL:
        return "the files of the bill changed"
    if old.next_read_at and old.next_read_at <= at:
        return f"read again {after_end(old.window_start, old.next_read_at)}"
    return "read again on request"


def _forget(connection: Connection, windows: Iterable[Window]) -> None:
    for table_name, cluster, day in sorted({window.day for window in windows}):
        start = day_start(day)
        connection.execute(
            delete(ledger).where(
                ledger.c.table_name == table_name,
                ledger.c.cluster == cluster,
                ledger.c.window_start >= start,
                ledger.c.window_start < start + DAY,
            )
        )


def _remove_rows(window: Window, at: datetime, reason: str, oldest: datetime | None) -> Window:
    """Return a window as it is when its rows are gone.

    How often it was read stays, since restatements count on it.
    """
    absent = Window(*window.identity, read_count=window.read_count, failed_at=at, failure=reason)
    is_asked_for = oldest is not None and window.window_start >= oldest
    return absent if is_asked_for else replace(absent, status=LOST, reason=reason)


def _give_up(window: Window, reason: str) -> Window:
    if window.status == ABSENT:
        return replace(window, status=LOST, reason=reason)
    if window.status == PROVISIONAL:
        return replace(window, status=FINAL, next_read_at=None)
    return window
