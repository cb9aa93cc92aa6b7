import shutil

import duckdb
import pytest

import finops_pipeline
from finops_pipeline.catalog.tables import tables
from finops_pipeline.errors import NotPublished, QueryError
from finops_pipeline.queries.published import ask, open_published
from finops_pipeline.queries.status import is_demo
from finops_pipeline.units import WINDOW


@pytest.fixture
def connection(published_demo):
    with open_published(published_demo / "data") as opened:
        yield opened


def test_answers_a_select_by_column(connection):
    query = "select 1 as one, $text as text"

    assert ask(connection, query, {"text": "a"}).dicts() == [{"one": 1, "text": "a"}]


@pytest.mark.parametrize("line", ["costs.line_item", "efficiency.line_item"])
def test_a_range_of_a_line_is_what_the_view_says_of_it(connection, line):
    query = "select max(hour) - interval 3 hour, max(hour) - interval 1 hour from costs.hourly"
    start, end = ask(connection, query).rows[0]
    within = f"from {line} where window_start >= '{start}' and window_start < '{end}'"

    rows = ask(connection, f"from {line}('{start}', '{end}') order by all").rows

    assert {row[0 if line.startswith("eff") else 1] for row in rows} == {
        start + number * WINDOW for number in range(8)
    }
    assert rows == ask(connection, f"{within} order by all").rows


@pytest.mark.parametrize(
    "query",
    [
        "describe costs.daily",
        "summarize core.cluster",
        "show all tables",
        "with team as (select 1) from team",
        "pivot core.window on status using count(*) group by cluster",
        "select count(*) from raw.allocation",
    ],
)
def test_answers_every_kind_of_select(connection, query):
    assert ask(connection, query).rows


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("selec 1", 'Parser Error: syntax error at or near "selec"'),
        ("from costs.weekly", "Table with name weekly does not exist"),
        ("select $team", "Values were not provided"),
        ("select 'a'::int", "Could not convert string 'a' to INT32"),
        ("  ", "the query is empty"),
    ],
)
def test_says_in_one_line_what_is_wrong(connection, query, message):
    with pytest.raises(QueryError, match=message) as error:
        ask(connection, query)

    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    "query",
    [
        "delete from costs.daily",
        "create table costs.mine as select 1",
        "copy (select 1 as a) to '{lake}/mine.parquet'",
        "explain analyze copy (select 1 as a) to '{lake}/mine.parquet'",
        "prepare mine as copy (select 1 as a) to '{lake}/mine.parquet'",
        "select 1; export database '{lake}/mine'",
        "attach '{lake}/mine.duckdb'",
        "set enable_external_access = true",
        "from read_csv('{lake}/../../finops.toml')",
        "from read_blob('/etc/hostname')",
    ],
)
def test_reaches_nothing_but_the_tables_and_never_writes(connection, published_demo, query):
    lake = published_demo / "data" / "lake"
    before = sorted(lake.iterdir())

    with pytest.raises(QueryError):
        ask(connection, query.format(lake=lake))

    assert sorted(lake.iterdir()) == before


def test_an_opening_sees_what_was_published_last_though_an_older_one_is_open(
    published_demo, tmp_path
):
    folder = tmp_path / "it's data"
    folder.mkdir()
    file = shutil.copy(published_demo / "data" / "finops.duckdb", folder)
    with duckdb.connect(folder / "newer.duckdb") as newer:
        newer.execute("create table later as select 1 as one")
    with open_published(folder) as before:
        (folder / "newer.duckdb").rename(file)

        with open_published(folder) as after:
            assert ask(after, "from later").rows == [(1,)]
        assert is_demo(before)


def test_instants_are_in_utc_on_any_machine(time_zone, connection):
    assert ask(connection, "select '2026-03-01 00:30:00+00'::timestamptz::varchar").rows == [
        ("2026-03-01 00:30:00+00",)
    ]


def test_frame_for_notebooks_has_the_same_rows(published_demo, connection):
    query = "select team, sum(total_cost)::double as cost from costs.daily group by all order by 1"

    frame = finops_pipeline.read(query, published_demo / "data")

    assert [tuple(row) for row in frame.itertuples(index=False)] == ask(connection, query).rows


def test_frame_refuses_what_writes(published_demo):
    with pytest.raises(QueryError, match="only a select is answered, not copy"):
        finops_pipeline.read("copy (select 1) to 'mine.csv'", published_demo / "data")


def test_says_what_to_do_where_nothing_is_published(tmp_path):
    with pytest.raises(NotPublished, match=r"finops.duckdb does not exist yet: 'make demo' fills"):
        finops_pipeline.read("select 1", tmp_path)


@pytest.mark.parametrize("size", [0, 5_000, 20_000])
def test_a_truncated_file_is_one_sentence(published_demo, tmp_path, size):
    whole = (published_demo / "data" / "finops.duckdb").read_bytes()
    (tmp_path / "finops.duckdb").write_bytes(whole[:size])

    with (
        pytest.raises(QueryError, match=r"finops\.duckdb cannot .* next publication replaces it$"),
        open_published(tmp_path),
    ):
        raise AssertionError("half a file was opened")


def test_a_foreign_file_is_one_sentence(tmp_path):
    (tmp_path / "finops.duckdb").write_text("not a database\n" * 1000)

    with pytest.raises(QueryError, match="the next publication replaces it$"):
        finops_pipeline.read("select 1", tmp_path)


def test_a_folder_that_cannot_be_looked_into_is_one_sentence(tmp_path):
    """Root may enter every folder: a name that is too long fails in the same place."""
    with (
        pytest.raises(QueryError, match="finops.duckdb cannot be read: "),
        open_published(tmp_path / ("x" * 300)),
    ):
        pass


def test_a_second_select_is_not_dropped_without_a_word(connection):
    with pytest.raises(QueryError, match="one select is answered at a time"):
        ask(connection, "select 1; select 2")

    pivoted = ask(connection, "pivot (select 'a' as name, 1 as n) on name using sum(n)")
    assert (pivoted.columns, pivoted.rows) == (["a"], [(1,)])


def test_every_table_has_the_columns_that_its_file_describes(connection):
    rows = ask(
        connection,
        "select schema_name || '.' || table_name, column_name, comment from duckdb_columns()"
        " where database_name = 'finops' and schema_name <> 'internal'",
    ).rows

    assert {(table, column): comment for table, column, comment in rows} == {
        (name, column): comment
        for name, table in tables().items()
        for column, comment in table.columns.items()
    }
