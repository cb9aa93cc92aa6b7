"""Tables in memory, with short words for given, fill and ask."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime
from functools import cache
from typing import Any

import duckdb

from finops_pipeline.catalog.files import SqlFile, sql_files
from finops_pipeline.catalog.tables import tables
from finops_pipeline.settings.sections import Calendar, Ingest, Metrics, Retention
from finops_pipeline.warehouse.bookkeeping import TABLES as INTERNAL_TABLES

# What SQL files name after a dollar sign: times, and settings with their defaults.
PARAMETERS: dict[str, Any] = {
    **{
        name: field.get_default(call_default_factory=True)
        for section in (Ingest, Retention, Metrics, Calendar)
        for name, field in section.model_fields.items()
    },
    "start": datetime(2000, 1, 1, tzinfo=UTC),
    "end": datetime(2100, 1, 1, tzinfo=UTC),
    "day": date(2026, 3, 1),
    "top_workloads": 2,
    "idle_sharing": "separate",
    "shared_sharing": "proportional",
}
FILLERS = {"VARCHAR": "", "DATE": "2026-03-01", "BOOLEAN": False}
FIRST_WINDOW = "2026-03-01 10:00:00+00"


class Data:
    """The tables of the SQL files; those of the lake and the ledger are filled by ``given``."""

    def __init__(self) -> None:
        self.connection = duckdb.connect()
        self.connection.execute("set TimeZone = 'UTC'")
        self.connection.execute(INTERNAL_TABLES)
        for table in tables().values():
            self.connection.execute(f"create schema if not exists {table.schema}")
            self.connection.execute(table.ddl)

    def given(self, table: str, *rows: dict[str, Any]) -> None:
        """Add rows. A column a row leaves out gets null, or something neutral where it may not."""
        schema = {column["column_name"]: column for column in self._columns(table)}
        for row in rows:
            assert row.keys() <= schema.keys(), f"{table} has no {row.keys() - schema.keys()}"
            full = {name: row.get(name, _filler(column)) for name, column in schema.items()}
            marks = ", ".join(f"${name}" for name in full)
            columns = ", ".join(full)
            self.connection.execute(f"insert into {table} ({columns}) values ({marks})", full)

    def fill(self, *names: str) -> list[dict[str, Any]]:
        """Fill tables, in this order, and return the rows of the last one."""
        for name in names:
            table = tables()[name]
            if not table.is_view:
                query = f"insert into {name} by name {table.query}"
                self.connection.execute(query, used(table))
        return self.rows(f"select * from {names[-1]} order by all")

    def check(self, name: str) -> list[dict[str, Any]]:
        """Return the rows of a check, blocking or not."""
        check = {**sql_files("checks"), **sql_files("checks/blocking")}[name]
        return self.rows(check.query or "", used(check))

    def metric(self, name: str) -> list[dict[str, Any]]:
        """Return the samples of a metric."""
        metric = sql_files("metrics")[name]
        return self.rows(f"from ({(metric.query or '').rstrip(';')}) order by all", used(metric))

    def part(self, name: str) -> list[dict[str, Any]]:
        """Return the rows of a part of tables, read alone."""
        part = sql_files("parts")[name]
        return self.rows(f"from ({(part.query or '').rstrip(';')}) order by all", used(part))

    def rows(self, query: str, parameters: dict[str, Any] | None = None) -> list[dict[str, Any]]:
        cursor = self.connection.execute(query, parameters or {})
        names = [column[0] for column in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def _columns(self, table: str) -> list[dict[str, Any]]:
        return self.rows(
            "select * from duckdb_columns() where schema_name || '.' || table_name = $table",
            {"table": table},
        )


def used(file: SqlFile) -> dict[str, Any]:
    """Return the parameters that a file names."""
    return {name: PARAMETERS[name] for name in file.parameters}


def _filler(column: dict[str, Any]) -> Any:
    if column["is_nullable"]:
        return None
    if column["data_type"].startswith("TIMESTAMP"):
        return FIRST_WINDOW
    if column["column_name"] == "minutes":
        return 15
    if column["column_name"] == "window_count":
        return 1
    return FILLERS.get(column["data_type"], 0)


@cache
def _shared_data() -> Data:
    return Data()


@contextmanager
def empty_tables() -> Iterator[Data]:
    """Yield tables without rows, made once per process: what the block does is rolled back."""
    data = _shared_data()
    data.connection.execute("begin")
    try:
        yield data
    finally:
        data.connection.execute("rollback")
