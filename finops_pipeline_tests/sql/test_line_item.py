"""Tests of line items: each amount once, priced by hours, owned by labels."""

from decimal import Decimal
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finops_pipeline_tests.sources import kubecost
from finops_pipeline_tests.sql.data import Data
from finops_pipeline_tests.sql.rows import CONTAINER, NODE, lines

COSTS = [
    f"{part}_cost"
    for part in ("cpu", "memory", "gpu", "storage", "network", "load_balancer", "shared")
]
OWNER = ("team", "environment", "project", "cost_center")
TEAM_KEYS = [
    {"owner_part": "team", "position_count": 0, "label": "team"},
    {"owner_part": "team", "position_count": 1, "label": "squad"},
    {"owner_part": "environment", "position_count": 0, "label": "env"},
]


def test_the_sources_own_idle_row_is_not_counted_again(data):
    data.given("raw.asset", NODE)
    data.given(
        "raw.allocation", {"allocation": "__idle__", "cluster": "prod", "source_cpu_cost": 9}
    )

    assert [row["cost_kind"] for row in lines(data)] == ["idle"]


@cache
def tables_made_once() -> Data:
    return Data()


def tables_without_rows() -> Data:
    """Return the tables without rows; hundreds of examples would wait for their own."""
    data = tables_made_once()
    for table in ("raw.asset", "raw.allocation", "core.price"):
        data.connection.execute(f"delete from {table}")
    return data


@given(
    hours=st.lists(
        st.floats(min_value=0, max_value=4, allow_nan=False).map(lambda hours: round(hours, 5)),
        min_size=1,
        max_size=8,
    ),
    price=st.floats(min_value=0, max_value=3, allow_nan=False),
)
def test_containers_and_idle_add_up_to_the_node_exactly(hours, price):
    data = tables_without_rows()
    data.given("raw.asset", {**NODE, "cpu_core_hours": 4.0, "source_cpu_cost": 4 * price})
    data.given(
        "raw.allocation",
        *({**CONTAINER, "allocation": f"a{i}", "cpu_core_hours": h} for i, h in enumerate(hours)),
    )

    total = sum(row["cpu_cost"] for row in lines(data))

    assert (
        total
        == data.rows(
            "select cast(4.0 * cpu_core_hour_price as decimal(28, 10)) as cost from core.price"
        )[0]["cost"]
    )


def test_usage_that_was_not_measured_is_unknown_not_zero(data):
    data.given("raw.asset", NODE)
    data.given("raw.allocation", CONTAINER)

    container = next(row for row in lines(data) if row["cost_kind"] == "workload")

    assert container["cpu_used_core_hours"] is None


def test_a_pod_that_moved_to_another_node_used_what_it_used_once(data):
    data.given(
        "raw.allocation",
        {**CONTAINER, "allocation": "on a", "node": "node-a", "minutes": 10},
        {**CONTAINER, "allocation": "on b", "node": "node-b", "minutes": 5},
    )
    data.given(
        "raw.container_usage",
        {
            "cluster": "prod",
            "namespace": "shop",
            "pod": "web-1",
            "container": "web",
            "cpu_used_core_hours": 0.3,
        },
    )

    used = {line["node"]: line["cpu_used_core_hours"] for line in lines(data)}

    assert used == {"node-a": pytest.approx(0.2), "node-b": pytest.approx(0.1)}


def test_kubecost_adds_up_to_the_bill_to_the_last_decimal(data):
    data.given("core.label_key", *TEAM_KEYS)
    for name, table in kubecost.reading().tables.items():
        data.given(name, *table.to_pylist())

    rows = {(row["cost_kind"], row["node"]): row for row in lines(data)}
    total = data.rows(f"select sum({' + '.join(COSTS)}) as cost from costs.line_item")[0]["cost"]
    web = rows["workload", "node-a"]

    assert total == Decimal(kubecost.TOTAL_COST)
    assert (web["cpu_cost"], web["memory_cost"]) == (Decimal("0.018"), Decimal("0.009"))
    assert rows["unallocated", None]["cpu_cost"] == Decimal("0.0036")
    assert rows["idle", "node-a"]["cpu_cost"] == Decimal("0.018")
    assert rows["idle", None]["cpu_cost"] == Decimal("-0.0036")
    assert rows["shared", None]["shared_cost"] == Decimal("0.005")
    assert (rows["external", None]["team"], rows["external", None]["namespace"]) == (
        "data",
        "__external__",
    )
    assert rows["cluster_management", None]["shared_cost"] == Decimal("0.025")
    assert rows["network", None]["network_cost"] == Decimal("0.003")


