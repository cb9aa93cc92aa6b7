"""Rows of every source: exactly the columns of its raw tables, none missing and none more."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal

import duckdb
import pyarrow as pa
import pytest

from finops_pipeline import http
from finops_pipeline.catalog.raw_schemas import raw_schema
from finops_pipeline.catalog.tables import tables
from finops_pipeline.errors import TableError
from finops_pipeline.simulation.server import Server, serve
from finops_pipeline.sources import focus, opencost, prometheus
from finops_pipeline.sources.kubernetes import listing
from finops_pipeline.sources.reading import raw_table
from finops_pipeline.units import DAY

MONDAY = datetime(2026, 3, 9, tzinfo=UTC)
NOW = MONDAY + 2 * DAY
CHARGE = {
    "BillingPeriodStart": MONDAY.replace(day=1),
    "ChargePeriodStart": MONDAY,
    "ChargePeriodEnd": MONDAY + DAY,
    "ChargeCategory": "Usage",
    "ServiceCategory": "Compute",
    "ServiceName": "Virtual Machines",
    "BillingCurrency": "USD",
    "BilledCost": Decimal("1.25"),
    "EffectiveCost": Decimal("1.00"),
}


@pytest.fixture(scope="module")
def cluster() -> Iterator[Server]:
    with serve(clock=lambda: NOW) as server:
        yield server


@pytest.fixture(scope="module")
def rows(cluster, tmp_path_factory) -> dict[str, pa.Table]:
    """Rows of each raw table that a source fills."""
    bill = tmp_path_factory.mktemp("bill") / "bill.parquet"
    duckdb.from_arrow(pa.Table.from_pylist([CHARGE])).write_parquet(str(bill))
    month = MONDAY.date().replace(day=1)
    with (
        http.client(cluster.opencost_url) as costs,
        http.client(cluster.prometheus_url) as metrics,
        http.client(cluster.kubernetes_url) as api,
    ):
        readings = [
            opencost.read_window(costs, "demo", MONDAY, NOW),
            opencost.read_day(costs, "demo", MONDAY, NOW),
            prometheus.read_window(metrics, "demo", MONDAY, NOW, 'cluster="demo"'),
            listing.read_window(api, "demo", MONDAY, NOW),
        ]
    found = {name: table for reading in readings for name, table in reading.tables.items()}
    return {**found, focus.TABLE: focus.read_month([("bill.parquet", bill)], month)}


FILLED = [name for name, table in tables().items() if table.is_raw and not table.kind.is_appended]


@pytest.mark.parametrize("table", FILLED)
def test_a_source_fills_exactly_the_columns_of_its_table(rows, table):
    assert rows[table].schema == raw_schema(table)
    assert rows[table].num_rows


def test_no_source_fills_another_table(rows):
    assert sorted(rows) == sorted(FILLED)


COLUMNS = {"namespace": ["shop"], "volume_claim": ["data"], "used_bytes": [1.0]}


@pytest.mark.parametrize(
    "columns", [COLUMNS, {**COLUMNS, "capacity_bytes": [2.0], "free_bytes": [1.0]}]
)
def test_rows_with_a_column_too_few_or_too_many_are_refused(columns):
    with pytest.raises(TableError, match=r"raw\.volume_usage has the columns"):
        raw_table("raw.volume_usage", "prod", MONDAY, columns)


def test_a_required_value_that_is_missing_is_refused():
    columns = {**COLUMNS, "volume_claim": [None], "capacity_bytes": [None]}

    with pytest.raises(ValueError, match="volume_claim is missing in 1 rows"):
        raw_table("raw.volume_usage", "prod", MONDAY, columns)


def test_rows_share_cluster_and_window():
    columns = {**COLUMNS, "capacity_bytes": [None]}

    (row,) = raw_table("raw.volume_usage", "prod", MONDAY, columns).to_pylist()

    assert row == {
        "cluster": "prod",
        "window_start": MONDAY,
        "namespace": "shop",
        "volume_claim": "data",
        "used_bytes": 1.0,
        "capacity_bytes": None,
    }
