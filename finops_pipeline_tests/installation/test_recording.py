"""Readings become current all at once, exactly, and only where they say something new."""

import json
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from finops_pipeline.catalog.tables import tables
from finops_pipeline.errors import LakeDamaged, LakeError
from finops_pipeline.installation.recording import (
    FACTS,
    MEASURES,
    RecordedCounts,
    final_window,
    record,
    write_and_verify,
)
from finops_pipeline.lake.content_hash import content_sha256
from finops_pipeline.lake.files import Lake
from finops_pipeline.state.database import State, open_state
from finops_pipeline.state.ledger import Ledger
from finops_pipeline.state.schedule import Schedule
from finops_pipeline.state.window import Window
from finops_pipeline.units import DAY, HOUR, WINDOW
from finops_pipeline_tests.installation.readings import (
    COSTS,
    MIDNIGHT,
    MUCH_LATER,
    SOON,
    TABLE,
    Crash,
    CrashingLake,
    current_content,
    current_rows,
    lake,
    ledger_rows,
    quarters,
    reading,
)
from finops_pipeline_tests.state.databases import postgresql_server, state, state_url

__all__ = ["lake", "postgresql_server", "state", "state_url"]


def everything(lake: Lake, state: State) -> tuple[Any, ...]:
    with state.snapshot() as contents:
        days, hours = contents.day_hashes(), contents.hour_hashes(MIDNIGHT)
        return days, hours, contents.day_marks(), ledger_rows(state), sorted(lake.paths())


def test_a_reading_is_in_the_ledger_with_its_verdict(lake, state):
    unverified = reading([0.1, 0.2], is_verified=False, reason="no Prometheus", minutes_ratio=0.5)

    assert record(lake, state.ledger, [unverified]) == RecordedCounts(1, 1, 2, 1)

    (window,) = ledger_rows(state)
    assert window == Window(
        table_name=TABLE,
        cluster="prod",
        window_start=MIDNIGHT,
        status="provisional",
        is_verified=False,
        reason="no Prometheus",
        minutes_ratio=0.5,
        row_count=2,
        total=Decimal("0.3"),
        read_count=1,
        fetched_at=SOON,
        next_read_at=MIDNIGHT + WINDOW + HOUR,
        file=next(lake.paths()),
        content_sha256=content_sha256(unverified.tables[TABLE]),
    )


def test_a_window_without_rows_is_read_and_empty(lake, state):
    record(lake, state.ledger, [reading([])])

    (window,) = ledger_rows(state)
    assert (window.status, window.row_count, window.total) == ("provisional", 0, Decimal(0))
    assert lake.read(window.file or "").num_rows == 0


def test_nothing_read_changes_nothing(lake, state):
    assert record(lake, state.ledger, []) == RecordedCounts()


def test_one_cluster_and_day_are_recorded_at_a_time(lake, state):
    with pytest.raises(ValueError, match="one cluster and day at a time"):
        record(lake, state.ledger, [reading([]), reading([], start=MIDNIGHT + DAY)])


def test_the_same_answer_again_writes_no_file_and_no_hash(lake, state):
    record(lake, state.ledger, [reading([0.1])])
    days, hours, _, (first,), paths = everything(lake, state)

    again = record(lake, state.ledger, [reading([0.1], at=MIDNIGHT + 25 * HOUR)])

    assert again == RecordedCounts(1, 0, 0, 0)
    same_days, same_hours, _, (second,), same_paths = everything(lake, state)
    assert (same_days, same_hours, same_paths) == (days, hours, paths)
    assert (second.status, second.read_count, second.file) == ("final", 2, first.file)


def test_recording_a_reading_twice_changes_nothing(lake, state):
    record(lake, state.ledger, [reading([0.1])])
    before = everything(lake, state)

    assert record(lake, state.ledger, [reading([0.1])]) == RecordedCounts(1, 0, 0, 0)
    assert everything(lake, state) == before


def test_an_older_reading_does_not_undo_a_newer_one(lake, state):
    record(lake, state.ledger, [reading([0.2], at=SOON + HOUR)])
    before = everything(lake, state)

    record(lake, state.ledger, [reading([0.1], at=SOON)])

    assert everything(lake, state) == before


def test_a_window_of_kubecost_is_final_once_it_was_read_after_two_days(lake, state_url):
    schedule = Schedule(last_rereads={"prod": 49 * HOUR})
    statuses = []
    with open_state(state_url, is_demo=False, currency="USD", schedule=schedule) as state:
        for age in (24 * HOUR, 49 * HOUR):
            record(lake, state.ledger, [reading([0.1], at=MIDNIGHT + WINDOW + age)])
            statuses += [window.status for window in ledger_rows(state)]

    assert statuses == ["provisional", "final"]


