"""Charts and movers of a table, as its page in the UI shows them."""

import re
from base64 import b64decode
from collections.abc import Iterator
from datetime import date

import pytest

from finops_pipeline.catalog.tables import tables
from finops_pipeline.orchestration.metadata.trends import movers, trend
from finops_pipeline_tests.reports.drawings import lines, texts
from finops_pipeline_tests.sql.data import Data, empty_tables

TODAY = date(2026, 3, 10)


@pytest.fixture
def data() -> Iterator[Data]:
    with empty_tables() as data:
        yield data


def day(number: int, team: str, cost: str, namespace: str = "shop") -> dict[str, object]:
    return {
        "day": f"2026-03-{number:02}", "cluster": "prod", "team": team, "namespace": namespace,
        "cpu_cost": cost, "total_cost": cost,
    }  # fmt: skip


def read(data: Data, number: int, count: int = 96, cluster: str = "prod") -> None:
    """Windows of a day that were read; the others of it are absent."""
    window = {"table_name": "raw.allocation", "cluster": cluster}
    data.given(
        "core.window",
        *(
            {
                **window,
                "window_start": f"2026-03-{number:02} {n // 4:02}:{n % 4 * 15:02}:00+00",
                "status": "final" if n < count else "absent",
            }
            for n in range(96)
        ),
    )


def test_the_newest_thirty_days_are_drawn_with_their_gaps(data):
    rows = [day(number, "retail", "2") for number in range(1, 32) if number != 20]
    data.given("costs.daily", {**rows[0], "day": "2025-01-01", "total_cost": 99, "cpu_cost": 99},
               *rows, day(31, "search", "0.5"))  # fmt: skip

    metadata = trend(data, tables()["costs.daily"], "EUR")

    money, counts = re.findall(r"base64,([^)]+)", metadata["trend"].value)
    svg = b64decode(money).decode()
    assert metadata["newest_total_cost"] == 2.5
    assert texts(svg) == ["2.5", "0", "EUR", "2026-03-02 UTC", "2026-03-31 UTC", "total_cost"]
    assert lines(svg)[0].count("M") == 2
    assert len(re.findall("[ML]", lines(svg)[0])) == 29
    assert texts(b64decode(counts).decode())[0] == "2"


def test_a_ratio_of_a_slot_is_that_of_its_sums(data):
    common = {"day": "2026-03-01", "cluster": "prod", "cpu_requested_core_hours": 1}
    data.given(
        "efficiency.workload_usage_daily",
        {**common, "workload": "a", "cpu_used_core_hours": 1, "total_cost": 1},
        {**common, "workload": "b", "cpu_used_core_hours": 2, "cpu_requested_core_hours": 5},
    )

    metadata = trend(data, tables()["efficiency.workload_usage_daily"], "EUR")

    assert metadata["newest_cpu_usage_ratio"] == 0.5
    assert "newest_memory_usage_ratio" not in metadata
    assert "newest_cpu_waste_cost" not in metadata  # it was not measured


@pytest.mark.parametrize("name", ["core.price_list", "core.window", "costs.daily"])
def test_nothing_is_drawn_without_money_ratios_or_rows(data, name):
    assert trend(data, tables()[name], "EUR") == {}
    assert movers(data, tables()[name], TODAY) == {}


def test_movers_are_of_the_last_whole_day(data):
    data.given(
        "costs.daily",
        day(10, "retail", "1000"),  # today is not over
        day(9, "retail", "5"), day(9, "search", "1.5"), day(9, "new", "0.25"), day(9, "same", "1"),
        day(8, "retail", "3"), day(8, "search", "4.5"), day(8, "gone", "0.75"), day(8, "same", "1"),
        day(2, "retail", "7"),
    )  # fmt: skip
    for number in (2, 8, 9):
        read(data, number)

    metadata = movers(data, tables()["costs.daily"], TODAY)

    assert metadata.pop("movers").value.splitlines()[2:] == [
        "| search / shop | 1.50 | -3.00 |",
        "| retail / shop | 5.00 | +2.00 |",
        "| gone / shop | 0.00 | -0.75 |",
    ]
    assert metadata == {
        "last_day": "2026-03-09",
        "last_day_cost": 7.75,
        "change_in_7_days_cost": 0.75,
        "change_in_1_day_cost": -1.5,
    }


def test_a_change_from_a_day_that_is_not_there_is_unknown(data):
    data.given("costs.daily", day(9, "retail", "5"))
    read(data, 9)

    metadata = movers(data, tables()["costs.daily"], TODAY)

    assert metadata == {
        "last_day": "2026-03-09",
        "last_day_cost": 5.0,
        "not_compared": "2026-03-08: 0 of 96 windows of prod; 2026-03-02: 0 of 96 windows of prod",
    }


def test_a_gap_of_yesterday_is_no_saving(data):
    data.given("costs.daily", day(9, "retail", "1"), day(8, "retail", "3"), day(2, "retail", "7"))
    for number in (2, 8):
        read(data, number)
    read(data, 9, count=32)

    metadata = movers(data, tables()["costs.daily"], TODAY)

    assert metadata == {"not_compared": "2026-03-09: 32 of 96 windows of prod"}


def test_a_cluster_of_which_nothing_was_read_on_a_day_is_a_gap(data):
    data.given("costs.daily", day(9, "retail", "55"), day(8, "retail", "3"))
    for number in (8, 9):
        read(data, number)
    read(data, 9, cluster="other")

    metadata = movers(data, tables()["costs.daily"], TODAY)

    assert "change_in_1_day_cost" not in metadata
    assert "2026-03-08: 0 of 96 windows of other" in metadata["not_compared"]


def test_a_gap_of_the_day_before_in_one_of_two_clusters_is_no_growth(data):
    data.given("costs.daily", day(9, "retail", "5"), day(8, "retail", "3"), day(2, "retail", "7"))
    for number in (2, 8, 9):
        read(data, number)
        read(data, number, cluster="other", count=95 if number == 8 else 96)

    metadata = movers(data, tables()["costs.daily"], TODAY)

    assert metadata == {
        "last_day": "2026-03-09",
        "last_day_cost": 5.0,
        "change_in_7_days_cost": -2.0,
        "not_compared": "2026-03-08: 95 of 96 windows of other",
    }
