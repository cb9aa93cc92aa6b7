"""Chooses the assets that a tick reports to Dagster: each report costs 35 ms, and forty are filled.

The first tick of an hour reports all of them and every check. The others fill, check and publish
just the same, and report what was read, how far, and the publication.
"""

from datetime import datetime

import dagster as dg

from finops_pipeline.catalog.tables import tables
from finops_pipeline.orchestration.metadata.tables import key
from finops_pipeline.units import WINDOW

PUBLISHED = dg.AssetKey("published")
# Their pages say that ticks go on.
ALWAYS = {key("core.cluster"), key("core.window"), PUBLISHED}
_FROM_SOURCES = {
    key(name)
    for name, table in tables().items()
    if table.is_raw and not table.kind.is_kept_for_good
}


def select_assets(instance: dg.DagsterInstance, instant: datetime) -> list[dg.AssetKey] | None:
    """Select the assets that a tick reports; None for all, as also where no tick ever did."""
    is_first_of_hour = instant.minute * 60 < WINDOW.total_seconds()
    if is_first_of_hour or not instance.get_latest_materialization_event(key("costs.daily")):
        return None
    return sorted(_FROM_SOURCES | ALWAYS)
