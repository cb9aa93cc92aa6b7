"""Archive: old days of hourly tables lie in files, and read as if they lay in the database."""

import os
import shutil
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from finops_pipeline.errors import WarehouseDamaged
from finops_pipeline.units import DAY
from finops_pipeline_tests.warehouse.fakes import MONDAY, SQL, Shop, all_rows, at

DAYS = [MONDAY + number * DAY for number in range(4)]
# What an apple a day costs, hour by hour.
SOLD = [(at(9, day), "apple", Decimal(1)) for day in DAYS]
STORED = "internal.costs_hourly"


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    """Four days are sold, the last two of which lie in the database."""
    shop = Shop(tmp_path)
    shop.settings["native_hourly_days"] = 2
    for day in DAYS:
        shop.sell(at(9, day), apple=1)
    shop.refresh()
    return shop


def archived_files(shop: Shop) -> list[Path]:
    """List the files that are there, oldest day first."""
    return sorted((shop.folder / "hours" / "costs.hourly").iterdir())


def flip_a_byte(path: Path) -> None:
    body = bytearray(path.read_bytes())
    body[20] ^= 1
    path.write_bytes(body)


def test_old_days_lie_in_files_and_read_the_same(shop):
    with shop.open() as warehouse:
        native = all_rows(warehouse, STORED)
        every = all_rows(warehouse, "costs.hourly")
        count = warehouse.row_count(warehouse.tables["costs.hourly"])

    assert count == 4
    assert native == SOLD[2:]
    assert every == SOLD
    assert [path.name[:10] for path in archived_files(shop)] == ["2026-03-02", "2026-03-03"]


def test_a_day_moves_when_a_new_one_begins(shop):
    before = archived_files(shop)
    shop.sell(at(9, DAYS[-1] + DAY), apple=1)

    assert shop.refresh()["costs.hourly"] == 1

    assert archived_files(shop)[:2] == before
    assert len(archived_files(shop)) == 3
    assert len(shop.rows("costs.hourly")) == 5


def test_a_changed_hour_of_an_old_day_changes_its_file(shop):
    shop.sell(at(10), apple=4)

    assert shop.refresh()["costs.hourly"] == 1

    assert shop.rows("costs.hourly") == sorted([*SOLD, (at(10), "apple", Decimal(4))])
    assert shop.rows("costs.daily")[0] == (MONDAY.date(), Decimal(5))
    assert shop.refresh() == {}


def test_an_old_day_that_vanishes_leaves_no_row(shop):
    shop.source_data.drop("raw.item", at(9))

    shop.refresh()

    assert shop.rows("costs.hourly") == SOLD[1:]


def test_a_table_of_days_is_made_anew_from_files(shop):
    text = shop.file("costs.daily").read_text().replace("sum(total_cost)", "2 * sum(total_cost)")
    shop.write("costs.daily", text)

    shop.refresh()

    assert [cost for _, cost in shop.rows("costs.daily")] == [Decimal(2)] * 4


def test_a_changed_select_makes_old_days_anew(shop):
    text = shop.file("costs.hourly").read_text().replace("sum(total_cost)", "3 * sum(total_cost)")
    shop.write("costs.hourly", text)

    assert shop.refresh()["costs.hourly"] == 4

    assert {cost for *_, cost in shop.rows("costs.hourly")} == {Decimal(3)}
    with shop.open() as warehouse:
        assert len(all_rows(warehouse, STORED)) == 2


def test_another_column_makes_old_days_anew(shop):
    # The files do not fit the table any more.
    shop.write("costs.hourly", SQL["costs.hourly"].replace("name", "item").replace(
        "item, sum", "name as item, sum"
    ))  # fmt: skip

    assert shop.refresh()["costs.hourly"] == 4

    assert shop.rows("costs.hourly") == SOLD


def test_nothing_of_an_old_version_comes_back(shop):
    # An hour and a day vanish in the tick that makes the table anew.
    shop.sell(at(10), apple=5)
    shop.refresh()
    shop.source_data.drop("raw.item", at(10))
    shop.source_data.drop("raw.item", at(9, DAYS[1]))
    shop.write("costs.hourly", f"-- Once more.\n{SQL['costs.hourly'].lstrip()}")

    shop.refresh()

    assert shop.rows("costs.hourly") == [SOLD[0], *SOLD[2:]]
    assert shop.rows("costs.daily")[0] == (MONDAY.date(), Decimal(1))


def test_a_table_without_a_file_leaves_none_of_its_days(shop):
    for name in ("costs.hourly", "costs.daily", "costs.summary"):
        shop.file(name).unlink()

    assert shop.refresh() == {}

    with shop.open() as warehouse:
        assert warehouse.rows("from internal.archived") == []
        warehouse.archive.sweep(datetime.now(UTC) + DAY)
    assert archived_files(shop) == []


