"""Tests of which price counts: the source's, less a discount, or that of the settings."""

from decimal import Decimal
from typing import Any

import pytest

from finops_pipeline_tests.sql.data import Data
from finops_pipeline_tests.sql.rows import CONTAINER, GIB, NODE, lines

LISTED = {
    "cluster": "prod",
    "node_pool": "",
    "cpu_core_hour_price": 0.1,
    "memory_gib_hour_price": 0.02,
    "storage_gib_hour_price": 0.001,
    "load_balancer_hour_price": 0.03,
}
POOL_LABELS = [
    {"position_count": 0, "label": "gke_nodepool"},
    {"position_count": 1, "label": "eks_nodegroup"},
]
BALANCER = {
    "cluster": "prod",
    "asset": "lb",
    "asset_kind": "load_balancer",
    "name": "shop/web",
    "minutes": 15,
}
UNPRICED = {**NODE, "source_cpu_cost": None, "source_memory_cost": None}


def prices(data: Data) -> dict[str, dict[str, Any]]:
    return {row["node"]: row for row in data.fill("core.price")}


def node(name: str, **more: Any) -> dict[str, Any]:
    return {**NODE, "asset": name, "name": name, **more}


def test_without_a_price_list_the_source_is_right(data):
    data.given("raw.asset", NODE)

    price = prices(data)["node-a"]

    assert (price["cpu_core_hour_price"], price["memory_gib_hour_price"]) == (0.04, 0.005)
    assert (price["price_source"], price["discount_ratio"], price["node_pool"]) == (
        "asset",
        0,
        None,
    )


def test_the_price_list_counts_where_the_source_has_no_price(data):
    data.given("raw.asset", UNPRICED, node("node-b"))
    data.given("core.price_list", LISTED)

    by_node = prices(data)

    assert by_node["node-a"]["cpu_core_hour_price"] == 0.1
    assert by_node["node-a"]["price_source"] == "price_list"
    assert by_node["node-b"]["cpu_core_hour_price"] == 0.04
    assert by_node["node-b"]["price_source"] == "asset"


def test_without_any_price_a_node_has_none(data):
    data.given("raw.asset", UNPRICED)

    price = prices(data)["node-a"]

    assert (price["cpu_core_hour_price"], price["price_source"]) == (None, "none")


def test_a_node_that_was_free_until_it_was_billed_has_no_price_rather_than_zero(data):
    free = {"source_cpu_cost": 0.0, "source_memory_cost": 0.0}
    bill = {"adjustment_cost": 0.05, "source_total_cost": 0.05}
    data.given("raw.asset", {**NODE, **free, **bill}, node("node-b"))

    by_node = prices(data)

    assert (by_node["node-a"]["cpu_core_hour_price"], by_node["node-a"]["price_source"]) == (
        None,
        "none",
    )
    assert [row["node"] for row in data.check("prices_known")] == ["node-a"]


def test_a_preferred_price_beats_the_source_and_bears_no_discount(data):
    data.given("raw.asset", NODE)
    data.given("core.price_list", {**LISTED, "is_preferred": True, "discount_ratio": 0.5})

    price = prices(data)["node-a"]

    assert (price["cpu_core_hour_price"], price["price_source"]) == (0.1, "price_list")


def test_a_pool_has_its_own_price_and_discount_and_the_clusters_where_it_says_nothing(data):
    spot, general = '{"gke_nodepool": "spot"}', '{"eks_nodegroup": "general"}'
    data.given("core.node_pool_label", *POOL_LABELS)
    data.given("raw.asset", node("node-a", labels=spot), node("node-b", labels=general))
    data.given(
        "core.price_list",
        {"cluster": "prod", "node_pool": "spot", "discount_ratio": 0.75},
        {**LISTED, "discount_ratio": 0.25},
        {**LISTED, "cluster": "other", "discount_ratio": 0.9},
    )

    by_node = prices(data)

    assert (by_node["node-a"]["node_pool"], by_node["node-b"]["node_pool"]) == ("spot", "general")
    assert by_node["node-a"]["cpu_core_hour_price"] == pytest.approx(0.04 * 0.25)
    assert by_node["node-b"]["cpu_core_hour_price"] == pytest.approx(0.04 * 0.75)
    assert by_node["node-b"]["memory_gib_hour_price"] == pytest.approx(0.005 * 0.75)


def test_the_entry_of_a_pool_decides_which_of_its_prices_are_preferred(data):
    """Prefer no price of all nodes for a pool that has an entry of its own."""
    spot = node("node-a", labels='{"gke_nodepool": "spot"}')
    own = {"cluster": "prod", "node_pool": "spot", "cpu_core_hour_price": 0.9}
    data.given("core.node_pool_label", *POOL_LABELS)
    data.given("raw.asset", spot)
    data.given("core.price_list", {**own, "is_preferred": True}, LISTED)

    price = prices(data)["node-a"]

    assert (price["cpu_core_hour_price"], price["memory_gib_hour_price"]) == (0.9, 0.005)


def test_a_pool_without_a_price_has_that_of_all_nodes(data):
    spot = {**UNPRICED, "labels": '{"gke_nodepool": "spot"}'}
    data.given("core.node_pool_label", *POOL_LABELS)
    data.given("raw.asset", spot)
    own = {"cluster": "prod", "node_pool": "spot", "cpu_core_hour_price": 0.9}
    data.given("core.price_list", own, LISTED)

    price = prices(data)["node-a"]

    assert (price["cpu_core_hour_price"], price["memory_gib_hour_price"]) == (0.9, 0.02)


