"""The commands that say how an installation is: status and doctor."""

import sys
from collections import Counter
from datetime import UTC, datetime

import click
import duckdb
import msgspec

from finops_pipeline.cli.printing import DEMO_MARK, print_table
from finops_pipeline.cli.settings_or_demo import load_settings_or_demo
from finops_pipeline.errors import NotPublished, QueryError
from finops_pipeline.queries.published import open_published
from finops_pipeline.queries.status import format_age, published_status, source_status
from finops_pipeline.settings import Settings, load_data_dir

_MOST_REASONS = 4  # why windows of a cluster and source are due


@click.command(short_help="What was read, what is due and why.")
def status() -> None:
    """Clusters, windows, the last publication, and what is due and why."""
    try:
        with open_published(load_data_dir()) as connection:
            _print_published(connection)
    except (NotPublished, QueryError) as error:  # what is due is known all the same
        click.echo(str(error))
    _print_due(load_settings_or_demo())


@click.command(short_help="What is wrong, and how to mend it.")
@click.option("--json", "is_json", is_flag=True, help="One object per finding, for scripts.")
def doctor(is_json: bool) -> None:
    """Say what is wrong and how to mend it; exit code 1 when something has failed."""
    from finops_pipeline.operations.doctor import FAILED, examine

    findings = []
    for finding in examine(load_settings_or_demo(), datetime.now(UTC)):
        findings.append(vars(finding))
        if not is_json:
            _print_finding(**vars(finding))
    if is_json:
        click.echo(msgspec.json.format(msgspec.json.encode(findings), indent=2))
    sys.exit(any(finding["status"] == FAILED for finding in findings))


def _print_published(connection: duckdb.DuckDBPyConnection) -> None:
    published = published_status(connection)
    if published.is_demo:
        click.echo(DEMO_MARK)
    ago = format_age(published.published_at, datetime.now(UTC))
    click.echo(
        f"published {published.published_at:%Y-%m-%d %H:%M} UTC ({ago}), in {published.currency}\n"
    )
    sources = source_status(connection)
    if sources.rows:
        print_table(sources.columns, sources.rows)


def _print_due(settings: Settings) -> None:
    from finops_pipeline.ingest.windows import due_windows
    from finops_pipeline.installation.context import open_installation
    from finops_pipeline.state.schedule import FAILED

    click.echo("\ndue now:")
    with open_installation(settings) as installation:
        for cluster, source, due in due_windows(installation, installation.clock()):
            # What failed comes first: it wants to be looked at, and is seldom the most.
            reasons = Counter((window.kind != FAILED, window.reason) for window in due)
            first = sorted(reasons.most_common(), key=lambda item: item[0][0])[:_MOST_REASONS]
            why = "; ".join(f"{count} {reason}" for (_, reason), count in first) or "nothing"
            click.echo(f"  {cluster.name} {source.name}: {why}")


def _print_finding(subject: str, check: str, status: str, message: str, fix: str) -> None:
    color = {"ok": "green", "warning": "yellow", "failed": "red"}.get(status)
    click.echo(f"{click.style(f'{status:8}', fg=color)}{subject:14}{check:20}{message}")
    if fix:
        click.echo(f"{'':22}{'':20}-> {fix}")
