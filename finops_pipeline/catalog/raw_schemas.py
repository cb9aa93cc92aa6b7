"""Arrow schemas of the raw tables, as DuckDB understands their ``create table``."""

from collections.abc import Mapping
from contextlib import closing
from functools import cache

import duckdb
import pyarrow as pa

from finops_pipeline.catalog.files import SQL_DIR
from finops_pipeline.catalog.tables import Table


def raw_schema(table_name: str) -> pa.Schema:
    """Return the columns of a raw table in its order, with type and whether they may be null.

    Args:
        table_name: such as ``raw.allocation``.

    Raises:
        KeyError: no such file under ``sql/tables/raw``.
    """
    return _raw_schemas()[table_name]


@cache
def _raw_schemas() -> Mapping[str, pa.Schema]:
    # All at once: most of the time goes into opening a database.
    with closing(duckdb.connect(config={"threads": 1})) as connection:
        connection.execute("set TimeZone = 'UTC'")
        connection.execute("create schema raw")
        files = map(Table, sorted((SQL_DIR / "tables" / "raw").glob("*.sql")))
        return {table.name: _create(connection, table) for table in files}


def _create(connection: duckdb.DuckDBPyConnection, table: Table) -> pa.Schema:
    connection.execute(table.ddl)
    columns = connection.execute(f"from {table.name} limit 0").to_arrow_table().schema
    facts = connection.execute(f"pragma table_info('{table.name}')").fetchall()
    is_required = {name: not_null for _, name, _, not_null, *_ in facts}
    return pa.schema([column.with_nullable(not is_required[column.name]) for column in columns])
