"""Open warehouse: keeps its tables equal to what the SQL files make of the lake and the ledger.

The lake is the record; every table is derived from it and can be made anew. One step of a tick
fills all tables, runs the checks and publishes, so that they see one state of the ledger. What is
made anew over years is filled week by week, each week in a transaction of its own: it need not fit
into the database at once, and a crash loses a week.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path
from typing import Any

import duckdb

from finops_pipeline.catalog.files import SqlFile
from finops_pipeline.catalog.table_entries import table_entries
from finops_pipeline.catalog.tables import Table, tables
from finops_pipeline.errors import TableError
from finops_pipeline.units import DAY, HOUR
from finops_pipeline.warehouse.archive import Archive
from finops_pipeline.warehouse.bookkeeping import Bookkeeping
from finops_pipeline.warehouse.connect import connect, read_everything, translate_damage
from finops_pipeline.warehouse.database import Database
from finops_pipeline.warehouse.fill import Filler, query_rows
from finops_pipeline.warehouse.line_item_cache import LineItemCache, delete_line_item_cache
from finops_pipeline.warehouse.ranges import ALWAYS, day_ranges, join_slots
from finops_pipeline.warehouse.schema import Schema
from finops_pipeline.warehouse.source_data import SourceData
from finops_pipeline.warehouse.staleness import Staleness

# Of views over the lake; more are not cached at once.
_DAYS_A_WEEK = 7
_HOURS_A_WEEK = _DAYS_A_WEEK * 24


@contextmanager
def open_warehouse(
    path: Path,
    source_data: SourceData,
    settings: Mapping[str, Any],
    sql: Mapping[str, Table] | None = None,
) -> Iterator["Warehouse"]:
    """Open the warehouse; hold its lock (:func:`connect.hold_lock`) meanwhile.

    Args:
        path: the database file; created when missing, since all of it can be derived again.
        source_data: the lake and the ledger; what they answer must not change while it is open.
        settings: what a select may name after a dollar sign; some say for how many days the rows
            of a table are kept, or lie in the database itself.
        sql: the tables, each after those it reads; by default those of the SQL files.

    Raises:
        WarehouseDamaged: from here or from within the block, when the file cannot be read.
    """
    with translate_damage(path):
        warehouse = Warehouse(path, source_data, settings, tables() if sql is None else sql)
        try:
            yield warehouse
        finally:
            warehouse.close()


class Warehouse:
    """Open database that holds every table of the SQL files."""

    def __init__(
        self,
        path: Path,
        source_data: SourceData,
        settings: Mapping[str, Any],
        sql: Mapping[str, Table],
    ) -> None:
        """Open the file; arguments as for :func:`open_warehouse`."""
        self.path = path
        self.tables = sql
        self.database = Database(connect(path))
        try:
            self._prepare(source_data, settings)
        except BaseException:  # of any kind: else no other connection could open the file
            self.close()
            raise
        self._fresh_tables: set[str] = set()
        self._row_counts: Counter[str] = Counter()  # written so far, by table
        self._is_caught_up = False
        self._findings_by_check: dict[str, list[dict[str, Any]]] = {}

    def _prepare(self, source_data: SourceData, settings: Mapping[str, Any]) -> None:
        """Make the parts that work on the open database."""
        database, sql = self.database, self.tables
        self.bookkeeping = Bookkeeping(self.connection)
        with database.transaction():
            self.bookkeeping.store_catalog(table_entries(sql.values(), settings))
        self.archive = Archive(database, self.path)
        self._schema = Schema(database, self.bookkeeping, sql, source_data, self.archive)
        self.line_items = LineItemCache(self.connection, self.path, sql, self._schema)
        self._staleness = Staleness(
            database, self.bookkeeping, self.archive, sql, source_data, settings
        )
        parts = (self.bookkeeping, self._schema, self.line_items, self.archive)
        self._filler = Filler(database, *parts, source_data, settings)

    @property
    def connection(self) -> duckdb.DuckDBPyConnection:
        """The open connection."""
        return self.database.connection

    def close(self) -> None:
        """Write everything to the file and let go of it; it may then be copied."""
        self.connection.close()
        delete_line_item_cache(self.path)

    def verify(self) -> None:
        """Read everything once: damage shows only where rows are read, and many seldom are.

        Old days whose file has changed are filled anew.

        Raises:
            WarehouseDamaged: a block has changed.
        """
        with translate_damage(self.path):
            read_everything(self.connection)
        for table in self.tables.values():
            if table.kind.archived_after:
                self._staleness.discard_changed_days(table)

    def refresh(self) -> dict[str, int]:
        """Bring every table up to date; return the rows written by table name."""
        return {name: self.refresh_table(table) for name, table in self.tables.items()}

    def refresh_table(self, table: Table) -> int:
        """Bring one table up to date, after those it reads.

        Usually those are. But the ledger may have changed since they were filled, and a table must
        not be marked as made from rows that it has not seen.

        Returns:
            Rows written to this table; 0 when nothing it is made from has changed.

        Raises:
            TableError: a row breaks a constraint of the table file; the old rows stay.
        """
        if table.name in self._fresh_tables:
            return self._row_counts[table.name]
        for name in table.reads:
            self.refresh_table(self.tables[name])
        self._schema.define(table)
        if not table.is_raw and not table.is_view:
            self._refresh(table)
        self._fresh_tables.add(table.name)
        return self._row_counts[table.name]

    def check(self, file: SqlFile) -> list[dict[str, Any]]:
        """Return the rows of a check, each a mistake that stands.

        The tables it reads are brought up to date first. A check that names ``$start`` and ``$end``
        looks at the hours that changed since the last publication, one that names ``$day`` at each
        day that did; its rows for other hours stand as they are. Any other looks at everything.
        """
        if file.name not in self._findings_by_check:
            for name in ("core.window", *file.reads):
                self.refresh_table(self.tables[name])
            self._findings_by_check[file.name] = self._run_check(file)
        return self._findings_by_check[file.name]

    def show_all(self) -> None:
        """Name every current file in the views of files, as readers see them."""
        self._schema.show_all()

    def row_count(self, table: Table) -> int:
        """Count the rows of a table that is filled, in the database and in files."""
        ((native,),) = self.connection.execute(f"select count(*) from {table.storage}").fetchall()
        return int(native) + self.archive.row_count(table)

    def rows(self, query: str, arguments: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Return the rows of a query, each a dict by column name."""
        return query_rows(self.connection, query, arguments or {})

    def _run_check(self, file: SqlFile) -> list[dict[str, Any]]:
        if not {"start", "day"} & file.parameters:
            return self._filler.rows(file, ALWAYS)
        hours = self.bookkeeping.hours_since_publication(self._tables_to_watch(file))
        parts = day_ranges(hours) if "day" in file.parameters else join_slots(hours, HOUR)
        rows_by_range = []
        for part in parts:
            rows_by_range.append((part, self._filler.rows(file, part)))
            if len(hours) > _HOURS_A_WEEK:
                self.line_items.clear()
        with self.database.transaction():
            return self.bookkeeping.replace_findings(file.name, file.version, rows_by_range)

    def _tables_to_watch(self, file: SqlFile) -> set[str]:
        """List the tables that tell by their hours where a check has something to look at.

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
        if whole := self._staleness.whole(table):
            self._row_counts[table.name] += self._filler.fill_whole(table, whole)

    def _refresh_growing(self, table: Table) -> None:
        """Fill week by week: what is made anew over years need not fit into the database."""
        if self.line_items.is_read_by(table):
            self._catch_up()
        stale_days = self._staleness.days(table)
        for week in join_slots(stale_days, DAY):
            self._fill(table, week.select(stale_days))
        self._archive_old_days(table)

    def _catch_up(self) -> None:
        """Fill what reads line items together when it is weeks: the cache holds one at most.

        It runs once. The error of a table that cannot be filled is raised when its own turn comes.
        """
        if self._is_caught_up:
            return
        self._is_caught_up = True
        readers = [table for table in self.tables.values() if self.line_items.is_read_by(table)]
        ready = [table for table in readers if self._make_ready(table)]
        days_by_table = {table: self._staleness.days(table) for table in ready}
        all_days = {day for days in days_by_table.values() for day in days}
        for week in join_slots(all_days, DAY) if len(all_days) > _DAYS_A_WEEK else []:
            for table, days in days_by_table.items():
                with suppress(TableError):
                    self._fill(table, week.select(days))
            self.line_items.clear()

    def _make_ready(self, table: Table) -> bool:
        """Refresh what a table reads, and define the table; return whether that was possible."""
        try:
            for name in table.reads:
                self.refresh_table(self.tables[name])
        except TableError:
            return False
        self._schema.define(table)
        return True

    def _fill(self, table: Table, days: list[datetime]) -> None:
        if days:
            stale = self._staleness.slots(table, days)
            self._row_counts[table.name] += self._filler.fill(table, stale)
            self._archive_old_days(table)

    def _archive_old_days(self, table: Table) -> None:
        """Move days that have become old from the database to files."""
        if before := self._staleness.archived_before(table):
            self._filler.archive_days(table, before)
