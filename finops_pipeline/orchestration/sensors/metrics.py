"""Delivery: a sensor sees each publication and pushes its metrics to Pushgateway."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import dagster as dg
import duckdb

from finops_pipeline.catalog.files import SqlFile, sql_files
from finops_pipeline.destinations.pushgateway import Metric, delete, groups, push
from finops_pipeline.orchestration.asset_selection import PUBLISHED
from finops_pipeline.orchestration.resources import InstallationResource
from finops_pipeline.queries.published import ask, open_published


@dg.asset_sensor(
    asset_key=PUBLISHED,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def push_metrics(installation: InstallationResource) -> dg.SkipReason:
    """Push the newest publication; when that fails, it is tried again half a minute later."""
    with installation.open() as opened:
        url = opened.settings.metrics.pushgateway_url
        if not url:
            return dg.SkipReason("metrics.pushgateway_url is not set")
        metrics = published_metrics(opened.settings.data_dir, opened.parameters())
        configured = {cluster.name for cluster in opened.settings.clusters}
    all_groups = groups(metrics)
    current = {None, *configured}
    stale = [group for group in all_groups if group.grouping.get("cluster") not in current]
    push(url, [group for group in all_groups if group not in stale])
    for group in stale:  # no longer read: what the gateway still says of it would stand for ever
        delete(url, group.grouping)
    return dg.SkipReason(f"pushed {sum(len(metric.rows) for metric in metrics)} samples to {url}")


def published_metrics(data_dir: Path, settings: Mapping[str, Any]) -> list[Metric]:
    """Return every metric file's answer from the published file."""
    with open_published(data_dir) as connection:
        return [
            Metric(file.name, file.description, _rows(connection, file, settings))
            for file in sql_files("metrics").values()
        ]


def _rows(
    connection: duckdb.DuckDBPyConnection, file: SqlFile, settings: Mapping[str, Any]
) -> list[dict[str, Any]]:
    arguments = {name: settings[name] for name in file.parameters}
    return ask(connection, file.query or "", arguments).dicts()
