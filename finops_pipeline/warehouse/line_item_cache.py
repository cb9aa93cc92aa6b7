"""Views over the lake, computed once for each hour and read by every table and check of a tick.

The cache is a database of its own, beside the warehouse and gone when that is closed: nothing of it
is ever published. Views are cached by the hour, since tables ask for ranges that overlap.
"""

import shutil
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import duckdb

from finops_pipeline.catalog.files import SqlFile, replace_table
from finops_pipeline.catalog.tables import Table
from finops_pipeline.sql_text import quoted
from finops_pipeline.units import DAY, HOUR
from finops_pipeline.warehouse.ranges import Range, hours, joined
from finops_pipeline.warehouse.schema import Definitions


class LineItemCache:
    """What the views over the lake answer for the hours that were asked for."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        warehouse: Path,
        tables: Mapping[str, Table],
        definitions: Definitions,
    ) -> None:
        """Attached to the warehouse's connection; a file left by a crash is deleted."""
        self._connection = connection
        self._tables = tables
        self._definitions = definitions
        self._held: defaultdict[str, set[datetime]] = defaultdict(set)
        self._made: set[str] = set()
        delete_line_item_cache(warehouse)
        connection.execute(f"attach {quoted(_file(warehouse))} as line_items")
        for schema in {table.schema for table in tables.values()}:
            connection.execute(f"create schema if not exists line_items.{schema}")

    def is_read_by(self, table: Table) -> bool:
        """Whether a table that grows is made from views that are cached."""
        return table.is_growing and not table.is_view and bool(self._cached_views(table))

    def clear(self) -> None:
        """Forget everything: what is asked for next is computed anew."""
        for name in self._made:
            self._connection.execute(f"drop table line_items.{name}")
        self._connection.execute("checkpoint line_items")  # gives the room back
        self._made.clear()
        self._held.clear()

    def hold(self, file: SqlFile, part: Range) -> None:
        """Compute what a select reads of views in a range, but for what is there already.

        To be called outside of transactions: one writes to a single database.
        """
        for view in self._cached_views(file):
            self.hold_view(view, part)

    def hold_view(self, view: Table, part: Range) -> None:
        """Compute a view in the hours of a range that are not there yet."""
        held = self._held[view.name]
        for missing in joined(set(hours(part)) - held, HOUR, longest=DAY):
            self._fill(view, missing)
            held |= set(hours(missing))

    def select(self, file: SqlFile, part: Range) -> str:
        """The select of a file, reading what is held of a range instead of views."""
        query = (file.query or "").rstrip(";")
        for view in self._cached_views(file):
            rows = f"from line_items.{view.name} where {part.condition('window_start')}"
            query = replace_table(query, view.name, rows)
        return query

    def _cached_views(self, file: SqlFile) -> list[Table]:
        """The lines that a select reads range by range."""
        is_view = isinstance(file, Table) and file.is_view
        if not is_view and "start" not in file.parameters:
            return []
        read = (self._tables[name] for name in sorted(file.reads))
        return [table for table in read if table.is_line_item]

    def _fill(self, view: Table, part: Range) -> None:
        self.hold(view, part)
        self._definitions.show(view, part)
        query, name = self.select(view, part), f"line_items.{view.name}"
        if view.name in self._made:
            self._connection.execute(f"insert into {name} by name {query}")
        else:
            self._connection.execute(f"create table {name} as {query}")
            self._made.add(view.name)


def delete_line_item_cache(warehouse: Path) -> None:
    """Delete what a crash may have left, what DuckDB spilled too; nobody may have it open."""
    for file in (_file(warehouse), _file(warehouse).with_suffix(".line_items.wal")):
        file.unlink(missing_ok=True)
    spilled = warehouse.with_suffix(".duckdb.tmp")
    if spilled.exists():
        shutil.rmtree(spilled)


def _file(warehouse: Path) -> Path:
    return warehouse.with_suffix(".line_items")
