"""Tests of table files: columns, select, grain and order."""

import re
from pathlib import Path

import pytest

from finops_pipeline.catalog.kinds import FULL, INCREMENTAL, LAKE, LEDGER, VIEW
from finops_pipeline.catalog.tables import SCHEMAS, read_tables, tables
from finops_pipeline.errors import TableError
from finops_pipeline.units import DAY, HOUR
from finops_pipeline_tests.warehouse.fakes import SQL, Shop


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The small table files."""
    Shop(tmp_path)
    return tmp_path / "sql"


def test_a_table_is_its_file(folder):
    daily = read_tables(folder)["costs.daily"]

    assert (daily.schema, daily.name) == ("costs", "costs.daily")
    assert daily.description == "Cost by day."
    assert daily.columns == {"day": "UTC day", "total_cost": "of all items"}
    assert daily.ddl.startswith("create table costs.daily (")
    assert (daily.query or "").startswith("select cast(hour as date) as day")
    assert daily.parameters == {"start", "end"}
    assert daily.reads == {"costs.hourly"}


def test_a_view_is_read_like_a_table(folder):
    line = read_tables(folder)["costs.line_item"]

    assert line.is_view
    assert line.columns["total_cost"] == "count x price"
    assert line.reads == {"raw.item", "core.price"}
    assert (line.query or "").startswith("select window_start, name")


@pytest.mark.parametrize(
    ("name", "kind", "is_growing"),
    [
        ("raw.item", LAKE, True),
        ("core.window", LEDGER, True),
        ("core.price", LEDGER, False),
        ("costs.line_item", VIEW, False),
        ("costs.hourly", INCREMENTAL, True),
        ("costs.summary", FULL, False),
    ],
)
def test_a_file_says_how_its_table_is_filled(folder, name, kind, is_growing):
    table = read_tables(folder)[name]

    assert (table.kind.name, table.is_growing) == (kind, is_growing)
    assert "kind" not in table.description


@pytest.mark.parametrize(
    ("name", "kind", "message"),
    [
        ("costs.daily", "", "first comment does not end with '-- kind: …'"),
        ("costs.daily", "-- kind: full", r"kind full cannot have \$start and \$end"),
        ("costs.daily", "-- kind: view", "kind view needs create view"),
        ("costs.daily", "-- kind: lake by day", "kind lake needs schema raw"),
        ("costs.daily", "-- kind: ledger", "kind ledger cannot have a select"),
        ("costs.daily", "-- kind: incremental by hour", "no column says in which hour a row is"),
        ("costs.hourly", "-- kind: incremental by day", "no column says in which day a row is"),
        ("costs.summary", "-- kind: incremental by day", r"needs \$start and \$end"),
        ("raw.item", "-- kind: ledger", "kind ledger cannot have schema raw"),
        ("raw.item", "-- kind: monthly", "kind 'monthly' is none of lake by window, .*, view"),
    ],
)
def test_a_file_that_is_not_of_its_kind_is_refused(folder, name, kind, message):
    write(folder, name, re.sub("-- kind: .*", kind or "--", SQL[name]))

    with pytest.raises(TableError, match=rf"{name.partition('.')[2]}\.sql: .*{message}"):
        read_tables(folder)


def test_a_slot_is_an_hour_or_a_day(folder):
    tables_by_name = read_tables(folder)

    assert {
        name: tables_by_name[name].slot for name in ("core.window", "costs.hourly", "costs.daily")
    } == {
        "core.window": HOUR,
        "costs.hourly": HOUR,
        "costs.daily": DAY,
    }


def test_a_changed_file_has_another_version(folder):
    before = {name: table.version for name, table in read_tables(folder).items()}
    (folder / "costs" / "daily.sql").write_text(SQL["costs.daily"].lstrip() + "\n")

    after = {name: table.version for name, table in read_tables(folder).items()}

    assert [name for name in after if after[name] != before[name]] == ["costs.daily"]


CUT = """
-- Cost of apples by hour.
--
-- kind: view

create view costs.apple_hourly as
select
    hour,
    total_cost * 2 as double_cost,  -- of all items, twice
    total_cost
from costs.hourly
where name = 'apple';
"""


def test_a_view_without_a_list_has_the_columns_of_its_select(folder):
    write(folder, "costs.apple_hourly", CUT)

    apples = read_tables(folder)["costs.apple_hourly"]

    assert apples.is_view
    assert apples.columns == {
        "hour": "first instant of the hour, UTC",
        "double_cost": "of all items, twice",
        "total_cost": "of all items",
    }
    assert apples.query == CUT.partition(" as\n")[2].strip()


def test_a_column_without_a_comment_means_what_it_means_where_it_is_read(folder):
    write(folder, "costs.hourly", SQL["costs.hourly"].replace("  -- of all items", ""))

    assert read_tables(folder)["costs.hourly"].columns == {
        "hour": "first instant of the hour, UTC",
        "name": "what",
        "total_cost": "count x price",
    }


def test_a_column_that_upstream_tables_describe_differently_has_to_say_what_it_is(folder):
    other = SQL["core.price"].replace("-- what", "-- name of the item")
    write(folder, "core.price", other)
    listed = SQL["costs.line_item"].replace("          -- what", "")
    write(folder, "costs.line_item", listed)

    message = r"line_item\.sql: name needs a comment, core\.price and raw\.item do not agree on it"
    with pytest.raises(TableError, match=message):
        read_tables(folder)


def test_a_union_has_the_columns_of_its_first_select_with_their_comments(folder):
    second = CUT.partition(" as\n")[2].replace("-- of all items, twice", "-- of pears")
    write(folder, "costs.apple_hourly", f"{CUT.rstrip().removesuffix(';')}\nunion all\n{second}")

    assert read_tables(folder)["costs.apple_hourly"].columns["double_cost"] == "of all items, twice"


def test_a_view_without_a_list_has_to_name_its_columns(folder):
    write(folder, "costs.apple_hourly", CUT.replace("    hour,\n", "    *,\n"))

    with pytest.raises(TableError, match=r"apple_hourly\.sql: a select that says which"):
        read_tables(folder)


PRICED = """
-- Items with their price.

