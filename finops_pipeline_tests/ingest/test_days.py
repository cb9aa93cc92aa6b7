"""Days in one piece: read once, when their windows are final; lost when they are too old."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from http.server import BaseHTTPRequestHandler
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from finops_pipeline import settings as configuration
from finops_pipeline.catalog.raw_schemas import raw_schema
from finops_pipeline.errors import LakeDamaged
from finops_pipeline.ingest.days import due_days, read_days, request_days
from finops_pipeline.installation.context import Installation, open_installation
from finops_pipeline.installation.recording import record
from finops_pipeline.operations.compaction import compact
from finops_pipeline.operations.rebuild_ledger import rebuild_ledger
from finops_pipeline.operations.repair import repair
from finops_pipeline.sources.reading import Reading
from finops_pipeline.sources.retry import RetryBudget
from finops_pipeline.state.window import Window
from finops_pipeline.units import DAY, HOUR, WINDOW, rfc3339, windows
from finops_pipeline_tests import servers
from finops_pipeline_tests.demo_data import Clock
from finops_pipeline_tests.operations.ledgers import lose_ledger

MONDAY = datetime.fromisoformat("2026-11-23T00:00:00Z")
OVER = MONDAY + 2 * DAY + HOUR  # its windows have been read for the last time
TABLE = "raw.source_daily"
CONFIG = """
data_dir = "{folder}/data"

