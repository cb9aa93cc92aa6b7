"""Tests of what is pushed: newest windows, one value per set of labels."""

import pytest

from finops_pipeline_tests.sql.data import Data
from finops_pipeline_tests.sql.rows import CONTAINER, NODE

DAY_1, DAY_2 = "2026-03-01", "2026-03-02"


def cost(cluster: str, window_start: str, total: str, **others) -> dict[str, str]:
    parts = {"cpu_cost": total, "total_cost": total}
    row = {"cluster": cluster, "window_start": window_start, "cost_kind": "workload"}
    return {**row, "namespace": "shop", "workload": "web", "team": "retail", **parts, **others}


def test_last_24_hours_end_with_the_newest_window_of_each_cluster(data):
    data.given(
        "costs.quarter_hourly",
        cost("prod", f"{DAY_1} 10:00:00+00", "100"),  # a window too early
        cost("prod", f"{DAY_1} 10:15:00+00", "1"),
        cost("prod", f"{DAY_2} 10:00:00+00", "2"),
        cost("test", f"{DAY_1} 09:00:00+00", "5"),  # stopped a day before the other
    )

    samples = data.metric("finops_cost_last_24h")

    assert {sample["cluster"]: sample["value"] for sample in samples} == {"prod": 3, "test": 5}


def test_run_rate_is_four_times_the_newest_window_of_each_cluster(data):
    data.given(
        "costs.quarter_hourly",
        cost("prod", f"{DAY_1} 10:00:00+00", "100"),
        cost("prod", f"{DAY_1} 10:15:00+00", "1"),
        cost("test", f"{DAY_1} 09:00:00+00", "5", storage_cost="1", cpu_cost="4"),
        cost("prod", f"{DAY_1} 10:15:00+00", "2", cost_kind="idle", namespace="__idle__"),
    )

    samples = data.metric("finops_cost_hourly_rate")

    values = {
        (sample["cluster"], sample["namespace"], sample["resource"]): sample["value"]
        for sample in samples
    }
    assert values == {
        ("prod", "shop", "cpu"): 4,
        ("prod", "__idle__", "idle"): 8,
        ("test", "shop", "cpu"): 16,
        ("test", "shop", "storage"): 4,
    }


def test_small_workloads_are_one_sample(data):
    data.given(
        "costs.quarter_hourly",
        *(cost("prod", f"{DAY_1} 10:00:00+00", n, workload=f"w{n}") for n in "1234"),
        cost("prod", f"{DAY_1} 09:00:00+00", "9", workload="ended"),
        cost("prod", f"{DAY_1} 10:00:00+00", "9", cost_kind="idle", workload="__idle__"),
    )

    samples = data.metric("finops_workload_cost_hourly_rate")

    values = {sample["workload"]: sample["value"] for sample in samples}
    assert values == {"w4": 16, "w3": 12, "_other": 4 * (1 + 2)}  # $top_workloads is 2 in tests


def test_efficiency_is_that_of_the_newest_measured_window(data):
    known = {"cluster": "prod", "namespace": "shop"}
    measured = {**known, "cpu_requested_core_hours": 2, "cpu_cost": "0.01"}
    data.given(
        "efficiency.namespace_usage_quarter_hourly",
        {**measured, "cpu_used_core_hours": 1.8},
        {**measured, "cpu_used_core_hours": 0.6, "window_start": f"{DAY_1} 10:15:00+00"},
        {
            **known,
            "window_start": f"{DAY_1} 10:30:00+00",
            "storage_measured_byte_hours": 4,
            "storage_used_byte_hours": 2,
        },
    )

    assert data.metric("finops_efficiency_ratio") == [{**known, "resource": "cpu", "value": 0.3}]
    assert data.metric("finops_efficiency_score_ratio") == [{**known, "value": 0.3}]


def test_completeness_is_an_instant_in_seconds(data):
    data.given(
        "core.cluster",
        {"cluster": "prod", "source": "opencost", "complete_until": f"{DAY_1} 00:00:00+00"},
        {"cluster": "new", "source": "opencost"},
    )

    assert data.metric("finops_data_complete_timestamp_seconds") == [
        {"cluster": "prod", "source": "opencost", "value": 1772323200}
    ]


def test_currency_travels_with_the_version(data):
    data.given("core.installation", {"version": "1.2", "currency": "EUR"})

    assert data.metric("finops_build_info") == [{"version": "1.2", "currency": "EUR", "value": 1}]


def test_a_cost_sums_over_all_labels_to_what_the_cluster_costs(data: Data):
    data.given("raw.asset", NODE)
    data.given("raw.allocation", CONTAINER)
    data.fill("core.price", "costs.quarter_hourly")

    total = sum(float(sample["value"]) for sample in data.metric("finops_cost_last_24h"))
    rate = sum(float(sample["value"]) for sample in data.metric("finops_cost_hourly_rate"))

    assert [total, rate] == pytest.approx([0.06, 0.24])
