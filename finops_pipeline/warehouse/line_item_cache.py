"""Cache of line items: views over the lake, computed once for each hour of a tick.

Many tables and checks read them, and computing them is most of what a changed hour costs. The cache
is a database of its own, beside the warehouse and gone when that is closed: nothing of it is ever
published. Views are cached by the hour, since tables ask for ranges that overlap; when weeks are
made anew, it holds one week at a time (``Warehouse`` sees to that).
"""

import shutil
from collections import defaultdict
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path

import duckdb

from finops_pipeline.catalog.files import SqlFile, replace_table
from finops_pipeline.catalog.tables import Table
from finops_pipeline.sql_text import sql_literal
from finops_pipeline.units import DAY, HOUR
from finops_pipeline.warehouse.ranges import Range, hour_starts, join_slots
from finops_pipeline.warehouse.schema import Schema

_ENDINGS = (".line_items", ".line_items.wal")
_FORMER_ENDINGS = (".spool", ".spool.wal")  # before 0.1


class LineItemCache:
    """Rows of the views over the lake, for the hours that were asked for."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        warehouse: Path,
        tables: Mapping[str, Table],
        schema: Schema,
    ) -> None:
        """Attach an empty cache to the warehouse's connection; delete what a crash has left."""
        self._connection = connection
        self._tables = tables
        self._schema = schema
        self._hours_by_view: defaultdict[str, set[datetime]] = defaultdict(set)
        self._cache_tables: set[str] = set()
        delete_line_item_cache(warehouse)
        connection.execute(f"attach {sql_literal(_file(warehouse))} as line_items")
        for name in {table.schema for table in tables.values()}:
            connection.execute(f"create schema if not exists line_items.{name}")

    def is_read_by(self, table: Table) -> bool:
        """Return whether a table that grows is made from views that are cached."""
        return table.is_growing and not table.is_view and bool(self._views_of(table))

    def clear(self) -> None:
        """Forget everything: what is asked for next is computed anew."""
        for name in self._cache_tables:
            self._connection.execute(f"drop table line_items.{name}")
        self._connection.execute("checkpoint line_items")  # gives the room back
        self._cache_tables.clear()
        self._hours_by_view.clear()

    def cache_views(self, file: SqlFile, part: Range) -> None:
        """Compute what a select reads of views in a range, but for what is there already.

        To be called outside of transactions: one writes to a single database.
        """
        for view in self._views_of(file):
            self.cache_view(view, part)

    def cache_view(self, view: Table, part: Range) -> None:
        """Compute a view in the hours of a range that are not there yet."""
        hours = self._hours_by_view[view.name]
        for missing in join_slots(set(hour_starts(part)) - hours, HOUR, longest=DAY):
            self._compute(view, missing)
            hours |= set(hour_starts(missing))

    def cached_select(self, file: SqlFile, part: Range) -> str:
        """Return the select of a file, changed to read a range of the cache instead of views."""
        query = (file.query or "").rstrip(";")
        for view in self._views_of(file):
            rows = f"from line_items.{view.name} where {part.condition('window_start')}"
            query = replace_table(query, view.name, rows)
        return query

    def _views_of(self, file: SqlFile) -> list[Table]:
        """List the views of line items that a select reads range by range."""
        is_view = isinstance(file, Table) and file.is_view
        if not is_view and "start" not in file.parameters:
            return []
        tables = (self._tables[name] for name in sorted(file.reads))
        return [table for table in tables if table.kind.is_cached]

    def _compute(self, view: Table, part: Range) -> None:
        self.cache_views(view, part)
        self._schema.show(view, part)
        query, name = self.cached_select(view, part), f"line_items.{view.name}"
        if view.name in self._cache_tables:
            self._connection.execute(f"insert into {name} by name {query}")
        else:
            self._connection.execute(f"create table {name} as {query}")
            self._cache_tables.add(view.name)


def delete_line_item_cache(warehouse: Path) -> None:
    """Delete what a crash may have left, what DuckDB spilled too; no connection may be open."""
    for ending in (*_ENDINGS, *_FORMER_ENDINGS):
        warehouse.with_suffix(ending).unlink(missing_ok=True)
    spill_folder = warehouse.with_suffix(".duckdb.tmp")
    if spill_folder.exists():
        shutil.rmtree(spill_folder)


def _file(warehouse: Path) -> Path:
    return warehouse.with_suffix(_ENDINGS[0])
