"""A broken sensor is not an idle workload."""

from decimal import Decimal

import pytest

from finops_pipeline_tests.sql.rows import GIB, REQUESTED, USED
from finops_pipeline_tests.sql.usage_hours import STARTS, given_hour, used

FILLED = ["core.price", "core.usage_window", "efficiency.workload_usage_hourly"]
QUIET_USED = {**USED, "pod": "quiet-1", "container": "quiet", "cpu_used_core_hours": 0}


def workload(data, name):
    return next(row for row in data.fill(*FILLED) if row["workload"] == name)


def test_one_container_without_use_is_idle_in_a_cluster_that_works(data):
    given_hour(data, *([used(cores), QUIET_USED] for cores in (0.02, 0.03, 0.04, 0.05)))

    quiet = workload(data, "quiet")

    assert (quiet["cpu_requested_core_hours"], quiet["cpu_used_core_hours"]) == (0.5, 0)
    assert quiet["cpu_waste_cost"] == Decimal("0.02")  # all of 4 x 0.125 core-hours at 0.04
    assert data.check("usage_measured") == []


@pytest.mark.parametrize(
    ("usages", "reason"),
    [
        ([[]], "no container was measured"),
        ([[{**used(0.1), "cpu_used_core_hours": None, "memory_used_byte_hours": None}]],
         "no container was measured"),
        ([[used(0), QUIET_USED]], "CPU of all containers is 0"),
        ([[{**used(0.1), "memory_used_byte_hours": 0}]], "memory of all containers is 0"),
        ([[used(0.1), QUIET_USED]] * 3, "the same in every window of the hour"),
    ],
)  # fmt: skip
def test_usage_that_cannot_be_is_unknown_and_no_waste(data, usages, reason):
    given_hour(data, *usages, starts=STARTS[: len(usages)])

    web = workload(data, "web")

    unknown = ["cpu_used_core_hours", "memory_used_byte_hours", "cpu_cost", "memory_cost"]
    assert [web[name] for name in unknown] == [None] * 4
    assert (web["cpu_waste_cost"], web["memory_waste_cost"]) == (None, None)
    assert web["resource_cost"] == Decimal("0.0075") * len(usages)  # what it costs is known
    assert [row["reason"] for row in data.check("usage_measured")] == [reason] * len(usages)


@pytest.mark.parametrize(
    "usages",
    [
        [[used(0.1), QUIET_USED]] * 2,  # too few to tell
        [[used(cores), QUIET_USED] for cores in (0.1, 0.1, 0.1001)],
        [[used(0.1)], [used(0.1)], [{**used(0.1), "memory_used_byte_hours": 0.41 * GIB}]],
    ],
)
def test_usage_that_moves_at_all_is_plausible(data, usages):
    given_hour(data, *usages, starts=STARTS[: len(usages)])

    assert workload(data, "web")["cpu_used_core_hours"] > 0
    assert data.check("usage_measured") == []


def test_a_broken_sensor_leaves_the_hours_around_it_alone(data):
    broken = [[used(0), QUIET_USED]]
    given_hour(data, *broken, [used(0.1), QUIET_USED], starts=STARTS[:2])

    web = workload(data, "web")

    assert (web["cpu_used_core_hours"], web["window_count"]) == (0.1, 2)
    assert web["cpu_requested_core_hours"] == 0.125  # of the window that was measured
    assert web["cpu_cost"] == Decimal("0.005")


def test_a_window_that_nobody_read_yet_is_not_called_broken(data):
    data.given("raw.allocation", REQUESTED)

    assert data.fill("core.usage_window")[0]["is_plausible"] is False
    assert data.check("usage_measured") == []
