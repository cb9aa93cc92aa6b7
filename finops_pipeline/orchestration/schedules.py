"""The jobs that can be started, and the schedule that starts the tick."""

from datetime import UTC

import dagster as dg

from finops_pipeline.orchestration.ingest import days_due
from finops_pipeline.orchestration.raw import due_tags
from finops_pipeline.orchestration.reports import reported
from finops_pipeline.orchestration.resources import InstallationResource

TICK = "tick"
BACKFILL = "backfill_days"
_UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]

tick = dg.define_asset_job(
    TICK,
    selection="*",
    description="Read every window that is due, bring all tables up to date, publish.",
)
backfill_days = dg.define_asset_job(
    BACKFILL,
    selection="*",
    tags={"dagster/priority": "-1"},
    description="The same for chosen days, however old: lost windows are asked for again, final"
    " ones are not. What one run has no time for, the next ticks read.",
)


@dg.schedule(
    cron_schedule="5-59/15 * * * *",  # windows settle for 5 minutes after their end
    execution_timezone="UTC",
    job=tick,
    default_status=dg.DefaultScheduleStatus.RUNNING,
)
def every_quarter_hour(
    context: dg.ScheduleEvaluationContext, installation: InstallationResource
) -> dg.RunRequest | dg.SkipReason:
    """Ask the ledger which days have windows that are due, and read those."""
    unfinished = dg.RunsFilter(job_name=TICK, statuses=_UNFINISHED)
    if context.instance.get_runs_count(unfinished):
        return dg.SkipReason("the previous tick has not finished")
    instant = context.scheduled_execution_time.astimezone(UTC)
    with installation.open() as opened:
        days = days_due(opened, instant)
    if not days:
        return dg.SkipReason("no window is due")
    return dg.RunRequest(tags=due_tags(days), asset_selection=reported(context.instance, instant))
