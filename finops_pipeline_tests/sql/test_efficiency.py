"""Used over requested, of hours; unknown stays unknown."""

from decimal import Decimal

import pytest

from finops_pipeline_tests.sql.test_line import CONTAINER, GIB, NODE

TABLE = "efficiency.namespace_quarter_hourly"
REQUESTED = {**CONTAINER, "cpu_request_cores": 0.5, "memory_request_bytes": 2 * GIB}
USED = {
    "cluster": "prod",
    "namespace": "shop",
    "pod": "web-1",
    "container": "web",
    "cpu_used_core_hours": 0.025,
    "memory_used_byte_hours": 0.4 * GIB,
}


def fill(data):
    return data.fill("core.price", TABLE)


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

    (row,) = data.fill("core.price", "efficiency.workload_hourly", "efficiency.workload_daily")

    assert (row["workload"], row["window_count"]) == ("web", 2)
    assert row["cpu_usage_ratio"] == pytest.approx(0.5)  # 0.125 of 0.5 x 0.5 h
    assert row["memory_usage_ratio"] == pytest.approx(0.8)
    # Weighted by cost: CPU 0.010, memory 0.005.
    assert row["score_ratio"] == pytest.approx((0.5 * 0.010 + 0.8 * 0.005) / 0.015)
    assert row["waste_cost"] == Decimal("0.0060000000")  # 0.004 + 0.001, and 0.001 of memory twice
    assert row["total_cost"] == Decimal("0.015")
