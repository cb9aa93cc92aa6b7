"""Open warehouse: tables are filled where their source data changed, and nowhere else."""

import tempfile
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finops_pipeline.catalog.files import SqlFile
from finops_pipeline.errors import TableError
from finops_pipeline.units import DAY, WINDOW
from finops_pipeline_tests.warehouse.fakes import MONDAY, SQL, TUESDAY, Crash, Shop, all_rows, at

QUARTERS = [at(9), at(9.25), at(10), at(9, TUESDAY)]
DERIVED = ["core.window", "costs.quarter_hourly", "costs.hourly", "costs.daily", "costs.summary"]


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """Shop that has sold in two hours of Monday and one of Tuesday, and is filled."""
    shop = Shop(tmp_path)
    for start in QUARTERS:
        shop.sell(start, apple=1, pear=1)
    shop.refresh()
    return shop


def hourly(shop: Shop) -> list[tuple[datetime, str, Decimal]]:
    return shop.rows("costs.hourly")


def test_first_filling_writes_every_table(tmp_path):
    shop = Shop(tmp_path)
    for start in QUARTERS:
        shop.sell(start, apple=1, pear=1)

    assert shop.refresh() == {
        "core.price": 2,
        "core.window": 4,
        "costs.quarter_hourly": 4,
        "costs.hourly": 6,
        "costs.daily": 2,
        "costs.summary": 1,
    }
    assert shop.rows("costs.daily") == [
        (MONDAY.date(), Decimal(9)),
        (TUESDAY.date(), Decimal(3)),
    ]
    assert shop.rows("costs.summary") == [(Decimal(12),)]


def test_a_frozen_day_stays_as_it_was_whatever_its_select_says_later(shop):
    source_data = shop.source_data
    for start in QUARTERS[:3]:
        source_data.drop("raw.item", start)
    frozen = pa.table({"day": [MONDAY.date()], "total_cost": [Decimal("9.0000")]})
    source_data.frozen_days["costs.daily"] = {MONDAY: frozen}
    shop.refresh()
    assert shop.rows("costs.daily") == [(MONDAY.date(), Decimal(9)), (TUESDAY.date(), Decimal(3))]
    assert [hour for hour, *_ in hourly(shop)] == [at(9, TUESDAY)] * 2

    doubled = SQL["costs.daily"].replace("sum(total_cost)", "sum(total_cost) * 2")
    shop.write("costs.daily", doubled)
    for file_name in ("warehouse.duckdb", "another.duckdb"):
        shop.refresh(file_name)
        assert shop.rows("costs.daily", file_name) == [
            (MONDAY.date(), Decimal(9)),
            (TUESDAY.date(), Decimal(6)),
        ]


def test_an_empty_lake_gives_empty_tables(tmp_path):
    shop = Shop(tmp_path)

    assert shop.refresh() == {"core.price": 2, "costs.summary": 1}
    assert shop.rows("costs.line_item") == hourly(shop) == []


def test_nothing_is_written_twice(shop):
    assert shop.refresh() == {}


def test_a_new_window_writes_its_hour_and_its_day(shop):
    shop.sell(at(9.5, TUESDAY), apple=1)

    assert shop.refresh() == {
        "core.window": 2,
        "costs.quarter_hourly": 2,
        "costs.hourly": 2,  # of 09:00 on Tuesday, where 6 rows are in all
        "costs.daily": 1,
        "costs.summary": 1,
    }


OFFERED = """
-- What was sold on a day.
--
-- kind: incremental by day, compared by rows

create table core.offered (
    day  date    not null,  -- UTC day
    name varchar not null   -- what
);

select distinct cast(window_start as date) as day, name
from raw.item
where window_start >= $start and window_start < $end;
"""


