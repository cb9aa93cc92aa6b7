"""The commands that run the pipeline: tick, run, demo and simulate."""

import os
import sys
from datetime import UTC, date, datetime
from pathlib import Path

import click

from finops_pipeline import settings as configuration
from finops_pipeline.errors import ConfigError

_INSTANT = click.DateTime(formats=["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S%z"])
_PORT = click.IntRange(1, 65535)
_DAY = click.DateTime(formats=["%Y-%m-%d"])


@click.command(short_help="Read what is due and publish, once.")
@click.option("--now", type=_INSTANT, help="Pretend that it is then: 2026-11-24T10:05:00Z.")
@click.option("--from", "first", type=_DAY, help="First UTC day to read; by default what is due.")
@click.option("--to", "last", type=_DAY, help="Last UTC day to read; by default today.")
def tick(now: datetime | None, first: datetime | None, last: datetime | None) -> None:
    """Read what is due, bring all tables up to date, publish: once, without the daemon."""
    instant = now.replace(tzinfo=now.tzinfo or UTC) if now else None
    days = _requested_days(first, last, (instant or datetime.now(UTC)).date())
    _require_installation()
    # Imported here: every process with Dagster in it starts two seconds later.
    from finops_pipeline.definitions import defs
    from finops_pipeline.orchestration.in_process import run_tick

    outcome = run_tick(defs, instant, days)
    click.echo(f"read {outcome.windows_read} windows of {outcome.first_day} to {outcome.last_day}")
    if not outcome.is_success:
        raise click.ClickException("\n".join(outcome.failures))


@click.command(short_help="Run schedule, sensors and Dagster UI.")
@click.option("--port", type=_PORT, default=3000, show_default=True, help="Of the Dagster UI.")
def run(port: int) -> None:
    """Run the schedule, the sensors and the Dagster UI for the configured clusters."""
    configuration.load()
    _require_repository()
    os.environ.setdefault("DAGSTER_HOME", str(Path.cwd()))
    command = [str(Path(sys.executable).with_name("dagster")), "dev", "-h", "127.0.0.1"]
    os.execv(command[0], [*command, "-p", str(port)])  # noqa: S606  # takes our place, our signals


@click.command(short_help="Try everything on a pretend cluster.")
@click.option(
    "--days",
    type=click.IntRange(2, 400),  # windows are final after 25 hours
    default=35,
    show_default=True,
    help="How far back the demo is filled.",
)
@click.option("--port", type=_PORT, default=3000, show_default=True, help="Of the Dagster UI.")
def demo(days: int, port: int) -> None:
    """Run everything against an embedded pretend cluster; needs nothing else, works offline."""
    from finops_pipeline.cli.demo import run_demo

    _require_repository()
    run_demo(Path("data"), days, port)


@click.command(hidden=True)
@click.option("--port", type=click.IntRange(0, 65535), default=0)
@click.option("--anchor", type=_DAY, help="Day that planted events are counted from.")
def simulate(port: int, anchor: datetime | None) -> None:
    """Serve the embedded pretend cluster, and nothing else."""
    from finops_pipeline.simulation import server

    server.run(port, anchor=(anchor or datetime.now(UTC)).date())


def _requested_days(
    first: datetime | None, last: datetime | None, today: date
) -> tuple[date, date] | None:
    """Return the days of ``--from`` and ``--to``, both included."""
    if first is None:
        if last is not None:
            raise click.UsageError("--to needs --from")
        return None
    days = first.date(), last.date() if last else today
    if days[0] > days[1]:
        raise click.UsageError(f"--from {days[0]} is after {days[1]}, the last day to read")
    _require_partition(days[0])
    return days


def _require_partition(day: date) -> None:
    from finops_pipeline.orchestration.assets.raw import FIRST_DAY

    if day < date.fromisoformat(FIRST_DAY):
        raise click.UsageError(f"--from {day} is before {FIRST_DAY}, the first day that is kept")


def _require_installation() -> None:
    """Raise in one sentence what would otherwise fail as a step somewhere in a log."""
    from finops_pipeline.installation.context import open_installation

    with open_installation():
        pass


def _require_repository() -> None:
    if not Path("workspace.yaml").exists():
        raise ConfigError("there is no workspace.yaml here: change to the root of the repository")
