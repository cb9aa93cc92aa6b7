"""Pretend cluster of all tests of the simulation: its answers never change."""

from datetime import UTC, date, datetime

import pytest

from finops_pipeline.simulation.cluster import Cluster

ANCHOR = date(2026, 3, 10)  # a Tuesday
NOW = datetime(2026, 3, 10, 15, 7, tzinfo=UTC)


@pytest.fixture(scope="session")
def cluster() -> Cluster:
    return Cluster(7, ANCHOR)
