"""Everything Dagster loads, on one page."""

import warnings

import dagster as dg

warnings.filterwarnings("ignore", category=dg.BetaWarning)  # one per asset with a BackfillPolicy

from finops_pipeline.orchestration import alert, deliver, history, raw, schedules, tables  # noqa: E402
from finops_pipeline.orchestration.resources import InstallationResource  # noqa: E402

defs = dg.Definitions(
    assets=[*raw.ASSETS, tables.derived],
    jobs=[schedules.tick, schedules.backfill_days],
    schedules=[schedules.every_quarter_hour],
    sensors=[
        deliver.push_metrics,
        history.trim_history,
        alert.tell_failure,
        alert.tell_recovery,
    ],
    resources={"installation": InstallationResource()},
    executor=dg.in_process_executor,  # a tick of many short steps takes 3.5 s instead of 38 s
)
