"""What is claimed on a day is kept as it was said, whatever is known later."""

from datetime import date

import pytest

from finops_pipeline.catalog.raw_schemas import raw_schema
from finops_pipeline.catalog.tables import tables
from finops_pipeline.errors import LakeDamaged, LakeError
from finops_pipeline.operations.claims import claims, keep_claims
from finops_pipeline.operations.rebuild_ledger import rebuild_ledger
from finops_pipeline.operations.repair import repair
from finops_pipeline.units import DAY, HOUR
from finops_pipeline_tests.operations.damaged_homes import (
    NEWEST,
    filled_home,
    flip,
    open_data,
    own_home,
)
from finops_pipeline_tests.operations.ledgers import lose_ledger

__all__ = ["filled_home", "own_home"]

SAID = "from kpis.scorecard_daily order by all"
NOW = "select metric, period, cluster, value, is_met, numerator from kpis.scorecard order by all"
THEN = "select metric, period, cluster, value, is_met, numerator from kpis.scorecard_daily"


def keep_and_publish(own_home, now):
    """Keep what is published, as the end of a tick does; readers see it with the next one."""
    with open_data(own_home, now) as installation:
        kept = keep_claims(installation)
        installation.publish()
    return kept


def test_what_is_published_first_on_a_day_is_kept(own_home):
    published = own_home.ask(NOW)

    assert keep_and_publish(own_home, NEWEST) == ["raw.scorecard"]

    assert own_home.ask(f"{THEN} order by all") == published != []
    assert {row["day"] for row in own_home.ask(SAID)} == {NEWEST.date()}


def test_what_was_said_stays_when_more_is_known(own_home):
    keep_and_publish(own_home, NEWEST)
    said = own_home.ask(SAID)
    with open_data(own_home, NEWEST + HOUR) as installation:
        for _ in range(2):
            assert keep_claims(installation) == []

    assert keep_and_publish(own_home, NEWEST + DAY) == ["raw.scorecard"]

    by_day: dict[date, list[dict[str, object]]] = {}
    for row in own_home.ask(SAID):
        by_day.setdefault(row["day"], []).append(row)
    assert by_day.keys() == {NEWEST.date(), (NEWEST + DAY).date()}
    assert by_day[NEWEST.date()] == said


def test_what_was_said_survives_the_loss_of_the_ledger(own_home):
    keep_and_publish(own_home, NEWEST)
    said = own_home.ask(SAID)
    lose_ledger(own_home.folder)

    with open_data(own_home, NEWEST + HOUR, is_ledger_lost=True) as installation:
        rebuild_ledger(installation)

    assert keep_and_publish(own_home, NEWEST + HOUR) == []
    assert own_home.ask(SAID) == said


def test_a_damaged_claim_is_not_dropped(own_home):
    keep_and_publish(own_home, NEWEST)
    with open_data(own_home, NEWEST) as installation:
        (file,) = [f for f in installation.state.ledger.current_files() if "scorecard" in f.path]
        flip(installation.lake.absolute(file.path))
        with pytest.raises(LakeError, match="what was claimed, .* put it back from the backup"):
            repair(installation, LakeDamaged(file.path, "has changed"))


@pytest.mark.parametrize(("table_name", "claim"), claims().items())
def test_a_claim_has_the_columns_of_its_raw_table(table_name, claim, own_home):
    assert tables()[table_name].kind.is_appended
    rows = own_home.ask(claim.query.replace("$window_start", "'2026-03-02 00:00:00+00'"))

    assert list(rows[0]) == raw_schema(table_name).names
