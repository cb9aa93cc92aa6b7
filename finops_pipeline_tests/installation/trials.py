"""Trials: one fault at a time on the way from a source to the ledger, and what it did there."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from time import monotonic

from finops_pipeline import settings as configuration
from finops_pipeline.ingest.windows import read_due
from finops_pipeline.installation.context import Installation, open_installation
from finops_pipeline.installation.source_registry import OPENCOST, PROMETHEUS, Source, open_clients
from finops_pipeline.lake.content_hash import content_sha256
from finops_pipeline.simulation.server import serve
from finops_pipeline.sources.retry import RetryBudget
from finops_pipeline.state.window import ABSENT, Window
from finops_pipeline.units import WINDOW, window_start
from finops_pipeline_tests.faults import HUGE, KINDS, PLACES, RIGHT, FaultyServer, faulty_server
from finops_pipeline_tests.installation.homes import DAY

# Whose reading asks that question.
SOURCES: Mapping[str, Source] = {
    "allocation": OPENCOST,
    "assets": OPENCOST,
    "presence": OPENCOST,
    "container_usage": PROMETHEUS,
    "volume_usage": PROMETHEUS,
    "price": PROMETHEUS,
}
CASES = [(kind, place) for kind in KINDS for place in PLACES]
PATIENT = partial(RetryBudget, answer_seconds=30.0, attempts=1)
# Long enough for the other cluster to answer.
IMPATIENT = partial(RetryBudget, answer_seconds=1.0, total_seconds=3.3, attempts=2)
MOST_OVERRUN_SECONDS = 5.0

_CONFIG = """
data_dir = "{folder}/data"

[[clusters]]
name = "alpha"
opencost_url = "{alpha}/opencost"
prometheus_url = "{alpha}/prometheus"

[[clusters]]
name = "beta"
opencost_url = "{beta}/opencost"
prometheus_url = "{beta}/prometheus"
"""


@dataclass(frozen=True)
class Verdict:
    """The consequences of a fault.

    Args:
        overrun_seconds: what the reading took beyond its deadlines.
        is_silent: something else than the right answer was kept.
        mistakes: what should be otherwise, ``is_silent`` among it.
    """

    overrun_seconds: float
    is_silent: bool
    mistakes: list[str]


@dataclass
class Ward:
    """Clusters alpha, which can be made faulty, and beta, and an installation that reads both."""

    server: FaultyServer
    installation: Installation
    times: list[datetime]  # the last is now

    def endure(self, kind: str, place: str) -> Verdict:
        """Read the next window while a question of alpha is answered wrongly, then again healed."""
        start, source = window_start(self.times[-1]) - WINDOW, SOURCES[place]
        right = self._right(source, start)
        began = monotonic()
        budget = PATIENT if kind in HUGE else IMPATIENT
        with self.server.faulty(place, kind):
            read_due(source, self.installation, start, start + WINDOW, budget)
        seconds = monotonic() - began
        windows = self._windows(source, start, "alpha")
        held = {window.table_name: window.content_sha256 for window in windows if window.file}
        mistakes = list(self._mistakes(kind, place, windows))
        is_silent = any(right[name] != content for name, content in held.items())
        mistakes += ["something else than the right answer was kept"] * is_silent
        if any(not window.file for window in self._windows(source, start, "beta")):
            mistakes.append("the other cluster was not read")
        mistakes += self._healing(source, start, right)
        self.times.append(self.times[-1] + WINDOW)
        return Verdict(max(0.0, seconds - _most_seconds(budget())), is_silent, mistakes)

    def _mistakes(self, kind: str, place: str, windows: list[Window]) -> Iterator[str]:
        outcome = KINDS[kind].outcome
        is_kept = outcome == RIGHT or place == "presence"
        if any(bool(window.file) != is_kept for window in windows):
            yield "should be kept" if is_kept else "should be refused, all tables of it"
        if is_kept and any(window.is_verified != (outcome == RIGHT) for window in windows):
            yield "should be verified if Prometheus answered, and only then"
        for window in windows if not is_kept else ():
            failure = window.failure or ""
            named = ("cluster alpha: ", f" {self.server.url}/", outcome)
            if window.status != ABSENT or any(name not in failure for name in named):
                yield f"should be absent because of {outcome!r}, is {window.status}: {failure}"
        yield from self._torn(windows)

    def _torn(self, windows: list[Window]) -> Iterator[str]:
        root = self.installation.lake.root
        for window in windows:
            place = f"{window.table_name}/window/cluster=alpha/date={window.window_start:%Y-%m-%d}"
            files = list(root.glob(f"{place}/{window.window_start:%H%M}-*"))
            if [str(file.relative_to(root)) for file in files] != [window.file] * bool(window.file):
                yield f"files that the ledger does not name: {files}"

    def _healing(self, source: Source, start: datetime, right: Mapping[str, str]) -> Iterator[str]:
        """Yield a mistake where a refused window is not due, or not read as if nothing had been."""
        read_due(source, self.installation, start, start + WINDOW)
        windows = self._windows(source, start, "alpha")
        if {window.table_name: window.content_sha256 for window in windows} != right:
            yield "should be right when healed"

    def _right(self, source: Source, start: datetime) -> dict[str, str]:
        with open_clients(self.installation.settings.clusters[0]) as clients:
            tables = source.read(clients, start, start, False).tables
        return {name: content_sha256(rows) for name, rows in tables.items()}

    def _windows(self, source: Source, start: datetime, cluster: str) -> list[Window]:
        day = self.installation.state.ledger.day(source.tables, cluster, start.date())
        of_window = [window for window in day.values() if window.window_start == start]
        assert len(of_window) == len(source.tables)
        return of_window


def _most_seconds(budget: RetryBudget) -> float:
    """Return the time of two questions where each attempt meets its deadline."""
    return 2 * budget.attempts * budget.answer_seconds


@contextmanager
def ward(folder: Path) -> Iterator[Ward]:
    """Open a ward that has read nothing; the first window is that of the beginning of a day."""
    times, end = [DAY + timedelta(minutes=20)], DAY + timedelta(days=30)
    with (
        faulty_server(DAY.date(), "alpha", lambda: end) as alpha,
        serve(anchor=DAY.date(), cluster_name="beta", clock=lambda: end) as beta,
    ):
        file = folder / "finops.toml"
        file.write_text(_CONFIG.format(folder=folder, alpha=alpha.url, beta=beta.url))
        settings = configuration.load(file, {})
        with open_installation(settings, lambda: times[-1]) as installation:
            yield Ward(alpha, installation, times)
