"""Used over requested, of hours; unknown stays unknown."""

from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finops_pipeline_tests.sql.data import empty_tables
from finops_pipeline_tests.sql.rows import CONTAINER, EFFICIENCY_TABLES, GIB, NODE, REQUESTED, USED

TABLE = "efficiency.namespace_quarter_hourly"
LEVELS = ["workload", "namespace", "team", "cluster"]


def fill(data):
    return data.fill("core.price", "efficiency.namespace_usage_quarter_hourly", TABLE)


def test_ratios_are_used_over_requested_hours(data):
    data.given("raw.asset", NODE)
    data.given("raw.allocation", REQUESTED)
    data.given("raw.container_usage", USED)

    (row,) = fill(data)

    assert row["cpu_usage_ratio"] == pytest.approx(0.2)  # 0.025 of 0.5 x 0.25 h
    assert row["memory_usage_ratio"] == pytest.approx(0.8)
    # Weighted by cost: CPU 0.005, memory 0.0025.
    assert row["score_ratio"] == pytest.approx((0.2 * 0.005 + 0.8 * 0.0025) / 0.0075)
    assert row["waste_cost"] == Decimal("0.0045000000")  # 0.8 x 0.005 + 0.2 x 0.0025
    assert row["measured_cost_ratio"] == 1


def test_without_measurements_nothing_is_claimed(data):
    data.given("raw.asset", NODE)
    data.given("raw.allocation", REQUESTED)

    (row,) = fill(data)

    assert (row["cpu_usage_ratio"], row["score_ratio"], row["waste_cost"]) == (None, None, None)
    assert (row["total_cost"], row["measured_cost_ratio"]) == (Decimal("0.0075"), 0)


def test_usage_without_a_request_is_a_figure_of_its_own(data):
    data.given("raw.asset", NODE)
    data.given("raw.allocation", CONTAINER)
    data.given("raw.container_usage", USED)

    (row,) = fill(data)

    assert (row["cpu_usage_ratio"], row["cpu_unrequested_core_hours"]) == (None, 0.025)


def test_more_use_than_request_is_above_one_and_wastes_nothing(data):
    data.given("raw.asset", NODE)
    data.given("raw.allocation", {**REQUESTED, "cpu_core_hours": 0.25})
    data.given(
        "raw.container_usage", {**USED, "cpu_used_core_hours": 0.25, "memory_used_byte_hours": GIB}
    )

    (row,) = fill(data)

    assert row["cpu_usage_ratio"] == pytest.approx(2)
    assert row["waste_cost"] == 0


def test_a_workload_is_measured_over_its_day(data):
    later = {"window_start": "2026-03-01 13:15:00+00"}
    for window in ({}, later):
        data.given("raw.asset", {**NODE, **window})
        data.given("raw.allocation", {**REQUESTED, **window})
    data.given("raw.container_usage", USED, {**USED, **later, "cpu_used_core_hours": 0.1})

    (row,) = data.fill(*EFFICIENCY_TABLES, "efficiency.workload_daily")

    assert (row["workload"], row["window_count"]) == ("web", 2)
    assert row["expected_window_count"] == 96
    assert row["cpu_usage_ratio"] == pytest.approx(0.5)  # 0.125 of 0.5 x 0.5 h
    assert row["memory_usage_ratio"] == pytest.approx(0.8)
    # Weighted by cost: CPU 0.010, memory 0.005.
    assert row["score_ratio"] == pytest.approx((0.5 * 0.010 + 0.8 * 0.005) / 0.015)
    assert row["waste_cost"] == Decimal("0.0060000000")  # 0.004 + 0.001, and 0.001 of memory twice
    assert row["total_cost"] == Decimal("0.015")


def test_cost_that_nobody_requested_is_said_and_not_called_efficient(data):
    data.given("raw.asset", NODE)
    data.given("raw.allocation", {**CONTAINER, "memory_request_bytes": 2 * GIB})
    data.given("raw.container_usage", USED)

    (row,) = data.fill(*EFFICIENCY_TABLES, "efficiency.workload_daily")

    assert (row["unrequested_cost"], row["total_cost"]) == (Decimal("0.005"), Decimal("0.0075"))
    assert (row["cpu_usage_ratio"], row["score_ratio"]) == (None, pytest.approx(0.8))


def test_a_gpu_is_used_over_the_hours_it_was_allocated(data):
    gpu = {"gpu_hours": 0.5, "source_gpu_cost": 1.0}
    data.given("raw.asset", {**NODE, **gpu})
    known = {**REQUESTED, "gpu_hours": 0.25}
    data.given("raw.allocation", known, {**known, "allocation": "b", "pod": "web-2"})
    data.given("raw.container_usage", {**USED, "gpu_used_hours": 0.1})

    (row,) = data.fill(*EFFICIENCY_TABLES, "efficiency.workload_daily")

    assert (row["gpu_requested_hours"], row["gpu_usage_ratio"]) == (0.25, pytest.approx(0.4))
    # CPU 0.004, memory 0.0005, GPU 0.6 x 0.25 x 2; the second pod's GPU is not known to be idle.
    assert row["waste_cost"] == Decimal("0.3045")
    assert row["score_ratio"] == pytest.approx((0.2 * 0.005 + 0.8 * 0.0025 + 0.4 * 0.5) / 0.5075)
    assert row["measured_cost_ratio"] == pytest.approx(0.5075 / 1.015)


