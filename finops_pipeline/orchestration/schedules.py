"""The schedule that starts the tick."""

from datetime import UTC

import dagster as dg

from finops_pipeline.ingest.windows import days_due
from finops_pipeline.orchestration.asset_selection import select_assets
from finops_pipeline.orchestration.assets.raw import due_tags
from finops_pipeline.orchestration.jobs import TICK, tick
from finops_pipeline.orchestration.resources import InstallationResource

_UNFINISHED = [
    dg.DagsterRunStatus.QUEUED,
    dg.DagsterRunStatus.NOT_STARTED,
    dg.DagsterRunStatus.STARTING,
    dg.DagsterRunStatus.STARTED,
]


@dg.schedule(
    cron_schedule="5,20,35,50 * * * *",  # windows settle for 5 minutes after their end
    execution_timezone="UTC",
    job=tick,
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Read what is due, bring all tables up to date and publish, every 15 minutes.",
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
    return dg.RunRequest(
        tags=due_tags(days), asset_selection=select_assets(context.instance, instant)
    )
