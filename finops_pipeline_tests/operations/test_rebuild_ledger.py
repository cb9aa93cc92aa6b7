"""A lost ledger is made anew from the lake: the same files are current, with the same rows."""

import tempfile
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import settings as profile
from hypothesis import strategies as st

from finops_pipeline.errors import StateError
from finops_pipeline.installation.context import Installation
from finops_pipeline.installation.recording import record
from finops_pipeline.operations.compaction import REPLACED_STAY, compact, sweep
from finops_pipeline.operations.rebuild_ledger import rebuild_ledger
from finops_pipeline.state.database import State
from finops_pipeline.state.window import Window
from finops_pipeline.units import DAY, HOUR, WINDOW
from finops_pipeline_tests.installation.readings import (
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
from finops_pipeline_tests.operations.ledgers import lose_ledger, open_data

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


def current(state: State) -> set[str]:
    return {file.path for file in state.ledger.current_files()}


def everything(installation: Installation):
    lake, state = installation.lake, installation.state
    return current(state), current_content(lake, state), ledger_rows(state)


def without_counts(window: Window) -> Window:
    """Leave out how often a window said the same: such a reading leaves no file."""
    return replace(window, status="", read_count=0, fetched_at=None, next_read_at=None)


@profile(max_examples=30)
@given(steps=STEPS)
def test_any_history_ends_in_the_same_ledger(steps):
    source: dict[datetime, list[float | None]] = {MIDNIGHT: [0.1]}
    now = MIDNIGHT + 2 * HOUR
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with open_data(folder, now) as installation:
            for step, number, costs, hours in steps:
                now += hours * HOUR
                play(installation, step, source, MIDNIGHT + number * WINDOW, costs, now)
            before = (
                current(installation.state),
                current_content(installation.lake, installation.state),
                ledger_rows(installation.state),
            )
        lose_ledger(folder)

        with open_data(folder, now, is_ledger_lost=True) as installation:
            assert rebuild_ledger(installation) == (len(before[0]), [])
            after = (
                current(installation.state),
                current_content(installation.lake, installation.state),
                ledger_rows(installation.state),
            )

    assert after[:2] == before[:2]
    assert list(map(without_counts, after[2])) == list(map(without_counts, before[2]))


def play(installation, step, source, start, costs, now) -> None:
    """Do one step of a history; the first reads what all others need."""
    source[start] = costs
    starts = sorted(source) if step == "all" else [start]
    record(
        installation.lake,
        installation.state.ledger,
        [reading(source[at], at, now) for at in starts],
    )
    if step == "compact":
        compact(installation.lake, installation.state.ledger, [TABLE], MUCH_LATER)
    if step == "sweep":
        sweep(installation.lake, installation.state.ledger, now, now - REPLACED_STAY)


def test_a_rebuilt_ledger_reads_on_where_the_lost_one_was(tmp_path):
    with open_data(tmp_path, SOON) as installation:
        record(installation.lake, installation.state.ledger, [reading([0.1])])
        before = ledger_rows(installation.state)
    lose_ledger(tmp_path)

    with open_data(tmp_path, SOON + HOUR, is_ledger_lost=True) as installation:
        rebuild_ledger(installation)

        assert ledger_rows(installation.state) == before
        record(installation.lake, installation.state.ledger, [reading([0.2], at=SOON + HOUR)])
        (window,) = ledger_rows(installation.state)
        assert (window.read_count, window.total) == (2, Decimal("0.2"))


def test_flipped_bytes_are_recognised_and_older_readings_are_read_again(tmp_path):
    with open_data(tmp_path, SOON) as installation:
        record(
            installation.lake,
            installation.state.ledger,
            [reading([0.1], start) for start in quarters(2)],
        )
        record(installation.lake, installation.state.ledger, [reading([0.2], at=SOON + HOUR)])
        newest = installation.lake.absolute(ledger_rows(installation.state)[0].file or "")
    body = bytearray(newest.read_bytes())
    body[len(body) // 2] ^= 1
    newest.write_bytes(body)
    lose_ledger(tmp_path)

    with open_data(tmp_path, SOON + DAY, is_ledger_lost=True) as installation:
        damaged = rebuild_ledger(installation)[1]

        assert [Path(path).name for path in damaged] == [newest.name]
        assert (tmp_path / "data" / "quarantine" / "lake" / damaged[0]).read_bytes() == body
        assert [cost for _, cost in current_rows(installation.lake, installation.state)] == [
            0.1,
            0.1,
        ]
        due = installation.state.ledger.due(
            [TABLE], "prod", SOON + DAY, MIDNIGHT, MIDNIGHT + 2 * WINDOW
        )
        assert [window.kind for window in due] == ["to be read again"] * 2


def test_a_ledger_that_is_there_is_not_made_anew(tmp_path):
    with open_data(tmp_path, SOON) as installation:
        record(installation.lake, installation.state.ledger, [reading([0.1])])

        with pytest.raises(
            StateError, match="is not lost, it names files of the lake: move it away"
        ):
            rebuild_ledger(installation)


def test_an_empty_lake_makes_an_empty_ledger(tmp_path):
    with open_data(tmp_path, SOON, is_ledger_lost=True) as installation:
        assert rebuild_ledger(installation) == (0, [])
