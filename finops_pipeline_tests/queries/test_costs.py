from datetime import date, timedelta
from decimal import Decimal

import pytest

from finops_pipeline.errors import QueryError
from finops_pipeline.queries.costs import DIMENSIONS, Days, costs_by, parse_days, previous_days
from finops_pipeline.queries.published import ask, open_published
from finops_pipeline_tests.sql.data import empty_tables

TODAY = date(2026, 3, 31)
MARCH = Days(date(2026, 3, 1), date(2026, 3, 31))
FEBRUARY = Days(date(2026, 2, 1), date(2026, 2, 28))


def days(first: str, last: str) -> Days:
    return Days(date.fromisoformat(first), date.fromisoformat(last))


def day(number: int, **columns: str) -> dict[str, str]:
    """Return a row of a day of March; before the first lies February."""
    on = date(2026, 3, 1) + timedelta(days=number - 1)
    return {"day": str(on), "cluster": "prod", "window_count": "96", **columns}


@pytest.fixture
def data():
    """Tables with two days of three namespaces, a new one among them."""
    with empty_tables() as data:
        data.given("core.installation", {"currency": "EUR"})
        data.given("core.cluster", {"cluster": "prod", "source": "opencost"})
        for table in ("costs.daily", "costs.attributed_daily"):
            part = {"costs.daily": "cpu_cost"}.get(table, "direct_cost")
            data.given(
                table,
                *(
                    day(number, namespace=namespace, team=team, total_cost=cost, **{part: cost})
                    for number, namespace, team, cost in (
                        (0, "shop", "retail", "0.3"),
                        (1, "shop", "retail", "0.2"),
                        (1, "db", "retail", "0.1"),
                        (1, "__idle__", "idle", "0.5000000001"),
                    )
                ),
            )
        yield data


@pytest.mark.parametrize(
    ("name", "expected", "before"),
    [
        ("today", ("2026-03-31", "2026-03-31"), ("2026-03-30", "2026-03-30")),
        ("yesterday", ("2026-03-30", "2026-03-30"), ("2026-03-29", "2026-03-29")),
        ("7d", ("2026-03-24", "2026-03-30"), ("2026-03-17", "2026-03-23")),
        ("30d", ("2026-03-01", "2026-03-30"), ("2026-01-30", "2026-02-28")),
        # February has no 31st to compare with.
        ("mtd", ("2026-03-01", "2026-03-31"), ("2026-02-01", "2026-02-28")),
        ("last-month", ("2026-02-01", "2026-02-28"), ("2026-01-01", "2026-01-31")),
        ("2025-12", ("2025-12-01", "2025-12-31"), ("2025-11-01", "2025-11-30")),
        ("2024-02", ("2024-02-01", "2024-02-29"), ("2024-01-01", "2024-01-31")),
        ("2026-03-05..2026-03-06", ("2026-03-05", "2026-03-06"), ("2026-03-03", "2026-03-04")),
        ("2026-03-05..2026-03-05", ("2026-03-05", "2026-03-05"), ("2026-03-04", "2026-03-04")),
    ],
)
def test_a_name_stands_for_days_and_those_they_are_compared_with(name, expected, before):
    window = parse_days(name, TODAY)

    assert window == days(*expected)
    assert previous_days(name, window) == days(*before)


def test_a_month_to_date_is_compared_with_the_same_days():
    window = parse_days("mtd", date(2026, 3, 10))

    assert previous_days("mtd", window) == days("2026-02-01", "2026-02-10")


@pytest.mark.parametrize(
    "name",
    [
        "",
        "week",
        "0d",
        "-7d",
        "2026",
        "2026-13",
        "2026-02-30..2026-03-01",
        "2026-03-01..",
        "7",
        "9999-12",
        "0001-01-01..2026-03-01",
    ],
)
def test_what_is_no_window_is_refused(name):
    with pytest.raises(QueryError, match="is no window: today, yesterday, 7d"):
        parse_days(name, TODAY)


def test_a_window_that_ends_before_it_begins_is_refused():
    with pytest.raises(QueryError, match="ends before it begins"):
        parse_days("2026-03-02..2026-03-01", TODAY)


def test_groups_are_told_with_share_and_change_dearest_first(data):
    costs = costs_by(data.connection, ["namespace"], MARCH, FEBRUARY)

    assert costs.columns == [
        "namespace",
        "total_cost",
        "share_ratio",
        "previous_cost",
        "change_cost",
        "change_ratio",
    ]
    assert [row[:2] for row in costs.rows] == [
        ("__idle__", Decimal("0.5000000001")),
        ("shop", Decimal("0.2")),
        ("db", Decimal("0.1")),
    ]
    assert costs.rows[1][2:] == (
        pytest.approx(0.25),
        Decimal("0.3"),
        Decimal("-0.1"),
        pytest.approx(-1 / 3),
    )
    assert costs.rows[2][3:] == (0, Decimal("0.1"), None)  # nothing to be a share of
    assert costs.total[1] == Decimal("0.8000000001")
    assert (costs.currency, costs.days, costs.previous) == ("EUR", MARCH, FEBRUARY)


