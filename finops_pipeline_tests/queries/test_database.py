import shutil
import subprocess
from datetime import UTC, datetime, timedelta

import duckdb
import pytest

from finops_pipeline.errors import NotPublished, QueryError
from finops_pipeline.queries.database import copy_database
from finops_pipeline.queries.published import ask, open_published
from finops_pipeline.warehouse.sql_file import tables
from finops_pipeline_tests import programs

ASK = """
import sys, duckdb
with duckdb.connect(sys.argv[1], read_only=True) as connection:
    print(*connection.execute(
        "select sum(total_cost), (select count(*) > 0 from raw.allocation) from costs.daily"
    ).fetchone())
"""


@pytest.fixture(scope="module")
def elsewhere(published_demo, tmp_path_factory):
    """A copy with all raw rows; the lake that it was made of is gone."""
    folder = tmp_path_factory.mktemp("other")
    lake = shutil.copytree(published_demo / "data" / "lake", folder / "lake")
    shutil.copy(published_demo / "data" / "finops.duckdb", folder)
    copy_database(published_demo / "data", folder / "copy.duckdb", 7)
    shutil.rmtree(lake)
    with duckdb.connect(str(folder / "copy.duckdb"), read_only=True) as copy:
        copy.execute("set TimeZone = 'UTC'")
        copy.execute("set enable_external_access = false")  # no file of any lake
        yield copy


def test_every_table_is_there_with_every_row(published_demo, elsewhere):
    with open_published(published_demo / "data") as published:
        for name, table in tables().items():
            # A view computes sums of floats in any order.
            content = "0" if table.is_view else "bit_xor(hash(it))"
            query = f"select count(*), {content} from {name} as it"
            assert elsewhere.execute(query).fetchall() == ask(published, query).rows, name


def test_views_over_the_lake_have_the_same_costs(published_demo, elsewhere):
    query = (
        "select team, node, sum(cpu_cost + storage_cost) from costs.line group by all order by all"
    )

    with open_published(published_demo / "data") as published:
        assert elsewhere.execute(query).fetchall() == ask(published, query).rows


def test_comments_and_kinds_are_kept(elsewhere):
    rows = elsewhere.execute(
        "select schema_name || '.' || table_name, column_name, comment from duckdb_columns()"
        " where not internal"
    ).fetchall()
    views = elsewhere.execute(
        "select schema_name || '.' || view_name, comment from duckdb_views() where not internal"
    ).fetchall()

    assert {(table, column): comment for table, column, comment in rows} == {
        (name, column): comment
        for name, table in tables().items()
        for column, comment in table.columns.items()
    }
    assert dict(views) == {
        name: table.description for name, table in tables().items() if table.is_view
    }


def test_constraints_are_kept(published_demo, tmp_path):
    copy_database(published_demo / "data", tmp_path / "copy.duckdb", 0)

    with (
        duckdb.connect(str(tmp_path / "copy.duckdb")) as copy,
        pytest.raises(duckdb.ConstraintException),
    ):
        copy.execute("update costs.daily set window_count = 97")


def test_without_raw_rows_the_rollups_are_whole(published_demo, tmp_path):
    copy_database(published_demo / "data", tmp_path / "copy.duckdb", 0)

    with (
        duckdb.connect(str(tmp_path / "copy.duckdb"), read_only=True) as copy,
        open_published(published_demo / "data") as published,
    ):
        for name in ("raw.allocation", "raw.node", "costs.line", "core.object"):
            assert copy.execute(f"select count(*) from {name}").fetchall() == [(0,)]
        query = "select sum(total_cost), count(*) from costs.hourly"
        assert copy.execute(query).fetchall() == ask(published, query).rows


def test_raw_rows_of_the_newest_days_are_kept(published_demo, tmp_path):
    with open_published(published_demo / "data") as published:
        query = "select published_at from core.installation"
        ((published_at,),) = ask(published, query).rows
        midnight = published_at.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
        first = midnight - timedelta(days=1)
        count = "select count(*), count(*) filter (window_start >= $1) from raw.allocation"
        ((every, newest),) = published.execute(count, [first]).fetchall()

    copy_database(published_demo / "data", tmp_path / "copy.duckdb", 1)

    with duckdb.connect(str(tmp_path / "copy.duckdb"), read_only=True) as copy:
        assert copy.execute("select count(*) from raw.allocation").fetchall() == [(newest,)]
    # Around noon the day before is in the demo only from its second half on.
    assert newest < every or datetime.now(UTC) - timedelta(hours=36) >= first


@pytest.mark.needs(programs.DUCKDB2)
def test_duckdb_2_and_1_5_read_it(published_demo, tmp_path):
    copy_database(published_demo / "data", tmp_path / "copy.duckdb", 7)
    python = programs.find(programs.DUCKDB2) or ""

    ran = subprocess.run(
        [python, "-c", ASK, tmp_path / "copy.duckdb"], capture_output=True, text=True, cwd=tmp_path
    )

    with duckdb.connect(str(tmp_path / "copy.duckdb"), read_only=True) as copy:
        ((total,),) = copy.execute("select sum(total_cost) from costs.daily").fetchall()
        query = (
            "select tags['storage_version'] from duckdb_databases() where database_name = 'copy'"
        )
        assert copy.execute(query).fetchall() == [("v1.5.0+",)]
    assert ran.stdout == f"{total} True\n", ran.stderr


def test_nothing_published_is_one_sentence(tmp_path):
    with pytest.raises(NotPublished, match=r"finops.duckdb does not exist yet"):
        copy_database(tmp_path, tmp_path / "copy.duckdb", 7)


def test_a_damaged_file_is_one_sentence(tmp_path):
    (tmp_path / "finops.duckdb").write_text("no database\n" * 1000)

    with pytest.raises(QueryError, match=r"finops.duckdb cannot be copied: "):
        copy_database(tmp_path, tmp_path / "copy.duckdb", 7)
