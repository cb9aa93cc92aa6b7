"""Ticks in processes of their own that are killed, and what must be true of the data afterwards.

One process imports everything and then forks for each tick: a start costs milliseconds. It is the
work of a tick without Dagster: read each source, tidy the lake, then fill, check and publish all
tables, and keep what is claimed.
"""

import json
import os
import random
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any, Self

import pandas as pd

from finops_pipeline import settings as configuration
from finops_pipeline.cli.demo import kubeconfig
from finops_pipeline.ingest.windows import read_due
from finops_pipeline.installation.context import Installation, open_installation
from finops_pipeline.installation.source_registry import SOURCES
from finops_pipeline.operations.claims import keep_claims
from finops_pipeline.operations.compaction import compact_lake
from finops_pipeline.queries.published import ask, open_published
from finops_pipeline.state.window import Key, Window
from finops_pipeline.units import WINDOW, windows
from finops_pipeline_tests import programs
from finops_pipeline_tests.demo_data import CONFIG

# Where a process dies: a function, whether it is entered or left, and how often before.
POINTS = {
    "a file is not yet written": ("_write_durably", "call", 2),
    "a file is written, its window not current": ("Lake.write", "return", 2),
    "all files are written, none is current": ("Ledger.commit", "call", 1),
    "within the commit": ("_make_current", "return", 1),
    "a source is recorded": ("record", "return", 1),
    "between two tables": ("Warehouse._refresh", "return", 12),
    "a table is emptied, not filled": ("Filler._delete", "return", 2),
    "all tables are filled, none is checked": ("Warehouse.refresh", "return", 1),
    "checked, not published": ("_store_publication", "return", 1),
    "copied, not renamed": ("copyfile", "return", 1),
    "renamed": ("_replace", "return", 1),
    "a claim is written, the ledger does not name it": ("write_and_verify", "return", 1),
    "a claim is kept": ("append", "return", 1),
}


@dataclass(frozen=True)
class Home:
    """A folder with settings and data, read by ticks that may die."""

    folder: Path
    start: datetime  # of the first window that is read

    @contextmanager
    def open_data(self, now: datetime) -> Iterator[Installation]:
        """Open its installation."""
        data = {"FINOPS_DATA_DIR": str(self.folder / "data")}
        settings = configuration.load(self.folder / "finops.toml", data)
        with open_installation(settings, lambda: now) as installation:
            yield installation

    def tick(self, now: datetime) -> None:
        """Do all that a tick does, in this process."""
        self.publish(now)
        with self.open_data(now) as installation:
            keep_claims(installation)

    def publish(self, now: datetime) -> None:
        """Do what a tick does until it has published."""
        with self.open_data(now) as installation:
            for source in SOURCES:
                read_due(source, installation, self.start, now)
            compact_lake(installation)
            installation.publish()

    def claim_files(self, now: datetime) -> list[str]:
        """List the current files of the scorecard as it was said."""
        with self.open_data(now) as installation:
            files = installation.state.ledger.current_files()
            return [file.path for file in files if file.table_name == "raw.scorecard"]

    def ledger_windows(self, now: datetime) -> dict[Key, Window]:
        """Return the ledger's row of every window."""
        names = [name for source in SOURCES for name in source.tables]
        days = sorted({at.date() for at in windows(self.start, now)})
        with self.open_data(now) as installation:
            ledger, rows = installation.state.ledger, dict[Key, Window]()
            for day in days:
                rows |= ledger.day(names, "demo", day)
        return rows

    def costs(self) -> list[dict[str, Any]]:
        """Return hours and days as published; sums of hours used depend on the order of rows."""
        exact = "columns(name -> not regexp_matches(name, '_(hours|count)$'))"
        queries = [f"select {exact} from costs.{name} order by all" for name in ("hourly", "daily")]
        with open_published(self.folder / "data") as connection:
            return [row for query in queries for row in ask(connection, query).dicts()]


def home(folder: Path, port: int, start: datetime) -> Home:
    """Write the settings of a new installation that reads the embedded cluster behind a port."""
    folder.mkdir(parents=True)
    url = f"http://127.0.0.1:{port}"
    (folder / "finops.toml").write_text(CONFIG.format(url=url, folder=folder))
    (folder / "kubeconfig").write_text(kubeconfig(port))
    return Home(folder, start)


class Ticks:
    """Runs ticks, one at a time, in children that can be killed."""

    def __init__(self) -> None:
        command = [sys.executable, "-m", __name__]
        pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
        self._parent = subprocess.Popen(command, text=True, cwd=programs.ROOT, **pipes)  # type: ignore[call-overload]
        self._read_line()  # its imports are done

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._parent.stdin.close()
        self._parent.wait()
        self._parent.stdout.close()

    def run(
        self, home: Home, now: datetime, kill_after: float | None = None, point: str = ""
    ) -> int:
        """Run a tick to its end, or to its death.

        Args:
            home: whose.
            now: what time it is for it.
            kill_after: seconds until it is killed, if it is still running then.
            point: of ``POINTS``: it dies there.

        Returns:
            0, or minus the number of the signal that ended it.
        """
        order = {"folder": str(home.folder), "start": str(home.start), "now": str(now)}
        self._parent.stdin.write(json.dumps(order | {"point": point}) + "\n")
        self._parent.stdin.flush()
        pid = int(self._read_line())
        if kill_after is not None:
            time.sleep(kill_after)
            os.kill(pid, signal.SIGKILL)  # not yet waited for: the number is still its own
            self._parent.stdin.write("\n")
        else:
            self._parent.stdin.write("\n")
        self._parent.stdin.flush()
        return int(self._read_line())

    def _read_line(self) -> str:
        line: str = self._parent.stdout.readline()
        assert line, "the parent of all ticks is gone"
        return line


