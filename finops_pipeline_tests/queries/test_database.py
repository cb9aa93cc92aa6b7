import subprocess
from datetime import UTC, datetime, timedelta

import duckdb
import pytest

from finops_pipeline.catalog.tables import tables
from finops_pipeline.errors import NotPublished, QueryError
from finops_pipeline.queries.database import copy_database
from finops_pipeline.queries.published import ask, open_published
from finops_pipeline_tests import programs

ASK = """
import sys, duckdb
with duckdb.connect(sys.argv[1], read_only=True) as connection:
    print(*connection.execute(
        "select sum(total_cost), (select count(*) > 0 from raw.allocation) from costs.daily"
    ).fetchone())
"""


@pytest.fixture(scope="module")
def whole(published_demo, tmp_path_factory):
    """A copy with all raw rows."""
    path = tmp_path_factory.mktemp("whole") / "copy.duckdb"
    copy_database(published_demo / "data", path, 7)
    return path


@pytest.fixture(scope="module")
def bare(published_demo, tmp_path_factory):
    """A copy without raw rows."""
    path = tmp_path_factory.mktemp("bare") / "copy.duckdb"
    copy_database(published_demo / "data", path, 0)
    return path


def test_a_range_of_a_line_can_be_asked_for_in_the_copy(whole):
    query = "select count(*) > 0 from costs.line_item(timestamptz '{}', timestamptz '{}')"
    with duckdb.connect(str(whole), read_only=True) as copy:
        ((end,),) = copy.execute("select max(hour) from costs.hourly").fetchall()
        rows = copy.execute(query.format(end - timedelta(hours=1), end)).fetchall()

    assert rows == [(True,)]


@pytest.fixture(scope="module")
def elsewhere(whole):
    """The whole copy as it opens where there is no lake: it reads no other file."""
    with duckdb.connect(str(whole), read_only=True) as copy:
        copy.execute("set TimeZone = 'UTC'")
        copy.execute("set enable_external_access = false")
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
        "select team, node, sum(cpu_cost + storage_cost) from costs.line_item"
        " group by all order by all"
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
        name: table.description
        for name, table in tables().items()
        if table.is_view and "internal." not in table.ddl  # the pipeline's own tables stay behind
    }


def test_constraints_are_kept(bare):
    with (
        duckdb.connect(str(bare)) as copy,
        pytest.raises(duckdb.ConstraintException),
    ):
        copy.execute("update costs.daily set window_count = 97")


def test_without_raw_rows_the_rollups_are_whole(published_demo, bare):
    with (
        duckdb.connect(str(bare), read_only=True) as copy,
        open_published(published_demo / "data") as published,
    ):
        for name in ("raw.allocation", "raw.node", "costs.line_item", "core.object"):
            assert copy.execute(f"select count(*) from {name}").fetchall() == [(0,)]
        query = "select sum(total_cost), count(*) from costs.hourly"
        assert copy.execute(query).fetchall() == ask(published, query).rows


def test_raw_rows_of_whole_days_before_the_publication_are_kept(tmp_path, time_zone):
    with duckdb.connect(str(tmp_path / "finops.duckdb")) as published:
        published.execute("""
            create schema core;
            create table core.installation as
                select 'USD' as currency, '0' as version, false as is_demo,
                    timestamptz '2026-03-10 23:30:00Z' as published_at;
            create schema raw;
            create view raw.allocation as
                select unnest(generate_series(
                    timestamptz '2026-03-01 00:00:00Z', '2026-03-10 23:00:00Z', interval 1 hour
                )) as window_start;
            create schema internal;
            create table internal.counted as select 1 as n;
            create schema costs;
            create view costs.a as from internal.counted;
        """)

    copy_database(tmp_path, tmp_path / "copy.duckdb", 2)

    with duckdb.connect(str(tmp_path / "copy.duckdb"), read_only=True) as copy:
        query = "select epoch(min(window_start)), count(*) from raw.allocation"
        first = datetime(2026, 3, 8, tzinfo=UTC)
        assert copy.execute(query).fetchall() == [(first.timestamp(), 3 * 24)]
        assert copy.execute("from costs.a").fetchall() == [(1,)]


@pytest.mark.needs(programs.DUCKDB2)
def test_duckdb_2_and_1_5_read_it(whole, elsewhere):
    python = programs.find(programs.DUCKDB2) or ""

    run = subprocess.run([python, "-c", ASK, whole], capture_output=True, text=True)

    ((total,),) = elsewhere.execute("select sum(total_cost) from costs.daily").fetchall()
    assert run.stdout == f"{total} True\n", run.stderr
    query = "select tags['storage_version'] from duckdb_databases() where database_name = 'copy'"
    assert elsewhere.execute(query).fetchall() == [("v1.5.0+",)]


def test_nothing_published_is_one_sentence(tmp_path):
    with pytest.raises(NotPublished, match=r"finops.duckdb does not exist yet"):
        copy_database(tmp_path, tmp_path / "copy.duckdb", 7)


def test_a_damaged_file_is_one_sentence(tmp_path):
    (tmp_path / "finops.duckdb").write_text("no database\n" * 1000)

    with pytest.raises(QueryError, match=r"finops.duckdb cannot be copied: "):
        copy_database(tmp_path, tmp_path / "copy.duckdb", 7)