[[clusters]]
name = "prod"
opencost_url = "{url}"
prometheus_url = "http://127.0.0.1:9"
"""


@dataclass
class World:
    """An installation, its clock, and a source that says what a day costs."""

    folder: Path
    url: str
    clock: Clock = field(default_factory=lambda: Clock(OVER))
    cost: float = 96 * 0.1
    status: int = 200
    requests: list[str] = field(default_factory=list)

    def open_data(self, *, is_ledger_lost: bool = False):
        file = self.folder / "finops.toml"
        file.write_text(CONFIG.format(folder=self.folder, url=self.url))
        settings = configuration.load(file, {})
        return open_installation(settings, self.clock, is_ledger_lost=is_ledger_lost)

    def tick(self, installation: Installation) -> list[str]:
        """Read the days that are due; what went wrong."""
        (progress,) = read_days(installation, lambda until: RetryBudget(until, attempts=1))
        return progress.warnings()

    def day_window(self, installation: Installation, day: datetime = MONDAY) -> Window | None:
        return installation.state.ledger.day([TABLE], "prod", day.date()).get((TABLE, day))

    def respond(self, handler: BaseHTTPRequestHandler) -> None:
        path, parameters = servers.question(handler.path)
        span = dict(parameters)["window"]
        self.requests.append(span[:10])
        kind = "application/json"
        servers.send(handler, servers.Recorded(self.status, kind, self._body(path, span)))

    def _body(self, path: str, span: str) -> bytes:
        assert path == "/allocation"
        first, last = span.split(",")
        row = {
            "name": "shop/deployment:web",
            "properties": {"namespace": "shop", "controller": "web"},
            "window": {"start": first, "end": last},
            "minutes": 1440,
            "cpuCost": self.cost,
            "totalCost": self.cost,
        }
        rows = {row["name"]: row} if self.cost else {}
        return json.dumps({"code": 200, "data": [rows]}).encode()


@pytest.fixture
def world(tmp_path) -> Iterator[World]:
    worlds: list[World] = []
    with servers.responding(lambda handler: worlds[0].respond(handler)) as url:
        worlds.append(World(tmp_path, url))
        yield worlds[0]


def read_windows(installation: Installation, day: datetime = MONDAY, count: int = 96) -> None:
    """Record the windows of a day, each with a container at 0.1; all of them are final."""
    schema = raw_schema("raw.allocation")

    def rows(start: datetime) -> pa.Table:
        own: dict[str, Any] = {
            "cluster": "prod",
            "window_start": start,
            "allocation": "prod/a/shop/web-1/web",
            "node": "a",
            "namespace": "shop",
            "workload": "web",
            "minutes": 15.0,
            "source_cpu_cost": 0.1,
            "source_total_cost": 0.1,
        }
        return pa.Table.from_pylist([own], schema)

    starts = list(windows(day, day + count * WINDOW))
    at = day + 2 * DAY
    readings = [Reading("prod", start, at, {"raw.allocation": rows(start)}) for start in starts]
    record(installation.lake, installation.state.ledger, readings)


def lose_windows(installation: Installation, start: datetime, end: datetime) -> None:
    installation.state.ledger.lose(
        ["raw.allocation"], "prod", start, end, installation.clock(), "gone"
    )


def test_a_day_is_read_once(world):
    with world.open_data() as installation:
        read_windows(installation)
        assert world.tick(installation) == []
        assert world.tick(installation) == []

        day_window = world.day_window(installation)

    assert world.requests == ["2026-11-23"]
    assert day_window is not None
    assert (day_window.status, day_window.row_count, day_window.reason) == ("final", 1, None)
    assert (day_window.is_verified, day_window.is_degraded) == (True, False)
    assert float(day_window.total or 0) == pytest.approx(9.6)


def test_a_day_that_is_not_its_windows_is_degraded(world):
    world.cost = 9.7
    with world.open_data() as installation:
        read_windows(installation)
        world.tick(installation)

        day_window = world.day_window(installation)

    assert day_window is not None
    assert day_window.is_degraded
    assert "shop/web costs 9.70000 in one piece, its windows 9.60000" in str(day_window.reason)


def test_a_day_waits_for_all_of_its_windows(world):
    with world.open_data() as installation:
        read_windows(installation, count=95)
        world.tick(installation)
        assert world.requests == []

        last = Reading("prod", MONDAY + DAY - WINDOW, MONDAY + DAY + HOUR / 2, {
            "raw.allocation": raw_schema("raw.allocation").empty_table()
        })  # fmt: skip
        record(installation.lake, installation.state.ledger, [last])  # provisional
        world.tick(installation)
        assert world.requests == []

        lose_windows(installation, MONDAY + DAY - WINDOW, MONDAY + DAY)  # final as it was read
        world.tick(installation)
    assert world.requests == ["2026-11-23"]


def test_a_day_with_lost_windows_is_read_and_not_compared(world):
    with world.open_data() as installation:
        read_windows(installation, count=90)
        lose_windows(installation, MONDAY + 90 * WINDOW, MONDAY + DAY)
        world.tick(installation)

        day_window = world.day_window(installation)

    assert day_window is not None
    assert (day_window.status, day_window.is_verified, day_window.is_degraded) == (
        "final",
        False,
        False,
    )


def test_a_day_without_any_window_is_lost_unasked(world):
    with world.open_data() as installation:
        lose_windows(installation, MONDAY, MONDAY + DAY)
        world.tick(installation)

        day_window = world.day_window(installation)

    assert world.requests == []
    assert day_window is not None
    assert (day_window.status, day_window.reason) == ("lost", "no window of the day was read")


def test_a_day_that_the_source_has_forgotten_is_lost(world):
    world.cost = 0
    with world.open_data() as installation:
        read_windows(installation)
        world.tick(installation)
        world.tick(installation)

        day_window = world.day_window(installation)

    assert world.requests == ["2026-11-23"]
    assert day_window is not None
    assert day_window.status == "lost"
    assert "has forgotten it" in str(day_window.reason)


def test_a_source_that_fails_is_asked_at_the_next_tick_and_other_days_come_first(world):
    with world.open_data() as installation:
        read_windows(installation)
        read_windows(installation, MONDAY - DAY)
        world.status = 500
        (failure,) = world.tick(installation)
        day_window = world.day_window(installation, MONDAY - DAY)
        assert day_window is not None
        assert (day_window.status, day_window.failure) == ("absent", failure)

        world.status = 200
        assert world.tick(installation) == []

    assert world.requests == ["2026-11-22", "2026-11-23", "2026-11-22"]


def test_a_tick_reads_a_few_days_oldest_first(world):
    days = [MONDAY - n * DAY for n in range(4, -1, -1)]
    with world.open_data() as installation:
        for day in days:
            read_windows(installation, day)
        world.tick(installation)
        assert world.requests == [rfc3339(day)[:10] for day in days[:3]]
        world.tick(installation)

    assert world.requests == [rfc3339(day)[:10] for day in days]


def test_nothing_begins_that_the_tick_has_no_time_for(world):
    with world.open_data() as installation:
        read_windows(installation)
        read_days(installation, lambda _until: RetryBudget(until=0.0, clock=lambda: 1.0))

        assert due_days(installation, installation.settings.clusters[0]) == [MONDAY.date()]
    assert world.requests == []


def test_a_day_that_became_too_old_is_lost_and_asked_for_again_on_request(world):
    world.clock.now = MONDAY + 15 * DAY + HOUR
    with world.open_data() as installation:
        read_windows(installation)
        world.tick(installation)
        day_window = world.day_window(installation)
        assert day_window is not None
        assert day_window.status == "lost"
        assert "too old" in str(day_window.reason)

        request_days(installation, [MONDAY.date()])
        world.tick(installation)
        read = world.day_window(installation)

        assert installation.state.lookback.requested_days([TABLE]) == set()
    assert read is not None
    assert read.status == "final"


def test_a_rebuilt_ledger_knows_the_day_and_what_was_wrong_with_it(world):
    world.cost = 9.7
    with world.open_data() as installation:
        read_windows(installation)
        world.tick(installation)
        compact(installation.lake, installation.state.ledger, [TABLE, "raw.allocation"], OVER + DAY)
        before = world.day_window(installation)
    lose_ledger(world.folder)

    with world.open_data(is_ledger_lost=True) as installation:
        assert rebuild_ledger(installation)[1] == []
        assert world.day_window(installation) == before
        world.tick(installation)
    assert world.requests == ["2026-11-23"]


def test_a_damaged_day_is_read_again(world):
    with world.open_data() as installation:
        read_windows(installation)
        world.tick(installation)
        day_window = world.day_window(installation)
        assert day_window is not None
        assert day_window.file is not None
        installation.lake.absolute(day_window.file).unlink()
        with pytest.raises(LakeDamaged) as damage:
            installation.publish()
        repair(installation, damage.value)
        world.tick(installation)
        installation.publish()

        again = world.day_window(installation)

    assert again is not None
    assert (again.status, again.content_sha256) == ("final", day_window.content_sha256)
