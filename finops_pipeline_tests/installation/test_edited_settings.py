"""An edited rule or team computes those days anew on which it holds, and no others."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest

from finops_pipeline.ingest.windows import read_due
from finops_pipeline.installation.context import Installation
from finops_pipeline.installation.source_registry import SOURCES
from finops_pipeline.settings import Rule, Team
from finops_pipeline.units import DAY, WINDOW
from finops_pipeline_tests.installation.homes import DAY as SECOND
from finops_pipeline_tests.operations.damaged_homes import copy_home, filled_home, open_data

__all__ = ["filled_home"]

FIRST = SECOND - DAY
COSTS = (
    "select columns('_cost$|_rule$|^(day|namespace|workload|team)$') from costs.daily order by all"
)
STORED = {"costs.hourly", "costs.daily", "costs.attributed_daily"}
RULE = Rule(name="rest", team="everybody", valid_from=SECOND.date())


@pytest.fixture(scope="module")
def read(filled_home, tmp_path_factory) -> Iterator[Installation]:
    """An installation that has read the last window of one day, and an hour of the next."""
    with open_data(copy_home(filled_home, tmp_path_factory.mktemp("edited"))) as installation:
        for source in SOURCES:
            read_due(source, installation, SECOND - WINDOW, SECOND)
        yield installation


@pytest.fixture
def two_days(read: Installation) -> Installation:
    """An installation whose days are computed without any edit."""
    with read.warehouse() as warehouse:
        warehouse.refresh()
    return read


def edited(installation: Installation, *rules: Rule, teams: tuple[Team, ...] = ()) -> Installation:
    attribution = installation.settings.attribution.model_copy(update={"rules": rules})
    update = {"attribution": attribution, "teams": teams}
    return replace(installation, settings=installation.settings.model_copy(update=update))


def rows_by_day(warehouse: Any, table: str) -> dict[Any, int]:
    day = "cast(hour as date)" if table.endswith("hourly") else "day"
    counts = warehouse.rows(f"select {day} as day, count(*)::int as rows from {table} group by all")
    return {row["day"]: row["rows"] for row in counts}


def test_a_rule_computes_the_days_anew_from_which_it_holds(two_days):
    with edited(two_days, RULE).warehouse() as warehouse:
        written = warehouse.refresh()
        held = {row["day"] for row in warehouse.rows(
            "select distinct day from costs.daily where team_rule = 'rule rest'"
        )}  # fmt: skip
        counts = {table: rows_by_day(warehouse, table) for table in STORED}

    assert held == {SECOND.date()}
    assert all(count.keys() == {FIRST.date(), SECOND.date()} for count in counts.values())
    assert {table: written[table] for table in STORED} == {
        table: count[SECOND.date()] for table, count in counts.items()
    }


def test_a_rule_that_goes_computes_the_same_days_anew(two_days):
    with two_days.warehouse() as warehouse:
        before = warehouse.rows(COSTS)
    with edited(two_days, RULE).warehouse() as warehouse:
        warehouse.refresh()

    with two_days.warehouse() as warehouse:
        written = warehouse.refresh()
        assert warehouse.rows(COSTS) == before
        assert written["costs.daily"] == rows_by_day(warehouse, "costs.daily")[SECOND.date()]


def test_what_holds_on_no_day_that_was_read_computes_no_cost(two_days):
    later = RULE.model_copy(update={"valid_from": (SECOND + DAY).date()})
    teams = (Team(name="everybody", project="p", valid_until=FIRST.date()),)

    with edited(two_days, later, teams=teams).warehouse() as warehouse:
        written = {table for table, rows in warehouse.refresh().items() if rows}

    assert written == {"core.attribution_rule", "core.team"}


def test_an_address_of_a_team_computes_no_cost(two_days):
    for email in ("a@example.com", "b@example.com"):
        team = Team(name="everybody", email=email)
        with edited(two_days, teams=(team,)).warehouse() as warehouse:
            written = {table for table, rows in warehouse.refresh().items() if rows}

    assert written == {"core.team"}
