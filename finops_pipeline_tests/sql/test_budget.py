"""Budgets: what was spent of them, and what the month will cost."""

from decimal import Decimal

import pytest


def budget(scope, name, amount=310, **valid):
    return {"scope": scope, "name": name, "month_amount": amount, **valid}


def spent(data, days, month="2026-03", **costs):
    """Add the same cost on each of some days."""
    row = {
        "cluster": "a",
        "team": "shop",
        "project": "web",
        "namespace": "cart",
        "direct_cost": 7,
        "idle_cost": 2,
        "shared_cost": 1,
        "total_cost": 10,
        "window_count": 96,
    }
    data.given(
        "costs.attributed_daily", *[{**row, "day": f"{month}-{day:02}", **costs} for day in days]
    )


def months(data, *columns):
    return [
        tuple(row[name] for name in columns)
        for row in data.rows("select *, month::varchar as m from costs.budget_monthly order by all")
    ]


@pytest.mark.parametrize(
    ("scope", "name", "cost"),
    [("team", "shop", 10), ("project", "web", 10), ("namespace", "cart", 7)],
)
def test_a_month_under_way_is_projected_by_its_complete_days(data, scope, name, cost):
    data.given("core.budget", budget(scope, name))
    spent(data, range(1, 11))
    spent(data, [11], window_count=20)  # today

    assert months(data, "spent_cost", "projected_cost", "spent_ratio", "projected_ratio") == [
        (11 * cost, 31 * cost, pytest.approx(11 * cost / 310), pytest.approx(31 * cost / 310))
    ]
    assert months(data, "days_elapsed_count", "days_left_count") == [(10, 21)]


@pytest.mark.parametrize(
    ("scope", "name", "cost"), [("team", "shop", 10), ("namespace", "cart", 7)]
)
def test_all_clusters_count(data, scope, name, cost):
    data.given("core.budget", budget(scope, name))
    spent(data, range(1, 31))
    spent(data, range(1, 31), cluster="b")
    spent(data, range(1, 31), cluster="b", team="other", namespace="else")

    assert months(data, "spent_cost", "projected_cost") == [(60 * cost, 62 * cost)]


@pytest.mark.parametrize("scope", ["team", "project", "namespace"])
def test_who_spends_nothing_has_all_of_the_budget_left(data, scope):
    data.given("core.budget", budget(scope, "quiet"))
    spent(data, range(1, 11))

    assert months(data, "spent_cost", "spent_ratio", "projected_cost", "projected_ratio") == [
        (0, 0, 0, 0)
    ]


@pytest.mark.parametrize("scope", ["team", "namespace"])
def test_without_a_complete_day_nothing_is_projected(data, scope):
    data.given("core.budget", budget(scope, {"team": "shop", "namespace": "cart"}[scope]))
    spent(data, [1], window_count=50)

    assert months(data, "projected_cost", "projected_ratio") == [(None, None)]


def test_a_month_that_is_over_costs_what_was_spent(data):
    data.given("core.budget", budget("team", "shop"))
    spent(data, [1, 2], month="2026-02")
    spent(data, [1])

    assert months(data, "m", "spent_cost", "projected_cost", "days_left_count") == [
        ("2026-02-01", 20, 20, 0),
        ("2026-03-01", 10, 310, 30),
    ]


def test_a_cluster_that_is_gone_is_projected_no_more(data):
    data.given("core.budget", budget("team", "shop"), budget("namespace", "cart"))
    spent(data, range(20, 29), month="2026-02", cluster="gone")
    spent(data, range(1, 11))

    assert [
        row for row in months(data, "m", "scope", "projected_cost") if row[0] > "2026-02-28"
    ] == [
        ("2026-03-01", "namespace", 217),
        ("2026-03-01", "team", 310),
    ]


def test_a_month_has_the_budget_of_its_first_day(data):
    data.given(
        "core.budget",
        budget("team", "shop", 1, valid_until="2026-02-15"),
        budget("team", "shop", 2, valid_from="2026-02-15", valid_until="2026-04-01"),
        budget("team", "shop", 3, valid_from="2026-04-01"),
    )
    for month in ("2026-02", "2026-03", "2026-04"):
        spent(data, [1], month=month)

    assert months(data, "m", "budget_cost") == [
        ("2026-02-01", 1),
        ("2026-03-01", 2),
        ("2026-04-01", 3),
    ]


def test_cost_is_exact(data):
    data.given("core.budget", budget("team", "shop"))
    spent(
        data,
        range(1, 4),
        total_cost="0.1000000001",
        direct_cost="0.1000000001",
        idle_cost=0,
        shared_cost=0,
    )

    assert months(data, "spent_cost") == [(Decimal("0.3000000003"),)]


@pytest.mark.parametrize(("amount", "is_red"), [("309.99", True), (310, False)])
def test_a_budget_that_will_not_hold_is_red(data, amount, is_red):
    data.given("core.budget", budget("team", "shop", amount))
    spent(data, range(1, 11))

    assert bool(data.check("budgets_kept")) == is_red


def test_a_budget_that_is_used_up_is_red_without_a_projection(data):
    data.given("core.budget", budget("team", "shop", 9))
    spent(data, [1], window_count=50)

    assert [row["name"] for row in data.check("budgets_kept")] == ["shop"]


def test_a_month_that_is_over_is_red_no_more(data):
    data.given("core.budget", budget("team", "shop", 15, valid_until="2026-03-01"))
    data.given("core.budget", budget("team", "shop", 400, valid_from="2026-03-01"))
    spent(data, [1, 2], month="2026-02")
    spent(data, [1])

    assert data.check("budgets_kept") == []
