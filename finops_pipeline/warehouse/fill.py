"""Writes the rows of one table: the slots that are to be filled anew, in one transaction."""

from collections.abc import Iterable, Iterator, Mapping
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
from finops_pipeline.warehouse.fingerprints import Slots
from finops_pipeline.warehouse.line_item_cache import LineItemCache
from finops_pipeline.warehouse.ranges import ALWAYS, Range, joined, within
from finops_pipeline.warehouse.schema import Definitions, transaction
from finops_pipeline.warehouse.source_data import SourceData


@dataclass(frozen=True)
class Stale:
    """Where a growing table differs from what it is made from."""

    days: list[datetime]
    slots: list[datetime]  # what is deleted: those days, or hours of them
    filled: list[datetime]  # what is filled again: the rest has vanished or expired
    now: Mapping[str, Slots]  # fingerprints by grain


@dataclass(frozen=True)
class Filler:
    """Fills tables of an open database, one after those it reads."""

    connection: duckdb.DuckDBPyConnection
    records: Bookkeeping
    definitions: Definitions
    line_items: LineItemCache
    archive: Archive
    inputs: SourceData
    settings: Mapping[str, Any]  # what a select may name after a dollar sign

    def fill(self, table: Table, found: Stale) -> int:
        """Fill slots of a growing table anew; rows written.

        Raises:
            TableError: a row breaks a constraint of the table file; the old rows stay.
        """
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

    def fill_whole(self, table: Table, now: Slots) -> int:
        """Fill a table that does not grow; rows written.

        Raises:
            TableError: a row breaks a constraint of the table file; the old rows stay.
        """
        with self._filling(table):
            self.connection.execute(f"delete from {table.name}")
            written = self._insert(table, ALWAYS)
            self.records.remember(table.name, DAYS, now, now)
        return written

    def put_away(self, table: Table, before: datetime) -> None:
        """Move days that have become old from the database to files."""
        with self._filling(table):
            self.archive.put_away(table, before)

    def mend(self, table: Table, days: Iterable[datetime]) -> None:
        """Let days be filled anew whose file is not what it was."""
        for day in days:
            with transaction(self.connection):
                self.archive.drop(table.name, Range(day, day + DAY))
                self.records.unfill(table.name, day)

    def rows(self, file: SqlFile, part: Range) -> list[dict[str, Any]]:
        """What the select of a file answers for a range."""
        self.line_items.hold(file, part)
        self.definitions.show(file, part)
        query = self.line_items.select(file, part)
        return answered(self.connection, query, self._arguments(file, part))

    def _hold(self, table: Table, slots: list[datetime]) -> None:
        """Compute the views that a table reads."""
        frozen = self.inputs.frozen(table.name)
        made = [slot for slot in slots if slot not in frozen]
        with _translate_errors(table):
            for part in joined(made, table.slot):
                self.line_items.hold(table, part)

    def _bring_back(self, table: Table, found: Stale) -> None:
        """Make rows of days that lie in files, since some hours of them stay as they are."""
        for day in found.days if table.is_archived else []:
            if day in found.now[DAYS]:
                self.archive.bring_back(table, day)
            else:
                self.archive.drop(table.name, Range(day, day + DAY))

    def _fill(self, table: Table, slots: list[datetime]) -> int:
        """Days that are frozen come from the lake, as they were; all others from the select."""
        frozen = self.inputs.frozen(table.name)
        made = [slot for slot in slots if slot not in frozen]
        kept = [slot for slot in slots if slot in frozen]
        return sum(self._insert(table, part) for part in joined(made, table.slot)) + sum(
            self._insert_frozen(table, part) for part in joined(kept, table.slot)
        )

    @contextmanager
    def _filling(self, table: Table) -> Iterator[None]:
        try:
            with _translate_errors(table), transaction(self.connection):
                yield
        except BaseException:  # Ctrl-C too: what was shown and put away is not any more
            self.definitions.rolled_back()
            self.archive.rolled_back()
            raise

    def _delete(self, table: Table, part: Range) -> None:
        when = within(table.time_column or "")
        self.connection.execute(f"delete from {table.storage} where {when}", vars(part))

    def _insert(self, table: Table, part: Range) -> int:
        insert = f"insert into {table.storage} by name"
        if table.query is None:
            given = self.inputs.rows(table.name, part.start, part.end)
            self.connection.register("given_rows", given)
            result = self.connection.execute(f"{insert} select * from given_rows")
        else:
            query = self.line_items.select(table, part)
            self.definitions.show(table, part)
            result = self.connection.execute(f"{insert} {query}", self._arguments(table, part))
        return int((result.fetchone() or (0,))[0])

    def _insert_frozen(self, table: Table, part: Range) -> int:
        files = self.inputs.files(table.name, part.start, part.end)
        return insert_files(self.connection, table, files)

    def _arguments(self, file: SqlFile, within: Range) -> dict[str, Any]:
        known = {**self.settings, **vars(within), "day": within.start.date()}
        return {name: known[name] for name in file.parameters}


def answered(
    connection: duckdb.DuckDBPyConnection, query: str, arguments: Mapping[str, Any]
) -> list[dict[str, Any]]:
    """Rows of a query, each a dict by column name."""
    cursor = connection.execute(query, dict(arguments))
    names = [column[0] for column in cursor.description or []]
    return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


@contextmanager
def _translate_errors(table: Table) -> Iterator[None]:
    try:
        yield
    except (duckdb.IntegrityError, duckdb.DataError, duckdb.ProgrammingError) as error:
        raise TableError(f"{table.name}: {error}") from error
