"""Defines everything that Dagster loads, on one page."""

import warnings

import dagster as dg

warnings.filterwarnings("ignore", category=dg.BetaWarning)  # one per asset with a BackfillPolicy

from finops_pipeline.orchestration import jobs, schedules  # noqa: E402
from finops_pipeline.orchestration.assets import derived, raw  # noqa: E402
from finops_pipeline.orchestration.resources import InstallationResource  # noqa: E402
from finops_pipeline.orchestration.sensors import alerts, metrics, run_history  # noqa: E402

defs = dg.Definitions(
    assets=[*raw.ASSETS, derived.derived],
    jobs=[jobs.tick, jobs.backfill_days],
    schedules=[schedules.every_quarter_hour],
    sensors=[
        metrics.push_metrics,
        run_history.trim_history,
        alerts.alert_on_failure,
        alerts.alert_on_recovery,
    ],
    resources={"installation": InstallationResource()},
    executor=dg.in_process_executor,  # a tick of many short steps takes 3.5 s instead of 38 s
)
