"""Ours, the source's windows, its day and its assets: how far they may differ."""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import pytest

from finops_pipeline_tests.sql.data import Data
from finops_pipeline_tests.sql.rows import CONTAINER, NODE

FILLED = ["core.price", "costs.hourly", "costs.daily", "costs.source_hourly", "costs.asset_hourly"]
HOURS = {"cpu_core_hours": 0.125, "memory_byte_hours": 0.5 * 2**30}
COSTS = {"source_cpu_cost": 0.005, "source_memory_cost": 0.0025, "source_total_cost": 0.0075}
IDLE = {"source_cpu_cost": 0.035, "source_memory_cost": 0.0175, "source_total_cost": 0.0525}
DAY = {"cluster": "prod", "window_start": "2026-03-01 00:00:00+00"}
OF_WEB = {**DAY, "allocation": "shop/deployment:web", "namespace": "shop", "workload": "web"}
DAY_COSTS = {"source_cpu_cost": 0.48, "source_memory_cost": 0.24}
DAY_IDLE = {"source_cpu_cost": 3.36, "source_memory_cost": 1.68}
BALANCER = {"cluster": "prod", "asset": "lb", "asset_kind": "load_balancer", "name": "shop/lb"}


def start(number: int) -> str:
    return f"2026-03-01 {number // 4:02}:{number % 4 * 15:02}:00+00"


def whole_day(
    data: Data,
    *,
    container: Mapping[str, Any] = COSTS,
    day: Mapping[str, Any] = DAY_COSTS,
    count: int = 96,
    minutes: float = 15,
) -> None:
    """Windows of a node, a container and the idle rest; the source's day is 96 times a window."""
    data.given("raw.asset", {**NODE, "source_total_cost": 0.06, "window_start": start(0)})
    own = {**CONTAINER, **HOURS, **COSTS, **container, "minutes": minutes}
    idle = {"cluster": "prod", "allocation": "__idle__", **IDLE}
    data.given("raw.allocation", *({**row, "window_start": start(0)} for row in (own, idle)))
    window = {"cluster": "prod", "table_name": "raw.allocation", "status": "final"}
    data.given("core.window", {**window, "window_start": start(0)})
    repeat(data, count, "raw.asset", "raw.allocation", "core.window")
    if day:
        idle = {**DAY, "allocation": "__idle__", **DAY_IDLE}
        data.given("raw.source_daily", {**OF_WEB, **DAY_COSTS, **day}, idle)
        data.given("core.window", {**DAY, "table_name": "raw.source_daily", "status": "final"})


def repeat(data: Data, count: int, *names: str, where: str = "true") -> None:
    """Add the rows of the first window to all others too."""
    for name in names:
        later = "window_start + to_minutes(cast(15 * number as integer)) as window_start"
        data.connection.execute(
            f"insert into {name} select * exclude (number) replace ({later}) from {name},"  # noqa: S608
            f" range(1, {count}) as series(number) where {where}"
        )


def resources(data: Data) -> dict[str, dict[str, Any]]:
    rows = data.fill(*FILLED, "costs.reconciliation_daily")
    return {row["resource"]: row for row in rows}


def workloads(data: Data) -> dict[str, dict[str, Any]]:
    resources(data)
    return {row["workload"]: row for row in data.fill("costs.workload_reconciliation_daily")}


def test_an_exact_day_is_reconciled_three_ways(data):
    whole_day(data)

    by_resource = resources(data)

    assert {row["is_reconciled"] for row in by_resource.values()} == {True}
    total = by_resource["total"]
    assert [total[name] for name in ("our_cost", "source_day_cost", "asset_cost")] == [
        Decimal("5.76")  # 96 x (0.04 + 4 x 0.005)
    ] * 3
    assert total["reason"] is None


def test_idle_cost_closes_the_nodes(data):
    whole_day(data)
    dearer = "update raw.asset set source_cpu_cost = 0.0401"
    data.fill("core.price")
    data.connection.execute(dearer)  # the price is what it was

    rows = data.fill(*FILLED[1:], "costs.reconciliation_daily")

    by_resource = {row["resource"]: row["is_asset_reconciled"] for row in rows}
    assert (by_resource["cpu"], by_resource["memory"], by_resource["total"]) == (False, True, False)
    assert by_resource["network"] is None


# 5e-6 of each window's cost and, at 0.04 a core-hour, of its hours, for container and idle rest;
# 5e-7 of the node's cost and hours.
TOLERANCE = 96 * (5e-6 * (2 + 0.04) + 5e-7 * 1.04)


