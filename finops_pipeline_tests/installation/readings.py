"""Readings of a few rows, and what lake and ledger hold of them."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import strategies as st

from finops_pipeline.lake.content_hash import content_sha256
from finops_pipeline.lake.files import Lake
from finops_pipeline.sources.reading import Reading
from finops_pipeline.state.database import State
from finops_pipeline.state.window import Window
from finops_pipeline.units import DAY, WINDOW

MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)


SOON = MIDNIGHT + 20 * timedelta(minutes=1)  # the first window has settled


MUCH_LATER = MIDNIGHT + 30 * DAY  # every window of the day is final at once


TABLE = "raw.asset"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def reading(costs, start=MIDNIGHT, at=SOON, table_name=TABLE, **verdict) -> Reading:
    rows = pa.table(
        {
            "window_start": pa.array([start] * len(costs), pa.timestamp("us", "UTC")),
            "source_total_cost": pa.array(costs, pa.float64()),
        }
    )
    return Reading("prod", start, at, {table_name: rows}, **verdict)


def quarters(count: int) -> list[datetime]:
    return [MIDNIGHT + step * WINDOW for step in range(count)]


def current_rows(lake: Lake, state: State) -> list[tuple[datetime, float | None]]:
    """Return the rows of all current files, which readers see."""
    with state.snapshot() as contents:
        paths = [file.path for file in contents.current_files(TABLE, MIDNIGHT, MIDNIGHT + DAY)]
    rows = [row for path in paths for row in lake.read(path).to_pylist()]
    return sorted((row["window_start"], row["source_total_cost"]) for row in rows)


def ledger_rows(state: State) -> list[Window]:
    rows = state.ledger.day([TABLE], "prod", MIDNIGHT.date()).values()
    return sorted(rows, key=lambda window: window.window_start)


class Crash(BaseException):
    """The process is gone."""


class CrashingLake(Lake):
    """Fails at its n-th file, before or after it is on disk."""

    def __init__(self, root: Path, writes: int, is_written: bool) -> None:
        super().__init__(root)
        self.writes, self.is_written = writes, is_written

    def write(self, *arguments):
        self.writes -= 1
        file = super().write(*arguments) if self.writes or self.is_written else None
        if not self.writes:
            raise Crash
        return file


COSTS = st.lists(st.none() | st.integers(-100_000, 10**9).map(lambda n: n / 1e5), max_size=3)


def current_content(lake: Lake, state: State) -> dict[datetime, str]:
    """Hash of the rows of each window, as the current files hold them."""
    with state.snapshot() as contents:
        paths = [file.path for file in contents.current_files(TABLE, MIDNIGHT, MIDNIGHT + DAY)]
    rows = pa.concat_tables([lake.read(path) for path in paths])
    starts = [window.window_start for window in ledger_rows(state)]
    return {at: content_sha256(rows.filter(pc.field("window_start") == at)) for at in starts}
