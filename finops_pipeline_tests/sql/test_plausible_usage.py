"""Tests of which usage is plausible."""

import pytest

USAGE = {
    "cluster": "prod",
    "namespace": "shop",
    "pod": "web-1",
    "container": "web",
    "cpu_used_core_hours": 0.3,
}


@pytest.mark.parametrize(("reason", "count"), [(None, 1), ("broken sensor", 0)])
def test_usage_of_a_window_that_is_not_plausible_is_unknown(data, reason, count):
    data.given("raw.container_usage", USAGE)
    window = {"cluster": "prod", "is_plausible": reason is None, "reason": reason}
    data.given("core.usage_window", window)

    assert [row["cpu_used_core_hours"] for row in data.part("plausible_usage")] == [0.3] * count