def test_what_reads_a_table_compared_by_rows_is_filled_again_where_its_rows_differ(shop):
    shop.write("core.offered", OFFERED)
    hourly = SQL["costs.hourly"].replace("where", "semi join core.offered using (name)\nwhere")
    shop.write("costs.hourly", hourly)
    shop.refresh()

    shop.sell(at(11), apple=2)
    same = shop.refresh()
    shop.sell(at(12), plum=1)
    new = shop.refresh()

    assert (same["core.offered"], same["costs.hourly"]) == (2, 1)  # the new hour alone
    assert (new["core.offered"], new["costs.hourly"]) == (3, 5)  # all hours of Monday, none else


def test_a_changed_window_changes_its_hour_and_its_day(shop):
    shop.sell(at(10), apple=5)

    assert shop.refresh()["costs.hourly"] == 1
    assert [row for row in hourly(shop) if row[0] == at(10)] == [(at(10), "apple", Decimal(5))]
    assert shop.rows("costs.daily") == [(MONDAY.date(), Decimal(11)), (TUESDAY.date(), Decimal(3))]


def test_a_window_that_vanishes_leaves_no_row(shop):
    shop.source_data.drop("raw.item", at(10))

    assert shop.refresh() == {"costs.daily": 1, "costs.summary": 1}
    assert at(10) not in {row[0] for row in hourly(shop)}


def test_a_day_that_vanishes_leaves_no_row(shop):
    shop.source_data.drop("raw.item", at(9, TUESDAY))

    assert shop.refresh() == {"costs.summary": 1}
    assert shop.rows("costs.daily") == [(MONDAY.date(), Decimal(9))]
    assert at(9, TUESDAY) not in {row[0] for row in hourly(shop)}


def test_a_changed_table_of_the_ledger_refills_what_reads_it(shop):
    shop.price(apple="1.50", pear="2.00")

    assert shop.refresh() == {
        "core.price": 2,
        "costs.quarter_hourly": 4,
        "costs.hourly": 6,
        "costs.daily": 2,
        "costs.summary": 1,
    }
    assert shop.rows("costs.summary") == [(Decimal(14),)]


REBATE = """
-- What is taken off from a day on.
--
-- kind: ledger

create table core.rebate (
    valid_from date           not null,  -- first day it holds
    taken      decimal(28, 4) not null   -- off each item
);
"""
LESS = """(item_count * (unit_price - coalesce((
    select max(taken) from core.rebate where valid_from <= cast(window_start as date)), 0)))"""


def rebate(shop: Shop, **taken_from: datetime) -> None:
    """Take cents off from a day on: ``c10`` is 0.10."""
    rows = [
        {"valid_from": day.date(), "taken": Decimal(name[1:]) / 100}
        for name, day in taken_from.items()
    ]
    schema = pa.schema([("valid_from", pa.date32()), ("taken", pa.decimal128(28, 4))])
    shop.source_data.small_tables["core.rebate"] = pa.Table.from_pylist(rows, schema)


@pytest.fixture
def rebate_shop(shop: Shop) -> Shop:
    """Shop that takes 10 cents off since Monday."""
    shop.source_data.dated_tables.add("core.rebate")
    rebate(shop, c10=MONDAY)
    shop.write("core.rebate", REBATE)
    shop.write("costs.line_item", SQL["costs.line_item"].replace("item_count * unit_price", LESS))
    shop.refresh()
    return shop


def test_a_row_that_holds_for_some_days_refills_those_alone(rebate_shop):
    rebate(rebate_shop, c10=MONDAY, c20=TUESDAY)

    assert rebate_shop.refresh() == {
        "core.rebate": 2,
        "costs.quarter_hourly": 1,
        "costs.hourly": 2,
        "costs.daily": 1,
        "costs.summary": 1,
    }
    assert rebate_shop.rows("costs.daily") == [
        (MONDAY.date(), Decimal("8.4")),  # 3 windows of an apple and a pear
        (TUESDAY.date(), Decimal("2.6")),
    ]


def test_a_row_that_holds_on_no_day_yet_refills_its_table_alone(rebate_shop):
    rebate(rebate_shop, c10=MONDAY, c30=TUESDAY + DAY)

    assert rebate_shop.refresh() == {"core.rebate": 2}
    assert rebate_shop.refresh() == {}


