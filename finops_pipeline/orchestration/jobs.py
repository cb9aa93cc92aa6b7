"""The jobs that can be started: the tick, and back-fills of chosen days."""

import dagster as dg

TICK = "tick"
BACKFILL = "backfill_days"

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
