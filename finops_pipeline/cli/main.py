"""The command line: ``finops``. An error raised on purpose is shown as one sentence."""

import errno
import os
import sys
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click
import duckdb
import msgspec

from finops_pipeline import settings as configuration
from finops_pipeline.cli.analysts import costs, export, sql
from finops_pipeline.cli.printing import DEMO_MARK, print_table
from finops_pipeline.errors import ConfigError, FinopsError, NotPublished, QueryError
from finops_pipeline.queries.published import open_published
from finops_pipeline.queries.status import age, published_status
from finops_pipeline.settings import Settings
from finops_pipeline.units import MIB

_INSTANT = click.DateTime(formats=["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S%z"])
_DAY = click.DateTime(formats=["%Y-%m-%d"])
_MOST_REASONS = 4  # why windows of a cluster and source are due


class _Commands(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        """Show an error raised on purpose as one sentence instead of a traceback."""
        try:
            return super().invoke(ctx)
        except FinopsError as error:
            raise click.ClickException(str(error)) from error
        except OSError as error:
            if error.errno != errno.ENOSPC:
                raise
            raise click.ClickException(f"the answer cannot be written: {error.strerror}") from error


@click.group(cls=_Commands)
@click.version_option(package_name="finops-pipeline")
def main() -> None:
    """Costs of Kubernetes clusters, every 15 minutes, in numbers that add up."""


for command in (sql, costs, export):
    main.add_command(command)


@main.command()
def status() -> None:
    """Clusters, windows, the last publication, and what is due and why."""
    try:
        with open_published(_data_dir()) as connection:
            _print_published(connection)
    except (NotPublished, QueryError) as error:  # what is due is known all the same
        click.echo(str(error))
    _print_due(_settings_or_demo())


@main.command()
@click.option("--now", type=_INSTANT, help="Pretend that it is then: 2026-11-24T10:05:00Z.")
@click.option("--from", "first", type=_DAY, help="First UTC day to read; by default what is due.")
@click.option("--to", "last", type=_DAY, help="Last UTC day to read; by default today.")
def tick(now: datetime | None, first: datetime | None, last: datetime | None) -> None:
    """Read what is due, bring all tables up to date, publish: once, without the daemon."""
    instant = now.replace(tzinfo=now.tzinfo or UTC) if now else None
    days = _days(first, last, (instant or datetime.now(UTC)).date())
    _must_open()
    # Imported here: every process with Dagster in it starts two seconds later.
    from finops_pipeline.definitions import defs
    from finops_pipeline.orchestration.in_process import run_tick

    outcome = run_tick(defs, instant, days)
    click.echo(f"read {outcome.windows_read} windows of {outcome.first_day} to {outcome.last_day}")
    if not outcome.is_success:
        raise click.ClickException("\n".join(outcome.failures))


@main.command()
@click.option("--json", "is_json", is_flag=True, help="One object per finding, for scripts.")
def doctor(is_json: bool) -> None:
    """Say what is wrong with sources and data, and how to mend it; 1 when something has failed."""
    from finops_pipeline.operations.doctor import FAILED, examine

    findings = []
    for finding in examine(_settings_or_demo(), datetime.now(UTC)):
        findings.append(vars(finding))
        if not is_json:
            _print_finding(**vars(finding))
    if is_json:
        click.echo(msgspec.json.format(msgspec.json.encode(findings), indent=2))
    sys.exit(any(finding["status"] == FAILED for finding in findings))


@main.command()
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def backup(folder: Path) -> None:
    """Bring a backup of lake and state database in FOLDER up to date; ticks may run meanwhile."""
    from finops_pipeline.operations.backup import back_up

    done = back_up(_settings_or_demo(), folder)
    click.echo(f"{folder} holds {_described(done.file_count, done.size_bytes)}")
    click.echo(f"{done.copied_count} copied now, all verified")


@main.command()
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def restore(folder: Path) -> None:
    """Put the backup in FOLDER into the empty data folder; the next tick publishes."""
    from finops_pipeline.operations.backup import restore as put_back

    settings = _settings_or_demo()
    done = put_back(settings, folder)
    click.echo(f"{settings.data_dir} holds {_described(done.file_count, done.size_bytes)}")
    click.echo("run finops tick to compute and publish the tables")


@main.command()
@click.argument("month", metavar="MONTH", type=click.DateTime(formats=["%Y-%m"]))
@click.option("--force", is_flag=True, help="Although windows of the month may still change.")
def close(month: datetime, force: bool) -> None:
    """Freeze the statement of MONTH (2026-10) for good; later changes go into the next one."""
    if month.date() >= datetime.now(UTC).date():
        raise click.UsageError(f"{month:%Y-%m} has not begun")
    from finops_pipeline.installation.context import open_installation
    from finops_pipeline.operations.month_close import close_month

    with open_installation(_settings_or_demo()) as installation:
        count, total = close_month(installation, month.date(), is_forced=force)
        currency = installation.settings.currency
    click.echo(f"{month:%Y-%m} is closed: {count} rows, {total:.2f} {currency}")
    click.echo("the next tick publishes it")


@main.command()
def rebuild_ledger() -> None:
    """Make a lost state database anew from what the files of the lake say of themselves."""
    from finops_pipeline.installation.context import open_installation
    from finops_pipeline.operations.rebuild_ledger import rebuild_ledger

    with open_installation(_settings_or_demo(), is_ledger_lost=True) as installation:
        count, damaged = rebuild_ledger(installation)
    click.echo(f"the ledger knows {count} files; restatements and failures of old are gone")
    for path in damaged:
        click.echo(f"damaged, moved to data/quarantine: {path}")


@main.command()
@click.option("--port", default=3000, show_default=True, help="Of the Dagster UI.")
def run(port: int) -> None:
    """Run the schedule, the sensors and the Dagster UI for the configured clusters."""
    configuration.load()
    _must_be_in_the_repository()
    os.environ.setdefault("DAGSTER_HOME", str(Path.cwd()))
    command = [str(Path(sys.executable).with_name("dagster")), "dev", "-h", "127.0.0.1"]
    os.execv(command[0], [*command, "-p", str(port)])  # noqa: S606  # takes our place, our signals


@main.command()
@click.option(
    "--days",
    type=click.IntRange(2, 400),  # windows are final after 25 hours
    default=35,
    show_default=True,
    help="How far back the demo is filled.",
)
@click.option("--port", default=3000, show_default=True, help="Of the Dagster UI.")
def demo(days: int, port: int) -> None:
    """Run everything against an embedded pretend cluster; needs nothing else, works offline."""
    from finops_pipeline.cli.demo import run_demo

    _must_be_in_the_repository()
    run_demo(Path("data"), days, port)


@main.command(hidden=True)
@click.option("--port", default=0)
@click.option("--anchor", type=_DAY, help="Day that planted events are counted from.")
def simulate(port: int, anchor: datetime | None) -> None:
    """Serve the embedded pretend cluster, and nothing else."""
    from finops_pipeline.simulation import server

    server.run(port, anchor=(anchor or datetime.now(UTC)).date())


@main.group()
def config() -> None:
    """Look at the settings."""


@config.command()
def show() -> None:
    """Every setting with its value; secrets are masked."""
    for key, value in _settings().shown().items():
        click.echo(f"{key} = {value}")


@config.command()
def validate() -> None:
    """Say whether the settings can be used; names those that are wrong, or doubtful."""
    settings = _settings()
    names = ", ".join(cluster.name for cluster in settings.clusters)
    click.echo(f"valid: clusters {names}; data in {settings.data_dir}")
    for warning in configuration.warnings(settings):
        click.echo(f"warning: {warning}", err=True)


def _settings() -> Settings:
    return configuration.load()


def _settings_or_demo() -> Settings:
    """The settings; without any, those that a demo left in the data folder; for reading only."""
    demo_file = _data_dir() / "demo.toml"
    is_configured = (
        configuration.DEFAULT_FILE.exists()
        or {configuration.CONFIG_VARIABLE, "FINOPS_CLUSTERS"} & os.environ.keys()
    )
    return configuration.load(None if is_configured or not demo_file.exists() else demo_file)


def _data_dir() -> Path:
    return configuration.load_data_dir()


def _days(first: datetime | None, last: datetime | None, today: date) -> tuple[date, date] | None:
    """The days of ``--from`` and ``--to``, both included."""
    if first is None:
        if last is not None:
            raise click.UsageError("--to needs --from")
        return None
    days = first.date(), last.date() if last else today
    if days[0] > days[1]:
        raise click.UsageError(f"--from {days[0]} is after {days[1]}, the last day to read")
    _must_be_known(days[0])
    return days


def _must_be_known(day: date) -> None:
    from finops_pipeline.orchestration.assets.raw import FIRST_DAY

    if day < date.fromisoformat(FIRST_DAY):
        raise click.UsageError(f"--from {day} is before {FIRST_DAY}, the first day that is kept")


def _must_open() -> None:
    """Refuse in one sentence what would otherwise fail as a step somewhere in a log."""
    from finops_pipeline.installation.context import open_installation

    with open_installation():
        pass


def _must_be_in_the_repository() -> None:
    if not Path("workspace.yaml").exists():
        raise ConfigError("there is no workspace.yaml here: change to the root of the repository")


def _described(file_count: int, size_bytes: int) -> str:
    return f"the ledger and {file_count} files of {size_bytes / MIB:.1f} MiB"


def _print_finding(subject: str, check: str, status: str, message: str, fix: str) -> None:
    color = {"ok": "green", "warning": "yellow", "failed": "red"}.get(status)
    click.echo(f"{click.style(f'{status:8}', fg=color)}{subject:14}{check:20}{message}")
    if fix:
        click.echo(f"{'':22}{'':20}-> {fix}")


def _print_published(connection: duckdb.DuckDBPyConnection) -> None:
    found = published_status(connection)
    if found.is_demo:
        click.echo(DEMO_MARK)
    ago = age(found.published_at, datetime.now(UTC))
    click.echo(f"published {found.published_at:%Y-%m-%d %H:%M} UTC ({ago}), in {found.currency}\n")
    columns = list(found.clusters[0]) if found.clusters else []
    print_table(columns, [tuple(row.values()) for row in found.clusters])


def _print_due(settings: Settings) -> None:
    from finops_pipeline.ingest.windows import due_windows
    from finops_pipeline.installation.context import open_installation
    from finops_pipeline.state.schedule import FAILED

    click.echo("\ndue now:")
    with open_installation(settings) as installation:
        for cluster, source, due in due_windows(installation, installation.clock()):
            # What failed comes first: it wants to be looked at, and is seldom the most.
            reasons = Counter((it.kind != FAILED, it.reason) for it in due).most_common()
            shown = sorted(reasons, key=lambda it: it[0][0])[:_MOST_REASONS]
            why = "; ".join(f"{count} {reason}" for (_, reason), count in shown) or "nothing"
            click.echo(f"  {cluster.name} {source.name}: {why}")
