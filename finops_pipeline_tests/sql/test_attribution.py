"""Idle and shared cost are split as configured, and nothing is lost or made by it."""

from collections import defaultdict
from decimal import Decimal
from fractions import Fraction
from functools import cache
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finops_pipeline_tests.sql.data import PARAMETERS, Data

HOUR = "2026-03-01 10:00:00+00"
FILLED = ("costs.idle_share_daily", "costs.attributed_daily")
UNIT = Decimal("0.0000000001")
OWNER = {
    "cluster": "prod",
    "environment": "unattributed",
    "project": "unattributed",
    "cost_center": "unattributed",
}


def cost(team: str, amount: str, node: str = "a", kind: str = "workload", **more: str) -> list[Any]:
    """CPU cost of a team on a node, as the two tables of it say."""
    row = {**OWNER, "team": team, "namespace": team, "cost_kind": kind, "cpu_cost": amount, **more}
    daily = {**row, "total_cost": amount, "workload": f"{team} on {node}"}
    return [{**row, "node": node, "hour": HOUR}, daily]


@cache
def tables() -> Data:
    """Make the tables once: hundreds of examples would wait for them."""
    return Data()


def attributed(
    rows: list[list[Any]], idle: str, shared: str, *teams: dict[str, Any]
) -> list[dict[str, Any]]:
    data = tables()
    for table in ("core.team", "costs.node_hourly", "costs.daily", *FILLED):
        data.connection.execute(f"delete from {table}")
    data.given("core.team", *teams)
    data.given("costs.node_hourly", *(on_node for on_node, _ in rows))
    data.given("costs.daily", *(daily for _, daily in rows))
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(PARAMETERS, "idle_sharing", idle)
        patch.setitem(PARAMETERS, "shared_sharing", shared)
        return data.fill(*FILLED)


def paid(rows: list[dict[str, Any]], column: str = "total_cost") -> dict[str, Decimal]:
    """Sum what each team pays."""
    sums: defaultdict[str, Decimal] = defaultdict(Decimal)
    for row in rows:
        sums[row["team"]] += row[column]
    return dict(sums)


SHOP = [
    cost("retail", "3", node="a"),
    cost("search", "1", node="a"),
    cost("search", "1", node="b"),
    cost("idle", "4", node="a", kind="idle", namespace="__idle__"),
    cost("idle", "1", node="b", kind="idle", namespace="__idle__"),
]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("separate", {"retail": 3, "search": 2, "idle": 5}),
        ("by_node", {"retail": 6, "search": 4}),  # 3/4 of 4; 1/4 of 4 and all of 1
        ("by_cluster", {"retail": 6, "search": 4}),  # 3/5 and 2/5 of 5
    ],
)
def test_idle_cost_is_split_as_configured(mode, expected):
    assert paid(attributed(SHOP, mode, "separate")) == expected


def test_by_node_and_by_cluster_differ_where_nodes_do():
    rows = [*SHOP, cost("idle", "10", node="b", kind="idle", namespace="__idle__")]

    by_node = paid(attributed(rows, "by_node", "separate"))
    by_cluster = paid(attributed(rows, "by_cluster", "separate"))

    assert by_node == {"retail": 6, "search": 14}
    assert by_cluster == {"retail": 12, "search": 8}


def test_idle_cost_of_a_node_without_allocations_stays_idle():
    rows = [*SHOP, cost("idle", "7", node="empty", kind="idle", namespace="__idle__")]

    assert paid(attributed(rows, "by_node", "separate"))["idle"] == 7


def test_negative_idle_cost_is_shown_and_not_split():
    rows = [cost("retail", "3"), cost("idle", "-1", kind="idle", namespace="__idle__")]

    assert paid(attributed(rows, "by_node", "separate")) == {"retail": 3, "idle": -1}


