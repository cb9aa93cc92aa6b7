"""Months add up their days, compare whole months only, and project what is left of them."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Any

import pytest

from finops_pipeline_tests.sql.data import PARAMETERS, Data

OWNER = {
    "cluster": "prod",
    "team": "retail",
    "environment": "prod",
    "project": "atlas",
    "cost_center": "4711",
    "namespace": "shop",
}


def given_days(data: Data, first: str, count: int, cost: str, **more: Any) -> None:
    """Add days of the same cost, each of all windows."""
    day = date.fromisoformat(first)
    row = {**OWNER, "direct_cost": cost, "total_cost": cost, "window_count": 96, **more}
    days = [day + timedelta(days=number) for number in range(count)]
    data.given("costs.attributed_daily", *({**row, "day": str(day)} for day in days))


def team_months(data: Data) -> list[tuple[Any, ...]]:
    data.fill("core.calendar")
    rows = data.fill("costs.team_monthly")
    names = ("month", "total_cost", "is_complete", "previous_cost", "change_ratio")
    return [(str(row["month"])[:7], *(row[name] for name in names[1:])) for row in rows]


def test_a_month_is_complete_when_each_window_of_each_day_is_there(data):
    given_days(data, "2026-01-02", 30, "1")  # the first day is missing
    given_days(data, "2026-02-01", 28, "2")
    given_days(data, "2026-03-01", 31, "3")
    data.connection.execute(
        "update costs.attributed_daily set window_count = 95 where day = '2026-03-07'"
    )

    assert team_months(data) == [
        ("2026-01", 30, False, None, None),
        ("2026-02", 56, True, 30, None),
        ("2026-03", 93, False, 56, None),
    ]


def test_whole_months_are_compared(data):
    given_days(data, "2026-01-01", 31, "2")
    given_days(data, "2026-02-01", 28, "4")

    ((*_, change),) = [row for row in team_months(data) if row[0] == "2026-02"]

    assert change == pytest.approx(112 / 62 - 1)


def test_a_gap_of_a_month_compares_with_nothing(data):
    given_days(data, "2026-01-01", 31, "2")
    given_days(data, "2026-03-01", 31, "4")

    assert [row[3] for row in team_months(data)] == [None, None]


SEARCH = {"team": "search", "project": "zeus"}
COMPARED = ("total_cost", "day_count", "previous_cost", "change_ratio", "year_to_date_cost")


def months_of(data: Data, part: str, owner: str) -> dict[str, tuple[Any, ...]]:
    rows = data.fill("core.calendar", f"costs.{part}_monthly")
    return {
        f"{row['month']:%Y-%m}": tuple(row[name] for name in COMPARED)
        for row in rows
        if row[part] == owner
    }


@pytest.mark.parametrize(("part", "owner"), [("team", "retail"), ("project", "atlas")])
def test_an_owner_that_stops_costing_anything_is_seen_to_do_so(data, part, owner):
    given_days(data, "2026-01-01", 90, "1", **SEARCH)
    given_days(data, "2026-01-01", 31, "2")

    assert months_of(data, part, owner) == {
        "2026-01": (62, 31, None, None, 62),
        "2026-02": (0, 0, 62, -1, 62),
        "2026-03": (0, 0, 0, None, 62),
    }


def test_a_month_without_cost_between_two_is_a_month(data):
    given_days(data, "2026-01-01", 90, "1", **SEARCH)
    given_days(data, "2026-01-01", 31, "2")
    given_days(data, "2026-03-01", 31, "3")

    assert months_of(data, "team", "retail") == {
        "2026-01": (62, 31, None, None, 62),
        "2026-02": (0, 0, 62, -1, 62),
        "2026-03": (93, 31, 0, None, 155),
    }


def test_an_owner_has_no_month_before_its_first_or_where_its_cluster_has_none(data):
    given_days(data, "2026-01-01", 31, "1", **SEARCH)
    given_days(data, "2026-02-01", 28, "2")
    given_days(data, "2026-04-01", 30, "1", **SEARCH)
    given_days(data, "2026-05-01", 31, "1", **SEARCH, cluster="other")

    assert months_of(data, "team", "retail") == {
        "2026-02": (56, 28, None, None, 56),
        "2026-04": (0, 0, None, None, 56),
    }


def test_the_year_to_date_of_who_stopped_ends_with_the_fiscal_year(data, monkeypatch):
    monkeypatch.setitem(PARAMETERS, "fiscal_year_start_month", 3)
    given_days(data, "2026-01-01", 90, "1", **SEARCH)
    given_days(data, "2026-01-01", 31, "2")

    to_date = [row[-1] for row in months_of(data, "team", "retail").values()]

    assert to_date == [62, 62, 0]


def test_owners_of_a_month_add_up_to_its_cluster(data):
    given_days(data, "2026-01-01", 59, "1", **SEARCH)
    given_days(data, "2026-01-01", 31, "2")
    data.fill("core.calendar")

    rows = data.rows(
        "select month, owner_part, sum(total_cost) as cost from costs.owner_monthly group by all"
        " order by all"
    )

    assert [row["cost"] for row in rows] == [93, 93, 28, 28]


@pytest.mark.parametrize(("start_month", "to_date"), [(1, [31, 59, 90]), (3, [31, 59, 31])])
def test_a_year_to_date_begins_with_the_fiscal_year(data, monkeypatch, start_month, to_date):
    monkeypatch.setitem(PARAMETERS, "fiscal_year_start_month", start_month)
    given_days(data, "2026-01-01", 90, "1")
    team_months(data)

    rows = data.rows("select year_to_date_cost as cost from costs.project_monthly order by month")

    assert [row["cost"] for row in rows] == to_date


@pytest.mark.parametrize(
    ("start_month", "day", "expected"),
    [
        (1, "2026-12-31", (2026, 4, 12)),
        (4, "2026-03-31", (2026, 4, 12)),
        (4, "2026-04-01", (2027, 1, 1)),
        (10, "2026-09-30", (2026, 4, 12)),
        (10, "2026-10-01", (2027, 1, 1)),
    ],
)
def test_a_fiscal_year_is_named_after_the_year_it_ends_in(
    data, monkeypatch, start_month, day, expected
):
    monkeypatch.setitem(PARAMETERS, "fiscal_year_start_month", start_month)
    data.fill("core.calendar")

    (row,) = data.rows(
        "select fiscal_year, fiscal_quarter, fiscal_month from core.calendar where day = $day",
        {"day": day},
    )

    assert tuple(row.values()) == expected


def projection(data: Data) -> dict[str, Any]:
    (row,) = data.fill("costs.month_projection")
    return row


def test_a_projection_adds_the_mean_of_a_week_for_each_day_left(data):
    given_days(data, "2026-03-01", 3, "10")
    given_days(data, "2026-03-04", 7, "1")
    given_days(data, "2026-03-11", 1, "0.25", window_count=20)  # today

    row = projection(data)

    assert row["month_to_date_cost"] == Decimal("37.25")
    assert (row["daily_mean_cost"], row["days_left_count"]) == (1, 21)
    assert row["projected_cost"] == 30 + 7 + 21


def test_on_the_first_of_a_month_the_week_before_says_what_it_will_cost(data):
    given_days(data, "2026-02-01", 28, "2")
    given_days(data, "2026-03-01", 1, "0.1", window_count=4)

    row = projection(data)

    assert (row["month_to_date_cost"], row["projected_cost"]) == (Decimal("0.1"), 62)


def test_a_month_that_is_over_is_what_it_cost(data):
    given_days(data, "2026-03-01", 31, "2")

    row = projection(data)

    assert (row["days_left_count"], row["projected_cost"]) == (0, 62)


def test_nothing_is_projected_from_no_complete_day(data):
    given_days(data, "2026-03-01", 1, "2", window_count=95)

    row = projection(data)

    assert (row["daily_mean_cost"], row["projected_cost"]) == (None, None)


def test_what_cost_nothing_on_some_days_counts_them(data):
    given_days(data, "2026-03-01", 7, "0", team="search")
    given_days(data, "2026-03-07", 1, "7")

    row = next(row for row in data.fill("costs.month_projection") if row["team"] == "retail")

    assert row["daily_mean_cost"] == 1