def test_a_row_that_holds_on_every_day_refills_all(rebate_shop):
    rebate(rebate_shop, c20=MONDAY)

    assert rebate_shop.refresh()["costs.daily"] == 2


def test_rows_that_hold_for_some_days_write_nothing_for_a_day_that_comes(rebate_shop):
    rebate_shop.sell(at(9, TUESDAY + DAY), apple=1)

    assert "core.rebate" not in rebate_shop.refresh()
    assert rebate_shop.rows("costs.daily")[-1] == ((TUESDAY + DAY).date(), Decimal("0.9"))


def test_a_changed_setting_refills_the_tables_that_name_it(shop):
    shop.settings["tax_percent"] = 50

    assert shop.refresh() == {"costs.summary": 1}
    assert shop.rows("costs.summary") == [(Decimal(18),)]


def test_a_setting_that_no_select_names_changes_nothing(shop):
    shop.settings["top_workloads"] = 3

    assert shop.refresh() == {}


@pytest.mark.parametrize(
    ("changed", "written"),
    [
        ("costs.summary", {"costs.summary"}),
        ("costs.daily", {"costs.daily", "costs.summary"}),
        ("costs.hourly", {"costs.hourly", "costs.daily", "costs.summary"}),
        ("costs.line_item", set(DERIVED) - {"core.window"}),
        ("raw.item", set(DERIVED) - {"core.window"}),
        ("core.window", {"core.window"}),
    ],
)
def test_a_changed_file_refills_its_table_and_what_reads_it(shop, changed, written):
    before = {name: shop.rows(name) for name in DERIVED}
    shop.write(changed, SQL[changed].lstrip().replace("-- ", "-- More precisely: ", 1))

    assert shop.refresh().keys() == written
    assert {name: shop.rows(name) for name in DERIVED} == before


def test_a_changed_file_changes_the_rows(shop):
    shop.write(
        "costs.hourly", SQL["costs.hourly"].replace("sum(total_cost)", "2 * sum(total_cost)")
    )

    shop.refresh()

    assert shop.rows("costs.summary") == [(Decimal(24),)]


def test_a_table_becomes_a_view_and_a_table_again(shop):
    shop.write(
        "costs.summary",
        "-- Cost.\n--\n-- kind: view\n\n"
        "create view costs.summary as\nselect\n    1 as cost;  -- all\n",
    )
    shop.refresh()
    assert shop.rows("costs.summary") == [(1,)]

    shop.write("costs.summary", SQL["costs.summary"])

    assert shop.refresh() == {"costs.summary": 1}


def test_a_table_without_a_file_is_gone(shop):
    shop.file("costs.summary").unlink()

    assert shop.refresh() == {}
    with pytest.raises(duckdb.CatalogException, match="summary does not exist"):
        shop.rows("costs.summary")


def test_tables_of_single_windows_keep_recent_days(shop):
    shop.settings["quarter_hourly_days"] = 2
    shop.sell(at(9, TUESDAY + DAY), apple=1)

    shop.refresh()

    days = {row[0].date() for row in shop.rows("costs.quarter_hourly")}
    assert days == {TUESDAY.date(), (TUESDAY + DAY).date()}
    assert shop.refresh() == {}
    assert MONDAY.date() in {row[0] for row in shop.rows("costs.daily")}


def test_a_row_that_breaks_a_constraint_leaves_the_old_rows(shop):
    before = hourly(shop)
    shop.sell(at(10), apple=-1)

    with pytest.raises(TableError, match=r"^costs\.hourly: .*CHECK constraint failed"):
        shop.refresh()

    assert hourly(shop) == before
    shop.sell(at(10), apple=2)
    shop.refresh()
    assert shop.rows("costs.summary") == [(Decimal(11),)]


