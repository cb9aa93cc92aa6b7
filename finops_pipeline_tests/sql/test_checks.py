"""Tests of checks: each finds its mistake, and nothing where there is none."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from finops_pipeline.catalog.files import sql_files
from finops_pipeline.installation.source_registry import SOURCES
from finops_pipeline_tests.sql.data import FIRST_WINDOW, Data
from finops_pipeline_tests.sql.rows import CONTAINER, NODE

CHECKS = {**sql_files("checks"), **sql_files("checks/blocking")}
FILLED = [
    "core.price",
    "core.usage_window",
    "core.node_hourly",
    "costs.quarter_hourly",
    "costs.hourly",
    "costs.daily",
    "costs.container_daily",
    "costs.node_hourly",
    "costs.node_daily",
    "costs.volume_hourly",
    "costs.volume_daily",
    "costs.label_hourly",
    "costs.label_daily",
    "costs.idle_share_daily",
    "costs.attributed_daily",
    "costs.source_hourly",
    "costs.asset_hourly",
    "costs.reconciliation_daily",
    "costs.workload_reconciliation_daily",
]
COSTED = {
    **CONTAINER,
    "source_cpu_cost": 0.005,
    "source_memory_cost": 0.0025,
    "source_total_cost": 0.0075,
}
IDLE = {
    "allocation": "__idle__",
    "cluster": "prod",
    "source_cpu_cost": 0.035,
    "source_memory_cost": 0.0175,
    "source_total_cost": 0.0525,
}
OPENCOST = {"cluster": "prod", "source": "opencost"}
READ = {"table_name": "raw.allocation", "cluster": "prod", "status": "final", "row_count": 1}

RULE = {"rule": "shop", "cluster_pattern": "*", "namespace_pattern": "shop", "team": "retail"}


def quarter(count: int) -> str:
    """Return the start of a window after the first."""
    return f"2026-03-01 {10 + count // 4}:{count % 4 * 15:02}:00+00"


def sound(data: Data) -> None:
    """Add one window of a node and its container, as the source and the ledger say it."""
    data.given("raw.asset", NODE)
    data.given("raw.allocation", COSTED, IDLE)
    data.given("core.cluster", OPENCOST)
    data.given("core.cost_label", {"position_count": 0, "label": "app"})
    data.given("core.window", {**READ, "row_count": 2}, {**READ, "table_name": "raw.asset"})
    data.fill(*FILLED)


def row_lost(data: Data) -> None:
    data.connection.execute("delete from raw.allocation where allocation = '__idle__'")


def row_unknown(data: Data) -> None:
    data.given("raw.price", {"cluster": "prod", "price_kind": "node", "name": "node-a"})


def hour_lost(data: Data) -> None:
    data.connection.execute("delete from costs.hourly")


def day_lost(data: Data) -> None:
    data.connection.execute("delete from costs.daily")


def bill_refused(data: Data) -> None:
    data.given("core.bill_file", {"path": "october.csv", "failure": "is in EUR"})


def budget_used_up(data: Data) -> None:
    data.given("core.budget", {"scope": "namespace", "name": "shop", "month_amount": "0.001"})


def lost(table: str) -> Callable[[Data], None]:
    """Return a mistake: a table has no row where it should have one."""

    def lose(data: Data) -> None:
        data.connection.execute(f"delete from {table} where team <> 'idle'")

    return lose


def node_lost(data: Data) -> None:
    data.connection.execute("delete from costs.node_daily")


def container_twice(data: Data) -> None:
    data.given("raw.allocation", COSTED)


def changed(column: str, value: Any) -> Callable[[Data], None]:
    """Return a mistake: a container of the window has a figure that cannot be."""

    def change(data: Data) -> None:
        query = f"update raw.allocation set {column} = $value where allocation <> '__idle__'"
        data.connection.execute(query, {"value": value})

    return change


def node_overbooked(data: Data) -> None:
    changed("cpu_core_hours", 1.5)(data)


def source_failed(data: Data) -> None:
    data.given("core.cluster", {**OPENCOST, "last_failure": "status 500"})


def window_failed(data: Data) -> None:
    absent = {"status": "absent", "reason": "status 500", "window_start": quarter(1)}
    data.given("core.window", {**READ, **absent}, {**READ, "window_start": quarter(6)})


def window_never_tried(data: Data) -> None:
    data.given("core.window", {**READ, "window_start": quarter(6)})


def source_stopped(data: Data) -> None:
    """Add newer windows of a table than its source has of the other."""
    data.given("core.window", *({**READ, "window_start": quarter(n)} for n in range(1, 7)))


def time_lost(data: Data) -> None:
    lost = {"minutes_ratio": 14 / 15, "reason": "14 of 15 minutes: update OpenCost"}
    data.given("core.window", {**READ, "window_start": quarter(1), **lost})


def cost_without_node_beyond_idle(data: Data) -> None:
    nowhere = {**COSTED, "allocation": "prod/__unallocated__", "node": None, "container": None}
    data.given("raw.allocation", {**nowhere, "source_cpu_cost": 0.04})


def price_lost(data: Data) -> None:
    data.connection.execute("update core.price set memory_gib_hour_price = null")


def rule_without_a_match(data: Data) -> None:
    data.given("core.attribution_rule", RULE)


def reconciled_otherwise(data: Data) -> None:
    """Add a cent to the cluster's cost that the source has not."""
    data.connection.execute(
        "update costs.daily set cpu_cost = cpu_cost + 0.01, total_cost = total_cost + 0.01"
    )
    for name in FILLED[-2:]:
        data.connection.execute(f"delete from {name}")
    data.fill(*FILLED[-2:])


