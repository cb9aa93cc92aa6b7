"""Keeps the tables of ``warehouse.duckdb`` equal to what the SQL files make of lake and ledger."""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any

import duckdb

from finops_pipeline.errors import TableError
from finops_pipeline.units import DAY, HOUR, day_start
from finops_pipeline.warehouse.archive import Archive
from finops_pipeline.warehouse.catalog import catalog
from finops_pipeline.warehouse.connect import connect, damage_told, read_everything
from finops_pipeline.warehouse.definitions import Definitions, transaction
from finops_pipeline.warehouse.fingerprints import Fingerprints, Slots, stale, timed
from finops_pipeline.warehouse.inputs import Inputs
from finops_pipeline.warehouse.ranges import ALWAYS, Range, days, joined
from finops_pipeline.warehouse.records import DAYS, HOURS, Records
from finops_pipeline.warehouse.spool import Spool, delete_spool
from finops_pipeline.warehouse.sql_file import NATIVE, SqlFile, Table, tables


@contextmanager
def open_warehouse(
    path: Path,
    inputs: Inputs,
    settings: Mapping[str, Any],
    sql: Mapping[str, Table] | None = None,
) -> Iterator["Warehouse"]:
    """Open the warehouse; hold its lock (:func:`connect.locked`) meanwhile.

    Args:
        path: the database file; created when missing, since all of it can be derived again.
        inputs: the lake and the ledger; what they answer must not change while it is open.
        settings: what a select may name after a dollar sign; some say for how many days the rows
            of a table are kept (:data:`sql_file.KEPT`), or lie in the database itself.
        sql: the tables, each after those it reads; by default those of the SQL files.

    Raises:
        WarehouseDamaged: from here or from within the block, when the file cannot be read.
    """
    with damage_told(path):
        warehouse = Warehouse(path, inputs, settings, tables() if sql is None else sql)
        try:
            yield warehouse
        finally:
            warehouse.close()


@dataclass(frozen=True)
class _Stale:
    """Where a growing table differs from what it is made from."""

    days: list[datetime]
    slots: list[datetime]  # what is deleted: those days, or hours of them
    filled: list[datetime]  # what is filled again: the rest has vanished or expired
    now: Mapping[str, Slots]  # fingerprints by grain


