"""Hours that lie in files beside the published one are there for every reader."""

from pathlib import Path

import duckdb
import pytest

from finops_pipeline.queries.database import copy_database
from finops_pipeline.queries.published import ask, open_published
from finops_pipeline.units import DAY
from finops_pipeline_tests.warehouse.plant import FALL_BACK, Plant

DAYS = [FALL_BACK + number * DAY for number in range(3)]
QUESTION = "select hour, sum(total_cost) from costs.hourly group by hour order by hour"


@pytest.fixture
def plant(tmp_path: Path) -> Plant:
    """Three days are published, the first two of them in files."""
    plant = Plant(tmp_path)
    for day in DAYS:
        plant.say(day, {})
    plant.publish(native_hourly_days=1)
    return plant


def test_the_published_file_answers_for_all_hours(plant, tmp_path):
    with open_published(tmp_path) as published:
        rows = ask(published, QUESTION).rows
        native = ask(published, "select hour from internal.costs_hourly").rows

    assert [hour for hour, _ in rows] == DAYS
    assert {hour for (hour,) in native} == {DAYS[2]}
    assert len(list((tmp_path / "hours" / "costs.hourly").iterdir())) == 2


def test_analysts_without_us_find_them_too(plant):
    assert [hour for hour, _ in plant.ask(QUESTION)] == DAYS
    assert plant.ask("select comment from duckdb_views() where view_name = 'hourly'")[0][0]


def test_after_a_move_readers_are_told_the_new_folder(plant, tmp_path):
    before = plant.ask("select publication_id from core.installation")
    elsewhere = Plant(tmp_path.rename(tmp_path.with_name(f"{tmp_path.name}-elsewhere")))
    elsewhere.source_data.windows = plant.source_data.windows

    assert elsewhere.publish(native_hourly_days=1).is_new

    assert [hour for hour, _ in elsewhere.ask(QUESTION)] == DAYS
    assert elsewhere.ask("select publication_id from core.installation") != before


def test_a_copied_database_has_them_inside(plant, tmp_path):
    target = tmp_path / "copy.duckdb"
    copy_database(tmp_path, target, raw_days=0)
    for path in (tmp_path / "hours").glob("*/*"):
        path.unlink()

    with duckdb.connect(str(target), read_only=True) as copy:
        rows = copy.execute(QUESTION).fetchall()

    assert [hour for hour, _ in rows] == DAYS