def test_questions_about_recent_hours_open_no_file(shop):
    query = "explain select * from costs.hourly where hour >= $hour"
    with shop.open() as warehouse:
        warehouse.show_all()
        ((_, recent),) = warehouse.connection.execute(query, {"hour": DAYS[2]}).fetchall()
        ((_, old),) = warehouse.connection.execute(query, {"hour": DAYS[1]}).fetchall()

    assert "PARQUET" not in recent
    assert "PARQUET" in old


@pytest.mark.parametrize("harm", [Path.unlink, lambda path: path.write_bytes(b"PAR1")])
def test_a_day_whose_file_is_missing_or_cut_is_filled_anew(shop, harm):
    harm(archived_files(shop)[0])

    assert shop.refresh()["costs.hourly"] == 1

    assert shop.rows("costs.hourly") == SOLD
    assert shop.refresh() == {}


def test_lost_files_are_made_anew_week_by_week(tmp_path):
    shop = Shop(tmp_path)
    shop.settings["native_hourly_days"] = 2
    for number in range(20):
        shop.sell(at(9, MONDAY + number * DAY), apple=1)
    shop.refresh()
    before = shop.rows("costs.hourly")
    shutil.rmtree(tmp_path / "hours")
    shop.price(apple="2.00", pear="2.00")

    with shop.open() as warehouse:
        warehouse.refresh()
        assert warehouse.rows("from duckdb_tables() where database_name = 'line_items'") == []

    assert shop.rows("costs.hourly") == [(hour, name, 2 * cost) for hour, name, cost in before]


@pytest.mark.parametrize("change", ["an hour", "the day"])
def test_a_day_that_changes_anyway_may_be_damaged(shop, change):
    flip_a_byte(archived_files(shop)[0])
    if change == "an hour":
        shop.sell(at(10), apple=4)
    else:
        shop.source_data.drop("raw.item", at(9))

    shop.refresh()

    expected = [*SOLD, (at(10), "apple", Decimal(4))] if change == "an hour" else SOLD[1:]
    assert shop.rows("costs.hourly") == sorted(expected)


def test_a_day_with_a_flipped_byte_is_filled_anew_at_night(shop):
    flip_a_byte(archived_files(shop)[1])

    with shop.open() as warehouse:
        warehouse.verify()
        assert warehouse.refresh()["costs.hourly"] == 1

    assert shop.rows("costs.hourly") == SOLD
    with shop.open() as warehouse:
        warehouse.verify()
        assert warehouse.refresh()["costs.hourly"] == 0


def test_a_flipped_byte_is_reported_before_other_tables_are_filled_from_it(shop):
    flip_a_byte(archived_files(shop)[1])
    shop.write("costs.daily", f"-- Once more.\n{shop.file('costs.daily').read_text()}")

    with pytest.raises(WarehouseDamaged, match="2026-03-03"):
        shop.refresh()


def test_a_replaced_file_stays_for_readers_of_an_older_publication(shop):
    replaced, current = archived_files(shop)
    long_ago = datetime(2026, 1, 1, tzinfo=UTC)
    for path in (replaced, current):
        os.utime(path, (long_ago.timestamp(),) * 2)
    shop.sell(at(10), apple=4)
    shop.refresh()

    with shop.open() as warehouse:
        warehouse.archive.sweep(long_ago + DAY)
        assert {replaced, current} < {*archived_files(shop)}
        warehouse.archive.sweep(datetime.now(UTC) + DAY)

    assert replaced not in archived_files(shop)
    assert len(archived_files(shop)) == 2
    assert len(shop.rows("costs.hourly")) == 5


def test_files_beside_a_new_warehouse_count_as_replaced_when_it_is_made(shop):
    before = archived_files(shop)
    long_ago = datetime(2026, 1, 1, tzinfo=UTC)
    (shop.folder / "warehouse.duckdb").unlink()
    for again in (False, True):
        for path in before:
            os.utime(path, (long_ago.timestamp(),) * 2)

        with shop.open() as warehouse:
            warehouse.archive.sweep(long_ago + DAY)

        assert archived_files(shop) == ([] if again else before)


def test_the_folder_may_be_moved(shop, tmp_path):
    moved = shop.folder.rename(tmp_path.with_name(f"{tmp_path.name}-moved"))
    elsewhere = Shop(moved)
    elsewhere.source_data.windows = shop.source_data.windows
    elsewhere.settings = shop.settings

    assert elsewhere.refresh() == {}

    assert elsewhere.rows("costs.hourly") == SOLD


def test_a_crash_while_a_day_is_moved_loses_nothing(shop):
    shop.sell(at(9, DAYS[-1] + DAY), apple=1)
    with shop.open() as warehouse:
        folder = shop.folder / "hours" / "costs.hourly"
        moved = f"{DAYS[2]:%Y-%m-%d}"
        (folder / f"{moved}.unfinished").mkdir()  # nothing can be written under this name
        with pytest.raises(Exception, match=moved):
            warehouse.refresh()
        (folder / f"{moved}.unfinished").rmdir()

    shop.refresh()

    assert len(shop.rows("costs.hourly")) == 5
    assert len(archived_files(shop)) == 3