def test_a_table_that_fails_takes_nothing_from_one_that_reads_the_same(shop):
    # Both read the lake itself, and the same hour of it: the view of the first is rolled back.
    counted = """
-- Items by hour.
--
-- kind: incremental by hour, archived after native_hourly_days

create table costs.{name} (
    hour       timestamptz not null,  -- first instant of the hour, UTC
    item_count bigint check ({rule})  -- of all items
);

select date_trunc('hour', window_start) as hour, sum(item_count) as item_count
from raw.item
where window_start >= $start and window_start < $end
group by all;
"""
    shop.write("costs.a_count", counted.format(name="a_count", rule="item_count < 5"))
    shop.write("costs.b_count", counted.format(name="b_count", rule="true"))
    shop.refresh()
    shop.sell(at(10), apple=5)

    with shop.open() as warehouse:
        with pytest.raises(TableError, match="a_count"):
            warehouse.refresh_table(warehouse.tables["costs.a_count"])
        warehouse.refresh_table(warehouse.tables["costs.b_count"])
        rows = all_rows(warehouse, "costs.b_count")

    assert rows == [(at(9), 4), (at(10), 5), (at(9, TUESDAY), 2)]


def test_rows_of_the_ledger_that_do_not_fit_leave_the_old_ones(shop):
    shop.source_data.small_tables["core.price"] = pa.table({"name": ["apple"], "price": ["1.00"]})

    with pytest.raises(TableError, match=r"^core\.price: .*price"):
        shop.refresh()

    assert len(shop.rows("core.price")) == 2


def test_what_a_crash_between_two_tables_left_is_filled_next_time(shop):
    shop.sell(at(10), apple=5)
    with shop.open() as warehouse:
        warehouse.refresh_table(warehouse.tables["costs.hourly"])

    assert shop.refresh() == {
        "core.window": 1,
        "costs.quarter_hourly": 1,
        "costs.daily": 1,
        "costs.summary": 1,
    }
    assert shop.rows("costs.summary") == [(Decimal(14),)]


def test_a_table_alone_is_filled_from_what_it_reads_as_it_is_now(shop):
    shop.sell(at(10), apple=5)
    with shop.open() as warehouse:
        assert warehouse.refresh_table(warehouse.tables["costs.daily"]) == 1

    assert shop.rows("costs.daily")[0] == (MONDAY.date(), Decimal(11))
    assert (at(10), "apple", Decimal(5)) in hourly(shop)


def test_a_crash_inside_a_table_leaves_all_of_its_old_rows(shop):
    before = hourly(shop)
    for start in QUARTERS:
        shop.sell(start, apple=3)
    shop.source_data.crashes_at = at(9, TUESDAY)

    with shop.open() as warehouse, pytest.raises(Crash):
        warehouse.refresh_table(warehouse.tables["costs.hourly"])

    assert hourly(shop) == before
    shop.source_data.crashes_at = None
    shop.refresh()
    assert shop.rows("costs.summary") == [(Decimal(12),)]


def test_long_history_is_filled_a_week_at_a_time(tmp_path):
    shop = Shop(tmp_path)
    for day in range(17):
        shop.sell(at(0, MONDAY + day * DAY), apple=1)

    with shop.open() as warehouse:
        warehouse.refresh()
        cached = warehouse.rows("from duckdb_tables() where database_name = 'line_items'")

    assert len(shop.rows("costs.daily")) == 17
    assert max(shop.source_data.file_ranges) <= 7 * DAY
    assert cached == []  # each week of it made room for the next


def test_a_table_that_fails_keeps_none_from_being_filled_over_weeks(tmp_path):
    shop = Shop(tmp_path)
    for day in range(17):
        shop.sell(at(0, MONDAY + day * DAY), apple=1)
    shop.write("costs.hourly", SQL["costs.hourly"].replace(">= 0", "< 0"))

    with shop.open() as warehouse:
        warehouse.refresh_table(warehouse.tables["costs.quarter_hourly"])
        with pytest.raises(TableError, match=r"costs\.hourly: .*CHECK"):
            warehouse.refresh_table(warehouse.tables["costs.hourly"])

        assert len(all_rows(warehouse, "costs.quarter_hourly")) == 14
        assert all_rows(warehouse, "costs.hourly") == []


