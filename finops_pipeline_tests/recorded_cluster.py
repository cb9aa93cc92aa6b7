"""The recorded cluster as real servers: OpenCost's answers and the Prometheus behind them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from finops_pipeline_tests import servers
from finops_pipeline_tests.installation.homes import CLUSTER, Home, Sources, home


@pytest.fixture(scope="session")
def history(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Data folder of the recorded Prometheus."""
    return servers.blocks(servers.HISTORY, tmp_path_factory.getbasetemp() / "history")


@pytest.fixture(scope="session")
def prometheus(history: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of the recorded Prometheus."""
    with servers.prometheus(history, tmp_path_factory.mktemp("prometheus")) as server:
        yield server.url


@pytest.fixture
def opencost() -> Iterator[servers.Replay]:
    """The recorded OpenCost; a test may change its answers."""
    with servers.opencost() as replay:
        yield replay


@pytest.fixture
def recorded_home(tmp_path: Path, prometheus: str, opencost: servers.Replay) -> Iterator[Home]:
    """An installation that reads the recorded cluster."""
    with home(tmp_path, {CLUSTER: Sources(opencost.url, prometheus)}) as made:
        yield made
