"""The raw assets: what each source said of the windows of a day, as files of the lake."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from typing import Any

import dagster as dg

from finops_pipeline.orchestration.describe import column_schema, key
from finops_pipeline.orchestration.ingest import Progress, read_due
from finops_pipeline.orchestration.resources import InstallationResource
from finops_pipeline.orchestration.sources import OPENCOST, PROMETHEUS, Source
from finops_pipeline.units import day_start
from finops_pipeline.warehouse.sql_file import tables

# No source remembers more; the partitions of the UI begin here.
FIRST_DAY = "2025-01-01"
DAYS = dg.DailyPartitionsDefinition(start_date=FIRST_DAY, timezone="UTC", end_offset=1)
FRESH = dg.FreshnessPolicy.time_window(
    fail_window=timedelta(minutes=45), warn_window=timedelta(minutes=20)
)


def raw_assets(source: Source) -> dg.AssetsDefinition:
    """One step that fills the raw tables of a source for the windows that are due."""

    @dg.multi_asset(
        name=f"read_{source.name}",
        specs=[_spec(name, source) for name in source.tables],
        partitions_def=DAYS,
        backfill_policy=dg.BackfillPolicy.single_run(),
        pool="warehouse",
    )
    def read(
        context: dg.AssetExecutionContext, installation: InstallationResource
    ) -> Iterator[dg.MaterializeResult[None]]:
        days = context.partition_time_window
        with installation.open() as opened:
            given = read_due(source, opened, days.start.astimezone(UTC), days.end.astimezone(UTC))
        for failure in (failure for progress in given for failure in progress.failures):
            context.log.warning(failure)
        for name in source.tables:
            for day in context.partition_keys:
                counts = _counts(given, date.fromisoformat(day))
                context.add_asset_metadata(counts, asset_key=key(name), partition_key=day)
            yield dg.MaterializeResult(asset_key=key(name))

    return read


def _spec(name: str, source: Source) -> dg.AssetSpec:
    table = tables()[name]
    return dg.AssetSpec(
        key(name),
        group_name=table.schema,
        description=table.description,
        kinds={source.name, "parquet"},
        owners=["team:finops"],
        code_version=table.version,
        freshness_policy=FRESH,
        metadata={"dagster/table_name": name, "dagster/column_schema": column_schema(table)},
    )


def _counts(given: list[Progress], day: date) -> dict[str, Any]:
    windows = {progress.cluster: progress.window_counts.get(day, 0) for progress in given}
    failures = [failure for progress in given for failure in progress.failures]
    return {
        "windows_read": sum(windows.values()),
        "windows_read_by_cluster": windows,
        "failures": dg.MetadataValue.md("\n".join(f"- {text}" for text in failures) or "none"),
    }


ASSETS = [raw_assets(OPENCOST), raw_assets(PROMETHEUS)]


def day_tags(start: date, end: date) -> dict[str, str]:
    """Tags of a run over the days from ``start`` to ``end``, both included."""
    return {
        "dagster/asset_partition_range_start": start.isoformat(),
        "dagster/asset_partition_range_end": end.isoformat(),
    }


def span(first: date, last: date) -> tuple[datetime, datetime]:
    """Instants of the days from ``first`` to ``last``, both included."""
    return day_start(first), day_start(last) + timedelta(days=1)
