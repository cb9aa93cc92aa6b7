"""Tests of what each allocation costs by hours and prices."""

from decimal import Decimal
from typing import Any

import pytest

from finops_pipeline_tests.sql.data import Data
from finops_pipeline_tests.sql.rows import CONTAINER, NODE


def allocations(data: Data) -> list[dict[str, Any]]:
    data.fill("core.price")
    return data.part("priced_allocation")


def test_a_container_costs_hours_times_the_price_of_its_node(data):
    data.given("raw.asset", NODE)
    data.given("raw.allocation", CONTAINER)

    (container,) = allocations(data)

    assert container["cpu_cost"] == Decimal("0.0050000000")  # 0.125 x 0.04
    assert container["memory_cost"] == Decimal("0.0025000000")  # 0.5 x 0.02 / 4


def test_prometheus_price_beats_the_rounded_assets(data):
    data.given("raw.asset", NODE)
    data.given(
        "raw.price",
        {
            "cluster": "prod",
            "price_kind": "node",
            "name": "node-a",
            "cpu_core_hour_price": 0.08,
            "memory_gib_hour_price": 0.01,
        },
    )
    data.given("raw.allocation", CONTAINER)

    (container,) = allocations(data)

    assert container["cpu_cost"] == Decimal("0.0100000000")
    assert data.rows("select price_source from core.price") == [{"price_source": "prometheus"}]


def test_the_sources_own_idle_row_is_left_out(data):
    data.given("raw.allocation", {**CONTAINER, "allocation": "__idle__", "source_cpu_cost": 9})

    assert allocations(data) == []


def test_a_ghost_is_left_out(data):
    nothing = {"cpu_core_hours": 0, "memory_byte_hours": 0, "source_total_cost": 0}
    ghost = {**CONTAINER, **nothing, "allocation": "ghost", "node": None, "minutes": 0.5}
    unknown = {**ghost, "allocation": "unknown", "source_total_cost": None}
    data.given("raw.allocation", ghost, unknown)

    assert [row["allocation"] for row in allocations(data)] == ["unknown"]


def test_a_pod_that_moved_to_another_node_has_shares_of_its_usage(data):
    data.given(
        "raw.allocation",
        {**CONTAINER, "allocation": "on a", "node": "node-a", "minutes": 10},
        {**CONTAINER, "allocation": "on b", "node": "node-b", "minutes": 5},
    )

    shares = {row["node"]: row["usage_share"] for row in allocations(data)}

    assert shares == {"node-a": pytest.approx(2 / 3), "node-b": pytest.approx(1 / 3)}


@pytest.mark.parametrize("cost", ['"abc"', '"NaN"', '"inf"', "1e300", "{}"])
def test_a_volume_cost_that_is_no_number_gives_way_to_the_sources_own(data, cost):
    volumes = f'{{"pv-1":{{"cost":{cost}}},"pv-2":{{"cost":0.1}}}}'
    data.given("raw.allocation", {**CONTAINER, "volumes": volumes, "source_storage_cost": 0.3})

    (row,) = allocations(data)

    assert row["storage_cost"] == Decimal("0.3")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("prod/node-a/shop/web-1/web", "workload"),
        ("prod//__unmounted__/__unmounted__/__unmounted__", "unmounted"),
        ("prod/__shared__", "shared"),
        ("__external__", "external"),
        ("prod/node-a/shop/web-1/__init__", "workload"),
    ],
)
def test_the_end_of_a_name_tells_the_kind_of_cost(data, name, kind):
    data.given("raw.allocation", {**CONTAINER, "allocation": name})

    assert [row["cost_kind"] for row in allocations(data)] == [kind]
