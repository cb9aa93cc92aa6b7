"""Arrow schemas of the raw tables, each column as its ``create table`` says."""

import pyarrow as pa
import pytest

from finops_pipeline.catalog.raw_schemas import raw_schema
from finops_pipeline.catalog.tables import tables

RAW = [name for name, table in tables().items() if table.is_raw]
INSTANT = pa.timestamp("us", "UTC")


def test_columns_have_order_type_and_nulls_of_the_create_table():
    assert raw_schema("raw.volume_usage") == pa.schema(
        [
            pa.field("cluster", pa.string(), nullable=False),
            pa.field("window_start", INSTANT, nullable=False),
            pa.field("namespace", pa.string(), nullable=False),
            pa.field("volume_claim", pa.string(), nullable=False),
            pa.field("used_bytes", pa.float64()),
            pa.field("capacity_bytes", pa.float64()),
        ]
    )


@pytest.mark.parametrize(
    ("table", "column", "kind"),
    [
        ("raw.bill", "charge_period_until", pa.field("charge_period_until", INSTANT)),
        ("raw.node", "is_spot", pa.field("is_spot", pa.bool_())),
        ("raw.pod", "is_deleted", pa.field("is_deleted", pa.bool_(), nullable=False)),
        ("raw.statement", "cost_month", pa.field("cost_month", pa.date32(), nullable=False)),
        (
            "raw.statement",
            "total_cost",
            pa.field("total_cost", pa.decimal128(28, 10), nullable=False),
        ),
    ],
)
def test_a_column_has_the_type_of_the_create_table(table, column, kind):
    assert raw_schema(table).field(column) == kind


@pytest.mark.parametrize("table", RAW)
def test_every_raw_table_has_a_schema_with_all_of_its_columns(table):
    assert raw_schema(table).names == list(tables()[table].columns)


def test_a_table_without_a_file_is_an_error():
    with pytest.raises(KeyError, match=r"raw\.nothing"):
        raw_schema("raw.nothing")
