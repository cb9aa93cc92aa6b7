"""A copy of the published file that needs nothing beside it: the lake's newest rows are inside."""

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb

from finops_pipeline.catalog.files import query_text
from finops_pipeline.errors import QueryError
from finops_pipeline.queries.published import published_file
from finops_pipeline.sql_text import sql_literal

_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "storage_compatibility_version": "v1.5.0",  # DuckDB 1.5 opens it, too
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}


def copy_database(data_dir: Path, target: Path, raw_days: int) -> None:
    """Copy every published table into a new DuckDB file.

    What lies in the lake becomes tables. Of the raw ones, which are large, the newest days are
    kept; views that compute from them answer for those days.

    Args:
        data_dir: folder of the published file.
        target: must not exist.
        raw_days: whole UTC days before that of the publication; with 0, raw tables are empty.

    Raises:
        NotPublished: there is nothing to copy.
        QueryError: the published file, or the lake it names, cannot be read.
    """
    published = published_file(data_dir)
    with closing(duckdb.connect(str(target), config=_CONFIG)) as copy:
        copy.execute("set TimeZone = 'UTC'")
        try:
            copy.execute(f"attach {sql_literal(published)} as published (read_only)")
            _fill(copy, raw_days)
            copy.execute("detach published")
            copy.execute("checkpoint")
        except duckdb.Error as error:
            raise QueryError(f"{published} cannot be copied: {error}") from error


def _fill(copy: duckdb.DuckDBPyConnection, raw_days: int) -> None:
    """Fill tables as they are, with their constraints; then the lake's; then make the views."""
    definitions = _published_definitions(copy)
    for definition in definitions["schema"].values():
        copy.execute(definition)
    for name, definition in definitions["table"].items():
        copy.execute(definition)
        copy.execute(f"insert into {name} from published.{name}")
    views = definitions["view"]
    lake_views = {name for name, view in views.items() if _reads_the_lake(name, view)}
    raw_condition = _raw_condition(copy, raw_days)
    for name in sorted(lake_views):
        condition = f" where {raw_condition}" if _is_raw(name) else ""
        copy.execute(f"create table {name} as from published.{name}{condition}")
    other_views = [view for name, view in views.items() if name not in lake_views]
    _define(copy, [*other_views, *definitions["macro"].values()])
    _comment(copy, lake_views)


def _published_definitions(copy: duckdb.DuckDBPyConnection) -> dict[str, dict[str, str]]:
    """Return the statements that make schemas, tables, views and macros, each by name."""
    definitions: dict[str, dict[str, str]] = {"schema": {}, "table": {}, "view": {}, "macro": {}}
    for kind, name, definition in _rows(copy, "published_definitions"):
        definitions[kind][name] = definition
    return definitions


def _reads_the_lake(name: str, view: str) -> bool:
    """Return whether a view reads files, or tables that only the pipeline knows."""
    return _is_raw(name) or "read_parquet(" in view or "internal." in view


def _is_raw(name: str) -> bool:
    return name.startswith("raw.")


def _raw_condition(copy: duckdb.DuckDBPyConnection, raw_days: int) -> str:
    """Return which raw rows are copied, as a condition; each of the tables has a window."""
    if not raw_days:
        return "false"
    ((*_, published_at),) = _rows(copy, "installation")
    day: datetime = published_at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return f"window_start >= timestamptz '{day - timedelta(days=raw_days)}'"


def _define(copy: duckdb.DuckDBPyConnection, definitions: list[str]) -> None:
    """Make views and macros, each after those it reads: until then their names are unknown."""
    while definitions:
        remaining = [sql for sql in definitions if not _is_defined(copy, sql)]
        if len(remaining) == len(definitions):
            copy.execute(remaining[0])  # says what is unknown
        definitions = remaining


def _is_defined(copy: duckdb.DuckDBPyConnection, definition: str) -> bool:
    try:
        copy.execute(definition)
    except duckdb.CatalogException:
        return False
    return True


def _comment(copy: duckdb.DuckDBPyConnection, lake_views: set[str]) -> None:
    copy.execute(
        ";".join(
            f"comment on {'table' if name in lake_views else kind} {name} is {sql_literal(comment)}"
            for kind, name, comment in _rows(copy, "published_comments")
        )
    )


def _rows(copy: duckdb.DuckDBPyConnection, name: str) -> list[tuple[Any, ...]]:
    return copy.execute(query_text(name)).fetchall()
