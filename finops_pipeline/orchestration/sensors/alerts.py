"""Alerts: a run that failed, and the tick that succeeds after one that did not.

Both go to the log of their sensor and, where one is set, to a webhook.
"""

import logging

import dagster as dg

from finops_pipeline import settings as configuration
from finops_pipeline.destinations import webhook
from finops_pipeline.orchestration.in_process import format_failure
from finops_pipeline.orchestration.jobs import TICK, tick

_FINISHED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE]


@dg.run_failure_sensor(minimum_interval_seconds=30, default_status=dg.DefaultSensorStatus.RUNNING)
def alert_on_failure(context: dg.RunFailureSensorContext) -> None:
    """Say once of each run that failed what failed."""
    steps = "; ".join(map(format_failure, context.get_step_failure_events()))
    why = steps or context.failure_event.message or "it does not say why"
    _send_alert(context, "failed", f"{_format_run(context.dagster_run)} failed: {why}")


@dg.run_status_sensor(
    run_status=dg.DagsterRunStatus.SUCCESS,
    monitored_jobs=[tick],
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
)
def alert_on_recovery(context: dg.RunStatusSensorContext) -> dg.SkipReason | None:
    """Say so when a tick succeeds after one that failed."""
    before = _tick_before(context.instance, context.dagster_run)
    if before is None or before.status != dg.DagsterRunStatus.FAILURE:
        return dg.SkipReason("the tick before did not fail either")
    run = _format_run(context.dagster_run)
    text = f"recovered: {run} succeeded after {_format_run(before)} had failed"
    _send_alert(context, "recovered", text)
    return None


def _tick_before(instance: dg.DagsterInstance, run: dg.DagsterRun) -> dg.DagsterRun | None:
    """Return the last tick that ended and was created before this one."""
    record = instance.get_run_record_by_id(run.run_id)
    earlier = dg.RunsFilter(
        job_name=TICK,
        statuses=_FINISHED,
        created_before=record.create_timestamp if record else None,
    )
    return next(iter(instance.get_runs(earlier, limit=1)), None)


def _format_run(run: dg.DagsterRun) -> str:
    return f"run {run.run_id[:8]} of {run.job_name}"


def _send_alert(context: dg.RunStatusSensorContext, kind: str, text: str) -> None:
    """Log an alert, then post it: the settings, or the webhook, may be what is broken."""
    context.log.log(logging.ERROR if kind == "failed" else logging.INFO, text)
    url = configuration.load().alerts.webhook_url.get_secret_value()
    if url:
        run = context.dagster_run
        message = {"text": text, "kind": kind, "job": run.job_name, "run_id": run.run_id}
        webhook.post(url, message)
