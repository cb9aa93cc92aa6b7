"""Runs the tick once in this process, without Dagster's daemon: for cron, back-fills and tests."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path

import dagster as dg

from finops_pipeline.ingest.windows import days_due
from finops_pipeline.installation.context import open_installation, utc_now
from finops_pipeline.orchestration.asset_selection import select_assets
from finops_pipeline.orchestration.assets.raw import day_tags, due_tags
from finops_pipeline.orchestration.jobs import TICK
from finops_pipeline.orchestration.sensors.run_history import oldest_run, trim

# Dagster would write a hundred lines, and cron would send them all.
_QUIET = {"console": {"config": {"log_level": "WARNING"}}}


@dataclass(frozen=True)
class Outcome:
    """Outcome of one tick: which days it was over, what it read, and what failed."""

    first_day: date
    last_day: date
    windows_read: int
    is_success: bool
    failures: list[str]  # step and why


def run_tick(
    definitions: dg.Definitions, now: datetime | None = None, days: tuple[date, date] | None = None
) -> Outcome:
    """Read what is due, bring all tables up to date, publish.

    Args:
        definitions: those Dagster loads.
        now: pretend that it is then; by default the machine's clock.
        days: only windows of these UTC days, both included; by default every day with due windows.
    """
    due = set(days or _days(now))
    first, last = min(due), max(due)
    tags = day_tags(first, last) if days else due_tags(due)
    clock = {"now": now.astimezone(UTC).isoformat()} if now else {}
    with _instance() as instance:
        result = definitions.resolve_job_def(TICK).execute_in_process(
            run_config={
                "resources": {"installation": {"config": clock}},
                "loggers": _QUIET,
            },
            instance=instance,
            asset_selection=None if days else select_assets(instance, now or utc_now()),
            tags=tags,
            raise_on_error=False,
        )
        with open_installation() as opened:
            trim(instance, oldest_run(opened.settings))
    failures = [format_failure(event) for event in result.get_step_failure_events()]
    return Outcome(first, last, _windows_read(result), result.success, failures)


def format_failure(failure: dg.DagsterEvent) -> str:
    """Format which step failed, and why."""
    error = failure.step_failure_data.error
    cause = error and (error.cause or error)
    return f"{failure.step_key}: {cause.message.strip() if cause else 'it does not say why'}"


def _days(now: datetime | None) -> set[date]:
    """Return the days with due windows; today when there are none: tables may still be stale."""
    instant = now or utc_now()
    with open_installation(clock=lambda: instant) as opened:
        return days_due(opened, instant) or {instant.astimezone(UTC).date()}


@contextmanager
def _instance() -> Iterator[dg.DagsterInstance]:
    """Open the instance of the UI where there is one, so that it shows this run, too."""
    if not Path("dagster.yaml").exists() and "DAGSTER_HOME" not in os.environ:
        with dg.DagsterInstance.ephemeral() as instance:
            yield instance
        return
    os.environ.setdefault("DAGSTER_HOME", str(Path.cwd()))
    with dg.DagsterInstance.get() as instance:
        yield instance


def _windows_read(result: dg.ExecuteInProcessResult) -> int:
    counts = [
        value.value
        for event in result.get_asset_materialization_events()
        for name, value in event.materialization.metadata.items()
        if name == "windows_read" and event.asset_key == dg.AssetKey(["raw", "allocation"])
    ]
    return sum(int(count) for count in counts if isinstance(count, int))