def node_dearer(data: Data) -> None:
    price = {"cluster": "prod", "price_kind": "node", "name": "node-a", "node_hour_price": 0.3}
    data.given("raw.price", price)
    data.connection.execute("update raw.asset set source_total_cost = 0.06")


def usage_missing(data: Data) -> None:
    """Prometheus answered, and knew no container."""
    data.given("core.window", {**READ, "table_name": "raw.container_usage", "row_count": 0})


MISTAKES: list[tuple[str, Callable[[Data], None]]] = [
    ("attribution_rules_match", rule_without_a_match),
    ("bill_files_read", bill_refused),
    ("budgets_kept", budget_used_up),
    ("components_sum_to_total", changed("source_cpu_cost", 0.0076)),
    ("components_sum_to_total", changed("storage_adjustment_cost", 1)),
    ("costs_finite", changed("source_total_cost", None)),
    ("costs_finite", changed("source_total_cost", float("inf"))),
    ("costs_finite", changed("source_total_cost", float("nan"))),
    ("costs_finite", changed("source_total_cost", -1)),
    ("costs_finite", changed("cpu_core_hours", -1)),
    ("costs_finite", changed("memory_byte_hours", -1)),
    ("idle_not_negative", node_overbooked),
    ("idle_not_negative", cost_without_node_beyond_idle),
    ("minutes_within_window", changed("minutes", 0)),
    ("minutes_within_window", changed("minutes", 21)),
    ("node_prices_agree", node_dearer),
    ("prices_known", price_lost),
    ("resolution_exact", time_lost),
    ("source_agrees", changed("source_total_cost", 0.0085)),
    ("source_agrees", hour_lost),
    ("source_reconciles", reconciled_otherwise),
    ("sources_reachable", source_failed),
    ("usage_measured", usage_missing),
    ("windows_gapless", window_failed),
    ("windows_gapless", window_never_tried),
    ("windows_gapless", source_stopped),
    ("ledger_matches_rows", row_lost),
    ("ledger_matches_rows", row_unknown),
    ("hours_preserve_total", hour_lost),
    ("days_preserve_total", day_lost),
    ("hours_preserve_total", changed("source_network_cost", 1)),
    ("rows_unique", container_twice),
    ("nodes_and_volumes_preserve_total", node_lost),
    ("nodes_preserve_total", lost("costs.node_hourly")),
    ("rollups_preserve_total", lost("costs.container_daily")),
    ("rollups_preserve_total", lost("costs.label_daily")),
    ("attribution_complete", lost("costs.attributed_daily")),
]


def test_every_check_has_a_mistake_to_find():
    assert {name for name, _ in MISTAKES} == CHECKS.keys()


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_finds_nothing_in_nothing(data, name):
    assert data.check(name) == []


@pytest.mark.parametrize("name", CHECKS)
def test_a_check_finds_nothing_in_a_sound_window(data, name):
    sound(data)

    assert data.check(name) == []


@pytest.mark.parametrize(("name", "mistake"), MISTAKES)
def test_a_check_finds_its_mistake(data, name, mistake):
    sound(data)

    mistake(data)

    assert data.check(name)


OTHER = {"cluster": "other"}
# What a blocking check finds where its table lacks a cluster.
CLUSTER_LOST = [
    ("hours_preserve_total", "costs.hourly", {}),
    ("days_preserve_total", "costs.daily", {}),
    ("nodes_preserve_total", "costs.node_hourly", {}),
    ("nodes_and_volumes_preserve_total", "costs.node_daily", {"table_name": "costs.node_daily"}),
    ("rollups_preserve_total", "costs.container_daily", {"table_name": "costs.container_daily"}),
    ("rollups_preserve_total", "costs.label_daily", {"label": "app"}),
    ("attribution_complete", "costs.attributed_daily", {}),
]


@pytest.mark.parametrize(("name", "table", "expected"), CLUSTER_LOST)
def test_a_cluster_that_a_table_lacks_as_a_whole_is_a_finding(data, name, table, expected):
    data.given("raw.asset", {**NODE, **OTHER})
    data.given("raw.allocation", {**COSTED, **OTHER})
    sound(data)
    assert data.check(name) == []

    data.connection.execute(f"delete from {table} where cluster = 'other'")

    (finding,) = data.check(name)
    assert finding.items() >= {**OTHER, **expected}.items()
    # Its node alone costs something: 0.04 for CPU and 0.02 for memory.
    costs = {value for column, value in finding.items() if column.endswith("_cost")}
    assert costs == {None, Decimal("0.06")}