@pytest.mark.parametrize(("beyond", "is_reconciled"), [(-1e-6, True), (1e-6, False)])
def test_windows_may_differ_by_their_rounding(data, beyond, is_reconciled):
    off = (TOLERANCE + beyond) / 96
    whole_day(data, container={"source_cpu_cost": 0.005 + off})

    row = resources(data)["cpu"]

    assert float(row["window_tolerance_cost"]) == pytest.approx(TOLERANCE, abs=1e-8)
    assert row["is_window_reconciled"] == row["is_reconciled"] == is_reconciled


# Two figures of the day, and the node's rounding.
DAY_TOLERANCE = 2 * 5e-6 + 96 * 5e-7 * 1.04


@pytest.mark.parametrize(("beyond", "is_reconciled"), [(-1e-6, True), (1e-6, False)])
def test_the_day_may_differ_by_its_rounding(data, beyond, is_reconciled):
    whole_day(data, day={"source_cpu_cost": 0.48 + DAY_TOLERANCE + beyond})

    row = resources(data)["cpu"]

    assert row["is_day_reconciled"] == row["is_reconciled"] == is_reconciled


def test_a_node_that_came_or_went_is_known_to_a_minute(data):
    whole_day(data)
    half = {"asset": "node-b", "name": "node-b", "minutes": 5, "window_start": start(0)}
    data.given("raw.asset", {**NODE, **half})

    row = resources(data)["cpu"]

    assert float(row["day_tolerance_cost"]) == pytest.approx(
        DAY_TOLERANCE + 5e-7 * 1.04 + 0.04 / 5, abs=1e-8
    )


def test_a_workload_differs_where_its_cluster_does_not(data):
    """Take a hundredth of one workload: less than what all others may differ by."""
    whole_day(data, day={"source_cpu_cost": 0.4848, "source_memory_cost": 0.2424})

    web = workloads(data)["web"]

    assert web["is_reconciled"] is False
    assert web["day_difference_cost"] == Decimal("-0.0072")
    assert web["our_cost"] == web["source_window_cost"] == Decimal("0.72")


def test_a_workload_may_differ_by_a_minute_for_each_pod_that_started_or_ended(data):
    whole_day(data)
    other = {"allocation": "prod/node-a/shop/web-2/web", "pod": "web-2", "window_start": start(7)}
    data.given("raw.allocation", {**CONTAINER, **COSTS, **other, "minutes": 5})

    web = workloads(data)["web"]

    rounding = 97 * 5e-6 * 2.04 + 6 * 5e-6  # of window rows, and of the day's
    assert float(web["day_tolerance_cost"]) == pytest.approx(rounding + 0.0075 / 5, abs=1e-8)


def test_a_source_that_loses_time_of_all_is_not_excused(data):
    whole_day(data, minutes=14)

    assert float(workloads(data)["web"]["day_tolerance_cost"]) < 0.002


@pytest.mark.parametrize(
    ("count", "day", "reason"),
    [
        (96, {}, "the source was not asked for the whole day"),
        (95, DAY_COSTS, "95 of 96 windows were read"),
    ],
)
def test_what_cannot_be_known_says_why(data, count, day, reason):
    whole_day(data, day=day, count=count)

    by_resource = resources(data)

    assert {row["is_day_reconciled"] for row in by_resource.values()} == {None}
    assert {row["is_reconciled"] for row in by_resource.values()} == {None}
    assert {row["reason"] for row in by_resource.values()} == {reason}
    assert workloads_unknown(data)


def workloads_unknown(data: Data) -> bool:
    rows = data.fill("costs.workload_reconciliation_daily")
    return {row["is_reconciled"] for row in rows} == {None}


def test_a_day_that_could_not_be_read_says_why(data):
    whole_day(data, day={})
    lost = {"table_name": "raw.source_daily", "status": "lost", "reason": "it has forgotten it"}
    data.given("core.window", {**DAY, **lost})

    assert {row["reason"] for row in resources(data).values()} == {"it has forgotten it"}


def test_prices_of_the_settings_are_not_compared(data):
    whole_day(data, day={"source_cpu_cost": 1.0})
    data.given("core.price_list", {"cluster": "prod", "node_pool": "", "discount_ratio": 0.1})

    by_resource = resources(data)

    assert {row["is_reconciled"] for row in by_resource.values()} == {None}
    assert {row["reason"] for row in by_resource.values()} == {
        "prices or discounts of the settings count, not the source's"
    }
    assert workloads_unknown(data)