def test_windows_that_are_final_at_once_share_a_file_and_others_do_not(lake, state):
    now = MIDNIGHT + 25 * HOUR + WINDOW  # the first five windows ended a day ago

    readings = [reading([0.1], start=start, at=now) for start in quarters(7)]
    record(lake, state.ledger, readings)

    files = [window.file for window in ledger_rows(state)]
    assert [window.status for window in ledger_rows(state)] == ["final"] * 5 + ["provisional"] * 2
    assert [files.count(file) for file in files] == [5] * 5 + [1] * 2


def test_a_window_that_leaves_a_shared_file_takes_the_others_along(lake, state):
    readings = [reading([float(n)], start, MUCH_LATER) for n, start in enumerate(quarters(4))]
    record(lake, state.ledger, readings)
    (old_file,) = lake.paths()

    changed = reading([10.0, 11.0], quarters(4)[2], MUCH_LATER + HOUR)
    same = reading([3.0], quarters(4)[3], MUCH_LATER + HOUR)
    assert record(lake, state.ledger, [changed, same]) == RecordedCounts(2, 1, 2, 1)

    first, second, third, fourth = quarters(4)
    assert current_rows(lake, state) == [
        (first, 0.0),
        (second, 1.0),
        (third, 10.0),
        (third, 11.0),
        (fourth, 3.0),
    ]
    (new_file,) = {window.file for window in ledger_rows(state)}
    assert new_file != old_file
    assert [window.read_count for window in ledger_rows(state)] == [1, 1, 2, 2]


