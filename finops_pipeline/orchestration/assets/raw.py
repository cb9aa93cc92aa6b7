"""The raw assets: what each source said of the windows of a day, as files of the lake."""

from collections.abc import Callable, Collection, Iterable, Iterator
from datetime import UTC, date, timedelta
from typing import Any, TypeAlias

import dagster as dg

from finops_pipeline.catalog.tables import tables
from finops_pipeline.ingest.days import read_days, request_days
from finops_pipeline.ingest.windows import Progress, read_due, request
from finops_pipeline.installation.context import Installation
from finops_pipeline.installation.source_registry import OPENCOST_DAY, SOURCES, Source
from finops_pipeline.orchestration.assets.specs import table_spec
from finops_pipeline.orchestration.metadata.tables import key
from finops_pipeline.orchestration.resources import InstallationResource
from finops_pipeline.settings import Cluster

DUE_ONLY = "finops/due_only"  # tag of a run whose days were not chosen: they span what is due
# No source remembers more; the partitions of the UI begin here.
FIRST_DAY = "2025-01-01"
DAYS = dg.DailyPartitionsDefinition(start_date=FIRST_DAY, timezone="UTC", end_offset=1)
FRESH = dg.FreshnessPolicy.time_window(
    fail_window=timedelta(minutes=45), warn_window=timedelta(minutes=20)
)


Context: TypeAlias = dg.AssetExecutionContext
Read = Callable[[Context, Installation], list[Progress]]
Describe = Callable[[Context, Installation, list[Progress], str], dict[str, Any]]


def window_assets(source: Source) -> dg.AssetsDefinition:
    """Define the step that fills the raw tables of a source for the windows that are due."""

    def read(context: Context, installation: Installation) -> list[Progress]:
        if days := _chosen_days(context):
            request(source, installation, days)
        start, end = context.partition_time_window
        return read_due(source, installation, start.astimezone(UTC), end.astimezone(UTC))

    def describe(
        context: Context, installation: Installation, progress: list[Progress], table_name: str
    ) -> dict[str, Any]:
        for day in map(date.fromisoformat, context.partition_keys):
            counts = _counts(installation, progress, table_name, day)
            counts["dagster/partition_row_count"] = counts["rows_held"]
            context.add_asset_metadata(counts, key(table_name), partition_key=day.isoformat())
        return _links(source, installation.settings.clusters)

    name = f"read_{source.name}"
    return _step(name, source, read, describe, DAYS, freshness_policy=FRESH)


def state_assets(source: Source) -> dg.AssetsDefinition:
    """Define the step of a source that only says how things are now: it has no days to choose."""

    def read(_context: Context, installation: Installation) -> list[Progress]:
        now = installation.clock()
        return read_due(source, installation, installation.lookback_start(now), now)

    def describe(
        _context: Context, installation: Installation, progress: list[Progress], table_name: str
    ) -> dict[str, Any]:
        days = (day for of_cluster in progress for day in of_cluster.window_counts)
        day = max(days, default=installation.clock().date())  # it may be over meanwhile
        return _counts(installation, progress, table_name, day)

    return _step(f"read_{source.name}", source, read, describe)


def day_assets() -> dg.AssetsDefinition:
    """Define the step after all windows: days in one piece, those chosen and those that are due."""

    def read(context: Context, installation: Installation) -> list[Progress]:
        if days := _chosen_days(context):
            request_days(installation, days)
        return read_days(installation)

    def describe(
        _context: Context, _installation: Installation, progress: list[Progress], _table_name: str
    ) -> dict[str, Any]:
        counts = (sum(of_cluster.window_counts.values()) for of_cluster in progress)
        return {"days_read": sum(counts)}

    after = [key(name) for source in SOURCES for name in source.tables]
    return _step("read_days", OPENCOST_DAY, read, describe, DAYS, deps=after)


def _step(
    name: str,
    source: Source,
    read: Read,
    describe: Describe,
    days: dg.PartitionsDefinition[str] | None = None,
    **attributes: Any,
) -> dg.AssetsDefinition:
    """Define a step that reads a source and reports each of its raw tables.

    Args:
        name: of the step.
        source: what is read.
        read: reads it.
        describe: makes the metadata of a table of it.
        days: partitions of its tables, where days can be chosen.
        attributes: of the assets.
    """

    @dg.multi_asset(
        name=name,
        specs=[
            table_spec(tables()[table_name], {source.name, "parquet"}, **attributes)
            for table_name in source.tables
        ],
        partitions_def=days,
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool="warehouse",
    )
    def step(
        context: dg.AssetExecutionContext, installation: InstallationResource
    ) -> Iterator[dg.MaterializeResult[None]]:
        with installation.open_and_repair() as opened:
            progress = read(context, opened)
            for table_name in source.tables:
                metadata = describe(context, opened, progress, table_name) | opened.demo_mark()
                yield dg.MaterializeResult(asset_key=key(table_name), metadata=metadata)
        for warning in _warnings(progress):
            context.log.warning(warning)

    return step


def _chosen_days(context: Context) -> list[date]:
    """Return the days of a run that were chosen; none where they only span what is due."""
    if DUE_ONLY in context.run.tags:
        return []
    return [*map(date.fromisoformat, context.partition_keys)]


def _links(source: Source, clusters: Iterable[Cluster]) -> dict[str, Any]:
    """Return links to the servers of a source."""
    urls = {cluster.name: getattr(cluster, f"{source.name}_url") for cluster in clusters}
    return {f"{source.name} of {name}": dg.MetadataValue.url(url) for name, url in urls.items()}


def _counts(
    installation: Installation, progress: list[Progress], table_name: str, day: date
) -> dict[str, Any]:
    """Count what the day of a table holds, and what this run read of it."""
    read_counts = {
        of_cluster.cluster: of_cluster.window_counts.get(day, 0) for of_cluster in progress
    }
    windows = [
        window
        for cluster in read_counts
        for window in installation.state.ledger.day([table_name], cluster, day).values()
    ]
    return {
        "rows_held": sum(window.row_count or 0 for window in windows),
        "windows_held": sum(window.file is not None for window in windows),
        "windows_read": sum(read_counts.values()),
        "windows_read_by_cluster": read_counts,
        "warnings": dg.MetadataValue.md("\n".join(f"- {w}" for w in _warnings(progress)) or "none"),
    }


def _warnings(progress: list[Progress]) -> list[str]:
    return [warning for of_cluster in progress for warning in of_cluster.warnings()]


ASSETS = [
    *(state_assets(source) if source.heartbeat else window_assets(source) for source in SOURCES),
    day_assets(),
]


def day_tags(start: date, end: date) -> dict[str, str]:
    """Return the tags of a run over the days from ``start`` to ``end``, both included."""
    return {
        "dagster/asset_partition_range_start": start.isoformat(),
        "dagster/asset_partition_range_end": end.isoformat(),
    }


def due_tags(days: Collection[date]) -> dict[str, str]:
    """Return the tags of a run over all days with due windows; those between are not requested."""
    return day_tags(min(days), max(days)) | {DUE_ONLY: "true"}
