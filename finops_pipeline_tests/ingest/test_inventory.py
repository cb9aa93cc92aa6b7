"""The inventory over days of the embedded cluster: what is stored, missed, forbidden, assumed."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from finops_pipeline.catalog.files import sql_files
from finops_pipeline.ingest.windows import Progress, days_due, due_windows, read_due
from finops_pipeline.installation.context import Installation
from finops_pipeline.installation.source_registry import KUBERNETES
from finops_pipeline.queries.published import ask, open_published
from finops_pipeline.queries.status import source_status
from finops_pipeline.simulation import server
from finops_pipeline.simulation.answer import Answer
from finops_pipeline.simulation.objects import Objects
from finops_pipeline.simulation.schedule import minute
from finops_pipeline.simulation.server import Server
from finops_pipeline.sources.kubernetes.tables import INVENTORY, STATES
from finops_pipeline.units import DAY, HOUR, WINDOW, day_start, window_start
from finops_pipeline_tests.demo_data import Clock, open_data

MIDNIGHT = datetime(2026, 3, 4, tzinfo=UTC)
EVENING = MIDNIGHT - timedelta(hours=1) + timedelta(minutes=5)
FORBIDDEN = Answer(b'{"kind":"Status","code":403}', 403)
PODS = "/kubernetes/api/v1/pods"


@dataclass
class World:
    """The embedded cluster, an installation that reads it, and the time of both."""

    cluster: Server
    installation: Installation
    clock: Clock

    def read(self) -> Progress:
        """Read the inventory as a tick does."""
        now = self.clock()
        (progress,) = read_due(KUBERNETES, self.installation, now - DAY, now)
        return progress

    def ticks(self, count: int) -> None:
        """Read so many times, the clock a window further after each."""
        for _ in range(count):
            self.read()
            self.clock.now += WINDOW

    def status(self, table: str, window: datetime) -> str:
        """Return the status of a window in the ledger."""
        windows = self.installation.state.ledger.day([table], "demo", window.date())
        return windows[table, window].status if (table, window) in windows else "none"

    def ask(self, query: str) -> list[dict[str, Any]]:
        """Rows of the published file."""
        self.installation.publish()
        with open_published(self.installation.published_path.parent) as connection:
            return ask(connection, query).dicts()

    def running(self, window: datetime) -> set[str]:
        """Pods that the API listed when a window was read, by the model's own word."""
        at = minute(window + WINDOW + timedelta(minutes=5))
        pods = Objects(self.cluster.service.cluster, at).pods()
        return {str(pod["metadata"]["uid"]) for pod in pods}  # type: ignore[index]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    clock = Clock(EVENING)
    with (
        server.serve(anchor=MIDNIGHT.date(), clock=clock) as cluster,
        open_data(tmp_path, cluster, clock) as installation,
    ):
        yield World(cluster, installation, clock)


def test_states_of_every_window_are_those_that_were_listed(world):
    first = window_start(EVENING) - WINDOW

    world.ticks(8)

    states = world.ask("from core.object where kind = 'pod' and not is_assumed")
    for window in (first + number * WINDOW for number in range(8)):
        uids = [row["uid"] for row in states if holds(row, window)]
        assert set(uids) == world.running(window)
        assert len(uids) == len(set(uids))


def holds(row: dict[str, Any], window: datetime) -> bool:
    return bool(row["valid_from"] <= window < (row["valid_until"] or window + DAY))


def test_a_day_stands_alone_and_only_changes_follow(world):
    world.ticks(8)

    counts = {
        (row["window_start"], row["table_name"]): row["row_count"]
        for row in world.ask("select table_name, window_start, row_count from core.window")
    }
    first = window_start(EVENING) - WINDOW
    names = [name for name in STATES if (first, name) in counts]
    assert set(names) == set(STATES)
    assert all((MIDNIGHT, name) in counts for name in names)  # the first window of the new day
    assert (first + WINDOW, "raw.namespace") not in counts
    assert counts[first + WINDOW, "raw.pod"] < counts[first, "raw.pod"] / 4
    assert world.ask(f"select changed_count from {INVENTORY} where kind = 'Namespace'") == [
        {"changed_count": 10.0},
        *[{"changed_count": 0.0}] * 7,
    ]


def test_a_window_is_read_once_and_only_the_newest(world):
    newest = window_start(EVENING) - WINDOW

    assert world.read().window_counts == {newest.date(): 1}
    assert world.read().window_counts == {}
    assert world.status(INVENTORY, newest) == "final"
    assert world.status(INVENTORY, newest - WINDOW) == "none"