def test_time_zone_of_the_machine_does_not_matter(tmp_path, time_zone):
    shop = Shop(tmp_path)
    for quarter in range(96):
        shop.sell(MONDAY + quarter * WINDOW, apple=1)

    shop.refresh()

    assert [row[0].timestamp() for row in hourly(shop)] == [
        at(hour).timestamp() for hour in range(24)
    ]
    assert shop.rows("costs.daily") == [(MONDAY.date(), Decimal(96))]


def check(folder: Path, query: str) -> SqlFile:
    path = folder / "check.sql"
    path.write_text(f"-- A mistake.\n\n{query};\n")
    return SqlFile(path)


SOLD = (
    "select window_start, name from raw.item where window_start >= $start and window_start < $end"
)


def run_check(shop: Shop, file: SqlFile, *, publish: bool = False) -> list[dict[str, Any]]:
    """Run a check on the shop as it is now, and publish that if so wished."""
    with shop.open() as warehouse:
        warehouse.refresh()
        rows: list[dict[str, Any]] = warehouse.check(file)
        assert warehouse.check(file) == rows
        if publish:
            warehouse.connection.execute("insert into internal.publication values ('x', now())")
    return rows


def test_a_check_looks_at_hours_that_changed_since_the_last_publication(shop, tmp_path):
    looked_at = check(tmp_path, "select $start as window_start, $end as until")
    ranges = [(at(9), at(11)), (at(9, TUESDAY), at(10, TUESDAY))]
    assert run_check(shop, looked_at, publish=True) == [finding(*part) for part in ranges]

    shop.sell(at(12.25), apple=7)

    ranges.insert(1, (at(12), at(13)))
    assert run_check(shop, looked_at) == [finding(*part) for part in ranges]


def test_a_check_of_weeks_sees_every_hour_and_keeps_none_in_the_cache(tmp_path):
    shop = Shop(tmp_path)
    hours = [at(hour) for hour in range(8 * 24)]
    for start in hours:
        shop.sell(start, apple=1)
    everything = check(
        tmp_path, "from costs.line_item where window_start >= $start and window_start < $end"
    )

    with shop.open() as warehouse:
        warehouse.refresh()
        rows = warehouse.check(everything)
        cached = warehouse.rows("from duckdb_tables() where database_name = 'line_items'")

    assert {row["window_start"] for row in rows} == {str(start) for start in hours}
    assert cached == []


def finding(start: datetime, until: datetime) -> dict[str, str]:
    return {"window_start": str(start), "until": str(until)}


def test_what_a_check_found_stands_until_its_hour_is_mended(shop, tmp_path):
    many = check(tmp_path, f"{SOLD} and item_count > 100")
    shop.sell(at(9.25), apple=101)
    mistake = [{"window_start": str(at(9.25)), "name": "apple"}]
    assert run_check(shop, many, publish=True) == mistake

    shop.sell(at(10.25), apple=7)
    assert run_check(shop, many, publish=True) == mistake

    shop.sell(at(9.25), apple=100)
    assert run_check(shop, many) == []


def test_what_an_older_version_of_a_check_found_is_forgotten(shop, tmp_path):
    assert run_check(shop, check(tmp_path, SOLD), publish=True)

    assert run_check(shop, check(tmp_path, f"{SOLD} and item_count > 100")) == []


def test_a_check_of_days_looks_at_each_day_that_changed(shop, tmp_path):
    daily = check(tmp_path, "select day, total_cost from costs.daily where day = $day")
    shop.sell(at(9, TUESDAY), apple=1)
    assert [row["day"] for row in run_check(shop, daily, publish=True)] == [
        "2026-03-02",
        "2026-03-03",
    ]

    shop.sell(at(23, MONDAY), pear=1000)

    monday, tuesday = run_check(shop, daily)
    assert (monday["day"], tuesday["day"]) == ("2026-03-02", "2026-03-03")
    assert float(monday["total_cost"]) > 1000 > float(tuesday["total_cost"])


def test_a_check_compares_tables_of_one_state(shop, tmp_path):
    differ = check(
        tmp_path,
        "select window_start from core.window full join raw.item using (window_start)"
        " where window_start >= $start and window_start < $end group by all"
        " having count(name) <> any_value(row_count)",
    )
    shop.sell(at(9.5), apple=1)

    with shop.open() as warehouse:
        assert warehouse.check(differ) == []


