"""Looks at everything an installation stands on, and says what is wrong and how to mend it.

A line for each thing that can fail by itself: what cannot be known, mostly because something else
failed, is unknown, not failed too. Nothing is changed, but that a state database is made where none
is.
"""

from collections.abc import Iterator
from datetime import datetime, timedelta

from finops_pipeline.operations.doctor.cluster import examine_cluster
from finops_pipeline.operations.doctor.data import examine_data
from finops_pipeline.operations.doctor.finding import FAILED, Finding
from finops_pipeline.settings import Settings
from finops_pipeline.units import WINDOW, window_start

__all__ = ["FAILED", "Finding", "examine"]


def examine(settings: Settings, now: datetime) -> Iterator[Finding]:
    """Yield every finding, in the order of a number's path: clusters, then what is stored of them.

    Args:
        settings: whose servers and data are looked at.
        now: the time; the newest window that has settled by then is asked for.
    """
    window = window_start(now - timedelta(minutes=settings.ingest.settle_minutes)) - WINDOW
    for cluster in settings.clusters:
        yield from examine_cluster(cluster, window, now)
    yield from examine_data(settings, now)
