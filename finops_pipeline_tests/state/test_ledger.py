"""Ledger: what it remembers of windows, and what it answers about them."""

from datetime import datetime, timedelta
from decimal import Decimal

import duckdb
import pytest

from finops_pipeline.catalog.tables import tables
from finops_pipeline.state.ledger_snapshot import RESTATEMENT_COLUMNS, WINDOW_COLUMNS, Progress
from finops_pipeline.units import DAY, HOUR, WINDOW
from finops_pipeline_tests.state.windows import TEN, commit, files_of, window

MIDNIGHT = TEN - 10 * HOUR
SOURCE = ["raw.allocation", "raw.asset"]


def test_a_window_comes_back_as_it_was_recorded(state):
    first = window(total=Decimal("123456789012345678.0123456789"), minutes_ratio=0.5, reason="why")

    assert commit(state, first)

    assert state.ledger.day(["raw.asset"], "prod", TEN.date()) == {first.key: first}
    assert state.ledger.day(["raw.asset"], "test", TEN.date()) == {}


def test_a_source_is_missing_until_all_its_tables_are_there(state):
    now, range_ = TEN + 2 * HOUR, (TEN, TEN + WINDOW)
    commit(state, window("raw.asset"))
    assert [due.reason for due in state.ledger.due(SOURCE, "prod", now, *range_)] == ["missing"]

    commit(state, window("raw.allocation"))
    again = state.ledger.due(SOURCE, "prod", now, *range_)
    assert [due.reason for due in again] == ["to be read again after 1 h"]
    assert state.ledger.due(SOURCE, "prod", TEN + HOUR, *range_) == []


def test_a_failure_is_remembered_until_a_reading_succeeds(state):
    now, range_ = TEN + HOUR, (TEN, TEN + WINDOW)
    state.ledger.fail(SOURCE, "prod", TEN, now, "503")
    (due,) = state.ledger.due(SOURCE, "prod", now, *range_)
    assert due.reason == "failed before: 503"

    with state.snapshot() as snapshot:
        rows = snapshot.windows(*range_).to_pylist()
        assert [(row["status"], row["reason"]) for row in rows] == [("absent", "503")] * 2
        assert snapshot.progress(SOURCE, "prod", *range_) == Progress(
            complete_until=None,
            newest_window_start=None,
            last_read_at=None,
            last_failed_at=now,
            last_failure="503",
        )

    commit(state, window("raw.asset", fetched_at=now), window("raw.allocation", fetched_at=now))
    with state.snapshot() as snapshot:
        assert snapshot.progress(SOURCE, "prod", *range_) == Progress(TEN + WINDOW, TEN, now)


def test_a_failed_reading_again_keeps_what_was_read(state):
    read = window()
    commit(state, read)

    state.ledger.fail(["raw.asset"], "prod", TEN, TEN + 2 * HOUR, "cut off")

    (row,) = state.ledger.day(["raw.asset"], "prod", TEN.date()).values()
    assert (row.status, row.content_sha256) == ("provisional", read.content_sha256)
    assert row.failure == "cut off"


def test_what_the_source_has_forgotten_is_lost_or_stays_as_it_was(state):
    read = window()
    commit(state, read)

    state.ledger.lose(["raw.asset"], "prod", TEN, TEN + HOUR, TEN + DAY, "older than 15 days")

    windows = sorted(
        state.ledger.day(["raw.asset"], "prod", TEN.date()).values(), key=lambda w: w.window_start
    )
    assert [w.status for w in windows] == ["final", "lost", "lost", "lost"]
    assert (windows[0].file, windows[1].reason) == (read.file, "older than 15 days")
    assert state.ledger.due(["raw.asset"], "prod", TEN + 9 * DAY, TEN, TEN + HOUR) == []


def test_complete_until_is_the_end_of_the_first_unbroken_run(state):
    def complete_until() -> datetime | None:
        with state.snapshot() as snapshot:
            progress: Progress = snapshot.progress(["raw.asset"], "prod", TEN, TEN + DAY)
        return progress.complete_until

    assert complete_until() is None
    commit(state, window(start=TEN + 2 * WINDOW))
    assert complete_until() == TEN + 3 * WINDOW
    commit(state, window(start=TEN))
    assert complete_until() == TEN + WINDOW
    state.ledger.lose(["raw.asset"], "prod", TEN + WINDOW, TEN + 2 * WINDOW, TEN + DAY, "gone")
    assert complete_until() == TEN + 3 * WINDOW


