"""Filling of one table: its stale slots are deleted and written anew in one transaction.

A row that breaks a constraint, and a crash, leave the rows of before.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import duckdb

from finops_pipeline.catalog.files import SqlFile
from finops_pipeline.catalog.tables import Table
from finops_pipeline.errors import TableError
from finops_pipeline.units import DAY
from finops_pipeline.warehouse.archive import Archive, insert_files
from finops_pipeline.warehouse.bookkeeping import DAYS, Bookkeeping
from finops_pipeline.warehouse.database import Database
from finops_pipeline.warehouse.fingerprints import Slots
from finops_pipeline.warehouse.line_item_cache import LineItemCache
from finops_pipeline.warehouse.ranges import ALWAYS, Range, join_slots, range_condition
from finops_pipeline.warehouse.schema import Schema
from finops_pipeline.warehouse.source_data import SourceData
from finops_pipeline.warehouse.staleness import StaleSlots


@dataclass(frozen=True)
class Filler:
    """Fills tables of an open database, one after those it reads."""

    database: Database
    bookkeeping: Bookkeeping
    schema: Schema
    line_items: LineItemCache
    archive: Archive
    source_data: SourceData
    settings: Mapping[str, Any]  # what a select may name after a dollar sign

    def fill(self, table: Table, stale: StaleSlots) -> int:
        """Fill slots of a growing table anew; return the rows written.

        Raises:
            TableError: a row breaks a constraint of the table file; the old rows stay.
        """
        with _translate_errors(table):
            for part in stale.computed:
                self.line_items.cache_views(table, part)
        with self._transaction(table):
            self._bring_back(table, stale)
            for part in join_slots(stale.slots, table.slot):
                self._delete(table, part)
            row_count = sum(self._insert(table, part) for part in stale.computed)
            row_count += sum(self._insert_frozen(table, part) for part in stale.frozen)
            for grain, fingerprints in stale.fingerprints.items():
                slots = stale.days if grain == DAYS else stale.slots
                self.bookkeeping.store_fingerprints(table.name, grain, slots, fingerprints)
        return row_count

    def fill_whole(self, table: Table, fingerprints: Slots) -> int:
        """Fill a table that does not grow; return the rows written.

        Raises:
            TableError: a row breaks a constraint of the table file; the old rows stay.
        """
        with self._transaction(table):
            self._connection.execute(f"delete from {table.name}")
            row_count = self._insert(table, ALWAYS)
            self.bookkeeping.store_fingerprints(table.name, DAYS, fingerprints, fingerprints)
        return row_count

    def archive_days(self, table: Table, before: datetime) -> None:
        """Move days that have become old from the database to files."""
        with self._transaction(table):
            self.archive.archive_days(table, before)

    def rows(self, file: SqlFile, part: Range) -> list[dict[str, Any]]:
        """Return the rows of the select of a file for a range."""
        self.line_items.cache_views(file, part)
        self.schema.show(file, part)
        query = self.line_items.cached_select(file, part)
        return query_rows(self._connection, query, self._arguments(file, part))

    def _bring_back(self, table: Table, stale: StaleSlots) -> None:
        """Make rows of days that lie in files, since some hours of them stay as they are."""
        for day in stale.days if table.kind.archived_after else []:
            if day in stale.fingerprints[DAYS]:
                self.archive.bring_back(table, day)
            else:
                self.archive.drop(table.name, Range(day, day + DAY))

    @contextmanager
    def _transaction(self, table: Table) -> Iterator[None]:
        with _translate_errors(table), self.database.transaction():
            yield

    @property
    def _connection(self) -> duckdb.DuckDBPyConnection:
        return self.database.connection

    def _delete(self, table: Table, part: Range) -> None:
        condition = range_condition(table.time_column or "")
        self._connection.execute(f"delete from {table.storage} where {condition}", vars(part))

    def _insert(self, table: Table, part: Range) -> int:
        insert = f"insert into {table.storage} by name"
        if table.query is None:
            rows = self.source_data.rows(table.name, part.start, part.end)
            self._connection.register("ledger_rows", rows)
            result = self._connection.execute(f"{insert} select * from ledger_rows")
        else:
            query = self.line_items.cached_select(table, part)
            self.schema.show(table, part)
            result = self._connection.execute(f"{insert} {query}", self._arguments(table, part))
        return int((result.fetchone() or (0,))[0])

    def _insert_frozen(self, table: Table, part: Range) -> int:
        files = self.source_data.files(table.name, part.start, part.end)
        return insert_files(self._connection, table, files)

    def _arguments(self, file: SqlFile, part: Range) -> dict[str, Any]:
        values = {**self.settings, **vars(part), "day": part.start.date()}
        return {name: values[name] for name in file.parameters}


def query_rows(
    connection: duckdb.DuckDBPyConnection, query: str, arguments: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Return the rows of a query, each a dict by column name."""
    cursor = connection.execute(query, dict(arguments))
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@contextmanager
def _translate_errors(table: Table) -> Iterator[None]:
    try:
        yield
    except (duckdb.IntegrityError, duckdb.DataError, duckdb.ProgrammingError) as error:
        raise TableError(f"{table.name}: {error}") from error