select window_start, name, item_count * unit_price as total_cost
from raw.item
join core.price using (name);
"""


@pytest.fixture
def parts_dir(tmp_path: Path) -> Path:
    """A folder with the one part of the small table files."""
    parts_dir = tmp_path / "parts"
    parts_dir.mkdir()
    (parts_dir / "priced_item.sql").write_text(PRICED.lstrip())
    return parts_dir


def test_a_table_reads_what_its_parts_read(folder, parts_dir):
    head, _, _ = SQL["costs.line_item"].partition("select")
    write(folder, "costs.line_item", f"{head}from part.priced_item;\n")

    line = read_tables(folder, parts_dir)["costs.line_item"]

    assert line.reads == {"raw.item", "core.price"}
    assert line.ddl.endswith("from priced_item;")
    assert "join core.price using (name)" in line.ddl
    assert "part." not in line.ddl
    assert line.columns["total_cost"] == "count x price"


def test_a_table_has_another_version_when_a_part_of_it_changes(folder, parts_dir):
    head, _, _ = SQL["costs.line_item"].partition("select")
    write(folder, "costs.line_item", f"{head}from part.priced_item;\n")
    before = read_tables(folder, parts_dir)
    (parts_dir / "priced_item.sql").write_text(PRICED.replace(" * ", " + "))

    after = read_tables(folder, parts_dir)

    changed = {name for name in after if after[name].version != before[name].version}
    assert changed == {"costs.line_item"}


def test_a_part_without_a_file_is_named(folder, parts_dir):
    write(folder, "costs.summary", SQL["costs.summary"].replace("costs.daily", "part.missing"))

    with pytest.raises(TableError, match=r"summary\.sql reads part\.missing: no such file"):
        read_tables(folder, parts_dir)


def test_a_part_of_two_selects_is_refused(folder, parts_dir):
    (parts_dir / "priced_item.sql").write_text(f"{PRICED.lstrip()}\nselect 1 as x;\n")
    write(folder, "costs.summary", SQL["costs.summary"].replace("costs.daily", "part.priced_item"))

    with pytest.raises(TableError, match=r"priced_item\.sql holds more than one select"):
        read_tables(folder, parts_dir)


@pytest.mark.parametrize("text", ["", "-- Nothing but a comment.\n"])
def test_a_file_without_a_statement_is_named(folder, text):
    (folder / "costs" / "summary.sql").write_text(text)

    with pytest.raises(TableError, match=r"summary\.sql holds no statement"):
        read_tables(folder)


def test_parts_that_read_each_other_are_refused(folder, parts_dir):
    (parts_dir / "priced_item.sql").write_text("-- Items.\n\nselect name from part.priced_item;\n")
    write(folder, "costs.summary", SQL["costs.summary"].replace("costs.daily", "part.priced_item"))

    with pytest.raises(TableError, match="parts that read each other"):
        read_tables(folder, parts_dir)


def test_a_table_has_another_version_when_a_comment_it_inherits_changes(folder):
    write(folder, "costs.apple_hourly", CUT)
    before = read_tables(folder)
    write(folder, "costs.hourly", SQL["costs.hourly"].replace("-- of all items", "-- of items"))

    after = read_tables(folder)

    changed = {name for name in after if after[name].version != before[name].version}
    assert changed == {"costs.hourly", "costs.apple_hourly"}


def write(folder: Path, name: str, text: str) -> None:
    """Write a table file as it is from now on."""
    schema, _, stem = name.partition(".")
    (folder / schema / f"{stem}.sql").write_text(text.lstrip())


def test_every_table_comes_after_those_it_reads():
    names = list(tables())

    for name, table in tables().items():
        assert all(names.index(read) < names.index(name) for read in table.reads)


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("select 1 as total_cost from costs.weekly", r"summary\.sql reads costs\.weekly: no such"),
        ("selec 1", "syntax error"),
        ("insert into costs.daily values (1)", "Only SELECT statements"),
    ],
)
def test_a_broken_file_is_named(folder, query, message):
    ddl = "-- Broken.\n--\n-- kind: full\n\ncreate table costs.summary (total_cost double);\n\n"
    (folder / "costs" / "summary.sql").write_text(f"{ddl}{query};\n")

    with pytest.raises(TableError, match=message):
        read_tables(folder)


def test_a_file_without_a_table_is_named(folder):
    (folder / "costs" / "summary.sql").write_text("-- Nothing.\n--\n-- kind: full\n\nselect 1;\n")

    with pytest.raises(TableError, match=r"summary\.sql creates neither a table nor a view"):
        read_tables(folder)


def test_aliases_and_parts_of_a_query_are_no_tables(folder):
    (folder / "costs" / "summary.sql").write_text("""-- Cost.
--
-- kind: full

create table costs.summary (total_cost double);

with daily as (select * from costs.daily as d)
select sum(d.total_cost) as total_cost
from daily as d
where exists (select 1 from core.price as p where p.name = 'apple');
""")

    assert read_tables(folder)["costs.summary"].reads == {"costs.daily", "core.price"}


def test_schemas_are_the_folders():
    assert {table.schema for table in tables().values()} <= set(SCHEMAS)
