"""Publication: readers see one state of all tables, whole, and never wait for the next."""

import errno
import os
import shutil
import subprocess
import sys
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import duckdb
import pytest

from finops_pipeline.catalog.tables import tables
from finops_pipeline.errors import PublicationRefused, TableError
from finops_pipeline.units import WINDOW
from finops_pipeline.warehouse.connect import connect_read_only
from finops_pipeline_tests import programs
from finops_pipeline_tests.warehouse.plant import FALL_BACK, Plant

ROOT = programs.ROOT
TOTAL = "select sum(total_cost) from costs.daily"
NODE_COST = Decimal("0.06")  # of one window, its containers and idle


@pytest.fixture
def plant(tmp_path: Path) -> Plant:
    """Plant that has published one window."""
    plant = Plant(tmp_path)
    plant.say(FALL_BACK, {})
    plant.publish()
    return plant


def child(*arguments: str | Path, zone: str = "UTC") -> subprocess.Popen[str]:
    """Start a process of its own, with a time zone of its own."""
    command = [sys.executable, "-m", "finops_pipeline_tests.warehouse.plant", *map(str, arguments)]
    environ = {**os.environ, "TZ": zone}
    return subprocess.Popen(command, cwd=ROOT, env=environ, stdout=subprocess.PIPE, text=True)


def wait_for(process: subprocess.Popen[str]) -> str:
    """Wait for a child to end well; return what it printed."""
    output, _ = process.communicate()
    assert process.returncode == 0
    return output


def ask_elsewhere(query: str, file: Path, python: Path | str = sys.executable) -> str:
    """Read one value in another process."""
    code = "import sys, duckdb; c = duckdb.connect(sys.argv[2], read_only=True);"
    code += "print(*c.execute(sys.argv[1]).fetchone())"
    command = [str(python), "-c", code, query, str(file)]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


def test_an_open_reader_keeps_its_rows_and_a_new_one_sees_the_new(plant):
    inode = plant.published.stat().st_ino
    with connect_read_only(plant.published) as reader:
        plant.say(FALL_BACK + WINDOW, {})

        assert plant.publish().is_new

        assert plant.published.stat().st_ino != inode
        assert reader.execute(TOTAL).fetchall() == [(NODE_COST,)]
        assert ask_elsewhere(TOTAL, plant.published) == "0.1200000000"


def test_an_unchanged_state_is_not_published_again(plant):
    before, stored = plant.publish(), plant.published.stat()

    again = plant.publish()

    assert again == before
    assert not again.is_new
    assert plant.published.stat() == stored
    assert plant.ask("select publication_id, published_at from core.installation") == [
        (again.publication_id, again.published_at)
    ]


def test_a_file_that_readers_do_not_have_is_published_again(plant, tmp_path):
    old = shutil.copy(plant.published, tmp_path / "old.duckdb")
    plant.say(FALL_BACK + WINDOW, {})
    plant.publish()

    Path(old).replace(plant.published)  # as if the disk had been full when it was copied
    assert plant.publish().is_new
    assert plant.ask(TOTAL) == [(2 * NODE_COST,)]

    plant.published.unlink()
    assert plant.publish().is_new

    plant.published.unlink()
    plant.published.write_bytes(b"not a database")
    assert plant.publish().is_new
    assert plant.ask(TOTAL) == [(2 * NODE_COST,)]


def test_a_blocking_check_keeps_the_last_publication(plant):
    stored = plant.published.stat()
    plant.say(FALL_BACK + WINDOW, {}, {})

    for _ in range(2):
        with pytest.raises(PublicationRefused, match="check rows_unique has 1 rows, the first: "):
            plant.publish()
    assert plant.published.stat() == stored

    plant.say(FALL_BACK + WINDOW, {})
    assert plant.publish().is_new


def test_rows_that_the_ledger_does_not_know_keep_the_last_publication(plant):
    plant.say(FALL_BACK + WINDOW, {})
    plant.miscount = 1

    with pytest.raises(PublicationRefused, match="check ledger_matches_rows has 4 rows"):
        plant.publish()

    assert plant.ask(TOTAL) == [(NODE_COST,)]


def test_a_row_that_breaks_a_constraint_keeps_the_last_publication(plant):
    small_tables = plant.source_data.small_tables
    small_tables["core.cluster"] = small_tables["core.cluster"].drop_columns("source")

    with pytest.raises(TableError, match=r"^core\.cluster: .*NOT NULL constraint failed"):
        plant.publish()

    assert plant.ask(TOTAL) == [(NODE_COST,)]


def test_every_table_and_column_says_what_it_is(plant):
    plant.say(FALL_BACK + WINDOW, {})
    plant.publish()

    comments = dict(
        plant.ask("""
            select schema_name || '.' || table_name, comment from duckdb_tables()
            where schema_name <> 'internal'
            union all
            select schema_name || '.' || view_name, comment from duckdb_views() where not internal
        """)
    )
    columns = plant.ask("""
        select schema_name || '.' || table_name, column_name, comment from duckdb_columns()
        where schema_name <> 'internal' and not internal
    """)

    assert comments == {name: table.description for name, table in tables().items()}
    assert {(name, column): comment for name, column, comment in columns} == {
        (name, column): comment
        for name, table in tables().items()
        for column, comment in table.columns.items()
    }


