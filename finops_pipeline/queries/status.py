"""The state of an installation as its published file and its ledger tell it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import duckdb

from finops_pipeline.queries.published import ask

_CLUSTERS = """
with counted as (
    select
        cluster,
        case
            when table_name in ('raw.allocation', 'raw.asset') then 'opencost'
            when table_name = 'raw.inventory' then 'kubernetes'
            when table_name in ('raw.container_usage', 'raw.price', 'raw.volume_usage')
                then 'prometheus'
        end as source,  -- null where only changes are stored
        count(distinct window_start) filter (status in ('provisional', 'final')) as windows_read,
        count(distinct window_start) filter (status = 'final') as windows_final,
        count(distinct window_start) filter (status <> 'absent' and not is_verified)
            as windows_unverified,
        count(distinct window_start) filter (is_degraded) as windows_degraded,
        count(distinct window_start) filter (status = 'lost') as windows_lost
    from core.window
    group by all
)
select cluster, source, complete_until, windows_read, windows_final, windows_unverified,
    windows_degraded, windows_lost, last_failed_at, last_failure
from core.cluster
left join counted using (cluster, source)
order by cluster, source
"""


@dataclass(frozen=True)
class Published:
    """What the published file says of itself."""

    is_demo: bool
    currency: str
    published_at: datetime
    clusters: list[dict[str, Any]]


def published_status(connection: duckdb.DuckDBPyConnection) -> Published:
    """When it was published, and how far each source of each cluster has been read."""
    (row,) = ask(connection, "select is_demo, currency, published_at from core.installation").rows
    is_demo, currency, published_at = row
    return Published(is_demo, currency, published_at, ask(connection, _CLUSTERS).dicts())


def is_demo(connection: duckdb.DuckDBPyConnection) -> bool:
    """Whether the data comes from the embedded pretend cluster."""
    ((answer,),) = ask(connection, "select is_demo from core.installation").rows
    return bool(answer)


def age(instant: datetime, now: datetime) -> str:
    """``12 min ago``, for people."""
    minutes = (now - instant) // timedelta(minutes=1)
    if minutes < 120:
        return f"{minutes} min ago"
    return f"{minutes // 60} h ago" if minutes < 48 * 60 else f"{minutes // 1440} days ago"
