"""Statements: closed months never change, and all of them add up to what is known now."""

from collections import Counter
from decimal import Decimal

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finops_pipeline_tests.sql.data import Data

COSTS = ("direct_cost", "idle_cost", "shared_cost", "total_cost")
OWNER = ("cluster", "team", "environment", "project", "cost_center", "namespace")
MONTHS = ["2026-01-01", "2026-02-01", "2026-03-01", "2026-04-01"]
UNIT = Decimal("0.0000000001")


def cost(day, team, direct=0, idle=0, shared=0):
    direct, idle, shared = UNIT * direct, UNIT * idle, UNIT * shared
    return {
        "day": day,
        "team": team,
        "direct_cost": direct,
        "idle_cost": idle,
        "shared_cost": shared,
        "total_cost": direct + idle + shared,
    }


def restate(data, *rows):
    """Replace what is known of the days of some rows by these rows."""
    for row in rows:
        data.connection.execute(
            "delete from costs.attributed_daily where day = $day and team = $team",
            {name: row[name] for name in ("day", "team")},
        )
    data.given("costs.attributed_daily", *rows)


def close(data, month):
    """Freeze the rows of a month, as ``finops close`` does with the rows that it reads."""
    data.connection.execute(
        "insert into raw.statement by name"
        " select cast(statement_month as timestamptz) as window_start,"
        " * exclude (statement_month, is_closed)"
        " from costs.statement where statement_month = $month",
        {"month": month},
    )
    data.connection.execute("delete from costs.statement_frozen")
    data.fill("costs.statement_frozen")


def statement(data, month):
    return data.rows(
        "select cost_month::varchar as cost_month, team, kind, total_cost, is_closed"
        " from costs.statement where statement_month = $month order by all",
        {"month": month},
    )


def row(month, team, kind, units, is_closed=False):
    return {
        "cost_month": month,
        "team": team,
        "kind": kind,
        "total_cost": UNIT * units,
        "is_closed": is_closed,
    }


def test_an_open_statement_is_what_is_known_of_its_month(data):
    restate(
        data, cost("2026-01-05", "a", 3), cost("2026-01-06", "a", 4), cost("2026-02-01", "a", 9)
    )

    assert statement(data, MONTHS[0]) == [row(MONTHS[0], "a", "cost", 7)]


def test_what_changes_in_a_closed_month_is_in_the_next_statement(data):
    restate(
        data, cost("2026-01-05", "a", 3), cost("2026-01-05", "b", 5), cost("2026-02-01", "a", 9)
    )
    close(data, MONTHS[0])
    # It turns out that a owed what b was charged.
    restate(data, cost("2026-01-05", "a", 8), cost("2026-01-05", "b"))

    assert statement(data, MONTHS[0]) == [
        row(MONTHS[0], "a", "cost", 3, is_closed=True),
        row(MONTHS[0], "b", "cost", 5, is_closed=True),
    ]
    assert statement(data, MONTHS[1]) == [
        row(MONTHS[0], "a", "adjustment", 5),
        row(MONTHS[0], "b", "adjustment", -5),
        row(MONTHS[1], "a", "cost", 9),
    ]


def test_an_adjustment_is_closed_with_its_statement_and_not_told_again(data):
    restate(data, cost("2026-01-05", "a", 3), cost("2026-02-01", "a", 9))
    close(data, MONTHS[0])
    restate(data, cost("2026-01-05", "a", 4))
    close(data, MONTHS[1])

    assert statement(data, MONTHS[1])[0] == row(MONTHS[0], "a", "adjustment", 1, is_closed=True)
    assert statement(data, MONTHS[2]) == []

    restate(data, cost("2026-01-05", "a", 2))
    assert statement(data, MONTHS[2]) == [row(MONTHS[0], "a", "adjustment", -2)]


def test_an_adjustment_waits_for_the_next_month_that_is_open(data):
    restate(data, *[cost(month, "a", 1) for month in MONTHS])
    close(data, MONTHS[0])
    close(data, MONTHS[2])
    restate(data, cost(MONTHS[0], "a", 2), cost(MONTHS[2], "a", 3))

    assert statement(data, MONTHS[1])[0] == row(MONTHS[0], "a", "adjustment", 1)
    assert statement(data, MONTHS[3])[0] == row(MONTHS[2], "a", "adjustment", 2)


def test_a_split_that_changes_without_the_total_is_an_adjustment(data):
    restate(data, cost(MONTHS[0], "a", 1, 2, 3))
    close(data, MONTHS[0])
    restate(data, cost(MONTHS[0], "a", 3, 2, 1))

    (adjustment,) = data.rows("from costs.statement where kind = 'adjustment'")
    assert [adjustment[name] / UNIT for name in COSTS] == [2, 0, -2, 0]


UNITS = st.integers(-(10**15), 10**15)
RESTATED = st.builds(
    cost,
    st.sampled_from([f"{month[:-2]}{day}" for month in MONTHS for day in ("01", "28")]),
    st.sampled_from(["a", "b", "idle"]),
    UNITS,
    UNITS,
    UNITS,
)
RESTATEMENT = st.lists(RESTATED, min_size=1, max_size=4)
EVENTS = st.lists(st.one_of(RESTATEMENT, st.sampled_from(MONTHS)), max_size=10)


def totals(rows, *names):
    """Sums of the four costs by some columns, without those that are nothing."""
    sums_by_key: dict[tuple[str, ...], Counter[str]] = {}
    for row in rows:
        key = tuple(str(row[name]) for name in names)
        sums_by_key.setdefault(key, Counter()).update({name: row[name] for name in COSTS})
    return {key: dict(sums) for key, sums in sums_by_key.items() if any(sums.values())}


@pytest.fixture(scope="module")
def emptied():
    """Tables that each history finds empty; making them takes longer than a history."""
    data = Data()

    def empty():
        for table in ("costs.attributed_daily", "costs.statement_frozen", "raw.statement"):
            data.connection.execute(f"delete from {table}")
        return data

    return empty


@settings(max_examples=60, deadline=None)
@given(events=EVENTS)
def test_statements_add_up_to_what_is_known_whatever_happens(emptied, events):
    data, closed = emptied(), {}
    for event in events:
        if not isinstance(event, str):
            restate(data, *event)
        elif event not in closed and (rows := statement_rows(data, event)):
            close(data, event)
            closed[event] = [{**row, "is_closed": True} for row in rows]

    attributed = data.rows(
        "select *, date_trunc('month', day)::date as month from costs.attributed_daily"
    )
    statement = data.rows("from costs.statement")
    assert totals(statement, "cost_month", *OWNER) == totals(attributed, "month", *OWNER)
    assert {month: statement_rows(data, month) for month in closed} == closed


def statement_rows(data, month):
    return data.rows(f"from costs.statement where statement_month = '{month}' order by all")