def test_kubecost_is_red_in_no_check(data):
    for name, table in kubecost.reading().tables.items():
        data.given(name, *table.to_pylist())
    data.fill("core.price", "costs.hourly", "costs.daily")

    for name in ("idle_not_negative", "source_agrees", "costs_finite", "prices_known"):
        assert data.check(name) == []


@pytest.mark.parametrize("kind", ["node", "load_balancer"])
def test_an_adjustment_moves_the_price(data, kind):
    """Take a tenth off a node's hours, and off a load balancer's."""
    price = {"cluster": "prod", "price_kind": kind}
    if kind == "node":
        data.given("raw.asset", {**NODE, "source_total_cost": 0.054, "adjustment_cost": -0.006})
        per_hour = {"cpu_core_hour_price": 0.04, "memory_gib_hour_price": 0.005}
        data.given("raw.price", {**price, "name": "node-a", **per_hour})
    else:
        balancer = {"cluster": "prod", "asset_kind": kind, "name": "shop/lb"}
        data.given("raw.asset", {**balancer, "source_total_cost": 0.054, "adjustment_cost": -0.006})
        data.given("raw.price", {**price, "name": "shop/lb", "load_balancer_hour_price": 0.24})

    (line,) = lines(data)

    assert sum(line[cost] for cost in COSTS) == Decimal("0.054")


def test_a_node_without_a_price_has_no_idle_cost(data):
    data.given("raw.asset", {**NODE, "source_cpu_cost": None})
    data.given("raw.allocation", {**CONTAINER, "source_cpu_cost": 0.003, "source_gpu_cost": 0.5})

    rows = {row["cost_kind"]: row for row in data.fill("core.price", "costs.quarter_hourly")}

    assert [rows[kind]["cpu_cost"] for kind in ("workload", "idle")] == [Decimal("0.003"), 0]
    assert [rows[kind]["gpu_cost"] for kind in ("workload", "idle")] == [Decimal("0.5"), 0]
    assert rows["idle"]["memory_cost"] == Decimal("0.0175")


def test_an_empty_node_without_a_price_costs_nothing(data):
    data.given("raw.asset", {**NODE, "source_cpu_cost": None, "source_memory_cost": None})

    (idle,) = data.fill("core.price", "costs.quarter_hourly")

    assert idle["total_cost"] == 0


def test_a_load_balancer_without_pods_is_unmounted_once(data):
    data.given(
        "raw.asset",
        {
            "cluster": "prod",
            "asset_kind": "load_balancer",
            "name": "shop/old",
            "source_total_cost": 0.00672,
        },
    )
    data.given(
        "raw.allocation",
        {
            "cluster": "prod",
            "allocation": "prod//__unmounted__/__unmounted__/__unmounted__",
            "namespace": "__unmounted__",
            "pod": "__unmounted__",
            "container": "__unmounted__",
            "source_load_balancer_cost": 0.01344,
            "volumes": '{"cluster=prod:name=pv-1":{"byteHours":8053063680,"cost":0.00113013698}}',
        },
    )

    rows = {row["workload"]: row for row in lines(data)}

    assert {row["cost_kind"] for row in rows.values()} == {"unmounted"}
    assert rows["old"]["load_balancer_cost"] == Decimal("0.00672")
    assert rows["__unmounted__"]["load_balancer_cost"] == 0
    assert rows["__unmounted__"]["storage_cost"] == Decimal("0.0011301370")


def test_a_cost_without_an_owner_is_unattributed(data):
    data.given("raw.allocation", CONTAINER)

    (row,) = lines(data)

    assert {row[part] for part in OWNER} == {"unattributed"}
    assert {row[f"{part}_rule"] for part in OWNER} == {"none"}
    assert (row["workload_kind"], row["workload"]) == ("Deployment", "web")
