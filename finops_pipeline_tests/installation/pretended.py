"""A source that says what a test wants, read by a real installation at a pretended time."""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory

import pyarrow as pa

from finops_pipeline import settings as configuration
from finops_pipeline.errors import ServerUnavailable
from finops_pipeline.ingest.windows import Progress, read_due
from finops_pipeline.installation.context import Installation, open_installation
from finops_pipeline.installation.source_registry import Clients, Source
from finops_pipeline.operations.compaction import compact_lake
from finops_pipeline.sources.reading import Reading
from finops_pipeline.sources.retry import RetryBudget
from finops_pipeline.state.window import Window
from finops_pipeline.units import DAY, windows
from finops_pipeline_tests.demo_data import Clock

TABLE = "raw.asset"
CLUSTER = "prod"

Costs = Sequence[float | None]
Say = Callable[[datetime, datetime], Costs]  # window, asked at

_SETTINGS = """
[ingest]
lookback_days = {lookback_days}

[[clusters]]
name = "prod"
opencost_url = "http://127.0.0.1:9"
prometheus_url = "http://127.0.0.1:9"
"""


@dataclass
class World:
    """A source, the installation that reads it, and the time of both.

    Args:
        installation: real, but for its clock.
        clock: what time it is.
        say: costs of a window at an instant; raises when the source is down.
        seconds: what an answer takes.
        requests: windows asked for, and when.
    """

    installation: Installation
    clock: Clock
    say: Say = lambda _window, _at: [1.0]
    seconds: float = 0.0
    requests: list[tuple[datetime, datetime]] = field(default_factory=list)
    _in_flight: threading.Lock = field(default_factory=threading.Lock)

    @property
    def source(self) -> Source:
        """The source as the pipeline sees it."""
        return Source("opencost", (TABLE,), self._read)

    def tick(self, start: datetime | None = None, end: datetime | None = None) -> Progress:
        """Read what is due, by default of all days, and tidy the lake."""
        now = self.clock()
        within = start or now - 400 * DAY, end or now + DAY
        (progress,) = read_due(
            self.source, self.installation, *within, self._budget, self._monotonic
        )
        compact_lake(self.installation)
        return progress

    def windows(self, start: datetime, end: datetime) -> dict[datetime, Window]:
        """Return the ledger's windows of a range."""
        by_start: dict[datetime, Window] = {}
        for day in {at.date() for at in windows(start, end)}:
            day_windows = self.installation.state.ledger.day([TABLE], CLUSTER, day)
            by_start |= {at: window for (_, at), window in day_windows.items() if start <= at < end}
        return by_start

    def statuses(self, start: datetime, end: datetime) -> set[str]:
        """Return the statuses of all windows of a range; ``none`` where one is unknown."""
        day_windows = self.windows(start, end)
        return {
            day_windows[at].status if at in day_windows else "none" for at in windows(start, end)
        }

    def _read(self, clients: Clients, window: datetime, at: datetime, _is_last: bool) -> Reading:
        self.requests.append((window, at))
        assert self._in_flight.acquire(blocking=False), "two requests at once to one cluster"
        try:
            self.clock.now += timedelta(seconds=self.seconds)
            return reading(window, at, self.say(window, at), clients.cluster.name)
        finally:
            self._in_flight.release()

    def _budget(self, until: float) -> RetryBudget:
        return RetryBudget(until, clock=self._monotonic, sleep=self._sleep)

    def _sleep(self, seconds: float) -> None:
        self.clock.now += timedelta(seconds=seconds)

    def _monotonic(self) -> float:
        return self.clock().timestamp()


def reading(window: datetime, at: datetime, costs: Costs, cluster: str = CLUSTER) -> Reading:
    """Assets with these costs, and nothing else."""
    rows = pa.table(
        {
            "window_start": pa.array([window] * len(costs), pa.timestamp("us", "UTC")),
            "source_total_cost": pa.array(costs, pa.float64()),
        }
    )
    return Reading(cluster, window, at, {TABLE: rows})


@contextmanager
def world(now: datetime, lookback_days: int = 14) -> Iterator[World]:
    """Open a new installation whose source says what a test wants."""
    clock = Clock(now)
    with TemporaryDirectory() as folder:
        file = Path(folder) / "finops.toml"
        file.write_text(_SETTINGS.format(lookback_days=lookback_days))
        settings = configuration.load(file, {"FINOPS_DATA_DIR": f"{folder}/data"})
        with open_installation(settings, clock) as installation:
            yield World(installation, clock)


def down(_window: datetime, _at: datetime) -> Costs:
    """Raise as a source does that does not answer."""
    raise ServerUnavailable("down")