POOL = [
    cost("retail", "6", namespace="shop"),
    cost("retail", "2", namespace="stock"),
    cost("search", "1"),
    cost("unattributed", "1"),
    cost("unmounted", "5", kind="unmounted"),
    cost("shared", "10", namespace="kube-system"),
]


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("separate", {"shared": 10}),
        ("proportional", {"retail": 8, "search": 1, "unattributed": 1}),
        ("even", {team: Decimal("3.3333333333") for team in ("retail", "search")}),
        ("weighted", {"retail": 6, "search": 2, "unattributed": 2}),
    ],
)
def test_shared_cost_is_split_as_configured(mode, expected):
    team = {"team": "retail", "shared_weight": 3.0}

    found = {
        t: c for t, c in paid(attributed(POOL, "separate", mode, team), "shared_cost").items() if c
    }

    assert sum(found.values()) == 10
    assert {team: found[team].quantize(UNIT) for team in expected} == {
        team: pytest.approx(Decimal(cost), abs=UNIT) for team, cost in expected.items()
    }


def test_within_a_team_the_larger_part_takes_more_of_what_is_shared():
    rows = attributed(POOL, "separate", "proportional")

    assert {row["namespace"]: row["shared_cost"] for row in rows if row["team"] == "retail"} == {
        "shop": 6,
        "stock": 2,
    }


def test_shared_cost_takes_its_idle_share_along():
    rows = [
        cost("retail", "1"),
        cost("shared", "1", namespace="kube-system"),
        cost("idle", "2", kind="idle", namespace="__idle__"),
    ]

    (row,) = attributed(rows, "by_cluster", "proportional")

    assert (row["direct_cost"], row["idle_cost"], row["shared_cost"]) == (1, 1, 2)


def test_shared_cost_without_a_team_to_take_it_stays_shared():
    rows = [cost("shared", "1", namespace="kube-system"), cost("unmounted", "1", kind="unmounted")]

    assert paid(attributed(rows, "by_cluster", "even")) == {"shared": 1, "unmounted": 1}


def test_teams_that_cost_nothing_share_evenly():
    rows = [cost("retail", "0"), cost("search", "0"), cost("shared", "1", namespace="kube-system")]

    assert paid(attributed(rows, "separate", "proportional")) == {
        "retail": Decimal("0.5"),
        "search": Decimal("0.5"),
    }


AMOUNTS = st.integers(min_value=-(10**6), max_value=10**17).map(lambda units: units * UNIT)
TEAMS = st.sampled_from(["retail", "search", "ml", "unattributed", "shared"])
COSTS = st.lists(st.tuples(TEAMS, AMOUNTS, st.sampled_from("ab")), min_size=1, max_size=12)


@given(
    costs=COSTS,
    idle=AMOUNTS,
    idle_mode=st.sampled_from(["separate", "by_node", "by_cluster"]),
    shared_mode=st.sampled_from(["separate", "proportional", "even", "weighted"]),
)
def test_splits_add_up_exactly(costs, idle, idle_mode, shared_mode):
    rows = [cost(team, str(amount), node) for team, amount, node in costs]
    rows.append(cost("idle", str(idle), kind="idle", namespace="__idle__"))
    weights = {"team": "ml", "shared_weight": 0.1}

    total = sum(paid(attributed(rows, idle_mode, shared_mode, weights)).values())

    assert total == sum(amount for _, amount, _ in costs) + idle


@given(
    amounts=st.lists(st.integers(1, 10**15), min_size=2, max_size=6), pool=st.integers(1, 10**15)
)
def test_each_share_is_right_to_the_last_decimal(amounts, pool):
    rows = [cost(f"team {number}", str(units * UNIT)) for number, units in enumerate(amounts)]
    rows.append(cost("shared", str(pool * UNIT), namespace="kube-system"))

    shares = paid(attributed(rows, "separate", "proportional"), "shared_cost")

    for number, units in enumerate(amounts):
        exact = Fraction(pool * units, sum(amounts))
        assert abs(Fraction(shares[f"team {number}"] / UNIT) - exact) < 1