class Warehouse:
    """Every table of the SQL files, in one open database."""

    def __init__(
        self,
        path: Path,
        inputs: Inputs,
        settings: Mapping[str, Any],
        sql: Mapping[str, Table],
    ) -> None:
        """Arguments as for :func:`open_warehouse`."""
        self.path = path
        self.tables = sql
        self.connection = connect(path)
        try:
            self.records = Records(self.connection)
            with transaction(self.connection):
                self.records.describe(catalog(sql.values(), settings))
            self.archive = Archive(self.connection, path)
            self._definitions = Definitions(
                self.connection, self.records, sql, inputs, self.archive
            )
            self.spool = Spool(self.connection, path, sql, self._definitions)
        except BaseException:  # whatever it was, nobody else could open the file
            self.close()
            raise
        self._inputs = inputs
        self._settings = settings
        self._by_day = Fingerprints(sql, inputs.day_contents, settings, self._settled)
        self._by_hour = cache(self._fingerprints_of_hours)
        self._fresh: set[str] = set()
        self._is_caught_up = False
        self._checked: dict[str, list[dict[str, Any]]] = {}

    def close(self) -> None:
        """Write everything to the file and let go of it; it may then be copied."""
        self.connection.close()
        delete_spool(self.path)

    def verify(self) -> None:
        """Read everything once: what nobody asks for may be damaged for a long time.

        Old days whose file has changed are filled anew.

        Raises:
            WarehouseDamaged: a block has changed.
        """
        with damage_told(self.path):
            read_everything(self.connection)
        for table in self.tables.values():
            if table.is_archived:
                self._mend(table, self.archive.changed(table))

    def refresh(self) -> dict[str, int]:
        """Bring every table up to date; rows written by table name."""
        return {name: self.refresh_table(table) for name, table in self.tables.items()}

    def refresh_table(self, table: Table) -> int:
        """Bring one table up to date, after those it reads.

        Usually those are. But the ledger may have changed since somebody filled them, and a table
        must not be marked as made from rows that it has not seen.

        Returns:
            Rows written to this table; 0 when nothing it is made from has changed.

        Raises:
            TableError: a row breaks a constraint of the table file; the old rows stay.
        """
        if table.name in self._fresh:
            return 0
        for name in table.reads:
            self.refresh_table(self.tables[name])
        self._definitions.define(table)
        written = 0 if table.is_raw or table.is_view else self._refresh(table)
        self._fresh.add(table.name)
        return written

    def check(self, file: SqlFile) -> list[dict[str, Any]]:
        """Rows of a check, each a mistake that stands.

        The tables it reads are brought up to date first. A check that names ``$start`` and ``$end``
        looks at the hours that changed since the last publication, one that names ``$day`` at each
        day that did; what it found in others is kept. Any other looks at everything.
        """
        if file.name not in self._checked:
            for name in ("core.window", *file.reads):
                self.refresh_table(self.tables[name])
            self._checked[file.name] = self._check(file)
        return self._checked[file.name]

    def show_all(self) -> None:
        """Let the views of files name every current one, as readers see them."""
        self._definitions.show_all()

    def row_count(self, table: Table) -> int:
        """Rows of a table that is filled, in the database and in files."""
        ((native,),) = self.connection.execute(f"select count(*) from {table.stored}").fetchall()
        return int(native) + self.archive.row_count(table)

    def rows(self, query: str, arguments: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Rows of a query, each a dict by column name."""
        cursor = self.connection.execute(query, dict(arguments or {}))
        names = [column[0] for column in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def _check(self, file: SqlFile) -> list[dict[str, Any]]:
        if not {"start", "day"} & file.parameters:
            return self._check_range(file, ALWAYS)
        changed = self.records.hours_since_publication(self._telling(file))
        parts = days(changed) if "day" in file.parameters else joined(changed, HOUR)
        found = [(part, self._check_range(file, part)) for part in parts]
        with transaction(self.connection):
            return self.records.findings(file.name, file.version, found)

    def _telling(self, file: SqlFile) -> set[str]:
        """Tables that tell by their hours where a check has something to look at.

        Those with a select, since they differ where the lake does; and what it reads of the ledger,
        which says new things of windows whose rows are the same.
        """
        return {name for name, table in self.tables.items() if table.query} | file.reads

    def _check_range(self, file: SqlFile, part: Range) -> list[dict[str, Any]]:
        self.spool.hold(file, part)
        self._definitions.show(file, part)
        return self.rows(self.spool.select(file, part), self._arguments(file, part))

    def _refresh(self, table: Table) -> int:
        return self._refresh_growing(table) if table.is_growing else self._refresh_whole(table)

    def _refresh_whole(self, table: Table) -> int:
        marks = self._by_day.of(table.name)
        now: Slots = {slot: mark for slot, mark in marks.items() if slot is None}
        if not stale(now, self.records.filled(table.name, DAYS)):
            return 0
        with self._filling(table):
            self.connection.execute(f"delete from {table.name}")
            written = self._insert(table, ALWAYS)
            self.records.remember(table.name, DAYS, now, now)
        return written

    def _refresh_growing(self, table: Table) -> int:
        """Week by week: what is made anew over years need not fit into the database at once."""
        if self.spool.is_read_by(table):
            self._catch_up()
        if table.is_archived:
            self._mend(table, self.archive.broken(table))
        written = sum(self._refresh_week(table, week) for week in joined(self._changed(table), DAY))
        self._put_away(table)
        return written

    def _catch_up(self) -> None:
        """Fill what reads the spool together, when it is weeks: it need not hold more than one.

        Once. A table that cannot be filled is told when its turn comes.
        """
        if self._is_caught_up:
            return
        self._is_caught_up = True
        reading = [table for table in self.tables.values() if self.spool.is_read_by(table)]
        readers = [table for table in reading if self._is_ready(table)]
        weeks = joined({day for table in readers for day in self._changed(table)}, DAY)
        for week in weeks if len(weeks) > 1 else []:
            for table in readers:
                with suppress(TableError):
                    self._refresh_week(table, week)
            self.spool.clear()

    def _is_ready(self, table: Table) -> bool:
        """Whether what a table reads is up to date, and the table there."""
        try:
            for name in table.reads:
                self.refresh_table(self.tables[name])
        except TableError:
            return False
        self._definitions.define(table)
        return True

    def _changed(self, table: Table) -> list[datetime]:
        """Days on which a growing table is not made from what is there now."""
        return _times(stale(self._days(table), self.records.filled(table.name, DAYS)))

    def _refresh_week(self, table: Table, week: Range) -> int:
        days = [day for day in self._changed(table) if week.start <= day < week.end]
        if not days:
            return 0
        written = self._refill(table, self._stale(table, days))
        self._put_away(table)
        return written

    def _refill(self, table: Table, found: _Stale) -> int:
        self._hold(table, found.filled)
        with self._filling(table):
            self._bring_back(table, found)
            for part in joined(found.slots, table.slot):
                self._delete(table, part)
            written = self._fill(table, found.filled)
            for grain, now in found.now.items():
                slots = found.days if grain == DAYS else found.slots
                self.records.remember(table.name, grain, slots, now)
        return written

    def _mend(self, table: Table, days: Iterable[datetime]) -> None:
        """Let days be filled anew whose file is not what it was."""
        for day in days:
            with transaction(self.connection):
                self.archive.drop(table.name, Range(day, day + DAY))
                self.records.unfill(table.name, day)

    def _put_away(self, table: Table) -> None:
        """Move days that have become old from the database to files."""
        days, kept_days = _times(self._days(table)), self._settings.get(NATIVE)
        if table.is_archived and days and kept_days:
            with self._filling(table):
                self.archive.put_away(table, days[-1] - timedelta(days=kept_days) + DAY)

    def _bring_back(self, table: Table, found: _Stale) -> None:
        """Make rows of days that lie in files, since some hours of them stay as they are."""
        if table.is_archived:
            for day in found.days:
                self.archive.bring_back(table, day)

    def _hold(self, table: Table, slots: list[datetime]) -> None:
        """Compute the views that a table reads."""
        frozen = self._inputs.frozen(table.name)
        made = [slot for slot in slots if slot not in frozen]
        with _explained(table):
            for part in joined(made, table.slot):
                self.spool.hold(table, part)

    def _fill(self, table: Table, slots: list[datetime]) -> int:
        """Days that are frozen come from the lake, as they were; all others from the select."""
        frozen = self._inputs.frozen(table.name)
        made = [slot for slot in slots if slot not in frozen]
        kept = [slot for slot in slots if slot in frozen]
        return sum(self._insert(table, part) for part in joined(made, table.slot)) + sum(
            self._insert_frozen(table, part) for part in joined(kept, table.slot)
        )

    def _stale(self, table: Table, days: list[datetime]) -> _Stale:
        now = self._days(table)
        if table.slot != HOUR:
            return _Stale(days, days, [day for day in days if day in now], {DAYS: now})
        hours: dict[datetime | None, str] = {}
        for day in days:
            hours |= timed(self._by_hour(day).of(table.name)) if day in now else {}
        slots = _times(stale(hours, self.records.filled_hours(table.name, days)))
        return _Stale(
            days, slots, [hour for hour in slots if hour in hours], {DAYS: now, HOURS: hours}
        )

    def _days(self, table: Table) -> Slots:
        """Fingerprint of a growing table by day, without the days it no longer keeps."""
        frozen = self._inputs.frozen(table.name)
        days = timed(self._by_day.of(table.name)) | timed(frozen)
        if not days or not table.forgets_after:
            return days
        oldest = max(_times(days)) - timedelta(days=self._settings[table.forgets_after])
        return {day: days[day] for day in _times(days) if day > oldest}

    def _fingerprints_of_hours(self, day: datetime) -> Fingerprints:
        contents = partial(self._inputs.hour_contents, day=day)
        return Fingerprints(self.tables, contents, self._settings, self._settled)

    def _settled(self, name: str) -> Slots:
        """Hash of the rows of each day of a table that is settled; it is up to date by now."""
        rows = self.connection.execute(
            f"select day, cast(bit_xor(hash(it)) as varchar) from {name} as it group by day"
        )
        return {day_start(day): content for day, content in rows.fetchall()}

    @contextmanager
    def _filling(self, table: Table) -> Iterator[None]:
        try:
            with _explained(table), transaction(self.connection):
                yield
        except BaseException:
            self._definitions.rolled_back()
            raise

    def _delete(self, table: Table, part: Range) -> None:
        when = table.time_column
        self.connection.execute(
            f"delete from {table.stored} where {when} >= $start and {when} < $end", vars(part)
        )

    def _insert(self, table: Table, part: Range) -> int:
        insert = f"insert into {table.stored} by name"
        if table.query is None:
            given = self._inputs.rows(table.name, part.start, part.end)
            self.connection.register("given_rows", given)
            result = self.connection.execute(f"{insert} select * from given_rows")
        else:
            query = self.spool.select(table, part)
            self._definitions.show(table, part)
            result = self.connection.execute(f"{insert} {query}", self._arguments(table, part))
        return int((result.fetchone() or (0,))[0])

    def _insert_frozen(self, table: Table, part: Range) -> int:
        files = self._inputs.files(table.name, part.start, part.end)
        result = self.connection.execute(
            f"insert into {table.stored} by name"
            " select * from read_parquet($1, hive_partitioning = false)",
            [[str(file) for file in files]],
        )
        return int((result.fetchone() or (0,))[0])

    def _arguments(self, file: SqlFile, within: Range) -> dict[str, Any]:
        known = {**self._settings, **vars(within), "day": within.start.date()}
        return {name: known[name] for name in file.parameters}


def _times(slots: Iterable[datetime | None]) -> list[datetime]:
    return sorted(slot for slot in slots if slot)


@contextmanager
def _explained(table: Table) -> Iterator[None]:
    try:
        yield
    except (duckdb.IntegrityError, duckdb.DataError, duckdb.ProgrammingError) as error:
        raise TableError(f"{table.name}: {error}") from error