def test_windows_that_passed_unread_are_lost_and_no_check_complains(world):
    world.ticks(1)
    world.clock.now += 2 * HOUR
    world.ticks(1)

    newest = window_start(world.clock()) - 2 * WINDOW
    assert world.status(INVENTORY, newest) == "final"
    assert world.status(INVENTORY, newest - WINDOW) == "lost"
    (row,) = [row for row in published(world) if row["source"] == "kubernetes"]
    assert row["complete_until"] == newest + WINDOW
    assert row["windows_lost"] == 8
    with world.installation.warehouse() as warehouse:
        assert warehouse.check(sql_files("checks")["windows_gapless"]) == []
        assert warehouse.check(sql_files("checks/blocking")["ledger_matches_rows"]) == []


def published(world: World) -> list[dict[str, Any]]:
    world.installation.publish()
    with open_published(world.installation.published_path.parent) as connection:
        return source_status(connection).dicts()


def test_a_forbidden_kind_is_named_and_its_objects_stay(world):
    world.ticks(2)
    world.cluster.faults[PODS] = FORBIDDEN
    progress = world.read()
    window = window_start(world.clock()) - WINDOW

    assert [
        message for message in progress.failures if "status 403" in message
    ] == progress.failures
    assert progress.failures
    assert world.status("raw.pod", window) == "lost"
    (pods,) = world.ask(f"select * from {INVENTORY} where kind = 'Pod' and failure is not null")
    assert (pods["object_count"], pods["changed_count"]) == (None, None)
    assert world.ask(f"from raw.pod where window_start = '{window}'") == []
    still = world.ask("from core.object where kind = 'pod' and valid_until is null")
    assert {row["uid"] for row in still} == world.running(window - WINDOW)
    (row,) = [row for row in published(world) if row["source"] == "kubernetes"]
    assert "status 403" in row["last_failure"]

    del world.cluster.faults[PODS]
    world.clock.now += WINDOW
    assert world.read().failures == []
    (row,) = [row for row in published(world) if row["source"] == "kubernetes"]
    assert row["last_failure"] is None


def test_a_kind_forbidden_over_midnight_stays_known(world):
    world.cluster.faults["/kubernetes/apis/batch/v1/jobs"] = FORBIDDEN
    world.ticks(2)
    assert world.ask("select 1 from raw.workload where workload_kind = 'Job'") == []
    world.cluster.faults.clear()
    world.ticks(1)
    world.cluster.faults["/kubernetes/apis/apps/v1/deployments"] = FORBIDDEN
    world.ticks(3)

    kinds = world.ask(
        "select workload_kind, count(*) filter (not is_deleted) as held,"
        f" count(*) filter (is_deleted) as gone from raw.workload where window_start = '{MIDNIGHT}'"
        " group by all"
    )
    left = {row["workload_kind"]: row["held"] for row in kinds}
    gone = {row["workload_kind"]: row["gone"] for row in kinds}
    assert left["Deployment"] == 38
    assert gone["Deployment"] == 0


def test_an_api_that_is_away_is_a_failure_of_its_window_alone(world):
    world.ticks(1)
    world.cluster.faults["/kubernetes"] = Answer(b"away", 503)
    away = window_start(world.clock()) - WINDOW
    assert "status 503" in world.read().failures[0]
    assert world.status(INVENTORY, away) == "absent"
    assert day_start(away.date()) in map(day_start, days_due(world.installation, world.clock()))

    world.cluster.faults.clear()
    world.clock.now += WINDOW
    world.ticks(1)

    assert world.status(INVENTORY, away) == "lost"
    assert world.status(INVENTORY, away + WINDOW) == "final"


def test_files_of_a_day_stay_few(world):
    world.clock.now = MIDNIGHT + timedelta(minutes=20)
    world.ticks(20)

    ledger = world.installation.state.ledger
    windows = ledger.day(["raw.pod"], "demo", MIDNIGHT.date()).values()
    assert len(windows) == 20
    assert len({window.file for window in windows}) <= 17


def test_before_the_first_reading_the_earliest_state_is_assumed(world):
    world.ticks(1)
    first = window_start(EVENING) - WINDOW

    assumed = world.ask("from core.object where is_assumed and kind = 'node'")

    assert assumed
    for row in assumed:
        assert row["valid_from"] < row["valid_until"] == row["window_start"] == first
    young = world.ask(f"select uid from raw.node where created_at >= '{first}'")
    assert not {row["uid"] for row in young} & {row["uid"] for row in assumed}


def test_a_cluster_without_access_is_not_asked_and_not_missed(world):
    settings = world.installation.settings
    closed = settings.clusters[0].model_copy(
        update={"kubernetes_access": "none", "kubeconfig_file": None}
    )
    without = replace(
        world.installation, settings=settings.model_copy(update={"clusters": (closed,)})
    )

    assert read_due(KUBERNETES, without, EVENING - DAY, EVENING) == []
    due = {source.name: windows for _, source, windows in due_windows(without, EVENING)}
    assert due["opencost"]
    assert due["kubernetes"] == []
    assert {row["source"] for row in published(World(world.cluster, without, world.clock))} == {
        "opencost",
        "prometheus",
    }