def test_a_damaged_shared_file_is_not_copied_on(lake, state):
    readings = [reading([0.1], start, MUCH_LATER) for start in quarters(2)]
    record(lake, state.ledger, readings)
    (path,) = lake.paths()
    body = bytearray(lake.absolute(path).read_bytes())
    body[len(body) // 3] ^= 1
    lake.absolute(path).write_bytes(body)

    with pytest.raises(LakeError, match="is damaged"):
        record(lake, state.ledger, [reading([0.2], at=MUCH_LATER + HOUR)])


def test_a_file_says_all_that_the_ledger_knew_of_its_windows(lake, state):
    readings = [reading([0.1], start, MUCH_LATER, reason="because") for start in quarters(2)]
    record(lake, state.ledger, readings)

    (path,) = lake.paths()
    facts = json.loads(lake.facts(path)[FACTS])

    assert facts[0] == {
        "table_name": TABLE,
        "cluster": "prod",
        "window_start": "2026-03-01T00:00:00+00:00",
        "status": "final",
        "is_verified": True,
        "is_degraded": False,
        "reason": "because",
        "minutes_ratio": None,
        "row_count": 1,
        "total": "0.1000000000",
        "read_count": 1,
        "fetched_at": "2026-03-31T00:00:00+00:00",
        "next_read_at": None,
        "content_sha256": content_sha256(readings[0].tables[TABLE]),
    }
    assert [fact["window_start"][11:16] for fact in facts] == ["00:00", "00:15"]


def test_unknown_values_count_as_nothing_and_a_price_has_no_total(lake, state):
    record(lake, state.ledger, [reading([None, 0.1]), reading([0.1], table_name="raw.price")])

    known = state.ledger.day([TABLE, "raw.price"], "prod", MIDNIGHT.date())
    assert known[TABLE, MIDNIGHT].total == Decimal("0.1")
    assert known["raw.price", MIDNIGHT].total is None


def test_a_frozen_day_has_the_exact_sum_of_its_costs_where_it_has_any():
    costs = pa.array([Decimal("0.1"), None, Decimal("0.2")], pa.decimal128(28, 10))
    place = "prod", MIDNIGHT, SOON

    frozen = final_window("costs.daily", *place, pa.table({"total_cost": costs}))
    ratios = final_window("core.node_hourly", *place, pa.table({"memory_ratio": costs}))

    assert (frozen.status, frozen.row_count, frozen.total) == ("final", 3, Decimal("0.3"))
    assert ratios.total is None


class ForgetfulLake(Lake):
    """A lake that gives no row back."""

    def read(self, *arguments):
        return super().read(*arguments).slice(0, 0)


def test_a_file_that_cannot_be_read_back_is_refused(lake):
    rows = reading([0.1]).tables[TABLE]
    window = final_window(TABLE, "prod", MIDNIGHT, SOON, rows)

    with pytest.raises(LakeDamaged, match="does not hold what was written"):
        write_and_verify(ForgetfulLake(lake.root), window, rows)

    file, stored = write_and_verify(lake, window, rows)
    assert stored.file == file.path
    assert lake.read(file.path, file.file_sha256).equals(rows)


class CrashingLedger(Ledger):
    """Fails when it is to make files current."""

    def __init__(self, ledger: Ledger) -> None:
        self.__dict__.update(vars(ledger))

    def commit(self, *_arguments):
        raise Crash


@pytest.mark.parametrize("point", ["first file", "between files", "last file", "commit"])
def test_a_crash_shows_nothing_of_what_was_read(lake, state, point):
    record(lake, state.ledger, [reading([0.1])])
    before = current_rows(lake, state), *everything(lake, state)[:4]
    writes = {"first file": (1, False), "between files": (1, True), "last file": (2, True)}
    broken_lake = CrashingLake(lake.root, *writes[point]) if point in writes else lake
    ledger = state.ledger if point in writes else CrashingLedger(state.ledger)
    readings = [reading([0.2], start, at=SOON + HOUR) for start in quarters(2)]

    with pytest.raises(Crash):
        record(broken_lake, ledger, readings)
    assert (current_rows(lake, state), *everything(lake, state)[:4]) == before

    assert record(lake, state.ledger, readings) == RecordedCounts(2, 2, 2, 2)
    assert [cost for _, cost in current_rows(lake, state)] == [0.2, 0.2]


def test_of_many_writers_of_one_window_the_newest_reading_wins(lake, state):
    readings = [reading([float(n)], at=SOON + n * WINDOW) for n in range(6)]

    with ThreadPoolExecutor(3) as threads:
        list(threads.map(lambda own: record(lake, state.ledger, [own]), readings))

    assert current_rows(lake, state) == [(MIDNIGHT, 5.0)]


ANSWERS = st.lists(
    st.tuples(st.integers(0, 5), COSTS, st.integers(1, 30), st.booleans()), min_size=1, max_size=12
)


@contextmanager
def new_installation() -> Iterator[tuple[Lake, State]]:
    with tempfile.TemporaryDirectory() as folder:
        url = f"sqlite:///{folder}/state.db"
        with open_state(url, is_demo=False, currency="USD") as state:
            yield Lake(Path(folder) / "lake"), state


@profile(max_examples=100)
@given(answers=ANSWERS)
def test_the_lake_ends_equal_to_the_last_answers_of_a_source(answers):
    """Draw answers that grow, shrink and repeat; windows are read alone or with others."""
    source: dict[datetime, list[float | None]] = {}
    first: dict[datetime, Decimal | None] = {}
    now = MIDNIGHT + 2 * HOUR
    with new_installation() as (lake, state):
        for number, costs, hours, is_alone in answers:
            now += hours * HOUR
            start = MIDNIGHT + number * WINDOW
            source[start] = costs
            asked = [start] if is_alone else sorted(source)
            record(lake, state.ledger, [reading(source[at], at, now) for at in asked])
            first = {window.window_start: window.total for window in ledger_rows(state)} | first

        assert current_content(lake, state) == {
            at: content_sha256(reading(costs, at).tables[TABLE]) for at, costs in source.items()
        }
        assert add_up_changes(state, first) == {w.window_start: w.total for w in ledger_rows(state)}

        days, hours_, _, _, paths = everything(lake, state)
        again = [reading(costs, at, now + DAY) for at, costs in source.items()]
        record(lake, state.ledger, again)
        same_days, same_hours, _, _, same_paths = everything(lake, state)
        assert (same_days, same_hours, same_paths) == (days, hours_, paths)


def add_up_changes(
    state: State, first: Mapping[datetime, Decimal | None]
) -> dict[datetime, Decimal | None]:
    """Add up what each window said first, and every change since."""
    with state.snapshot() as contents:
        changes = contents.restatements(MIDNIGHT, MIDNIGHT + DAY).to_pylist()
    totals = dict(first)
    for change in changes:
        delta = change["new_total"] - change["old_total"]
        totals[change["window_start"]] = (totals[change["window_start"]] or 0) + delta
    return totals


@pytest.mark.parametrize("table_name", ["raw.allocation", "raw.asset", "raw.container_usage",
                                        "raw.volume_usage", "raw.price"])  # fmt: skip
def test_every_measure_is_a_column_of_its_table(table_name):
    assert MEASURES.get(table_name, "name") in tables()[table_name].columns
