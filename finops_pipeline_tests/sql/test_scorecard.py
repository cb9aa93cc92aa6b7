"""Tests of how the success metrics stand, and why one is unknown."""

from decimal import Decimal
from typing import Any

import pytest

from finops_pipeline_tests.sql.data import Data

# The newest window ends on 10 March at 10:15: the last complete days are the 3rd to the 9th.
NEWEST = "2026-03-10 10:00:00+00"
IN_WEEK, IN_MONTH_ONLY, LAST_MONTH = "2026-03-09", "2026-03-01", "2026-02-28"
WORKLOAD = {"cluster": "prod", "cost_kind": "workload", "team": "retail", "environment": "prod"}
OPENCOST = {"source": "opencost", "newest_window_start": NEWEST}


def add_clusters(data: Data, *clusters: str) -> None:
    data.given("core.cluster", *({**OPENCOST, "cluster": cluster} for cluster in clusters))


def cost(day: str, amount: str, **others: Any) -> dict[str, Any]:
    return {**WORKLOAD, "day": day, "total_cost": amount, "cpu_cost": amount, **others}


def score(data: Data, metric: str, period: str, cluster: str | None = None) -> dict[str, Any]:
    (row,) = data.rows(
        "from kpis.scorecard where metric = $metric and period = $period"
        " and cluster is not distinct from $cluster",
        {"metric": metric, "period": period, "cluster": cluster},
    )
    return row


def test_periods_are_complete_days_and_the_month_so_far(data):
    add_clusters(data, "prod")

    periods = data.rows(
        "select distinct period, first_day, last_day from kpis.scorecard order by period"
    )

    spans = [(row["period"], str(row["first_day"]), str(row["last_day"])) for row in periods]
    assert spans == [
        ("last_7_days", "2026-03-03", "2026-03-09"),
        ("month_to_date", "2026-03-01", "2026-03-10"),
        ("now", "None", "None"),
    ]


def test_a_share_of_all_clusters_is_of_sums_not_of_shares(data):
    add_clusters(data, "prod", "test")
    data.given(
        "costs.daily",
        cost(IN_WEEK, "90"),
        cost(IN_WEEK, "10", team="unattributed"),
        cost(IN_WEEK, "100", cluster="test", team="unattributed"),
        cost(IN_MONTH_ONLY, "100", team="unattributed"),
        cost(LAST_MONTH, "7000"),
    )

    data.fill("costs.attributed_daily")

    week = score(data, "attributed_share", "last_7_days")
    assert (week["value"], week["numerator"], week["denominator"]) == (0.45, 90, 200)
    assert (week["is_met"], week["unit"], week["target"]) == (False, "ratio", "1")
    assert score(data, "attributed_share", "last_7_days", "prod")["value"] == 0.9
    assert score(data, "attributed_share", "month_to_date", "prod")["value"] == 0.45


def test_a_workload_is_labelled_when_every_configured_part_is_named(data):
    add_clusters(data, "prod")
    parts = ("team", "environment")
    data.given("core.label_key", *({"owner_part": part, "label": part} for part in parts))
    data.given(
        "costs.daily",
        cost(IN_WEEK, "30", project="unattributed"),  # no key asks for a project
        cost(IN_WEEK, "50", environment="unattributed"),
        cost(IN_WEEK, "20", team="unattributed"),
        cost(IN_WEEK, "900", cost_kind="idle", team="idle", environment="unattributed"),
    )

    row = score(data, "labelled_share", "last_7_days")

    assert (row["numerator"], row["denominator"], row["value"]) == (30, 100, 0.3)
    assert score(data, "idle_share", "last_7_days")["value"] == 0.9


def test_without_labels_in_the_settings_nothing_can_be_labelled(data):
    add_clusters(data, "prod")
    data.given("costs.daily", cost(IN_WEEK, "1"))

    row = score(data, "labelled_share", "last_7_days")

    assert (row["value"], row["is_met"]) == (None, None)
    assert row["reason"] == "no label is configured, or no workload has cost"


@pytest.mark.parametrize(("used", "is_met"), [(4.9, False), (5.0, True), (6.5, True), (6.6, False)])
def test_use_is_met_inside_its_range(data, used, is_met):
    add_clusters(data, "prod")
    node = {"day": IN_WEEK, "cluster": "prod", "node": "a", "cpu_measured_core_hours": 10}
    data.given("costs.node_daily", {**node, "cpu_used_core_hours": used})

    row = score(data, "cpu_use", "last_7_days")

    assert (row["value"], row["is_met"]) == (pytest.approx(used / 10), is_met)
    memory = score(data, "memory_use", "last_7_days")
    assert (memory["value"], memory["reason"]) == (None, "no plausible usage was measured")


