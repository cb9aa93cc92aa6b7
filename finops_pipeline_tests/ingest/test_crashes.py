"""Ticks that are killed: nothing acknowledged is lost, nothing torn, doubled or stale afterwards.

``make crash`` does the same 200 times.
"""

import shutil
import signal
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from finops_pipeline.simulation import server
from finops_pipeline.simulation.server import Server
from finops_pipeline.units import HOUR
from finops_pipeline_tests.installation.crashes import (
    POINTS,
    Damage,
    Home,
    Ticks,
    damage,
    home,
    killed_ticks,
    pandas_total,
)

START = datetime(2026, 3, 4, 10, tzinfo=UTC)
FIRST_TICK = START + HOUR + timedelta(minutes=5)
KILLS = 25
SOUND = Damage(lost=0, torn=0, doubled=0)
START_SECONDS = 5


@pytest.fixture(scope="module")
def cluster() -> Iterator[Server]:
    with server.serve(anchor=START.date(), clock=lambda: START + 60 * HOUR) as running:
        yield running


@pytest.fixture(scope="module")
def ticks() -> Iterator[Ticks]:
    with Ticks() as ticks:
        yield ticks


@pytest.fixture
def killed(tmp_path: Path, cluster: Server) -> Home:
    return home(tmp_path / "killed", cluster.port, START)


@pytest.fixture
def undisturbed(tmp_path: Path, cluster: Server) -> Home:
    return home(tmp_path / "undisturbed", cluster.port, START)


@pytest.fixture(scope="module")
def first_tick_home(tmp_path_factory: pytest.TempPathFactory, cluster: Server) -> Home:
    """An installation after its first publication; to be copied."""
    own_home = home(tmp_path_factory.mktemp("begun") / "home", cluster.port, START)
    own_home.publish(FIRST_TICK)  # the next tick has to keep the claims of the day
    return own_home


@pytest.fixture(scope="module")
def second_tick_home(tmp_path_factory: pytest.TempPathFactory, cluster: Server) -> Home:
    """An installation after a tick an hour later, to which nothing has happened."""
    own_home = home(tmp_path_factory.mktemp("finished") / "home", cluster.port, START)
    own_home.tick(FIRST_TICK + HOUR)
    return own_home


def assert_equal(killed: Home, undisturbed: Home) -> None:
    """Assert that every cost is that of the undisturbed run, and the sum that of pandas."""
    costs = killed.costs()
    assert costs == undisturbed.costs()
    total = sum(row["total_cost"] - row["load_balancer_cost"] for row in costs if "hour" in row)
    assert float(total) == pytest.approx(pandas_total(killed), rel=1e-5)


def test_after_kills_at_random_moments_all_is_as_if_nothing_had_happened(
    killed, undisturbed, ticks
):
    outcomes = [*killed_ticks(killed, ticks, FIRST_TICK, KILLS)]

    assert {outcome.damage for outcome in outcomes} == {SOUND}
    assert max(outcome.start_seconds for outcome in outcomes) <= START_SECONDS
    for either in (killed, undisturbed):
        either.tick(outcomes[-1].now)
    assert_equal(killed, undisturbed)


@pytest.mark.parametrize("point", POINTS)
def test_after_a_crash_at_a_named_point_the_next_tick_repairs_everything(
    first_tick_home, second_tick_home, tmp_path, ticks, point
):
    killed = Home(Path(shutil.copytree(first_tick_home.folder, tmp_path / "killed")), START)
    before, now = killed.ledger_windows(FIRST_TICK), FIRST_TICK + HOUR

    assert ticks.run(killed, now, point=point) == -signal.SIGKILL

    assert damage(killed, before, now) == SOUND
    killed.tick(now)
    assert_equal(killed, second_tick_home)
    assert len(killed.claim_files(now)) == 1


def test_two_ticks_on_the_same_windows_give_one_result(killed, undisturbed):
    with Ticks() as first, Ticks() as second, ThreadPoolExecutor(2) as threads:
        for step in range(3):
            now = FIRST_TICK + step * HOUR
            runs = [threads.submit(ticks.run, killed, now) for ticks in (first, second)]
            assert [run.result() for run in runs] == [0, 0]
            assert damage(killed, {}, now) == SOUND

    undisturbed.tick(now)
    assert_equal(killed, undisturbed)