def test_a_changed_window_leaves_a_restatement_and_drops_its_file(state):
    first = window(content="a", total=Decimal("0.5"), row_count=3)
    second = window(content="b", total=Decimal("0.75"), row_count=4, read_count=2)
    commit(state, first)
    commit(state, second, at=TEN + 2 * HOUR)

    with state.snapshot() as snapshot:
        (restatement,) = snapshot.restatements(TEN, TEN + WINDOW).to_pylist()
        (current,) = snapshot.current_files("raw.asset", TEN, TEN + WINDOW)
    assert current.path == second.file
    assert restatement == {
        "table_name": "raw.asset",
        "cluster": "prod",
        "window_start": TEN,
        "restated_at": TEN + 2 * HOUR,
        "reason": "read again after 1 h",
        "old_row_count": 3,
        "new_row_count": 4,
        "old_total": Decimal("0.5"),
        "new_total": Decimal("0.75"),
        "old_content_sha256": first.content_sha256,
        "new_content_sha256": second.content_sha256,
    }
    assert state.ledger.named_paths() == {first.file, second.file}
    assert state.ledger.forget_files(TEN + 2 * HOUR + timedelta(seconds=1)) == [first.file]
    assert state.ledger.named_paths() == {second.file}


def test_the_second_of_two_writers_changes_nothing(state):
    before = state.ledger.day(["raw.asset"], "prod", TEN.date())
    commit(state, window(content="a"))

    late = window(content="b")
    assert not state.ledger.commit(before, [late], files_of(late), TEN + HOUR)

    (row,) = state.ledger.day(["raw.asset"], "prod", TEN.date()).values()
    assert row.content_sha256 == "a" * 64
    assert late.file not in state.ledger.named_paths()


def test_only_new_content_changes_the_hash_of_its_day_and_hour(state):
    def hashes():
        with state.snapshot() as snapshot:
            days, hours = snapshot.day_hashes(), snapshot.hour_hashes(MIDNIGHT)
            return days, hours, snapshot.day_marks(), snapshot.hour_marks(MIDNIGHT)

    commit(state, window(), window(start=TEN + HOUR), window("raw.allocation"))
    days, hours, day_marks, hour_marks = hashes()
    assert {name: list(by_day) for name, by_day in days.items()} == dict.fromkeys(
        SOURCE, [MIDNIGHT]
    )
    assert list(hours["raw.asset"]) == [TEN, TEN + HOUR]

    commit(state, window(read_count=2, status="final"))
    same_days, same_hours, new_day_marks, new_hour_marks = hashes()
    assert (same_days, same_hours) == (days, hours)
    assert new_day_marks != day_marks
    assert [new_hour_marks[at] == hour_marks[at] for at in hour_marks] == [False, True]

    commit(state, window(content="b", read_count=3))
    new_days, new_hours, *_ = hashes()
    assert new_days["raw.allocation"] == days["raw.allocation"]
    assert new_days["raw.asset"] != days["raw.asset"]
    assert [new_hours["raw.asset"][at] == sha for at, sha in hours["raw.asset"].items()] == [
        False,
        True,
    ]


def test_recording_the_same_again_changes_no_mark(state):
    commit(state, window())
    with state.snapshot() as snapshot:
        marks = snapshot.day_marks()

    commit(state, window(), at=TEN + 5 * HOUR)

    with state.snapshot() as snapshot:
        assert snapshot.day_marks() == marks


def test_current_files_are_those_that_hold_windows_of_the_range(state):
    shared = "raw.asset/shared"
    commit(state, *(window(start=TEN + step * WINDOW, file=shared) for step in range(4)))
    commit(state, window(start=TEN + HOUR, file="raw.asset/single"))

    with state.snapshot() as snapshot:
        ranges = [(0, 1), (3, 4), (3, 5), (4, 5), (5, 6), (-1, 0), (-999, 999)]
        files_by_range = {
            (start, end): snapshot.current_files(
                "raw.asset", TEN + start * WINDOW, TEN + end * WINDOW
            )
            for start, end in ranges
        }
    initials = {
        range_: "".join(file.path[10:12] for file in files)
        for range_, files in files_by_range.items()
    }
    assert initials == {
        (0, 1): "sh",
        (3, 4): "sh",
        (3, 5): "shsi",
        (4, 5): "si",
        (5, 6): "",
        (-1, 0): "",
        (-999, 999): "shsi",
    }


