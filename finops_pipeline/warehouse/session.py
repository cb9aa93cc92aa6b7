"""Keeps the tables of ``warehouse.duckdb`` equal to what the SQL files make of lake and ledger."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any

from finops_pipeline.catalog.files import SqlFile
from finops_pipeline.catalog.table_entries import table_entries
from finops_pipeline.catalog.tables import NATIVE_DAYS_SETTING, Table, tables
from finops_pipeline.errors import TableError
from finops_pipeline.units import DAY, HOUR, day_start
from finops_pipeline.warehouse.archive import Archive
from finops_pipeline.warehouse.bookkeeping import DAYS, HOURS, Bookkeeping
from finops_pipeline.warehouse.connect import connect, read_everything, translate_damage
from finops_pipeline.warehouse.fill import Filler, Stale, answered
from finops_pipeline.warehouse.fingerprints import Fingerprints, Slots, stale, timed
from finops_pipeline.warehouse.line_item_cache import LineItemCache, delete_line_item_cache
from finops_pipeline.warehouse.ranges import ALWAYS, Range, days, joined
from finops_pipeline.warehouse.schema import Definitions, transaction
from finops_pipeline.warehouse.source_data import SourceData

# Of views over the lake; more are not cached at once.
_DAYS_A_WEEK = 7
_HOURS_A_WEEK = _DAYS_A_WEEK * 24


@contextmanager
def open_warehouse(
    path: Path,
    inputs: SourceData,
    settings: Mapping[str, Any],
    sql: Mapping[str, Table] | None = None,
) -> Iterator["Warehouse"]:
    """Open the warehouse; hold its lock (:func:`connect.locked`) meanwhile.

    Args:
        path: the database file; created when missing, since all of it can be derived again.
        inputs: the lake and the ledger; what they answer must not change while it is open.
        settings: what a select may name after a dollar sign; some say for how many days the rows
            of a table are kept (``OWN_RETENTION`` of ``catalog.tables``), or lie in the database.
        sql: the tables, each after those it reads; by default those of the SQL files.

    Raises:
        WarehouseDamaged: from here or from within the block, when the file cannot be read.
    """
    with translate_damage(path):
        warehouse = Warehouse(path, inputs, settings, tables() if sql is None else sql)
        try:
            yield warehouse
        finally:
            warehouse.close()


class Warehouse:
    """Every table of the SQL files, in one open database."""

    def __init__(
        self,
        path: Path,
        inputs: SourceData,
        settings: Mapping[str, Any],
        sql: Mapping[str, Table],
    ) -> None:
        """Arguments as for :func:`open_warehouse`."""
        self.path = path
        self.tables = sql
        self.connection = connect(path)
        try:
            self._prepare(inputs, settings)
        except BaseException:  # whatever it was, nobody else could open the file
            self.close()
            raise
        self._inputs = inputs
        self._settings = settings
        self._by_day = Fingerprints(sql, inputs.day_hashes, settings, self._settled)
        self._by_hour = cache(self._fingerprints_of_hours)
        self._fresh: set[str] = set()
        self._written: Counter[str] = Counter()
        self._is_caught_up = False
        self._checked: dict[str, list[dict[str, Any]]] = {}

    def _prepare(self, inputs: SourceData, settings: Mapping[str, Any]) -> None:
        """What works on the open database."""
        connection, sql = self.connection, self.tables
        self.records = Bookkeeping(connection)
        with transaction(connection):
            self.records.describe(table_entries(sql.values(), settings))
        self.archive = Archive(connection, self.path)
        self._definitions = Definitions(connection, self.records, sql, inputs, self.archive)
        self.line_items = LineItemCache(connection, self.path, sql, self._definitions)
        kept = (self.records, self._definitions, self.line_items, self.archive)
        self._filler = Filler(connection, *kept, inputs, settings)

    def close(self) -> None:
        """Write everything to the file and let go of it; it may then be copied."""
        self.connection.close()
        delete_line_item_cache(self.path)

    def verify(self) -> None:
        """Read everything once: what nobody asks for may be damaged for a long time.

        Old days whose file has changed are filled anew.

        Raises:
            WarehouseDamaged: a block has changed.
        """
        with translate_damage(self.path):
            read_everything(self.connection)
        for table in self.tables.values():
            if table.is_archived:
                self._filler.mend(table, self.archive.changed(table))

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
            return self._written[table.name]
        for name in table.reads:
            self.refresh_table(self.tables[name])
        self._definitions.define(table)
        if not table.is_raw and not table.is_view:
            self._refresh(table)
        self._fresh.add(table.name)
        return self._written[table.name]

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
        ((native,),) = self.connection.execute(f"select count(*) from {table.storage}").fetchall()
        return int(native) + self.archive.row_count(table)

    def rows(self, query: str, arguments: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Rows of a query, each a dict by column name."""
        return answered(self.connection, query, arguments or {})

    def _check(self, file: SqlFile) -> list[dict[str, Any]]:
        if not {"start", "day"} & file.parameters:
            return self._filler.rows(file, ALWAYS)
        changed = self.records.hours_since_publication(self._telling(file))
        parts = days(changed) if "day" in file.parameters else joined(changed, HOUR)
        found = []
        for part in parts:
            found.append((part, self._filler.rows(file, part)))
            if len(changed) > _HOURS_A_WEEK:
                self.line_items.clear()
        with transaction(self.connection):
            return self.records.findings(file.name, file.version, found)

    def _telling(self, file: SqlFile) -> set[str]:
        """Tables that tell by their hours where a check has something to look at.

        Those with a select, since they differ where the lake does; and what it reads of the ledger,
        which says new things of windows whose rows are the same.
        """
        return {name for name, table in self.tables.items() if table.query} | file.reads

    def _refresh(self, table: Table) -> None:
        if table.is_growing:
            self._refresh_growing(table)
        else:
            self._refresh_whole(table)

    def _refresh_whole(self, table: Table) -> None:
        marks = self._by_day.of(table.name)
        now: Slots = {slot: mark for slot, mark in marks.items() if slot is None}
        if stale(now, self.records.filled(table.name, DAYS)):
            self._written[table.name] += self._filler.fill_whole(table, now)

    def _refresh_growing(self, table: Table) -> None:
        """Week by week: what is made anew over years need not fit into the database at once."""
        if self.line_items.is_read_by(table):
            self._catch_up()
        changed = self._changed(table)
        for week in joined(changed, DAY):
            self._fill(table, week.of(changed))
        self._put_away(table)

    def _catch_up(self) -> None:
        """Fill what reads line items together when it is weeks: the cache holds one at most.

        Once. A table that cannot be filled is told when its turn comes.
        """
        if self._is_caught_up:
            return
        self._is_caught_up = True
        reading = [table for table in self.tables.values() if self.line_items.is_read_by(table)]
        readers = [table for table in reading if self._make_ready(table)]
        changed = {table: self._changed(table) for table in readers}
        every = {day for found in changed.values() for day in found}
        for week in joined(every, DAY) if len(every) > _DAYS_A_WEEK else []:
            for table, found in changed.items():
                with suppress(TableError):
                    self._fill(table, week.of(found))
            self.line_items.clear()

    def _make_ready(self, table: Table) -> bool:
        """Bring what a table reads up to date, and make the table; whether that is possible."""
        try:
            for name in table.reads:
                self.refresh_table(self.tables[name])
        except TableError:
            return False
        self._definitions.define(table)
        return True

    def _changed(self, table: Table) -> list[datetime]:
        """Days on which a growing table is not made from what is there now, or broken."""
        if table.is_archived:
            self._filler.mend(table, self.archive.broken(table))
        return _times(stale(self._days(table), self.records.filled(table.name, DAYS)))

    def _fill(self, table: Table, days: list[datetime]) -> None:
        if days:
            self._written[table.name] += self._filler.fill(table, self._stale(table, days))
            self._put_away(table)

    def _put_away(self, table: Table) -> None:
        """Move days that have become old from the database to files."""
        days = _times(self._days(table))
        if table.is_archived and days:
            kept = timedelta(days=self._settings[NATIVE_DAYS_SETTING])
            self._filler.put_away(table, days[-1] - kept + DAY)

    def _stale(self, table: Table, days: list[datetime]) -> Stale:
        now = self._days(table)
        if table.slot != HOUR:
            return Stale(days, days, [day for day in days if day in now], {DAYS: now})
        if table.is_archived:  # their files are about to be read
            for day in days:
                self._filler.mend(table, self.archive.changed(table, Range(day, day + DAY)))
        hours: dict[datetime | None, str] = {}
        for day in days:
            hours |= timed(self._by_hour(day).of(table.name)) if day in now else {}
        slots = _times(stale(hours, self.records.filled_hours(table.name, days)))
        return Stale(
            days, slots, [hour for hour in slots if hour in hours], {DAYS: now, HOURS: hours}
        )

    def _days(self, table: Table) -> Slots:
        """Fingerprint of a growing table by day, without the days it no longer keeps."""
        frozen = self._inputs.frozen(table.name)
        days = timed(self._by_day.of(table.name)) | timed(frozen)
        if not days or not table.own_retention:
            return days
        oldest = max(_times(days)) - timedelta(days=self._settings[table.own_retention])
        return {day: days[day] for day in _times(days) if day > oldest}

    def _fingerprints_of_hours(self, day: datetime) -> Fingerprints:
        contents = partial(self._inputs.hour_hashes, day=day)
        return Fingerprints(self.tables, contents, self._settings, self._settled)

    def _settled(self, name: str) -> Slots:
        """Hash of the rows of each day of a table that is settled; it is up to date by now."""
        rows = self.connection.execute(
            f"select day, cast(bit_xor(hash(it)) as varchar) from {name} as it group by day"
        )
        return {day_start(day): content for day, content in rows.fetchall()}


def _times(slots: Iterable[datetime | None]) -> list[datetime]:
    return sorted(slot for slot in slots if slot)
