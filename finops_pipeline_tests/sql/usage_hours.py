"""Hours of usage as Prometheus measured them."""

from finops_pipeline_tests.sql.rows import NODE, REQUESTED, USED

STARTS = [f"2026-03-01 10:{minute}:00+00" for minute in ("00", "15", "30", "45")]


QUIET = {"allocation": "quiet", "workload": "quiet", "pod": "quiet-1", "container": "quiet"}


def given_hour(data, *usages, starts=STARTS):
    """Add two containers, of which each window measures the usages of its place."""
    for start, usage in zip(starts, usages, strict=True):
        window = {"window_start": start}
        data.given("raw.asset", {**NODE, **window})
        data.given("raw.allocation", {**REQUESTED, **window}, {**REQUESTED, **QUIET, **window})
        data.given("raw.container_usage", *({**row, **window} for row in usage))
        read = {"table_name": "raw.container_usage", "cluster": "prod", "status": "final"}
        data.given("core.window", {**read, **window})


def used(cores):
    return {**USED, "cpu_used_core_hours": cores}
