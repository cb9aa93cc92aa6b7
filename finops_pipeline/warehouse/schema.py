"""Makes tables and views as their files say, each with a comment on it and on its columns."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb

from finops_pipeline.catalog.files import SqlFile, replace_table
from finops_pipeline.catalog.tables import Table
from finops_pipeline.sql_text import quoted
from finops_pipeline.warehouse.archive import Archive
from finops_pipeline.warehouse.bookkeeping import Bookkeeping
from finops_pipeline.warehouse.ranges import ALWAYS, NEVER, Range
from finops_pipeline.warehouse.source_data import SourceData

# The names of folders would be columns too; files hold all that they say.
_PLAIN = "hive_partitioning = false"

_IN_MACRO = "window_start >= start_at and window_start < end_at"


class Definitions:
    """The tables of a database, made anew when their file changed."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        records: Bookkeeping,
        tables: Mapping[str, Table],
        inputs: SourceData,
        archive: Archive,
    ) -> None:
        """Schemas and the shape of raw tables are made at once; what has no file is dropped."""
        self._connection = connection
        self._records = records
        self._tables = tables
        self._inputs = inputs
        self._archive = archive
        self._shown: dict[str, str] = {}  # select of each view of files that is there
        for schema in sorted({table.schema for table in tables.values()}):
            connection.execute(f"create schema if not exists {schema}")
        for name in records.versions.keys() - tables.keys():
            with transaction(connection):
                self._drop(name)
        for table in tables.values():
            if table.is_raw:
                self.define(table)

    def define(self, table: Table) -> None:
        """Make a table as its file says now; a changed file makes it anew, and empty."""
        if self._records.versions.get(table.name) == table.version:
            return
        if table.is_view:
            self.show(table, NEVER)
        with transaction(self._connection):
            self._drop(table.name)
            self._connection.execute(table.ddl.replace(table.name, table.storage, 1))
            if table.is_archived:
                self._show(table, [], NEVER)
            if table.is_line_item:
                self._make_macro(table)
            if not table.is_filed:
                self._comment([table])
            self._records.define(table.name, table.version)

    def _make_macro(self, line: Table) -> None:
        """Its rows of a range: unlike the view it reads nothing of the lake that lies outside."""
        query = (line.query or "").rstrip(";")
        for table in (self._tables[name] for name in sorted(line.reads)):
            if table.is_line_item:
                query = replace_table(query, table.name, f"from {table.name}(start_at, end_at)")
            elif "window_start" in table.columns:
                query = replace_table(query, table.name, f"from {table.name} where {_IN_MACRO}")
        self._connection.execute(
            f"create or replace macro {line.name}(start_at, end_at) as table {query}"
        )

    def show(self, file: SqlFile, within: Range) -> None:
        """Let what a select reads of files hold what they say of a range.

        Raises:
            LakeDamaged: a file of the lake does not hold what was written.
            WarehouseDamaged: one beside the warehouse does not.
        """
        for table in self._filed_behind(file):
            self._show(table, self._files(table, within), within)

    def show_all(self) -> None:
        """Let the views of files name every current one, with comments: as readers see them.

        Raises:
            LakeDamaged: a file of the lake is missing or cut.
            WarehouseDamaged: one beside the warehouse is.
        """
        filed = [table for table in self._tables.values() if table.is_filed]
        with transaction(self._connection):  # each comment would be a commit of its own
            for table in filed:
                self._show(table, *self._named_files(table))
            self._comment(filed)

    def rolled_back(self) -> None:
        """A transaction was: what the views name now is what they named before it."""
        self._shown.clear()

    def _files(self, table: Table, within: Range) -> Sequence[Path]:
        if table.is_archived and within == ALWAYS:  # all would be read at each tick; nights do
            return self._archive.named_files(table)[0]
        if table.is_archived:
            return self._archive.files(table, within)
        return self._inputs.files(table.name, within.start, within.end)

    def _named_files(self, table: Table) -> tuple[Sequence[Path], Range]:
        """All files of a table; questions about later hours than they hold need not open them."""
        if table.is_archived:
            return self._archive.named_files(table)
        return self._inputs.named_files(table.name), ALWAYS

    def _show(self, table: Table, files: Sequence[Path], within: Range) -> None:
        # The table itself gives the view its types even where there is no file.
        select = f"select * from {table.storage}"
        if files:
            names = ", ".join(quoted(file) for file in files)
            select += f" union all by name select * from read_parquet([{names}], {_PLAIN})"
        if files and within != ALWAYS:
            select += f" where {within.condition(table.time_column or 'window_start')}"
        if self._shown.get(table.name) != select:  # most tables of a tick ask for the same hours
            self._connection.execute(f"create or replace view {table.name} as {select}")
            self._shown[table.name] = select

    def _filed_behind(self, file: SqlFile) -> list[Table]:
        """The tables with files that a select reads, itself or through views."""
        behind: dict[str, Table] = {}
        for table in (self._tables[name] for name in sorted(file.reads)):
            if table.is_filed:
                behind[table.name] = table
            elif table.is_view:
                behind |= {filed.name: filed for filed in self._filed_behind(table)}
        return list(behind.values())

    def _comment(self, tables: Iterable[Table]) -> None:
        statements = (statement for table in tables for statement in _comments(table))
        self._connection.execute(";".join(statements))

    def _drop(self, name: str) -> None:
        self._shown.pop(name, None)
        for stored in (name, f"internal.{name.replace('.', '_')}"):
            rows = self._connection.execute(
                "select table_type from information_schema.tables"
                " where table_schema || '.' || table_name = $1"
                " and table_catalog = current_database()",
                [stored],
            ).fetchall()
            for (kind,) in rows:
                self._connection.execute(f"drop {'view' if kind == 'VIEW' else 'table'} {stored}")
        self._connection.execute(f"drop macro table if exists {name}")
        self._archive.drop(name)
        self._records.forget(name)


@contextmanager
def transaction(connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    """Everything in the block, or nothing."""
    connection.execute("begin")
    try:
        yield
    except BaseException:  # Ctrl-C too: a half-filled table must not be there for the next to see
        connection.execute("rollback")
        raise
    connection.execute("commit")


def _comments(table: Table) -> Iterator[str]:
    kind = "view" if table.is_view or table.is_filed else "table"
    yield f"comment on {kind} {table.name} is {quoted(table.description)}"
    for column, comment in table.columns.items():
        yield f"comment on column {table.name}.{column} is {quoted(comment)}"
