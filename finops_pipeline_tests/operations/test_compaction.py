"""Finished days become one file; files that the ledger no longer names go after two days."""

import errno
import os
from collections.abc import Iterable
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from finops_pipeline.errors import DiskFull
from finops_pipeline.installation.recording import record
from finops_pipeline.lake.files import Lake
from finops_pipeline.operations.compaction import (
    REPLACED_STAY,
    compact,
    compact_lake,
    sweep,
    tidy_lake,
    unreferenced_before,
)
from finops_pipeline.operations.repair import repair_damage
from finops_pipeline.units import DAY, HOUR
from finops_pipeline_tests.installation.pretended import world
from finops_pipeline_tests.installation.readings import (
    MUCH_LATER,
    SOON,
    TABLE,
    Crash,
    CrashingLake,
    current_rows,
    lake,
    ledger_rows,
    reading,
)
from finops_pipeline_tests.operations.read_windows import (
    read_again_for_the_last_time,
    read_quarters,
)
from finops_pipeline_tests.state.databases import postgresql_server, state, state_url

__all__ = ["lake", "postgresql_server", "state", "state_url"]


def nightly(instant: datetime) -> datetime:
    return instant.replace(hour=3)


def test_a_finished_day_becomes_one_file_with_the_same_rows(lake, state):
    read_quarters(lake, state, 3)
    read_again_for_the_last_time(lake, state, 3)
    before, windows = current_rows(lake, state), ledger_rows(state)
    assert len({window.file for window in windows}) == 3

    assert compact(lake, state.ledger, [TABLE], MUCH_LATER) == 1

    after = ledger_rows(state)
    assert len({window.file for window in after}) == 1
    assert current_rows(lake, state) == before
    assert [replace(window, file=None) for window in after] == [
        replace(window, file=None) for window in windows
    ]
    assert compact(lake, state.ledger, [TABLE], MUCH_LATER) == 0


def test_compaction_recomputes_nothing(lake, state):
    read_quarters(lake, state, 2)
    read_again_for_the_last_time(lake, state, 2)
    with state.snapshot() as contents:
        before = contents.day_hashes()

    compact(lake, state.ledger, [TABLE], MUCH_LATER)

    with state.snapshot() as contents:
        assert contents.day_hashes() == before


def test_a_day_that_may_still_change_stays_in_files_of_its_own(lake, state):
    read_quarters(lake, state, 2)

    assert compact(lake, state.ledger, [TABLE], MUCH_LATER) == 0

    assert len({window.file for window in ledger_rows(state)}) == 2


def test_a_compacted_day_takes_a_later_reading(lake, state):
    read_quarters(lake, state, 2)
    read_again_for_the_last_time(lake, state, 2)
    compact(lake, state.ledger, [TABLE], MUCH_LATER)

    record(lake, state.ledger, [reading([0.5], at=MUCH_LATER + HOUR)])

    assert [cost for _, cost in current_rows(lake, state)] == [0.5, 0.1, 0.2]
    assert len({window.file for window in ledger_rows(state)}) == 1


def sweep_now(lake, state, now) -> None:
    """Sweep as in a tick right after a publication."""
    sweep(lake, state.ledger, now, now - REPLACED_STAY)


def test_files_are_swept_two_days_after_they_were_replaced(lake, state):
    record(lake, state.ledger, [reading([0.1])])
    record(lake, state.ledger, [reading([0.2], at=SOON + HOUR)])
    (current,) = {window.file for window in ledger_rows(state)}

    sweep_now(lake, state, SOON + HOUR + 2 * DAY)
    assert len(list(lake.paths())) == 2
    sweep_now(lake, state, SOON + HOUR + 2 * DAY + timedelta(seconds=1))
    assert list(lake.paths()) == [current]


def test_files_of_a_publication_stay_for_as_long_as_no_newer_one_takes_its_place(tmp_path):
    published = tmp_path / "finops.duckdb"
    assert unreferenced_before(SOON, published) == SOON - 2 * DAY

    published.touch()
    os.utime(published, (SOON.timestamp(),) * 2)

    assert unreferenced_before(SOON + HOUR, published) == SOON - 2 * DAY
    assert unreferenced_before(SOON + 30 * DAY, published) == SOON - 2 * DAY
    assert unreferenced_before(SOON - HOUR, published) == SOON - HOUR - 2 * DAY


def test_a_file_that_a_crash_left_is_swept_after_two_days(lake, state):
    left = CrashingLake(lake.root, 1, True)
    with pytest.raises(Crash):
        record(left, state.ledger, [reading([0.1])])

    sweep_now(lake, state, nightly(datetime.now(UTC) + DAY))
    assert len(list(lake.paths())) == 1
    sweep_now(lake, state, nightly(datetime.now(UTC) + 4 * DAY))
    assert list(lake.paths()) == []


def test_the_lake_of_all_sources_is_compacted_and_swept():
    names = [TABLE, "raw.price"]  # of two sources
    with world(MUCH_LATER) as system:
        lake, state = system.installation.lake, system.installation.state
        for name in names:
            read_quarters(lake, state, 3, table_name=name)
            read_again_for_the_last_time(lake, state, 3, table_name=name)

        compact_lake(system.installation)
        current = {file.path for file in state.ledger.current_files()}
        assert len(current) == len(names)
        assert len(list(lake.paths())) == len(names) * 4

        system.clock.now += 2 * DAY + HOUR
        compact_lake(system.installation)
        assert set(lake.paths()) == current


class ReadOnlyLake(Lake):
    """A lake from which nothing can be deleted."""

    def remove(self, paths: Iterable[str]) -> None:
        raise PermissionError(errno.EACCES, "Permission denied", *paths)


def test_a_lake_that_cannot_be_tidied_is_said_and_stops_nothing():
    with world(MUCH_LATER) as system:
        lake, state = system.installation.lake, system.installation.state
        read_quarters(lake, state, 3)
        read_again_for_the_last_time(lake, state, 3)
        compact_lake(system.installation)
        system.clock.now += 2 * DAY + HOUR
        read_only = replace(system.installation, lake=ReadOnlyLake(lake.root))

        assert "could not be tidied: [Errno 13] Permission denied" in (tidy_lake(read_only) or "")

        assert tidy_lake(system.installation) is None


def test_a_full_disk_frees_what_nothing_names_any_more():
    # The step that sweeps is skipped where one before it has failed.
    with world(MUCH_LATER) as system:
        lake, state = system.installation.lake, system.installation.state
        read_quarters(lake, state, 3)
        read_again_for_the_last_time(lake, state, 3)
        compact_lake(system.installation)
        current = {file.path for file in state.ledger.current_files()}
        assert set(lake.paths()) > current

        system.clock.now += 2 * DAY + HOUR
        with pytest.raises(DiskFull), repair_damage(system.installation):
            raise OSError(errno.ENOSPC, "no space left")

        assert set(lake.paths()) == current
