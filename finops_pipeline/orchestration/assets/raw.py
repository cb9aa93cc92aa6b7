"""The raw assets: what each source said of the windows of a day, as files of the lake."""

from collections.abc import Collection, Iterable, Iterator
from datetime import UTC, date, timedelta
from typing import Any

import dagster as dg

from finops_pipeline.catalog.tables import tables
from finops_pipeline.ingest.days import read_days, request_days
from finops_pipeline.ingest.windows import Progress, read_due, request
from finops_pipeline.installation.context import Installation
from finops_pipeline.installation.source_registry import OPENCOST_DAY, SOURCES, Source
from finops_pipeline.orchestration.metadata.tables import column_schema, key
from finops_pipeline.orchestration.resources import InstallationResource
from finops_pipeline.settings import Cluster

DUE_ONLY = "finops/due_only"  # tag of a run whose days nobody chose: they span what is due
# No source remembers more; the partitions of the UI begin here.
FIRST_DAY = "2025-01-01"
DAYS = dg.DailyPartitionsDefinition(start_date=FIRST_DAY, timezone="UTC", end_offset=1)
FRESH = dg.FreshnessPolicy.time_window(
    fail_window=timedelta(minutes=45), warn_window=timedelta(minutes=20)
)


def window_assets(source: Source) -> dg.AssetsDefinition:
    """One step that fills the raw tables of a source for the windows that are due."""

    @dg.multi_asset(
        name=f"read_{source.name}",
        specs=[_spec(name, source, freshness_policy=FRESH) for name in source.tables],
        partitions_def=DAYS,
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool="warehouse",
    )
    def read(
        context: dg.AssetExecutionContext, installation: InstallationResource
    ) -> Iterator[dg.MaterializeResult[None]]:
        days = context.partition_time_window
        with installation.open_and_repair() as opened:
            if DUE_ONLY not in context.run.tags:
                request(source, opened, [*map(date.fromisoformat, context.partition_keys)])
            given = read_due(source, opened, days.start.astimezone(UTC), days.end.astimezone(UTC))
            shown = _links(source, opened.settings.clusters) | opened.marks()
            for name in source.tables:
                for day in map(date.fromisoformat, context.partition_keys):
                    counts = _counts(opened, given, name, day)
                    counts["dagster/partition_row_count"] = counts["rows_held"]
                    context.add_asset_metadata(counts, key(name), partition_key=day.isoformat())
                yield dg.MaterializeResult(asset_key=key(name), metadata=shown)
        _warn(context, given)

    return read


def state_assets(source: Source) -> dg.AssetsDefinition:
    """One step for a source that only says how things are now: it has no days to choose from."""

    @dg.multi_asset(
        name=f"read_{source.name}",
        specs=[_spec(name, source) for name in source.tables],
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool="warehouse",
    )
    def read(
        context: dg.AssetExecutionContext, installation: InstallationResource
    ) -> Iterator[dg.MaterializeResult[None]]:
        with installation.open_and_repair() as opened:
            now = opened.clock()
            given = read_due(source, opened, opened.lookback_start(now), now)
            for name in source.tables:
                counts = _counts(opened, given, name, now.date())
                yield dg.MaterializeResult(asset_key=key(name), metadata=counts | opened.marks())
        _warn(context, given)

    return read


def day_assets() -> dg.AssetsDefinition:
    """The step after all windows: days in one piece; of chosen days, and of those that are due."""
    source = OPENCOST_DAY
    after = [key(name) for other in SOURCES for name in other.tables]

    @dg.multi_asset(
        name="read_days",
        specs=[_spec(name, source, deps=after) for name in source.tables],
        partitions_def=DAYS,
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool="warehouse",
    )
    def read(
        context: dg.AssetExecutionContext, installation: InstallationResource
    ) -> Iterator[dg.MaterializeResult[None]]:
        with installation.open_and_repair() as opened:
            if DUE_ONLY not in context.run.tags:
                request_days(opened, [*map(date.fromisoformat, context.partition_keys)])
            given = read_days(opened)
            for name in source.tables:
                read_count = sum(sum(it.window_counts.values()) for it in given)
                shown = opened.marks() | {"days_read": read_count}
                yield dg.MaterializeResult(asset_key=key(name), metadata=shown)
        _warn(context, given)

    return read


def _spec(name: str, source: Source, **more: Any) -> dg.AssetSpec:
    table = tables()[name]
    return dg.AssetSpec(
        key(name),
        group_name=table.schema,
        description=table.description,
        kinds={source.name, "parquet"},
        owners=["team:finops"],
        code_version=table.version,
        metadata={"dagster/table_name": name, "dagster/column_schema": column_schema(table)},
        **more,
    )


def _warn(context: dg.AssetExecutionContext, given: list[Progress]) -> None:
    for warning in _warnings(given):
        context.log.warning(warning)


def _links(source: Source, clusters: Iterable[Cluster]) -> dict[str, Any]:
    """Where the answers come from, to click on."""
    urls = {cluster.name: getattr(cluster, f"{source.name}_url") for cluster in clusters}
    return {f"{source.name} of {name}": dg.MetadataValue.url(url) for name, url in urls.items()}


def _counts(
    installation: Installation, given: list[Progress], table_name: str, day: date
) -> dict[str, Any]:
    """What the day of a table holds, and what this run read of it."""
    windows = {progress.cluster: progress.window_counts.get(day, 0) for progress in given}
    held = [
        window
        for progress in given
        for window in installation.state.ledger.day([table_name], progress.cluster, day).values()
    ]
    return {
        "rows_held": sum(window.row_count or 0 for window in held),
        "windows_held": sum(window.file is not None for window in held),
        "windows_read": sum(windows.values()),
        "windows_read_by_cluster": windows,
        "warnings": dg.MetadataValue.md("\n".join(f"- {w}" for w in _warnings(given)) or "none"),
    }


def _warnings(given: list[Progress]) -> list[str]:
    return [warning for progress in given for warning in progress.warnings()]


ASSETS = [
    *(state_assets(source) if source.heartbeat else window_assets(source) for source in SOURCES),
    day_assets(),
]


def day_tags(start: date, end: date) -> dict[str, str]:
    """Tags of a run over the days from ``start`` to ``end``, both included."""
    return {
        "dagster/asset_partition_range_start": start.isoformat(),
        "dagster/asset_partition_range_end": end.isoformat(),
    }


def due_tags(days: Collection[date]) -> dict[str, str]:
    """Tags of a run over all days with due windows; the days between are not requested by it."""
    return day_tags(min(days), max(days)) | {DUE_ONLY: "true"}
