"""The pretend cluster in the dialect of the Kubernetes API."""

from collections.abc import Mapping
from datetime import datetime

from finops_pipeline.simulation.answer import Answer, not_found
from finops_pipeline.simulation.cluster import Cluster


def answer(cluster: Cluster, path: str, params: Mapping[str, str], now: datetime) -> Answer:
    """Answer one GET request."""
    return not_found()
