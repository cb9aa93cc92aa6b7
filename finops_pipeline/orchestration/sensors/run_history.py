"""Keeps Dagster's history of runs short: it grows by 34 MB a day, and nothing reads it."""

from datetime import datetime, timedelta
from pathlib import Path

import dagster as dg
from dagster._core.storage.event_log import SqliteEventLogStorage

from finops_pipeline.installation.context import utc_now
from finops_pipeline.orchestration.resources import InstallationResource
from finops_pipeline.orchestration.storage import delete_run_file
from finops_pipeline.settings import Settings

# 0.3 s each: a day's runs are gone in an hour, and nothing else waits for long.
_AT_ONCE = 10
_FINISHED = [
    dg.DagsterRunStatus.SUCCESS,
    dg.DagsterRunStatus.FAILURE,
    dg.DagsterRunStatus.CANCELED,
]
_SENSOR_LOGS = "__repository__"


@dg.sensor(
    minimum_interval_seconds=600,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Delete runs that are older than retention.run_days, with their files.",
)
def trim_history(
    context: dg.SensorEvaluationContext, installation: InstallationResource
) -> dg.SkipReason:
    """Forget the oldest runs, a few at a time, once they are older than retention.run_days."""
    with installation.open() as opened:
        before = oldest_run(opened.settings)
    return dg.SkipReason(f"{trim(context.instance, before)} runs before {before:%Y-%m-%d} deleted")


def oldest_run(settings: Settings) -> datetime:
    """Return the instant before which runs may go, by the machine's clock, as Dagster's records."""
    return utc_now() - timedelta(days=settings.retention.run_days)


def trim(instance: dg.DagsterInstance, before: datetime) -> int:
    """Delete some finished runs that were created before an instant, the oldest first.

    Their events go with them: the UI then shows what they materialised as missing.

    Returns:
        Runs deleted; 0 when none is left.
    """
    old = dg.RunsFilter(statuses=_FINISHED, created_before=before)
    records = instance.get_run_records(old, limit=_AT_ONCE, ascending=True)
    for run_id in (record.dagster_run.run_id for record in records):
        instance.delete_run(run_id)
        instance.compute_log_manager.delete_logs(prefix=[run_id])
        if isinstance(instance.event_log_storage, SqliteEventLogStorage):
            delete_run_file(instance.event_log_storage, run_id)
    _delete_sensor_logs(instance, before)
    return len(records)


def _delete_sensor_logs(instance: dg.DagsterInstance, before: datetime) -> None:
    folder = Path(instance.root_directory) / "logs" / _SENSOR_LOGS
    for file in folder.rglob("*"):
        if file.is_file() and file.stat().st_mtime < before.timestamp():
            file.unlink(missing_ok=True)
