"""Settings as the warehouse gets them: rows, and which days they touch."""

import re
from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from finops_pipeline.catalog.tables import tables
from finops_pipeline.installation.ledger_data import LedgerData
from finops_pipeline.lake.files import Lake
from finops_pipeline.settings import Settings
from finops_pipeline.state.database import Installation as Identity
from finops_pipeline.state.ledger_snapshot import LedgerSnapshot
from finops_pipeline.units import DAY, HOUR

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
WEEK = [MONDAY + count * DAY for count in range(7)]
CLUSTER = {"name": "prod", "opencost_url": "http://oc:9003", "prometheus_url": "http://prom"}
RULE = {"name": "shop", "namespace": "shop-*", "team": "retail"}
ANY_TIME = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))


class Week(LedgerSnapshot):
    """A ledger that has read two hours of each day of a week, and knows an older frozen day."""

    def __init__(self) -> None:
        """Ask no database."""

    def day_hashes(self) -> dict[str, dict[datetime, str]]:
        frozen = {"costs.daily": {MONDAY - 400 * DAY: "kept"}}
        return {"raw.allocation": dict.fromkeys(WEEK, "read"), **frozen}

    def hour_hashes(self, day: datetime) -> dict[str, dict[datetime, str]]:
        return {"raw.allocation": {day: "read", day + HOUR: "read"}}


def ledger_data(**sections: Any) -> LedgerData:
    settings = Settings.model_validate({"clusters": [CLUSTER], **sections})
    identity = Identity(installation_id="it", currency="USD", is_demo=False, created_at=MONDAY)
    return LedgerData(Week(), Lake(Path("lake")), settings, identity, ANY_TIME)


def with_rules(*rules: Mapping[str, Any]) -> LedgerData:
    return ledger_data(attribution={"rules": rules})


def rows(data: LedgerData, table: str) -> list[dict[str, Any]]:
    of_table: list[dict[str, Any]] = data.rows(table, *ANY_TIME).to_pylist()
    return of_table


def changed_days(table: str, before: LedgerData, after: LedgerData) -> list[datetime]:
    """Days that a change of the settings touches; those of the hours agree."""
    then, now = before.day_hashes(table), after.day_hashes(table)
    assert then.keys() == now.keys() == {None, *WEEK}
    days = [day for day in WEEK if then[day] != now[day]]
    for day in WEEK:
        hours = [inputs.hour_hashes(table, day) for inputs in (before, after)]
        assert [hour.keys() for hour in hours] == [{None, day, day + HOUR}] * 2
        differing = [slot for slot in (day, day + HOUR) if hours[0][slot] != hours[1][slot]]
        assert differing == ([day, day + HOUR] if day in days else [])
    return days


def test_rules_stand_in_their_order_with_what_they_leave_open():
    later = {"name": "all", "cost_center": "1", "valid_from": date(2026, 3, 4)}

    first, second = rows(with_rules(RULE, later), "core.attribution_rule")

    assert first == {
        "position_count": 0,
        "rule": "shop",
        "cluster_pattern": "*",
        "namespace_pattern": "shop-*",
        "workload_pattern": "*",
        "team": "retail",
        "environment": None,
        "project": None,
        "cost_center": None,
        "valid_from": None,
        "valid_until": None,
    }
    assert (second["position_count"], second["valid_from"]) == (1, date(2026, 3, 4))


def test_a_new_rule_touches_the_days_from_which_it_holds():
    new = {"name": "new", "team": "retail", "valid_from": date(2026, 3, 4)}

    assert (
        changed_days("core.attribution_rule", with_rules(RULE), with_rules(RULE, new)) == WEEK[2:]
    )


def test_a_rule_before_others_leaves_days_alone_on_which_it_does_not_hold():
    new = {"name": "new", "team": "retail", "valid_until": date(2026, 3, 4)}

    assert (
        changed_days("core.attribution_rule", with_rules(RULE), with_rules(new, RULE)) == WEEK[:2]
    )


def test_rules_that_change_places_touch_the_days_on_which_both_hold():
    late = {**RULE, "name": "late", "workload": "web", "valid_from": date(2026, 3, 4)}

    assert (
        changed_days("core.attribution_rule", with_rules(RULE, late), with_rules(late, RULE))
        == WEEK[2:]
    )


def test_whom_a_team_is_reached_by_changes_no_cost():
    before, after = (
        ledger_data(teams=[{"name": "retail", "email": address}]) for address in ("a@b", "c@d")
    )

    assert changed_days("core.team", before, after) == []
    assert before.day_hashes("core.team")[None] != after.day_hashes("core.team")[None]


def test_no_cost_is_made_of_whom_a_team_is_reached_by():
    for name, table in tables().items():
        reads_teams = "core.team" in {
            *table.reads,
            *(indirect for name in table.reads for indirect in tables()[name].reads),
        }
        if reads_teams and table.is_growing:
            assert not re.search(r"\b(email|channel|team\.owner)\b", table.query or ""), name


def test_a_rule_that_holds_always_touches_every_day():
    assert changed_days("core.attribution_rule", with_rules(), with_rules(RULE)) == WEEK


@given(st.integers(-3, 9), st.integers(1, 9))
def test_a_team_touches_exactly_the_days_it_holds_on(offset, length):
    start = MONDAY.date() + timedelta(days=offset)
    end = start + timedelta(days=length)
    team = {"name": "retail", "valid_from": start, "valid_until": end}

    touched = changed_days("core.team", ledger_data(), ledger_data(teams=[team]))

    assert touched == [day for day in WEEK if start <= day.date() < end]


def test_what_holds_on_no_day_that_was_read_changes_the_table_alone():
    team = {"name": "retail", "valid_from": date(2026, 4, 1)}
    before, after = ledger_data(), ledger_data(teams=[team])

    assert changed_days("core.team", before, after) == []
    assert before.day_hashes("core.team")[None] != after.day_hashes("core.team")[None]


@pytest.mark.parametrize("table", ["core.shared_namespace", "core.cost_label", "core.budget"])
def test_other_lists_of_the_settings_touch_every_day(table):
    assert ledger_data().day_hashes(table).keys() == {None}


def test_lists_of_the_settings_become_rows():
    data = ledger_data(
        attribution={"cost_labels": ["app.kubernetes.io/name"]},
        sharing={"shared_namespaces": ["kube-*", "istio-*"]},
        teams=[{"name": "retail", "email": "retail@example.com"}],
        budgets=[{"scope": "team", "name": "retail", "month_amount": 1234.56}],
    )

    assert rows(data, "core.cost_label") == [
        {"position_count": 0, "label": "app_kubernetes_io_name"}
    ]
    assert [row["namespace_pattern"] for row in rows(data, "core.shared_namespace")] == [
        "kube-*",
        "istio-*",
    ]
    (team,) = rows(data, "core.team")
    assert (team["team"], team["email"], team["owner"]) == ("retail", "retail@example.com", None)
    (budget,) = rows(data, "core.budget")
    assert (budget["scope"], budget["month_amount"]) == ("team", Decimal("1234.56"))