def test_a_damaged_file_leaves_its_windows_due_or_lost(state):
    shared = "raw.asset/shared"
    commit(state, *(window(start=TEN + step * WINDOW, file=shared) for step in range(3)))
    commit(state, window(start=TEN + HOUR, file="raw.asset/single"))
    oldest = {"raw.asset": TEN + WINDOW}

    assert state.ledger.discard_file(shared, TEN + DAY, "it is damaged", oldest) == 3

    windows = state.ledger.day(["raw.asset"], "prod", TEN.date())
    facts = {at: (w.status, w.file, w.read_count, w.failure) for (_, at), w in windows.items()}
    assert facts == {
        TEN: ("lost", None, 1, "it is damaged"),
        TEN + WINDOW: ("absent", None, 1, "it is damaged"),
        TEN + 2 * WINDOW: ("absent", None, 1, "it is damaged"),
        TEN + HOUR: ("provisional", "raw.asset/single", 1, None),
    }
    assert state.ledger.named_paths() == {"raw.asset/single"}
    assert state.ledger.discard_file(shared, TEN + DAY, "it is damaged", oldest) == 0


def test_a_window_read_anew_after_damage_may_be_restated_again(state):
    first = window(content="a", read_count=1)
    second = window(content="b", read_count=2)
    commit(state, first)
    commit(state, second)
    state.ledger.discard_file(second.file, TEN + DAY, "it is damaged", {"raw.asset": TEN})

    for content, count in (("c", 3), ("d", 4)):
        commit(state, window(content=content, read_count=count))

    with state.snapshot() as snapshot:
        changes = snapshot.restatements(TEN, TEN + WINDOW).to_pylist()
    hashes = [(row["old_content_sha256"], row["new_content_sha256"]) for row in changes]
    assert hashes == [("a" * 64, "b" * 64), ("c" * 64, "d" * 64)]


def test_frozen_rows_take_the_place_of_the_raw_ones_of_a_day(state):
    start, day = TEN - 10 * HOUR, TEN.date()
    commit(state, window(content="a"))
    commit(state, window(content="b", read_count=2))
    commit(state, window("raw.allocation"))
    commit(state, window(start=TEN + DAY, file="raw.asset/tomorrow"))
    frozen = window("costs.daily", start, status="final", next_read_at=None)
    assert state.ledger.raw_days(before=day + 2 * DAY) == [day, day + DAY]

    state.ledger.expire(day, files_of(frozen), [frozen], TEN + 9 * DAY)

    assert state.ledger.raw_days(before=day + 2 * DAY) == [day + DAY]
    assert state.ledger.day([*SOURCE, "costs.daily"], "prod", day) == {frozen.key: frozen}
    assert [file.path for file in state.ledger.current_files()] == [
        "costs.daily/0000-a",
        "raw.asset/tomorrow",
    ]
    with state.snapshot() as snapshot:
        assert snapshot.day_hashes().keys() == {"costs.daily", "raw.asset"}
        assert snapshot.hour_marks(start) == {}
        assert snapshot.windows(start, start + DAY).num_rows == 0
        assert snapshot.restatements(start, start + DAY).num_rows == 1


def test_a_snapshot_does_not_change_while_others_write(state):
    with state.snapshot() as snapshot:
        assert snapshot.windows(TEN, TEN + WINDOW).num_rows == 0
        commit(state, window())
        assert snapshot.windows(TEN, TEN + WINDOW).num_rows == 0
        assert snapshot.day_hashes() == {}


@pytest.mark.parametrize(
    ("name", "columns"),
    [("core.window", WINDOW_COLUMNS), ("core.restatement", RESTATEMENT_COLUMNS)],
)
def test_the_warehouse_gets_the_columns_it_expects(name, columns):
    connection = duckdb.connect()
    connection.execute(f"set TimeZone = 'UTC'; create schema core; {tables()[name].ddl}")
    connection.register("actual", columns.empty_table())

    described = [connection.execute(f"describe {table}").fetchall() for table in (name, "actual")]

    expected, actual = ([row[:2] for row in rows] for rows in described)
    assert actual == expected
    is_nullable = [row[2] == "YES" for row in described[0]]
    assert [column.nullable for column in columns] == is_nullable
