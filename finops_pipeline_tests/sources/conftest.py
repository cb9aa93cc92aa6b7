"""A Prometheus with the recorded history, one per test process."""

from collections.abc import Iterator

import httpx
import pytest

from finops_pipeline import http
from finops_pipeline_tests import servers


@pytest.fixture(scope="session")
def recorded_prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[httpx.Client]:
    """Prometheus behind the recorded OpenCost, 36 hours of it."""
    blocks = servers.blocks(servers.HISTORY, tmp_path_factory.getbasetemp() / "history")
    with (
        servers.prometheus(blocks, tmp_path_factory.mktemp("prometheus")) as server,
        http.client(server.url) as client,
    ):
        yield client
