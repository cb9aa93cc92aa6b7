"""Windows, hours and days add up to the same cost."""

from decimal import Decimal

from finops_pipeline_tests.sql.rows import CONTAINER, NODE

TABLES = ["core.price", "costs.quarter_hourly", "costs.hourly", "costs.daily"]
STARTS = ["2026-03-01 10:00:00+00", "2026-03-01 10:15:00+00", "2026-03-01 23:45:00+00"]


def given_windows(data, starts=STARTS):
    for start in starts:
        data.given("raw.asset", {**NODE, "window_start": start})
        data.given("raw.allocation", {**CONTAINER, "window_start": start})


def test_a_day_sums_its_windows(data):
    given_windows(data)

    rows = data.fill(*TABLES)

    web = next(row for row in rows if row["workload"] == "web")
    assert (web["total_cost"], web["window_count"]) == (3 * Decimal("0.0075"), 3)
    assert sum(row["total_cost"] for row in rows) == 3 * Decimal("0.06")


def test_hours_hold_their_own_windows(data):
    given_windows(data)
    data.fill(*TABLES)

    rows = data.rows(
        "select hour, window_count from costs.hourly where workload = 'web' order by 1"
    )

    assert [(row["hour"].hour, row["window_count"]) for row in rows] == [(10, 2), (23, 1)]


def test_an_hour_that_was_lost_is_found_in_its_hour_and_its_day(data):
    given_windows(data)
    data.fill(*TABLES)
    assert data.check("hours_preserve_total") == data.check("days_preserve_total") == []

    data.connection.execute("delete from costs.hourly where date_part('hour', hour) = 23")

    (hour,) = data.check("hours_preserve_total")
    (day,) = data.check("days_preserve_total")
    assert (hour["hour"].hour, hour["rolled_up_cost"]) == (23, None)
    assert day["rolled_up_cost"] - day["parts_cost"] == hour["parts_cost"]


def test_containers_of_one_pod_ran_in_its_windows_together(data):
    given_windows(data)
    for start in STARTS:
        other = {"allocation": "prod/node-a/shop/web-1/proxy", "container": "proxy"}
        data.given("raw.allocation", {**CONTAINER, **other, "window_start": start})
    data.fill(*TABLES)

    (workload,) = data.rows("from costs.daily where workload = 'web'")
    containers = [row for row in data.fill("costs.container_daily") if row["workload"] == "web"]

    assert workload["window_count"] == 3
    assert [(row["container"], row["window_count"]) for row in containers] == [
        ("proxy", 3),
        ("web", 3),
    ]
    assert sum(row["total_cost"] for row in containers) == workload["total_cost"]


def test_each_label_adds_up_to_all_cost(data):
    data.given(
        "core.cost_label",
        {"position_count": 0, "label": "app"},
        {"position_count": 1, "label": "tier"},
    )
    labels = {"allocation": "b", "labels": '{"app": "web"}', "source_cpu_cost": 1}
    data.given("raw.allocation", {**CONTAINER, "source_cpu_cost": 2}, {**CONTAINER, **labels})

    rows = data.fill("costs.label_hourly", "costs.label_daily")

    assert [(row["label"], row["value"], row["total_cost"]) for row in rows] == [
        ("app", "", 2),
        ("app", "web", 1),
        ("tier", "", 3),
    ]
