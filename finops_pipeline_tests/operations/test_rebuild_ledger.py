"""A lost ledger is made anew from the lake: the same files are current, with the same rows."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from finops_pipeline import settings as configuration
from finops_pipeline.errors import StateError
from finops_pipeline.installation.context import Installation, open_installation
from finops_pipeline.installation.recording import record
from finops_pipeline.operations.compaction import REPLACED_STAY, compact, sweep
from finops_pipeline.operations.rebuild_ledger import rebuild_ledger
from finops_pipeline.state.database import State
from finops_pipeline.state.window import Window
from finops_pipeline.units import DAY, HOUR, WINDOW
from finops_pipeline_tests.installation.test_recording import (
    COSTS,
    MIDNIGHT,
    MUCH_LATER,
    SOON,
    TABLE,
    current_content,
    current_rows,
    ledger_rows,
    quarters,
    reading,
)

CONFIG = """
data_dir = "{folder}/data"

[[clusters]]
name = "prod"
opencost_url = "http://opencost"
prometheus_url = "http://prometheus"
"""
# What a history does next: read some windows again, wait, compact.
STEPS = st.lists(
    st.tuples(
        st.sampled_from(["one", "all", "compact", "sweep"]),
        st.integers(0, 5),
        COSTS,
        st.integers(1, 40),
    ),
    min_size=1,
    max_size=14,
)


@contextmanager
def opened(folder: Path, now: datetime, *, is_ledger_lost: bool = False) -> Iterator[Installation]:
    file = folder / "finops.toml"
    file.write_text(CONFIG.format(folder=folder))
    given = configuration.load(file, {})
    with open_installation(given, lambda: now, is_ledger_lost=is_ledger_lost) as installation:
        yield installation


def lose_ledger(folder: Path) -> None:
    for file in (folder / "data").glob("state.db*"):
        file.unlink()


def current(state: State) -> set[str]:
    return {file.path for file in state.ledger.current_files()}


def what_matters(window: Window) -> Window:
    """All but how often it said the same: a reading that says nothing new leaves no file."""
    return replace(window, status="", read_count=0, fetched_at=None, next_read_at=None)


@profile(max_examples=30)
@given(steps=STEPS)
def test_any_history_ends_in_the_same_ledger(steps):
    source: dict[datetime, list[float | None]] = {MIDNIGHT: [0.1]}
    now = MIDNIGHT + 2 * HOUR
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with opened(folder, now) as it:
            for step, number, costs, hours in steps:
                now += hours * HOUR
                play(it, step, source, MIDNIGHT + number * WINDOW, costs, now)
            before = current(it.state), current_content(it.lake, it.state), ledger_rows(it.state)
        lose_ledger(folder)

        with opened(folder, now, is_ledger_lost=True) as it:
            assert rebuild_ledger(it) == (len(before[0]), [])
            after = current(it.state), current_content(it.lake, it.state), ledger_rows(it.state)

    assert after[:2] == before[:2]
    assert list(map(what_matters, after[2])) == list(map(what_matters, before[2]))


def play(it, step, source, start, costs, now) -> None:
    """One step of a history; the first reads what all others need."""
    source[start] = costs
    asked = sorted(source) if step == "all" else [start]
    record(it.lake, it.state.ledger, [reading(source[at], at, now) for at in asked])
    if step == "compact":
        compact(it.lake, it.state.ledger, [TABLE], MUCH_LATER)
    if step == "sweep":
        sweep(it.lake, it.state.ledger, now, now - REPLACED_STAY)


def test_a_rebuilt_ledger_reads_on_where_the_lost_one_was(tmp_path):
    with opened(tmp_path, SOON) as it:
        record(it.lake, it.state.ledger, [reading([0.1])])
        before = ledger_rows(it.state)
    lose_ledger(tmp_path)

    with opened(tmp_path, SOON + HOUR, is_ledger_lost=True) as it:
        rebuild_ledger(it)

        assert ledger_rows(it.state) == before
        record(it.lake, it.state.ledger, [reading([0.2], at=SOON + HOUR)])
        (window,) = ledger_rows(it.state)
        assert (window.read_count, window.total) == (2, Decimal("0.2"))


def test_flipped_bytes_are_recognised_and_older_readings_are_read_again(tmp_path):
    with opened(tmp_path, SOON) as it:
        record(it.lake, it.state.ledger, [reading([0.1], start) for start in quarters(2)])
        record(it.lake, it.state.ledger, [reading([0.2], at=SOON + HOUR)])
        newest = it.lake.absolute(ledger_rows(it.state)[0].file or "")
    body = bytearray(newest.read_bytes())
    body[len(body) // 2] ^= 1
    newest.write_bytes(body)
    lose_ledger(tmp_path)

    with opened(tmp_path, SOON + DAY, is_ledger_lost=True) as it:
        damaged = rebuild_ledger(it)[1]

        assert [Path(path).name for path in damaged] == [newest.name]
        assert (tmp_path / "data" / "quarantine" / "lake" / damaged[0]).read_bytes() == body
        assert [cost for _, cost in current_rows(it.lake, it.state)] == [0.1, 0.1]
        due = it.state.ledger.due([TABLE], "prod", SOON + DAY, MIDNIGHT, MIDNIGHT + 2 * WINDOW)
        assert [window.kind for window in due] == ["to be read again"] * 2


def test_a_ledger_that_is_there_is_not_made_anew(tmp_path):
    with opened(tmp_path, SOON) as it:
        record(it.lake, it.state.ledger, [reading([0.1])])

        with pytest.raises(StateError, match="only an empty one"):
            rebuild_ledger(it)


def test_an_empty_lake_makes_an_empty_ledger(tmp_path):
    with opened(tmp_path, SOON, is_ledger_lost=True) as it:
        assert rebuild_ledger(it) == (0, [])