@pytest.mark.parametrize("more", [{}, {"is_preferred": True}, {"discount_ratio": 0.3}])
def test_a_nodes_containers_and_idle_cost_what_the_node_does(data, more):
    data.given("raw.asset", NODE)
    data.given("raw.allocation", CONTAINER)
    data.given("core.price_list", {**LISTED, **more})

    total = sum(row["cpu_cost"] + row["memory_cost"] for row in lines(data))

    price = prices(data)["node-a"]
    expected = price["cpu_core_hour_price"] + 4 * price["memory_gib_hour_price"]
    assert total == pytest.approx(Decimal(expected), abs=Decimal("2e-10"))


@pytest.mark.parametrize(
    ("is_preferred", "source_cost", "expected"),
    [
        (False, 0.7, "0.7"),
        (False, None, "0.0025"),  # 10 GiB x 0.25 h x 0.001
        (True, 0.7, "0.0025"),
    ],
)
def test_volumes_have_the_price_of_the_list(data, is_preferred, source_cost, expected):
    volume = {**CONTAINER, "storage_byte_hours": 2.5 * GIB, "source_storage_cost": source_cost}
    data.given("raw.asset", NODE)
    data.given("raw.allocation", volume)
    data.given("core.price_list", {**LISTED, "is_preferred": is_preferred})

    container = next(row for row in lines(data) if row["cost_kind"] == "workload")

    assert container["storage_cost"] == Decimal(expected)


@pytest.mark.parametrize(
    ("is_preferred", "source_cost", "storage_cost", "balancer_cost"),
    [
        (False, 0.7, "0.5", "0.5"),  # 0.7 - 0.2 as the bill says
        (True, 0.7, "0.0025", "0.0075"),  # 10 GiB x 0.25 h x 0.001; 0.25 h x 0.03
        (False, None, "0.0025", "0.0075"),
    ],
)
def test_the_bill_adjusts_the_price_of_the_source_and_not_that_of_the_list(
    data, is_preferred, source_cost, storage_cost, balancer_cost
):
    adjusted = {"source_storage_cost": source_cost, "storage_adjustment_cost": -0.2}
    total = source_cost and source_cost - 0.2  # of an asset it holds the adjustment
    data.given("raw.asset", NODE)
    data.given("raw.asset", {**BALANCER, "source_total_cost": total, "adjustment_cost": -0.2})
    data.given("raw.allocation", {**CONTAINER, "storage_byte_hours": 2.5 * GIB, **adjusted})
    data.given("core.price_list", {**LISTED, "is_preferred": is_preferred})

    rows = {row["workload_kind"]: row for row in lines(data)}

    assert rows["Deployment"]["storage_cost"] == Decimal(storage_cost)
    assert rows["Service"]["load_balancer_cost"] == Decimal(balancer_cost)


@pytest.mark.parametrize("is_preferred", [False, True])
def test_what_the_settings_have_no_price_for_costs_what_the_bill_says(data, is_preferred):
    adjusted = {"source_storage_cost": 0.7, "storage_adjustment_cost": -0.2}
    data.given("raw.asset", NODE)
    data.given("raw.allocation", {**CONTAINER, "storage_byte_hours": 2.5 * GIB, **adjusted})
    unpriced = {**LISTED, "storage_gib_hour_price": None, "is_preferred": is_preferred}
    data.given("core.price_list", unpriced)

    container = next(row for row in lines(data) if row["cost_kind"] == "workload")

    assert container["storage_cost"] == Decimal("0.5")


@pytest.mark.parametrize(
    ("is_preferred", "source_cost", "expected"),
    [(False, 0.5, "0.5"), (False, None, "0.0075"), (True, 0.5, "0.0075")],
)
def test_load_balancers_have_the_price_of_the_list(data, is_preferred, source_cost, expected):
    data.given("raw.asset", {**BALANCER, "source_total_cost": source_cost})
    data.given("core.price_list", {**LISTED, "is_preferred": is_preferred})

    (row,) = lines(data)

    assert row["load_balancer_cost"] == Decimal(expected)


def test_the_source_need_not_agree_with_prices_of_our_own(data):
    data.given("raw.asset", NODE)
    data.given("raw.allocation", {**CONTAINER, "source_total_cost": 0.0075})
    data.given("core.price_list", {**LISTED, "is_preferred": True})
    data.fill("core.price", "costs.hourly")
    assert data.check("source_agrees") == []

    data.connection.execute("update core.price_list set is_preferred = false")
    data.connection.execute("update core.price set has_own_price = false")
    assert data.check("source_agrees")


def test_the_source_need_not_agree_where_it_has_no_price(data):
    data.given("raw.asset", UNPRICED)
    data.given("raw.allocation", {**CONTAINER, "source_total_cost": 0.0})
    data.given("core.price_list", LISTED)
    data.fill("core.price", "costs.hourly")

    assert data.check("source_agrees") == []


def test_the_source_agrees_also_where_credits_exceed_the_cost(data):
    costs = {"source_cpu_cost": -0.04, "source_memory_cost": -0.02}
    data.given("raw.asset", {**NODE, **costs})
    row = {"cluster": "prod", "allocation": "prod/node-a/__idle__", "source_total_cost": -0.06}
    data.given("raw.allocation", row)
    data.fill("core.price", "costs.hourly")

    assert data.check("source_agrees") == []


@pytest.mark.parametrize(("gpu_cost", "count"), [(0.95, 0), (None, 1)])
def test_a_gpu_without_a_price_is_a_finding(data, gpu_cost, count):
    data.given("raw.asset", {**NODE, "gpu_hours": 1.0, "source_gpu_cost": gpu_cost})
    data.fill("core.price")

    assert len(data.check("prices_known")) == count
