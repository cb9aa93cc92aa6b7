"""Percentiles of what containers used, over two weeks of windows and all replicas."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from finops_pipeline_tests.sql.rows import GIB, REQUESTED, USED

NEWEST = datetime(2026, 3, 20, 10, 0, tzinfo=UTC)
VIEW = "usage.container_profile"
MEASURED = {**USED, "observed_hours": 0.25, "cpu_used_core_hours": 0.1, "cpu_mean_cores": 0.4}


def windows_before(count):
    return [NEWEST - timedelta(minutes=15 * i) for i in range(count)]


def profile(data):
    return data.fill("core.price", "core.usage_window", VIEW)


def test_percentiles_are_exact_over_windows_and_replicas(data):
    cores = np.random.default_rng(7).gamma(2, 0.1, size=(40, 2)).round(6)
    for start, (first, second) in zip(windows_before(40), cores, strict=True):
        window = {"window_start": start}
        for pod, mean in (("web-1", first), ("web-2", second)):
            data.given("raw.allocation", {**REQUESTED, **window, "allocation": pod, "pod": pod})
            used = {"cpu_mean_cores": mean, "cpu_max_cores": 2 * mean, "memory_mean_bytes": GIB}
            used["cpu_used_core_hours"] = mean / 4
            data.given("raw.container_usage", {**MEASURED, **window, **used, "pod": pod})

    (web,) = profile(data)

    expected = np.quantile(cores, [0.5, 0.95, 0.99])  # linear, as quantile_cont
    percentiles = [web[f"cpu_p{percent}_cores"] for percent in (50, 95, 99)]
    assert percentiles == pytest.approx(expected.tolist())
    assert web["cpu_max_cores"] == pytest.approx(2 * cores.max())
    assert (web["memory_p99_bytes"], web["window_count"]) == (GIB, 40)
    assert web["coverage_ratio"] == pytest.approx(40 / (14 * 96))
    assert web["newest_window_start"] == NEWEST


def test_only_two_weeks_up_to_the_newest_window_count(data):
    for start in (NEWEST, NEWEST - timedelta(days=14), NEWEST - timedelta(days=13.99)):
        window = {"window_start": start.replace(minute=0)}
        data.given("raw.allocation", {**REQUESTED, **window})
        data.given("raw.container_usage", {**MEASURED, **window, "cpu_mean_cores": 1})

    (web,) = profile(data)

    assert web["window_count"] == 2


def test_a_broken_sensor_is_no_part_of_the_profile(data):
    for start, hours in zip(windows_before(2), (0, 0.1), strict=True):
        window = {"window_start": start}
        data.given("raw.allocation", {**REQUESTED, **window})
        used = {"cpu_used_core_hours": hours, "cpu_mean_cores": hours * 4}
        data.given("raw.container_usage", {**MEASURED, **window, **used})

    (web,) = profile(data)

    assert (web["cpu_p50_cores"], web["window_count"]) == (pytest.approx(0.4), 1)


def test_the_last_request_counts_and_trouble_adds_up(data):
    trouble = {**MEASURED, "restart_count": 2, "oom_kill_count": 1, "memory_limit_bytes": GIB}
    before = {"cpu_throttled_ratio": 0.5, "cpu_request_cores": 1, "cpu_limit_cores": 2}
    since = {"cpu_throttled_ratio": 0.1, "cpu_request_cores": 0.5, "observed_hours": 0.75}
    data.given(
        "raw.container_usage",
        {**trouble, "window_start": NEWEST - timedelta(minutes=15), **before},
        {**trouble, "window_start": NEWEST, **since},
    )

    (row,) = profile(data)

    assert (row["restart_count"], row["oom_kill_count"]) == (4, 2)
    assert row["cpu_throttled_ratio"] == pytest.approx((0.5 * 0.25 + 0.1 * 0.75) / 1)
    # The limit of CPU was taken away: the one before is no more.
    assert (row["cpu_request_cores"], row["cpu_limit_cores"]) == (0.5, None)
    assert row["memory_limit_bytes"] == GIB
    # OpenCost knows nothing of this pod.
    assert (row["workload_kind"], row["workload"]) == ("Pod", "web-1")


@pytest.mark.parametrize(
    ("kind", "workload"),
    [
        ("deployment", "web"),
        ("cronjob", "nightly"),
        ("rollout", "web"),
        (None, "web"),
        (None, None),
    ],
)
def test_workloads_are_named_as_costs_name_them(data, kind, workload):
    data.given("raw.allocation", {**REQUESTED, "workload_kind": kind, "workload": workload})
    data.given("raw.container_usage", {**MEASURED, "cpu_mean_cores": 1})

    (row,) = profile(data)

    assert data.rows("select workload_kind, workload from costs.line_item") == [
        {name: row[name] for name in ("workload_kind", "workload")}
    ]


@pytest.mark.parametrize(
    ("before", "since", "expected"),
    [
        (("statefulset", "web"), ("deployment", "app"), ("Deployment", "app")),
        (("deployment", "app"), ("statefulset", "web"), ("StatefulSet", "web")),
        # As costs.line_item names it in the newest window: its controller is no longer known.
        (("deployment", "web"), (None, None), ("Pod", "web-1")),
    ],
)
def test_a_pod_is_of_the_workload_of_the_newest_window(data, before, since, expected):
    for start, (kind, workload) in zip(windows_before(2), (since, before), strict=True):
        said = {"window_start": start, "workload_kind": kind, "workload": workload}
        data.given("raw.allocation", {**REQUESTED, **said})
        data.given("raw.container_usage", {**MEASURED, "window_start": start})

    (row,) = profile(data)

    assert (row["workload_kind"], row["workload"]) == expected
    assert row["window_count"] == 2
