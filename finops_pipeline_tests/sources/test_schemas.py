"""What sources hand on has exactly the columns of the raw tables."""

from importlib.resources import files

import duckdb
import pyarrow as pa
import pytest

from finops_pipeline.sources import opencost, prometheus
from finops_pipeline.sources.kubernetes import tables as kubernetes_tables

SCHEMAS = opencost.SCHEMAS | prometheus.SCHEMAS | kubernetes_tables.SCHEMAS
ARROW = {
    "VARCHAR": pa.string(),
    "DOUBLE": pa.float64(),
    "BOOLEAN": pa.bool_(),
    "TIMESTAMP WITH TIME ZONE": pa.timestamp("us", "UTC"),
}


@pytest.mark.parametrize("table", SCHEMAS)
def test_rows_have_the_columns_of_the_create_table(table: str):
    schema, name = table.split(".")
    text = files("finops_pipeline").joinpath(f"sql/tables/{schema}/{name}.sql").read_text()
    with duckdb.connect() as database:
        database.execute(f"create schema {schema}")
        database.execute(text)
        columns = database.execute(f"pragma table_info('{table}')").fetchall()

    assert SCHEMAS[table] == pa.schema(
        [pa.field(name, ARROW[kind], not required) for _, name, kind, required, *_ in columns]
    )