def test_nothing_of_the_cache_is_left_in_whatever_folder(tmp_path):
    shop = Shop(tmp_path / "it's a folder")
    (shop.folder / "warehouse.line_items").write_text("left by a crash")
    (shop.folder / "warehouse.spool").write_text("left by a crash of an older version")
    (shop.folder / "warehouse.duckdb.tmp").mkdir()
    (shop.folder / "warehouse.duckdb.tmp" / "duckdb_temp_storage-0.tmp").write_text("spilled")
    shop.sell(at(9), apple=1)

    assert shop.refresh()["costs.hourly"] == 1
    assert not list(shop.folder.glob("*.line_items*"))
    assert not list(shop.folder.glob("*.spool*"))
    assert not (shop.folder / "warehouse.duckdb.tmp").exists()


def test_a_check_that_names_no_time_looks_at_everything(shop, tmp_path):
    cheap = check(tmp_path, "select name from core.price where unit_price < $tax_percent + 2")

    with shop.open() as warehouse:
        assert warehouse.check(cheap) == [{"name": "apple"}]


STARTS = st.sampled_from([at(h, MONDAY + d * DAY) for d in range(4) for h in (0, 0.25, 12, 23.75)])
COUNTS = st.dictionaries(st.sampled_from(["apple", "pear"]), st.integers(0, 3), max_size=2)
CHANGES = st.one_of(
    st.tuples(st.just("sell"), STARTS, COUNTS),
    st.tuples(st.just("drop"), STARTS),
    st.tuples(st.just("price"), st.sampled_from(["1.00", "2.50"])),
    st.tuples(st.just("tax_percent"), st.sampled_from([0, 10])),
    st.tuples(st.just("native_hourly_days"), st.sampled_from([1, 2, 35])),
    st.tuples(st.just("lose"), st.integers(0, 3)),
    st.tuples(st.just("cut"), st.integers(0, 3)),
    st.tuples(st.just("file"), st.sampled_from(["costs.line_item", "costs.hourly", "costs.daily"])),
)


def change(shop: Shop, kind: str, *values) -> None:
    if kind == "sell":
        shop.sell(values[0], **values[1])
    elif kind == "drop" and values[0] in shop.source_data.windows.get("raw.item", {}):
        shop.source_data.drop("raw.item", values[0])
    elif kind == "price":
        shop.price(apple=values[0], pear="3.00")
    elif kind == "file":
        text = shop.file(values[0]).read_text()
        shop.write(values[0], f"-- Once more.\n{text}")
    elif kind in ("tax_percent", "native_hourly_days"):
        shop.settings[kind] = values[0]
    elif kind in ("lose", "cut"):
        harm(
            shop, values[0], Path.unlink if kind == "lose" else lambda path: path.write_bytes(b"P")
        )


def harm(shop: Shop, number: int, how: Callable[[Path], object]) -> None:
    """Harm a file of old hours, if there are so many."""
    files = sorted((shop.folder / "hours" / "costs.hourly").glob("*.parquet"))
    for path in files[number : number + 1]:
        how(path)


@settings(max_examples=25)
@given(ticks=st.lists(st.lists(CHANGES, min_size=1, max_size=5), min_size=1, max_size=4))
def test_after_any_changes_tables_are_as_if_filled_from_scratch(ticks):
    with tempfile.TemporaryDirectory() as folder:
        shop = Shop(Path(folder))
        shop.settings |= {"quarter_hourly_days": 2, "native_hourly_days": 1}
        for changes in ticks:
            for kind, *values in changes:
                change(shop, kind, *values)
            shop.refresh()
        shop.settings["native_hourly_days"] = 4000
        shop.refresh("scratch.duckdb")

        with shop.open() as grown, shop.open("scratch.duckdb") as scratch:
            for name in DERIVED:
                assert all_rows(grown, name) == all_rows(scratch, name), name