def test_types_of_raw_tables_are_those_of_their_files(plant):
    types = "select data_type from duckdb_columns() where table_name = 'allocation' and schema_name"

    with plant_tables() as connection:
        expected = connection.execute(f"{types} = 'raw' order by column_index").fetchall()

    assert plant.ask(f"{types} = 'raw' order by column_index") == expected


def plant_tables() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("create schema raw")
    connection.execute(tables()["raw.allocation"].ddl)
    return connection


def test_the_published_file_is_read_only(plant):
    assert plant.published.stat().st_mode & 0o777 == 0o444


def test_what_crashed_readers_and_writers_left_is_cleared_away(plant, tmp_path):
    log = tmp_path / "finops.duckdb.wal"
    for leftover in (log, tmp_path / "finops.duckdb.tmp"):
        leftover.write_bytes(b"left behind")
    plant.say(FALL_BACK + WINDOW, {})

    plant.publish()

    assert plant.ask(TOTAL) == [(2 * NODE_COST,)]
    assert {path.name for path in tmp_path.iterdir()} == {
        "lake",
        "finops.duckdb",
        "warehouse.duckdb",
        "warehouse.lock",
    }


def test_a_full_disk_leaves_no_half_copy(plant, tmp_path, monkeypatch):
    def half(_source: Path, target: Path) -> None:
        target.write_bytes(b"half")
        raise OSError(errno.ENOSPC, "No space left on device")

    plant.say(FALL_BACK + WINDOW, {})
    with monkeypatch.context() as patch:
        patch.setattr(shutil, "copyfile", half)
        with pytest.raises(OSError, match="No space left"):
            plant.publish()

    assert not (tmp_path / "finops.duckdb.tmp").exists()
    assert plant.ask(TOTAL) == [(NODE_COST,)]
    assert plant.publish().is_new


def test_tables_answer_without_the_lake(plant):
    shutil.rmtree(plant.lake)

    for name, table in tables().items():
        if not table.is_raw and not table.is_view:
            assert plant.ask(f"select count(*) from {name}"), name
    assert plant.ask(TOTAL) == [(NODE_COST,)]
    with pytest.raises(duckdb.IOException, match="No files found"):
        plant.ask("from raw.allocation")


def test_a_lost_warehouse_is_made_again(plant):
    before = plant.ask("from costs.hourly order by all")
    plant.warehouse.unlink()

    plant.publish()

    assert plant.ask("from costs.hourly order by all") == before


def test_recent_windows_only(plant):
    plant.say(FALL_BACK + timedelta(days=3), {})

    plant.publish(quarter_hourly_days=2)

    assert plant.ask("select count(distinct window_start) from costs.quarter_hourly") == [(1,)]
    assert plant.ask(TOTAL) == [(2 * NODE_COST,)]


def test_hours_are_utc_hours_where_summer_time_ends(tmp_path):
    wait_for(child("publish", tmp_path, "1", zone="America/New_York"))

    plant = Plant(tmp_path)
    hours = "select hour::varchar, max(window_count) from costs.hourly group by all order by all"
    assert plant.ask(hours) == [("2026-11-01 05:00:00+00", 4), ("2026-11-01 06:00:00+00", 4)]
    assert plant.ask("select distinct day::varchar from costs.daily") == [("2026-11-01",)]


@pytest.mark.needs(programs.DUCKDB2)
def test_duckdb_2_reads_it(plant):
    python = programs.find(programs.DUCKDB2) or ""
    comments = "select count(*) from duckdb_columns() where comment is not null"

    assert ask_elsewhere("select version()[:2]", plant.published, python) == "v2"
    for query in (TOTAL, comments, "select sum(cpu_core_hours) from raw.allocation"):
        assert ask_elsewhere(query, plant.published, python) == str(plant.ask(query)[0][0])


def test_readers_never_see_an_error_or_two_states_at_once(tmp_path):
    wait_for(child("publish", tmp_path, "1"))
    readers = [child("read", tmp_path) for _ in range(2)]

    wait_for(child("publish", tmp_path, "4"))
    (tmp_path / "stop").touch()

    outputs = [wait_for(reader).split() for reader in readers]
    generations = [[int(number) for number in output] for output in outputs]
    assert [sorted(numbers) for numbers in generations] == generations
    assert len({*generations[0], *generations[1]}) > 1


def test_two_publishers_take_turns(tmp_path):
    for publisher in [child("publish", tmp_path, "2") for _ in range(2)]:
        wait_for(publisher)

    plant = Plant(tmp_path)
    assert (tmp_path / "generation").read_text() == "4"
    assert plant.ask("select distinct cpu_core_hours from raw.allocation") == [(0.004,)]
    cost = "select sum(cpu_cost) from costs.daily where cost_kind = 'workload'"
    assert plant.ask(cost) == [(8 * Decimal("0.00016"),)]
