"""The command line: ``finops``. An error raised on purpose is shown as one sentence."""

import csv
import json
import os
import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import click
import duckdb

from finops_pipeline import settings as configuration
from finops_pipeline.errors import ConfigError, FinopsError, NotPublished
from finops_pipeline.queries.published import Answer, ask, open_published
from finops_pipeline.queries.status import age, published_status
from finops_pipeline.settings import Settings

DEMO_MARK = "DEMO DATA: this cluster is pretended"
_INSTANT = click.DateTime(formats=["%Y-%m-%dT%H:%M:%SZ", "%Y-%m-%dT%H:%M:%S%z"])
_DAY = click.DateTime(formats=["%Y-%m-%d"])


class _Commands(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        """Show an error raised on purpose as one sentence instead of a traceback."""
        try:
            return super().invoke(ctx)
        except FinopsError as error:
            raise click.ClickException(str(error)) from error


@click.group(cls=_Commands)
@click.version_option(package_name="finops-pipeline")
def main() -> None:
    """Costs of Kubernetes clusters, every 15 minutes, in numbers that add up."""


@main.command()
@click.argument("query")
@click.option("--format", "style", type=click.Choice(["table", "csv", "json"]), default="table")
def sql(query: str, style: str) -> None:
    """Answer QUERY from the published file, which it cannot change."""
    with open_published(_data_dir()) as connection:
        if published_status(connection).is_demo:
            click.echo(DEMO_MARK, err=True)
        _PRINTERS[style](ask(connection, query))


@main.command()
def status() -> None:
    """Clusters, windows, the last publication, and what is due and why."""
    try:
        with open_published(_data_dir()) as connection:
            _print_published(connection)
    except NotPublished as error:
        click.echo(str(error))
    _print_due(_settings_or_demo())


@main.command()
@click.option("--now", type=_INSTANT, help="Pretend that it is then: 2026-11-24T10:05:00Z.")
@click.option("--from", "first", type=_DAY, help="First UTC day to read; by default what is due.")
@click.option("--to", "last", type=_DAY, help="Last UTC day to read; by default today.")
def tick(now: datetime | None, first: datetime | None, last: datetime | None) -> None:
    """Read what is due, bring all tables up to date, publish: once, without the daemon."""
    configuration.load()
    # Imported here: every process with Dagster in it starts two seconds later.
    from finops_pipeline.definitions import defs
    from finops_pipeline.orchestration.run import run_tick

    instant = now.replace(tzinfo=now.tzinfo or UTC) if now else None
    today = (instant or datetime.now(UTC)).date()
    days = (first.date(), last.date() if last else today) if first else None
    outcome = run_tick(defs, instant, days)
    click.echo(f"read {outcome.windows_read} windows of {outcome.first_day} to {outcome.last_day}")
    if not outcome.is_success:
        raise click.ClickException(f"failed: {', '.join(outcome.failed_steps)}; see the run's log")


@main.command()
@click.option("--port", default=3000, show_default=True, help="Of the Dagster UI.")
def run(port: int) -> None:
    """Run the schedule, the sensor and the Dagster UI for the configured clusters."""
    configuration.load()
    _must_be_in_the_repository()
    os.environ.setdefault("DAGSTER_HOME", str(Path.cwd()))
    command = [str(Path(sys.executable).with_name("dagster")), "dev", "-h", "127.0.0.1"]
    os.execv(command[0], [*command, "-p", str(port)])  # noqa: S606  # takes our place, our signals


@main.command()
@click.option("--days", default=35, show_default=True, help="How far back the demo is filled.")
@click.option("--port", default=3000, show_default=True, help="Of the Dagster UI.")
def demo(days: int, port: int) -> None:
    """Run everything against an embedded pretend cluster; needs nothing else, works offline."""
    from finops_pipeline.demo import run_demo

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
    """Say whether the settings can be used, and name the first key that cannot."""
    settings = _settings()
    names = ", ".join(cluster.name for cluster in settings.clusters)
    click.echo(f"valid: {len(settings.clusters)} clusters ({names}), data in {settings.data_dir}")


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


def _must_be_in_the_repository() -> None:
    if not Path("workspace.yaml").exists():
        raise ConfigError("there is no workspace.yaml here: change to the root of the repository")


def _print_published(connection: duckdb.DuckDBPyConnection) -> None:
    found = published_status(connection)
    if found.is_demo:
        click.echo(DEMO_MARK)
    ago = age(found.published_at, datetime.now(UTC))
    click.echo(f"published {found.published_at:%Y-%m-%d %H:%M} UTC ({ago}), in {found.currency}\n")
    columns = list(found.clusters[0]) if found.clusters else []
    _print_table(Answer(columns, [tuple(row.values()) for row in found.clusters]))


def _print_due(settings: Settings) -> None:
    from finops_pipeline.orchestration.ingest import due_windows
    from finops_pipeline.orchestration.installation import open_installation

    click.echo("\ndue now:")
    with open_installation(settings) as installation:
        for cluster, source, due in due_windows(installation, installation.clock()):
            reasons = Counter(window.reason for window in due).most_common(3)
            why = "; ".join(f"{count} {reason}" for reason, count in reasons) or "nothing"
            click.echo(f"  {cluster.name} {source.name}: {why}")


def _print_table(answer: Answer) -> None:
    """Aligned columns, numbers to the right."""
    cells = [[_shown(value) for value in row] for row in answer.rows]
    widths = [max(map(len, column)) for column in zip(answer.columns, *cells, strict=True)]
    click.echo("  ".join(map(str.ljust, answer.columns, widths)).rstrip())
    click.echo("  ".join("-" * width for width in widths))
    for row, shown in zip(answer.rows, cells, strict=True):
        aligned = [
            text.ljust(width) if isinstance(value, str) else text.rjust(width)
            for value, text, width in zip(row, shown, widths, strict=True)
        ]
        click.echo("  ".join(aligned).rstrip())


def _shown(value: Any) -> str:
    if isinstance(value, datetime):
        return f"{value.astimezone(UTC):%Y-%m-%d %H:%M}"
    return "" if value is None else str(value)


def _print_csv(answer: Answer) -> None:
    writer = csv.writer(sys.stdout)
    writer.writerow(answer.columns)
    writer.writerows(answer.rows)


def _print_json(answer: Answer) -> None:
    click.echo(json.dumps(answer.dicts(), default=_as_json, indent=2))


def _as_json(value: Any) -> str:
    return value.isoformat() if isinstance(value, date) else str(value)


_PRINTERS: dict[str, Callable[[Answer], None]] = {
    "table": _print_table,
    "csv": _print_csv,
    "json": _print_json,
}
