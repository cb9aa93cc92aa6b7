"""Schema of the warehouse: tables and views as their files say, with comments on their columns.

Views of the lake name the current files of the ledger, not patterns of folders: so each row is
there once, also while files are merged. A select of a range sees a view of that range alone.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path

from finops_pipeline.catalog.files import SqlFile, replace_table
from finops_pipeline.catalog.tables import Table
from finops_pipeline.sql_text import sql_literal
from finops_pipeline.warehouse.archive import Archive
from finops_pipeline.warehouse.bookkeeping import Bookkeeping
from finops_pipeline.warehouse.database import Database
from finops_pipeline.warehouse.ranges import ALWAYS, NEVER, Range
from finops_pipeline.warehouse.source_data import SourceData

# Without this the names of folders would be columns too; files hold all that those say.
_PLAIN = "hive_partitioning = false"

_IN_MACRO = "window_start >= start_at and window_start < end_at"


class Schema:
    """Tables of a database, made anew when their file changed."""

    def __init__(
        self,
        database: Database,
        bookkeeping: Bookkeeping,
        tables: Mapping[str, Table],
        source_data: SourceData,
        archive: Archive,
    ) -> None:
        """Make schemas and the shape of raw tables at once; drop tables that have no file."""
        self._transaction = database.transaction
        self._connection = database.connection
        self._bookkeeping = bookkeeping
        self._tables = tables
        self._source_data = source_data
        self._archive = archive
        self._select_by_view: dict[str, str] = {}  # of each view of files that is there
        database.on_rollback(self._select_by_view.clear)
        for schema in sorted({table.schema for table in tables.values()}):
            self._connection.execute(f"create schema if not exists {schema}")
        for name in bookkeeping.versions.keys() - tables.keys():
            with self._transaction():
                self._drop(name)
        for table in tables.values():
            if table.is_raw:
                self.define(table)

    def define(self, table: Table) -> None:
        """Make a table as its file says now; a changed file makes it anew, and empty."""
        if self._bookkeeping.versions.get(table.name) == table.version:
            return
        if table.is_view:
            self.show(table, NEVER)
        with self._transaction():
            self._drop(table.name)
            self._connection.execute(table.ddl.replace(table.name, table.storage, 1))
            if table.kind.archived_after:
                self._show(table, [], NEVER)
            if table.kind.is_cached:
                self._make_macro(table)
            if not table.is_filed:
                self._comment([table])
            self._bookkeeping.store_definition(table.name, table.version)

    def _make_macro(self, view: Table) -> None:
        """Make the macro of a range: unlike the view it reads nothing of the lake outside of it."""
        query = (view.query or "").rstrip(";")
        for table in (self._tables[name] for name in sorted(view.reads)):
            if table.kind.is_cached:
                query = replace_table(query, table.name, f"from {table.name}(start_at, end_at)")
            elif "window_start" in table.columns:
                query = replace_table(query, table.name, f"from {table.name} where {_IN_MACRO}")
        self._connection.execute(
            f"create or replace macro {view.name}(start_at, end_at) as table {query}"
        )

    def show(self, file: SqlFile, part: Range) -> None:
        """Name the files of a range in the views of files that a select reads.

        Raises:
            LakeDamaged: a file of the lake does not hold what was written.
            WarehouseDamaged: one beside the warehouse does not.
        """
        for table in self._filed_tables(file):
            self._show(table, self._files(table, part), part)

    def show_all(self) -> None:
        """Name every current file in the views of files, with comments: as readers see them.

        Raises:
            LakeDamaged: a file of the lake is missing or cut.
            WarehouseDamaged: one beside the warehouse is.
        """
        filed = [table for table in self._tables.values() if table.is_filed]
        with self._transaction():  # each comment would be a commit of its own
            for table in filed:
                self._show(table, *self._current_files(table))
            self._comment(filed)

    def _files(self, table: Table, part: Range) -> Sequence[Path]:
        if (
            table.kind.archived_after and part == ALWAYS
        ):  # all would be read at each tick; nights do
            return self._archive.current_files(table)[0]
        if table.kind.archived_after:
            return self._archive.files(table, part)
        return self._source_data.files(table.name, part.start, part.end)

    def _current_files(self, table: Table) -> tuple[Sequence[Path], Range]:
        """Return all files of a table; questions about hours after theirs need not open them."""
        if table.kind.archived_after:
            return self._archive.current_files(table)
        return self._source_data.current_files(table.name), ALWAYS

    def _show(self, table: Table, files: Sequence[Path], part: Range) -> None:
        # The table itself gives the view its types even where there is no file.
        select = f"select * from {table.storage}"
        if files:
            paths = ", ".join(sql_literal(file) for file in files)
            select += f" union all by name select * from read_parquet([{paths}], {_PLAIN})"
        if files and part != ALWAYS:
            select += f" where {part.condition(table.time_column or 'window_start')}"
        if self._select_by_view.get(table.name) != select:  # most tables ask for the same hours
            self._connection.execute(f"create or replace view {table.name} as {select}")
            self._select_by_view[table.name] = select

    def _filed_tables(self, file: SqlFile) -> list[Table]:
        """List the tables with files that a select reads, itself or through views."""
        filed: dict[str, Table] = {}
        for table in (self._tables[name] for name in sorted(file.reads)):
            if table.is_filed:
                filed[table.name] = table
            elif table.is_view:
                filed |= {upstream.name: upstream for upstream in self._filed_tables(table)}
        return list(filed.values())

    def _comment(self, tables: Iterable[Table]) -> None:
        statements = (statement for table in tables for statement in _comments(table))
        self._connection.execute(";".join(statements))

    def _drop(self, name: str) -> None:
        self._select_by_view.pop(name, None)
        for relation in (name, f"internal.{name.replace('.', '_')}"):
            rows = self._connection.execute(
                "select table_type from information_schema.tables"
                " where table_schema || '.' || table_name = $1"
                " and table_catalog = current_database()",
                [relation],
            ).fetchall()
            for (kind,) in rows:
                self._connection.execute(f"drop {'view' if kind == 'VIEW' else 'table'} {relation}")
        self._connection.execute(f"drop macro table if exists {name}")
        self._archive.drop(name)
        self._bookkeeping.forget(name)


def _comments(table: Table) -> Iterator[str]:
    kind = "view" if table.is_view or table.is_filed else "table"
    yield f"comment on {kind} {table.name} is {sql_literal(table.description)}"
    for column, comment in table.columns.items():
        yield f"comment on column {table.name}.{column} is {sql_literal(comment)}"