@dataclass(frozen=True)
class Damage:
    """Damage that a kill must not leave: each is a number of windows, and none is right."""

    lost: int
    torn: int
    doubled: int


def damage(home: Home, before: dict[Key, Window], now: datetime) -> Damage:
    """Compare lake and ledger with what was acknowledged before a kill."""
    after = home.ledger_windows(now)
    lost = [key for key, old in before.items() if old.file and not _is_kept(old, after.get(key))]
    rows: Counter[Key] = Counter()
    with home.open_data(now) as installation:
        names = {name for name, _ in after}
        current = installation.state.ledger.current_files()
        files = [file for file in current if file.table_name in names]
        for file in files:
            table = installation.lake.read(file.path, file.file_sha256)  # refuses a torn file
            name = file.table_name
            for at in table["window_start"].to_pylist():
                rows[name, at] += 1
    paths = {file.path for file in files}
    held = {key: window.row_count or 0 for key, window in after.items() if window.file in paths}
    named = {key for key, window in after.items() if window.file}
    torn = [key for key in named if key not in held or rows[key] < held[key]]
    doubled = [key for key, count in rows.items() if count > held.get(key, 0)]
    return Damage(len(lost), len(torn), len(doubled))


@dataclass(frozen=True)
class Outcome:
    """The state of the data after a tick was killed."""

    now: datetime
    damage: Damage
    start_seconds: float  # until the next process could write


def killed_ticks(home: Home, ticks: Ticks, first: datetime, kills: int) -> Iterator[Outcome]:
    """Ticks a window apart, each killed at a random moment; what was true after each.

    Args:
        home: not read yet.
        ticks: run by it.
        first: when the first tick runs, to its end.
        kills: how many follow.
    """
    moments, now = random.Random(7), first
    began = time.monotonic()
    assert ticks.run(home, now) == 0
    longest = time.monotonic() - began
    while kills:
        now += WINDOW
        before = home.ledger_windows(now)
        ended = ticks.run(home, now, kill_after=moments.uniform(0, longest))
        if ended == 0:  # it was faster: the first tick took longer than others do
            longest *= 0.9
            continue
        assert ended == -signal.SIGKILL
        kills -= 1
        began = time.monotonic()
        with home.open_data(now) as installation, installation.warehouse():
            start_seconds = time.monotonic() - began
        yield Outcome(now, damage(home, before, now), start_seconds)


def _is_kept(old: Window, new: Window | None) -> bool:
    return new is not None and new.file is not None and new.read_count >= old.read_count


def pandas_total(home: Home) -> float:
    """Add up, without DuckDB, what the source says that nodes and disks cost."""
    with home.open_data(home.start) as installation:
        assets = (
            file.path
            for file in installation.state.ledger.current_files()
            if file.table_name == "raw.asset"
        )
        files = [*map(installation.lake.absolute, assets)]
    rows = pd.concat(map(pd.read_parquet, files))
    return float(rows[rows["asset_kind"] != "load_balancer"]["source_total_cost"].sum())


def serve() -> None:
    """Fork a tick for each line that asks for one."""
    print("ready", flush=True)
    for line in sys.stdin:
        order = json.loads(line)
        pid = os.fork()
        if not pid:
            _tick_and_exit(order)
        print(pid, flush=True)
        sys.stdin.readline()  # killed, or left alone
        _, status = os.waitpid(pid, 0)
        print(os.waitstatus_to_exitcode(status), flush=True)


def _tick_and_exit(order: dict[str, str]) -> None:
    if order["point"]:
        die = _dying(*POINTS[order["point"]])
        threading.setprofile(die)
        sys.setprofile(die)
    start, now = (datetime.fromisoformat(order[name]) for name in ("start", "now"))
    status = 1
    try:
        Home(Path(order["folder"]), start).tick(now)
        status = 0
    finally:
        if status:
            traceback.print_exc()
        os._exit(status)  # not back into the loop of the parent


def _dying(function: str, event: str, times: int) -> Any:
    """Return a profiler that kills its process."""
    left = [times]

    def profile(frame: FrameType, happened: str, _argument: object) -> None:
        if happened == event and frame.f_code.co_qualname == function:
            left[0] -= 1
            if not left[0]:
                os.kill(os.getpid(), signal.SIGKILL)

    return profile


if __name__ == "__main__":
    serve()
