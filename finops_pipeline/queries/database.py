"""A copy of the published file that needs nothing beside it: the lake's newest rows are inside."""

from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from finops_pipeline.errors import QueryError
from finops_pipeline.queries.published import published_file
from finops_pipeline.sql_text import sql_literal

_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "storage_compatibility_version": "v1.5.0",  # DuckDB 1.5 opens it, too
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
_PUBLISHED = "database_name = 'published' and schema_name not in ('internal', 'main')"
_SCHEMAS = f"select schema_name from duckdb_schemas() where {_PUBLISHED}"
_TABLES = f"select schema_name || '.' || table_name, sql from duckdb_tables() where {_PUBLISHED}"
_VIEWS = f"select schema_name || '.' || view_name, sql from duckdb_views() where {_PUBLISHED}"
_MACROS = f"""
select schema_name || '.' || function_name, parameters, macro_definition
from duckdb_functions()
where {_PUBLISHED} and function_type = 'table_macro'
"""
_COMMENTS = f"""
select 'table', schema_name || '.' || table_name, comment from duckdb_tables() where {_PUBLISHED}
union all
select 'view', schema_name || '.' || view_name, comment from duckdb_views() where {_PUBLISHED}
union all
select 'column', concat_ws('.', schema_name, table_name, '"' || column_name || '"'), comment
from duckdb_columns()
where {_PUBLISHED}
"""


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
    """Tables as they are, with their constraints; then what lies in the lake, then the views."""
    for (schema,) in copy.execute(_SCHEMAS).fetchall():
        copy.execute(f"create schema if not exists {schema}")
    for name, sql in copy.execute(_TABLES).fetchall():
        copy.execute(sql)
        copy.execute(f"insert into {name} from published.{name}")
    views = dict(copy.execute(_VIEWS).fetchall())
    of_the_lake = {name for name, sql in views.items() if _is_of_the_lake(name, sql)}
    kept = _kept(copy, raw_days)
    for name in sorted(of_the_lake):
        condition = f" where {kept}" if _is_raw(name) else ""
        copy.execute(f"create table {name} as from published.{name}{condition}")
    macros = [
        f"create macro {name}({', '.join(parameters)}) as table {query}"
        for name, parameters, query in copy.execute(_MACROS).fetchall()
    ]
    _make(copy, [*(sql for name, sql in views.items() if name not in of_the_lake), *macros])
    _comment(copy, of_the_lake)


def _is_of_the_lake(name: str, view: str) -> bool:
    """Whether it reads files, or tables that only the pipeline knows."""
    return _is_raw(name) or "read_parquet(" in view or "internal." in view


def _is_raw(name: str) -> bool:
    return name.startswith("raw.")


def _kept(copy: duckdb.DuckDBPyConnection, raw_days: int) -> str:
    """Which raw rows stay; each of the tables has a window."""
    if not raw_days:
        return "false"
    query = "select published_at from published.core.installation"
    ((published_at,),) = copy.execute(query).fetchall()
    day: datetime = published_at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return f"window_start >= timestamptz '{day - timedelta(days=raw_days)}'"


def _make(copy: duckdb.DuckDBPyConnection, statements: list[str]) -> None:
    """Views and macros, each after those it reads: until then their names are unknown."""
    while statements:
        later = [sql for sql in statements if not _is_made(copy, sql)]
        if len(later) == len(statements):
            copy.execute(later[0])  # says what is unknown
        statements = later


def _is_made(copy: duckdb.DuckDBPyConnection, statement: str) -> bool:
    try:
        copy.execute(statement)
    except duckdb.CatalogException:
        return False
    return True


def _comment(copy: duckdb.DuckDBPyConnection, of_the_lake: set[str]) -> None:
    rows = copy.execute(_COMMENTS).fetchall()
    copy.execute(
        ";".join(
            f"comment on {'table' if name in of_the_lake else kind} {name}"
            f" is {sql_literal(comment)}"
            for kind, name, comment in rows
            if comment
        )
    )
