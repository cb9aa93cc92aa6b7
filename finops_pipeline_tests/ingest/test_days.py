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
from finops_pipeline_tests.operations.test_rebuild_ledger import lose_ledger

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
    asked: list[str] = field(default_factory=list)

    def opened(self, *, is_ledger_lost: bool = False):
        file = self.folder / "finops.toml"
        file.write_text(CONFIG.format(folder=self.folder, url=self.url))
        given = configuration.load(file, {})
        return open_installation(given, self.clock, is_ledger_lost=is_ledger_lost)

    def tick(self, it: Installation) -> list[str]:
        """Read the days that are due; what went wrong."""
        (given,) = read_days(it, lambda until: RetryBudget(until, attempts=1))
        return given.warnings()

    def known(self, it: Installation, day: datetime = MONDAY) -> Window | None:
        return it.state.ledger.day([TABLE], "prod", day.date()).get((TABLE, day))

    def respond(self, handler: BaseHTTPRequestHandler) -> None:
        path, parameters = servers.question(handler.path)
        span = dict(parameters)["window"]
        self.asked.append(span[:10])
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
    made: list[World] = []
    with servers.responding(lambda handler: made[0].respond(handler)) as url:
        made.append(World(tmp_path, url))
        yield made[0]


def read_windows(it: Installation, day: datetime = MONDAY, count: int = 96) -> None:
    """The windows of a day, each with a container at 0.1; all of them are final."""
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
    said = [Reading("prod", start, at, {"raw.allocation": rows(start)}) for start in starts]
    record(it.lake, it.state.ledger, said)


def lose_windows(it: Installation, start: datetime, end: datetime) -> None:
    it.state.ledger.lose(["raw.allocation"], "prod", start, end, it.clock(), "gone")


def test_a_day_is_read_once(world):
    with world.opened() as it:
        read_windows(it)
        assert world.tick(it) == []
        assert world.tick(it) == []

        known = world.known(it)

    assert world.asked == ["2026-11-23"]
    assert known is not None
    assert (known.status, known.row_count, known.reason) == ("final", 1, None)
    assert (known.is_verified, known.is_degraded) == (True, False)
    assert float(known.total or 0) == pytest.approx(9.6)


def test_a_day_that_is_not_its_windows_is_degraded(world):
    world.cost = 9.7
    with world.opened() as it:
        read_windows(it)
        world.tick(it)

        known = world.known(it)

    assert known is not None
    assert known.is_degraded
    assert "shop/web costs 9.70000 in one piece, its windows 9.60000" in str(known.reason)


def test_a_day_waits_for_all_of_its_windows(world):
    with world.opened() as it:
        read_windows(it, count=95)
        world.tick(it)
        assert world.asked == []

        last = Reading("prod", MONDAY + DAY - WINDOW, MONDAY + DAY + HOUR / 2, {
            "raw.allocation": raw_schema("raw.allocation").empty_table()
        })  # fmt: skip
        record(it.lake, it.state.ledger, [last])  # provisional
        world.tick(it)
        assert world.asked == []

        lose_windows(it, MONDAY + DAY - WINDOW, MONDAY + DAY)  # final as it was read
        world.tick(it)
    assert world.asked == ["2026-11-23"]


def test_a_day_with_lost_windows_is_read_and_not_compared(world):
    with world.opened() as it:
        read_windows(it, count=90)
        lose_windows(it, MONDAY + 90 * WINDOW, MONDAY + DAY)
        world.tick(it)

        known = world.known(it)

    assert known is not None
    assert (known.status, known.is_verified, known.is_degraded) == ("final", False, False)


def test_a_day_without_any_window_is_lost_unasked(world):
    with world.opened() as it:
        lose_windows(it, MONDAY, MONDAY + DAY)
        world.tick(it)

        known = world.known(it)

    assert world.asked == []
    assert known is not None
    assert (known.status, known.reason) == ("lost", "no window of the day was read")


def test_a_day_that_the_source_has_forgotten_is_lost(world):
    world.cost = 0
    with world.opened() as it:
        read_windows(it)
        world.tick(it)
        world.tick(it)

        known = world.known(it)

    assert world.asked == ["2026-11-23"]
    assert known is not None
    assert known.status == "lost"
    assert "has forgotten it" in str(known.reason)


def test_a_source_that_fails_is_asked_at_the_next_tick_and_other_days_come_first(world):
    with world.opened() as it:
        read_windows(it)
        read_windows(it, MONDAY - DAY)
        world.status = 500
        (failure,) = world.tick(it)
        known = world.known(it, MONDAY - DAY)
        assert known is not None
        assert (known.status, known.failure) == ("absent", failure)

        world.status = 200
        assert world.tick(it) == []

    assert world.asked == ["2026-11-22", "2026-11-23", "2026-11-22"]


def test_a_tick_reads_a_few_days_oldest_first(world):
    days = [MONDAY - n * DAY for n in range(4, -1, -1)]
    with world.opened() as it:
        for day in days:
            read_windows(it, day)
        world.tick(it)
        assert world.asked == [rfc3339(day)[:10] for day in days[:3]]
        world.tick(it)

    assert world.asked == [rfc3339(day)[:10] for day in days]


def test_nothing_begins_that_the_tick_has_no_time_for(world):
    with world.opened() as it:
        read_windows(it)
        read_days(it, lambda _until: RetryBudget(until=0.0, clock=lambda: 1.0))

        assert due_days(it, it.settings.clusters[0]) == [MONDAY.date()]
    assert world.asked == []


def test_a_day_that_became_too_old_is_lost_and_asked_for_again_on_request(world):
    world.clock.now = MONDAY + 15 * DAY + HOUR
    with world.opened() as it:
        read_windows(it)
        world.tick(it)
        known = world.known(it)
        assert known is not None
        assert known.status == "lost"
        assert "too old" in str(known.reason)

        request_days(it, [MONDAY.date()])
        world.tick(it)
        read = world.known(it)

        assert it.state.lookback.requested([TABLE]) == set()
    assert read is not None
    assert read.status == "final"


def test_a_rebuilt_ledger_knows_the_day_and_what_was_wrong_with_it(world):
    world.cost = 9.7
    with world.opened() as it:
        read_windows(it)
        world.tick(it)
        compact(it.lake, it.state.ledger, [TABLE, "raw.allocation"], OVER + DAY)
        before = world.known(it)
    lose_ledger(world.folder)

    with world.opened(is_ledger_lost=True) as it:
        assert rebuild_ledger(it)[1] == []
        assert world.known(it) == before
        world.tick(it)
    assert world.asked == ["2026-11-23"]


def test_a_damaged_day_is_read_again(world):
    with world.opened() as it:
        read_windows(it)
        world.tick(it)
        known = world.known(it)
        assert known is not None
        assert known.file is not None
        it.lake.absolute(known.file).unlink()
        with pytest.raises(LakeDamaged) as damage:
            it.publish()
        repair(it, damage.value)
        world.tick(it)
        it.publish()

        again = world.known(it)

    assert again is not None
    assert (again.status, again.content_sha256) == ("final", known.content_sha256)
