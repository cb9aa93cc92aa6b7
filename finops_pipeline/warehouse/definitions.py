"""Makes tables and views as their files say, each with a comment on it and on its columns."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb

from finops_pipeline.warehouse.inputs import Inputs
from finops_pipeline.warehouse.ranges import ALWAYS, NEVER, Range
from finops_pipeline.warehouse.records import Records
from finops_pipeline.warehouse.sql_file import SqlFile, Table

# The names of folders would be columns too; files hold all that they say.
_PLAIN = "hive_partitioning = false"


class Definitions:
    """The tables of a database, made anew when their file changed."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        records: Records,
        tables: Mapping[str, Table],
        inputs: Inputs,
    ) -> None:
        """Schemas and the shape of raw tables are made at once; what has no file is dropped."""
        self._connection = connection
        self._records = records
        self._tables = tables
        self._inputs = inputs
        self._shown: dict[str, str] = {}  # select of each raw view that is there
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
            self.show_raw(table, NEVER)
        with transaction(self._connection):
            self._drop(table.name)
            if table.is_raw:
                self._connection.execute(table.ddl.replace(table.name, _empty(table.name), 1))
            else:
                self._connection.execute(table.ddl)
                self._comment([table])
            self._records.define(table.name, table.version)

    def show_raw(self, file: SqlFile, within: Range) -> None:
        """Let what a select reads of the lake hold the windows of a range, and no others."""
        for table in self._raw_behind(file):
            self._show(table, self._inputs.files(table.name, within.start, within.end), within)

    def show_all_raw(self) -> None:
        """Let the raw views name every current lake file, with comments: as readers see them."""
        raw = [table for table in self._tables.values() if table.is_raw]
        with transaction(self._connection):  # each comment would be a commit of its own
            for table in raw:
                self._show(table, self._inputs.named_files(table.name), ALWAYS)
            self._comment(raw)

    def _show(self, table: Table, files: Sequence[Path], within: Range) -> None:
        # The empty table gives the view its types even where there is no file yet.
        select = f"select * from {_empty(table.name)}"
        if files:
            names = ", ".join(quoted(str(file)) for file in files)
            select += f" union all by name select * from read_parquet([{names}], {_PLAIN})"
        if files and within != ALWAYS:
            select += f" where window_start >= '{within.start}' and window_start < '{within.end}'"
        if self._shown.get(table.name) != select:  # most tables of a tick ask for the same hours
            self._connection.execute(f"create or replace view {table.name} as {select}")
            self._shown[table.name] = select

    def _raw_behind(self, file: SqlFile) -> list[Table]:
        """The raw tables a select reads, itself or through views."""
        behind: dict[str, Table] = {}
        for table in (self._tables[name] for name in sorted(file.reads)):
            if table.is_raw:
                behind[table.name] = table
            elif table.is_view:
                behind |= {raw.name: raw for raw in self._raw_behind(table)}
        return list(behind.values())

    def _comment(self, tables: Iterable[Table]) -> None:
        statements = (statement for table in tables for statement in _comments(table))
        self._connection.execute(";".join(statements))

    def _drop(self, name: str) -> None:
        self._shown.pop(name, None)
        for stored in (name, _empty(name)) if name.startswith("raw.") else (name,):
            rows = self._connection.execute(
                "select table_type from information_schema.tables"
                " where table_schema || '.' || table_name = $1"
                " and table_catalog = current_database()",
                [stored],
            ).fetchall()
            for (kind,) in rows:
                self._connection.execute(f"drop {'view' if kind == 'VIEW' else 'table'} {stored}")
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
    kind = "view" if table.is_view or table.is_raw else "table"
    yield f"comment on {kind} {table.name} is {quoted(table.description)}"
    for column, comment in table.columns.items():
        yield f"comment on column {table.name}.{column} is {quoted(comment)}"


def _empty(raw_name: str) -> str:
    """The table behind a raw view that holds its types and no rows."""
    return f"internal.empty_{raw_name.removeprefix('raw.')}"


def quoted(text: str) -> str:
    """As a text of SQL."""
    return "'" + text.replace("'", "''") + "'"