def test_volumes_and_spot_nodes_count_by_size(data):
    add_clusters(data, "prod")
    node = {"day": IN_WEEK, "cluster": "prod"}
    data.given(
        "costs.node_daily",
        {**node, "node": "a", "cpu_capacity_core_hours": 30},
        {
            "day": IN_WEEK,
            "cluster": "prod",
            "node": "b",
            "cpu_capacity_core_hours": 10,
            "is_spot": True,
        },
    )
    volume = {"day": IN_WEEK, "cluster": "prod"}
    data.given(
        "costs.volume_daily",
        {**volume, "volume": "a", "measured_byte_hours": 10, "used_byte_hours": 7},
        {**volume, "volume": "b", "provisioned_byte_hours": 90},
    )

    assert score(data, "spot_share", "last_7_days")["value"] == 0.25
    storage = score(data, "storage_use", "last_7_days")
    assert (storage["value"], storage["is_met"]) == (0.7, True)


def test_waste_counts_days_on_which_anything_was_measured(data):
    add_clusters(data, "prod")
    for day, used in (("2026-03-08", None), (IN_WEEK, 0.5)):
        data.given("costs.daily", cost(day, "4"), cost(day, "6", cost_kind="idle"))
        measured = None if used is None else "4"
        sums = {"day": day, "cluster": "prod", "total_cost": "4", "resource_cost": "4"}
        wasted = {"cpu_cost": measured, "cpu_waste_cost": used and "1"}
        data.given("efficiency.workload_usage_daily", {**sums, **wasted})

    row = score(data, "waste_share", "last_7_days")

    assert (row["numerator"], row["denominator"]) == (7, 10)  # 6 idle and 1 of 4, of the second day


def test_waste_is_a_share_of_the_cost_of_which_the_use_is_known(data):
    add_clusters(data, "prod", "test")
    # Of 10 for CPU and memory, 4 are measured, and 1 of these is wasted; the volumes cost 3.
    sums = {"day": IN_WEEK, "cluster": "prod", "total_cost": "13", "resource_cost": "10"}
    data.given("efficiency.workload_usage_daily", {**sums, "cpu_cost": "4", "cpu_waste_cost": "1"})
    data.given("costs.daily", cost(IN_WEEK, "13"), cost(IN_WEEK, "6", cost_kind="idle"))
    # Of the other cluster nothing is measured.
    data.given("efficiency.workload_usage_daily", {**sums, "cluster": "test"})
    data.given("costs.daily", cost(IN_WEEK, "5", cost_kind="idle", cluster="test"))

    row = score(data, "waste_share", "last_7_days")
    unknown = score(data, "waste_share", "last_7_days", "test")

    assert (row["numerator"], row["denominator"], row["value"]) == (7, 10, 0.7)
    assert (unknown["value"], unknown["reason"]) == (None, "no plausible usage was measured")


def test_windows_are_expected_from_the_first_one_on(data):
    add_clusters(data, "prod")
    window = {"table_name": "raw.allocation", "cluster": "prod"}
    data.given(
        "core.window",
        {**window, "window_start": "2026-03-10 08:00:00+00", "status": "final"},
        {**window, "window_start": "2026-03-10 08:15:00+00", "status": "absent"},
        {**window, "window_start": NEWEST, "status": "provisional"},
    )

    row = score(data, "windows_read", "month_to_date")

    assert (row["numerator"], row["denominator"]) == (2, 9)  # 08:00 to 10:15
    assert (row["is_met"], row["reason"]) == (False, None)
    week = score(data, "windows_read", "last_7_days")
    assert (week["value"], week["reason"]) == (None, "no window was due in this period")


def test_freshness_is_that_of_the_cluster_furthest_behind(data):
    add_clusters(data, "prod")
    data.given(
        "core.cluster",
        {**OPENCOST, "cluster": "test", "newest_window_start": "2026-03-10 00:15:00+00"},
    )
    data.given("core.installation", {"published_at": "2026-03-10 10:30:00+00"})

    all_of_them = score(data, "freshness", "now")
    prod = score(data, "freshness", "now", "prod")

    assert (prod["value"], prod["unit"], prod["is_met"]) == (0.25, "hours", True)
    assert (all_of_them["value"], all_of_them["is_met"]) == (10, False)


def test_shares_of_a_month_add_up_by_team_and_by_project(data):
    paid = {"cluster": "prod", "day": "2026-03-01"}
    data.fill("core.calendar")
    data.given(
        "costs.attributed_daily",
        {**paid, "team": "retail", "project": "shop", "direct_cost": "3", "total_cost": "3"},
        {**paid, "team": "idle", "project": "unattributed", "idle_cost": "1", "total_cost": "1"},
    )

    rows = data.fill("kpis.attribution_monthly")

    assert {(row["owner_part"], row["owner"]): row["cost_ratio"] for row in rows} == {
        ("team", "retail"): 0.75,
        ("team", "idle"): 0.25,
        ("project", "shop"): 0.75,
        ("project", "unattributed"): 0.25,
    }
    assert sum(row["total_cost"] for row in rows) == 2 * Decimal(4)