@pytest.mark.parametrize("times", [1, 2])
def test_load_balancers_without_pods_are_a_minute_too_long_and_perhaps_there_twice(data, times):
    whole_day(data)
    price = {"cluster": "prod", "price_kind": "load_balancer", "name": "shop/lb"}
    loose = {
        "cluster": "prod",
        "allocation": "prod//__unmounted__/__unmounted__/__unmounted__",
        "namespace": "__unmounted__",
        "container": "__unmounted__",
        "source_load_balancer_cost": times * 0.04 / 60 * 16,
    }
    at = {"window_start": start(0)}
    data.given("raw.asset", {**BALANCER, **at, "source_total_cost": 0.04 / 60 * 16})
    data.given("raw.price", {**price, **at, "load_balancer_hour_price": 0.04})
    data.given("raw.allocation", {**loose, **at})
    repeat(data, 96, "raw.asset", where="asset_kind = 'load_balancer'")
    repeat(data, 96, "raw.price")
    repeat(data, 96, "raw.allocation", where="namespace = '__unmounted__'")
    unmounted = {"allocation": "__unmounted__/__unallocated__", "namespace": "__unmounted__"}
    cost = times * 0.04 / 60 * 1441
    data.given("raw.source_daily", {**DAY, **unmounted, "source_load_balancer_cost": cost})

    row = resources(data)["load_balancer"]

    assert row["is_reconciled"] is True
    costs = ("our_cost", "source_window_cost", "source_day_cost", "asset_cost")
    assert [float(row[name]) for name in costs] == pytest.approx([0.96] * 4)


@pytest.mark.parametrize(("price", "our_cost"), [(0.04, 0.01), (None, 0.04 / 60 * 16)])
def test_a_load_balancer_without_a_measured_price_is_a_minute_too_long_in_ours(
    data, price, our_cost
):
    whole_day(data)
    at = {"cluster": "prod", "window_start": start(0)}
    data.given("raw.asset", {**BALANCER, **at, "source_total_cost": 0.04 / 60 * 16})
    loose = {"allocation": "prod//__unmounted__/__unmounted__", "namespace": "__unmounted__"}
    data.given("raw.allocation", {**at, **loose, "source_load_balancer_cost": 0.04 / 60 * 16})
    whole = {"namespace": "__unmounted__", "source_load_balancer_cost": 0.01}
    data.given("raw.source_daily", {**DAY, "allocation": "__unmounted__", **whole})
    if price:
        balancer = {**at, "price_kind": "load_balancer", "name": "shop/lb"}
        data.given("raw.price", {**balancer, "load_balancer_hour_price": price})

    row = resources(data)["load_balancer"]

    assert float(row["our_cost"]) == pytest.approx(our_cost)
    assert row["is_reconciled"] is True


def test_disks_of_nodes_are_nobodys_storage(data):
    whole_day(data)
    disk = {**NODE, "asset": "disk", "asset_kind": "disk", "source_total_cost": 0.1}
    data.given("raw.asset", {**disk, "window_start": start(0)})

    row = resources(data)["storage"]

    assert (row["asset_cost"], row["is_reconciled"]) == (0, True)


def test_a_discount_of_the_source_is_in_its_assets_too(data):
    whole_day(data, container={"source_cpu_cost": 0.0045, "source_memory_cost": 0.00225},
              day={"source_cpu_cost": 0.432, "source_memory_cost": 0.216})  # fmt: skip
    data.connection.execute("update raw.asset set discount_ratio = 0.1")
    for table in ("raw.allocation", "raw.source_daily"):
        data.connection.execute(
            f"update {table} set source_cpu_cost = 0.9 * source_cpu_cost,"  # noqa: S608
            " source_memory_cost = 0.9 * source_memory_cost where allocation = '__idle__'"
        )

    assert {row["is_reconciled"] for row in resources(data).values()} == {True}


def test_a_day_degrades_its_windows(data):
    whole_day(data)
    query = "from core.window_daily"
    degraded = (
        "update core.window set is_verified = true, is_degraded = (table_name = 'raw.source_daily')"
    )

    assert data.rows(query)[0]["is_reconciled"] is None  # no other view verifies it
    data.connection.execute(degraded)
    (row,) = data.rows(query)
    assert (row["is_reconciled"], row["degraded_window_count"]) == (False, 96)
    data.connection.execute("update core.window set is_degraded = false")
    (row,) = data.rows(query)
    assert (row["is_reconciled"], row["degraded_window_count"]) == (True, 0)