@pytest.mark.parametrize(("first_day", "count"), [("2026-02-28", 1), ("2026-03-02", 0)])
def test_containers_are_looked_for_on_the_days_that_are_kept(data, first_day, count):
    sound(data)
    data.connection.execute("delete from costs.container_daily")
    data.given("costs.container_daily", {"day": first_day, "cluster": "prod"})

    assert len(data.check("rollups_preserve_total")) == count


def test_lost_time_is_one_finding_of_a_cluster_with_its_cure_until_it_is_mended(data):
    data.given("core.cluster", OPENCOST, {**OPENCOST, "cluster": "other"})
    short = {"minutes_ratio": 10 / 15, "reason": "set PROMETHEUS_QUERY_RESOLUTION_SECONDS=60"}
    mended = {**READ, "cluster": "other", "window_start": quarter(1), "minutes_ratio": 1.0}
    data.given(
        "core.window",
        *({**READ, "window_start": quarter(n), **short} for n in range(3)),
        {**READ, "window_start": quarter(3), "minutes_ratio": None},
        {**READ, "cluster": "other", **short},
        mended,
    )

    (row,) = data.check("resolution_exact")

    assert (row["cluster"], row["reason"]) == ("prod", short["reason"])
    assert f"{row['window_start']:%H:%M}" == "10:30"


def test_gaps_are_looked_for_between_known_windows_of_configured_clusters(data):
    data.given("core.cluster", OPENCOST)
    starts = [quarter(0), quarter(2), quarter(6)]
    data.given("core.window", *({**READ, "window_start": start} for start in starts))
    data.given("core.window", {**READ, "cluster": "removed", "window_start": quarter(0)})

    missing = [row["window_start"] for row in data.check("windows_gapless")]

    assert [f"{start:%H:%M}" for start in missing] == ["10:15"]  # an hour is left for the newest


def test_gaps_before_the_lookback_are_not_looked_for(data):
    data.given("core.cluster", OPENCOST)
    old = "2026-02-01 00:00:00+00"
    data.given("core.window", *({**READ, "window_start": start} for start in (old, FIRST_WINDOW)))

    missing = data.check("windows_gapless")

    assert min(f"{row['window_start']:%m-%d %H:%M}" for row in missing) == "02-15 10:00"


def test_a_lost_window_is_no_gap(data):
    data.given("core.cluster", OPENCOST)
    windows = [(quarter(n), "lost" if n == 1 else "final") for n in range(7)]
    data.given("core.window", *({**READ, "window_start": s, "status": t} for s, t in windows))

    assert data.check("windows_gapless") == []


def test_each_table_that_is_there_in_every_window_is_watched_for_gaps(data):
    tables = [(source.name, name) for source in SOURCES for name in source.required_tables]
    newest = quarter(24)
    for source, name in tables:
        data.given("core.cluster", {"cluster": "prod", "source": source})
        row = {"table_name": name, "cluster": "prod", "status": "final"}
        data.given("core.window", {**row, "window_start": quarter(0)})
        data.given("core.window", {**row, "window_start": newest})
    data.given(
        "core.window",
        {"table_name": "raw.pod", "cluster": "prod", "status": "final", "window_start": quarter(0)},
    )

    missing = {row["table_name"] for row in data.check("windows_gapless")}
    assert missing == {name for _, name in tables}


@pytest.mark.parametrize(("adjustment", "count"), [(-0.02, 0), (0.0, 1), (None, 1)])
def test_a_cost_below_zero_is_right_where_it_was_adjusted(data, adjustment, count):
    row = {"source_total_cost": -0.01, "storage_adjustment_cost": adjustment}
    data.given("raw.allocation", {**row, "cluster": "prod", "allocation": "prod/__unmounted__"})

    assert len(data.check("costs_finite")) == count


@pytest.mark.parametrize(
    ("decided", "validity", "is_found"),
    [
        ({"2026-03-08": "rule shop"}, {}, False),
        ({"2026-03-02": "rule shop", "2026-03-08": "none"}, {}, False),
        ({"2026-03-01": "rule shop", "2026-03-08": "none"}, {}, True),
        ({"2026-03-08": "rule shops"}, {}, True),
        ({"2026-03-08": "none"}, {"valid_from": "2026-03-08"}, True),
        ({"2026-03-08": "none"}, {"valid_from": "2026-03-09"}, False),
        ({"2026-03-08": "none"}, {"valid_until": "2026-03-08"}, False),
        ({}, {}, False),
    ],
)
@pytest.mark.parametrize("part", ["team", "cost_center"])
def test_a_rule_is_found_that_decided_nothing_for_a_week(data, part, decided, validity, is_found):
    for day, rule in decided.items():
        data.given("costs.daily", {"day": day, "cluster": "prod", f"{part}_rule": rule})
    data.given("core.attribution_rule", {**RULE, **validity})

    assert [row["rule"] for row in data.check("attribution_rules_match")] == ["shop"] * is_found