def test_a_cluster_wastes_its_idle_cost_and_says_how_much_of_the_day_it_holds(data):
    data.given("raw.asset", NODE)
    data.given("raw.allocation", REQUESTED)
    data.given("raw.container_usage", USED)

    (row,) = data.fill(*EFFICIENCY_TABLES, "efficiency.cluster_daily")

    assert (row["total_cost"], row["idle_cost"]) == (Decimal("0.06"), Decimal("0.0525"))
    assert row["waste_cost"] == Decimal("0.0525") + Decimal("0.0045")
    assert (row["window_count"], row["expected_window_count"]) == (1, 96)


def test_a_cluster_whose_containers_nobody_measured_wastes_what_is_known(data):
    data.given("raw.asset", NODE)
    data.given("raw.allocation", REQUESTED)

    (row,) = data.fill(*EFFICIENCY_TABLES, "efficiency.cluster_daily")

    assert (row["waste_cost"], row["measured_cost_ratio"]) == (row["idle_cost"], 0)
    assert data.fill("efficiency.namespace_daily")[0]["waste_cost"] is None


def test_a_namespace_is_as_full_as_its_volumes(data):
    claim = {"cluster": "prod", "namespace": "shop", "volume_claim": "data"}
    volume = {"volume_claim_namespace": "shop", "volume_claim": "data", "name": "pv-1"}
    data.given("raw.asset", {"cluster": "prod", "asset_kind": "disk", "storage_byte_hours": GIB,
                             **volume})  # fmt: skip
    data.given("raw.allocation", {**REQUESTED, "volumes": '{"pv-1":{"byteHours":9,"cost":0.1}}'})
    data.given("raw.volume_usage", {**claim, "used_bytes": GIB, "capacity_bytes": 4 * GIB})

    (row,) = data.fill(*EFFICIENCY_TABLES, "efficiency.namespace_daily")

    assert row["storage_usage_ratio"] == pytest.approx(0.25)
    assert row["storage_waste_cost"] == Decimal("0.075")
    (window,) = fill(data)
    assert window["storage_usage_ratio"] == pytest.approx(0.25)


def containers():
    """Pods of two namespaces and teams, some of which were not measured."""
    hours = st.floats(min_value=0, max_value=0.5).map(lambda value: round(value, 6))
    return st.tuples(
        st.sampled_from(["shop", "data"]),
        st.sampled_from(["retail", "", "search"]),
        hours,  # requested
        st.none() | hours,  # used
    )


def given_pods(data, pods):
    data.given("core.label_key", {"owner_part": "team", "position_count": 0, "label": "team"})
    data.given("raw.asset", {**NODE, "cpu_core_hours": 8, "memory_byte_hours": 64 * GIB})
    for i, (namespace, team, requested, used) in enumerate(pods):
        pod = {"namespace": namespace, "pod": f"p{i}", "container": "c"}
        owner = {"workload": f"w{i % 3}", "labels": f'{{"team":"{team}"}}'}
        hours = {"cpu_request_cores": 4 * requested, "cpu_core_hours": max(requested, used or 0)}
        data.given("raw.allocation", {**CONTAINER, **pod, **owner, **hours, "allocation": f"a{i}"})
        data.given("raw.container_usage", {"cluster": "prod", **pod, "cpu_used_core_hours": used})


@settings(max_examples=15)  # each fills every table
@given(st.lists(containers(), min_size=1, max_size=6))
def test_the_waste_of_each_level_is_the_sum_of_its_parts(pods):
    with empty_tables() as data:
        given_pods(data, pods)
        data.fill(*EFFICIENCY_TABLES)

        workload, namespace, team, cluster = (
            data.rows(
                "select coalesce(sum(waste_cost), 0) as waste, sum(total_cost) as total,"
                " coalesce(sum(cpu_used_core_hours), 0) as used"
                f" from efficiency.{level}_daily"
            )[0]
            for level in LEVELS
        )
        (idle,) = data.rows(
            "select sum(total_cost) as cost from costs.daily where cost_kind = 'idle'"
        )
        (costs,) = data.rows("select sum(total_cost) as total from costs.daily")

        assert workload["waste"] == namespace["waste"] == team["waste"]
        assert cluster["waste"] == workload["waste"] + idle["cost"]
        assert workload["total"] == namespace["total"] == team["total"]
        assert cluster["total"] == costs["total"] == workload["total"] + idle["cost"]
        assert namespace["used"] == pytest.approx(cluster["used"]) == pytest.approx(team["used"])
