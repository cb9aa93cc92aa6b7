"""Installations to be damaged, and ways to damage them."""

import random
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from finops_pipeline import settings as configuration
from finops_pipeline.errors import (
    LakeDamaged,
    WarehouseDamaged,
)
from finops_pipeline.ingest.windows import read_due
from finops_pipeline.installation.context import Installation, open_installation
from finops_pipeline.installation.source_registry import SOURCES
from finops_pipeline.operations.compaction import compact_lake
from finops_pipeline.operations.repair import repair
from finops_pipeline.units import window_start
from finops_pipeline_tests.ingest.clusters import home_of, pretended
from finops_pipeline_tests.installation.homes import Home, at

TOTAL = "select sum(total_cost) as cost, sum(window_count) as windows from costs.daily"


NEWEST = at(1, 5)


NEXT = at(1, 20)


CHANCE = random.Random(16)


def flip(file: Path) -> None:
    body = bytearray(file.read_bytes())
    body[CHANCE.randrange(len(body))] ^= 1 << CHANCE.randrange(8)
    rewrite(file, bytes(body))


def rewrite(file: Path, body: bytes) -> None:
    file.unlink()  # the published file is read-only
    file.write_bytes(body)


@pytest.fixture(scope="module")
def filled_home(tmp_path_factory) -> Iterator[Home]:
    """An installation whose newest tick was at 01:05; to be copied."""
    with (
        pretended("alpha") as clusters,
        home_of(tmp_path_factory.mktemp("it"), clusters) as own_home,
    ):
        with open_data(own_home, NEWEST) as installation:
            tick(installation)
        yield own_home


@pytest.fixture(scope="module")
def expected(filled_home, tmp_path_factory) -> list[dict[str, Any]]:
    """The total after one tick more, where nothing is damaged."""
    whole = copy_home(filled_home, tmp_path_factory.mktemp("whole"))
    with open_data(whole) as installation:
        tick(installation)
    return whole.ask(TOTAL)


@pytest.fixture
def own_home(filled_home, tmp_path) -> Home:
    """A copy, to be damaged."""
    return copy_home(filled_home, tmp_path)


def copy_home(home: Home, folder: Path) -> Home:
    shutil.copytree(home.folder, folder, dirs_exist_ok=True)
    settings = folder / "finops.toml"
    settings.write_text(settings.read_text().replace(str(home.folder), str(folder)))
    return Home(folder, home.instance)


def open_data(own_home: Home, now=NEXT, *, is_ledger_lost=False):
    settings = configuration.load(own_home.folder / "finops.toml", {})
    return open_installation(settings, lambda: now, is_ledger_lost=is_ledger_lost)


def tick(installation: Installation) -> None:
    """Do what a run does, without Dagster."""
    for source in SOURCES:
        read_due(source, installation, at(0), window_start(installation.clock()))
    compact_lake(installation)
    publish(installation)


def publish(installation: Installation) -> None:
    try:
        installation.publish()
    except (LakeDamaged, WarehouseDamaged) as damage:
        repair(installation, damage)
        publish(installation)
