"""The commands that keep the data: backup, restore, close and rebuild-ledger."""

from datetime import UTC, datetime
from pathlib import Path

import click

from finops_pipeline.cli.settings_or_demo import load_settings_or_demo
from finops_pipeline.units import MIB

# Each command imports its operation itself: Arrow takes longer to import than `finops sql` takes.


@click.command(short_help="Bring a backup up to date.")
@click.argument("folder", type=click.Path(file_okay=False, path_type=Path))
def backup(folder: Path) -> None:
    """Bring a backup of lake and state database in FOLDER up to date; ticks may run meanwhile."""
    from finops_pipeline.operations.backup import back_up

    size = back_up(load_settings_or_demo(), folder)
    click.echo(f"{folder} holds {_format_size(size.file_count, size.size_bytes)}")
    click.echo(f"{size.copied_count} copied now, all verified")


@click.command(short_help="Put a backup into an empty data folder.")
@click.argument("folder", type=click.Path(exists=True, file_okay=False, path_type=Path))
def restore(folder: Path) -> None:
    """Put the backup in FOLDER into the empty data folder; the next tick publishes."""
    from finops_pipeline.operations.backup import restore as restore_backup

    settings = load_settings_or_demo()
    size = restore_backup(settings, folder)
    click.echo(f"{settings.data_dir} holds {_format_size(size.file_count, size.size_bytes)}")
    click.echo("run finops tick to compute and publish the tables")


@click.command(short_help="Freeze the statement of a month for good.")
@click.argument("month", metavar="MONTH", type=click.DateTime(formats=["%Y-%m"]))
@click.option("--force", is_flag=True, help="Although windows of the month may still change.")
def close(month: datetime, force: bool) -> None:
    """Freeze the statement of MONTH (2026-10) for good; later changes go into the next one."""
    if month.date() >= datetime.now(UTC).date():
        raise click.UsageError(f"{month:%Y-%m} has not begun")
    from finops_pipeline.installation.context import open_installation
    from finops_pipeline.operations.month_close import close_month

    with open_installation(load_settings_or_demo()) as installation:
        count, total = close_month(installation, month.date(), is_forced=force)
        currency = installation.settings.currency
    click.echo(f"{month:%Y-%m} is closed: {count} rows, {total:.2f} {currency}")
    click.echo("the next tick publishes it")


@click.command(short_help="Make a lost state database anew.")
def rebuild_ledger() -> None:
    """Make a lost state database anew from what the files of the lake say of themselves."""
    from finops_pipeline.installation.context import open_installation
    from finops_pipeline.operations.rebuild_ledger import rebuild_ledger

    with open_installation(load_settings_or_demo(), is_ledger_lost=True) as installation:
        count, damaged_paths = rebuild_ledger(installation)
    click.echo(f"the ledger knows {count} files; restatements and failures of old are gone")
    for path in damaged_paths:
        click.echo(f"damaged, moved to data/quarantine: {path}")


def _format_size(file_count: int, size_bytes: int) -> str:
    return f"the ledger and {file_count} files of {size_bytes / MIB:.1f} MiB"
