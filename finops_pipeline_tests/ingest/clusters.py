"""Pretended clusters, and an installation that reads them."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from finops_pipeline.simulation.server import Server, serve
from finops_pipeline_tests.installation.homes import DAY, Home, Sources, at, home

NOW = at(1, 35)


@contextmanager
def pretended(*names: str) -> Iterator[list[Server]]:
    """Embedded clusters, at a fixed time."""
    if not names:
        yield []
        return
    with (
        serve(anchor=DAY.date(), cluster_name=names[0], clock=lambda: NOW) as server,
        pretended(*names[1:]) as others,
    ):
        yield [server, *others]


@contextmanager
def home_of(folder: Path, clusters: list[Server], gateway: str = "") -> Iterator[Home]:
    sources = {
        server.service.cluster.name: Sources(server.opencost_url, server.prometheus_url)
        for server in clusters
    }
    with home(folder, sources, gateway) as own_home:
        yield own_home