def test_a_team_pays_its_share_of_idle_and_shared_cost(data):
    data.given(
        "costs.attributed_daily",
        day(2, team="retail", idle_cost="0.02", shared_cost="0.01", total_cost="0.03"),
    )

    costs = costs_by(data.connection, ["team"], MARCH)

    assert costs.columns == [
        "team",
        "total_cost",
        "direct_cost",
        "idle_cost",
        "shared_cost",
        "share_ratio",
    ]
    assert costs.rows[1][:5] == (
        "retail",
        Decimal("0.33"),
        Decimal("0.3"),
        Decimal("0.02"),
        Decimal("0.01"),
    )


def test_of_one_team_only_the_rest_is_said(data):
    costs = costs_by(data.connection, ["namespace"], MARCH, filters={"team": "retail"})

    assert [row[0] for row in costs.rows] == ["shop", "db"]
    assert costs.notes[-1] == "without the share of idle and shared cost, which --by team has"


def test_a_time_before_of_which_nothing_is_known_is_null_and_not_zero(data):
    costs = costs_by(data.connection, ["namespace"], FEBRUARY, days("2026-01-01", "2026-01-31"))

    assert [row[1:] for row in costs.rows] == [(Decimal("0.3"), 1.0, None, None, None)]
    assert costs.total[1:] == (Decimal("0.3"), 1.0, None, None, None)


def test_groups_beyond_the_limit_are_one_row_and_the_sum_stays(data):
    costs = costs_by(data.connection, ["namespace", "cluster"], MARCH, FEBRUARY, limit=1)

    assert [row[:3] for row in costs.rows] == [
        ("__idle__", "prod", Decimal("0.5000000001")),
        ("(2 others)", "", Decimal("0.3")),
    ]
    assert costs.rows[1][4] == Decimal("0.3")
    assert costs.total[2] == sum(row[2] for row in costs.rows)


@pytest.mark.parametrize("dimension", ["container", "node"])
def test_what_is_on_no_container_or_node_or_no_longer_known_is_on_none(data, dimension):
    data.given(
        "costs.container_daily",
        day(
            1, namespace="shop", team="retail", container="web", cpu_cost="0.15", total_cost="0.15"
        ),
    )
    data.given(
        "costs.node_hourly",
        {
            "hour": "2026-03-01 10:00:00Z",
            "cluster": "prod",
            "namespace": "shop",
            "team": "retail",
            "node": "web",
            "cpu_cost": "0.05",
            "memory_cost": "0.1",
        },
    )

    costs = costs_by(data.connection, ["namespace", dimension], MARCH, FEBRUARY)

    assert [row[:3] for row in costs.rows] == [
        ("__idle__", None, Decimal("0.5000000001")),
        ("shop", "web", Decimal("0.15")),
        ("db", None, Decimal("0.1")),
        ("shop", None, Decimal("0.05")),
    ]
    assert (costs.total[2], costs.total[4]) == (Decimal("0.8000000001"), Decimal("0.3"))


def test_days_that_lack_windows_are_said(data):
    costs = costs_by(data.connection, ["namespace"], MARCH, FEBRUARY)
    both = costs_by(data.connection, ["namespace"], days("2026-02-28", "2026-03-01"))

    assert costs.notes == [
        "of these days, 30 of 31 are incomplete, the first is 2026-03-02",
        "of the days before, 27 of 28 are incomplete, the first is 2026-02-01",
    ]
    assert both.notes == []


def test_days_without_costs_are_no_zero_and_say_which_days_have_some(data):
    costs = costs_by(data.connection, ["namespace"], days("2026-04-01", "2026-04-02"))

    assert (costs.rows, costs.total[1]) == ([], None)
    assert costs.notes == [
        "costs are known of 2026-02-28 to 2026-03-01",
        "these days are all incomplete: windows are missing",
    ]


def test_what_nothing_is_known_of_is_named(data):
    costs = costs_by(
        data.connection, ["namespace"], MARCH, filters={"team": "x", "cluster": "prod"}
    )

    assert costs.notes[0] == "these days have no costs of cluster prod, team x"


def test_before_the_first_costs_it_says_so():
    with empty_tables() as data:
        data.given("core.installation", {"currency": "EUR"})

        assert costs_by(data.connection, ["team"], MARCH).notes == ["no costs are known yet"]


@pytest.mark.parametrize(
    ("dimensions", "message"),
    [
        (["teams"], "costs are not kept by teams, but by team, environment, project, "),
        (["node", "workload"], "costs are not kept by node and workload together"),
        (["container", "node"], "costs are not kept by container and node together"),
    ],
)
def test_what_no_table_knows_is_refused(data, dimensions, message):
    with pytest.raises(QueryError, match=message):
        costs_by(data.connection, dimensions, MARCH)


@pytest.mark.parametrize("dimension", [*DIMENSIONS, "team,workload", "namespace,node"])
def test_every_group_adds_up_to_what_was_published(published_demo, dimension):
    whole = days("2020-01-01", "2100-01-01")
    with open_published(published_demo / "data") as connection:
        ((published,),) = ask(connection, "select sum(total_cost) from costs.daily").rows

        costs = costs_by(connection, dimension.split(","), whole)

    cost = costs.columns.index("total_cost")
    assert len(costs.rows) > 0
    assert sum(row[cost] for row in costs.rows) == costs.total[cost] == published
