"""The commands of the command line that answer analysts: sql, costs and export."""

import math
import re
import sys
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from finops_pipeline.cli.printing import DEMO_MARK, PRINTERS, print_costs, print_note
from finops_pipeline.cli.sql_worker import Job, answer
from finops_pipeline.queries.costs import ALL, DIMENSIONS, Days, costs_by, parse_days, previous_days
from finops_pipeline.queries.published import open_published
from finops_pipeline.queries.status import is_demo
from finops_pipeline.settings import load_data_dir
from finops_pipeline.units import MIB

if TYPE_CHECKING:
    from finops_pipeline.queries.export import Export

_MOST_GROUPS = 50  # of a table, which people read; the others are one row
_MOST_ROWS = 1_000_000_000
_STYLE = click.option(
    "--format", "style", type=click.Choice(list(PRINTERS)), default="table", show_default=True
)
_WINDOW = click.option(
    "--window",
    default="mtd",
    show_default=True,
    help="today, yesterday, 7d (whole days before today), mtd (month to date), last-month,"
    " 2026-11, or 2026-11-01..2026-11-15.",
)


def _parse_list(_context: click.Context, _option: click.Parameter, value: str) -> list[str]:
    """Return the parts of a comma-separated list, each once."""
    parts = [part.strip() for part in value.split(",")]
    if not all(parts):
        raise click.BadParameter("has an empty part")
    return list(dict.fromkeys(parts))


def _parse_day_count(_context: click.Context, _option: click.Parameter, value: str) -> int:
    match = re.fullmatch(r"(\d{1,4})d", value)
    if not match:
        raise click.BadParameter(f"{value!r} is no number of days, such as 7d")
    return int(match[1])


def _refuse_nan(_context: click.Context, _option: click.Parameter, value: float) -> float:
    if math.isnan(value):  # which is in every range
        raise click.BadParameter("is no number")
    return value


@click.command(short_help="Answer a query, as table, CSV or JSON.")
@click.argument("query")
@_STYLE
@click.option(
    "--limit",
    type=click.IntRange(1, _MOST_ROWS),
    default=1_000_000,
    show_default=True,
    help="Rows of the answer.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(0, 86_400, min_open=True),
    default=60.0,
    show_default=True,
    callback=_refuse_nan,
    help="Seconds until it is stopped; a day at most.",
)
def sql(query: str, style: str, limit: int, timeout: float) -> None:
    """Answer QUERY from the published file, which it cannot change.

    A table is for reading: money has 4 decimals, and only the first 200 rows are shown. CSV and
    JSON hold every row and every digit. The query runs in a process of its own with 1 GiB of
    memory, which reaches nothing but the published file and the lake.
    """
    job = Job(str(load_data_dir()), query, style, limit, timeout)
    click.echo(answer(job, sys.stdout.buffer), err=True, nl=False)


@click.command(short_help="Costs by team, namespace, workload and more.")
@click.option(
    "--by",
    "dimensions",
    default="team",
    show_default=True,
    callback=_parse_list,
    help=f"Comma-separated, of {', '.join(DIMENSIONS)}.",
)
@_WINDOW
@click.option(
    "--compare",
    type=click.Choice(["previous", "none"]),
    default="previous",
    show_default=True,
    help="With as many days before; of a month with the month before.",
)
@click.option("--cluster", help="Only of this cluster.")
@click.option("--team", help="Only of this team.")
@click.option("--namespace", help="Only of this namespace.")
@_STYLE
@click.option(
    "--limit",
    type=click.IntRange(1, _MOST_ROWS),
    help="Groups; all others are one row. Of a table 50, unless given.",
)
def costs(
    dimensions: list[str],
    window: str,
    compare: str,
    style: str,
    limit: int | None,
    **filters: str | None,
) -> None:
    """Print what each team, namespace, ... cost, its share of all, and how that changed.

    A team pays for its workloads (direct) and, as configured, for its share of idle and of shared
    cost. Days are UTC; today is counted as far as it was read.
    """
    days = parse_days(window, _today())
    previous = previous_days(window, days) if compare == "previous" else None
    groups = limit or (_MOST_GROUPS if style == "table" else ALL)
    with open_published(load_data_dir()) as connection:
        if is_demo(connection):
            print_note(DEMO_MARK)
        print_costs(costs_by(connection, dimensions, days, previous, filters, groups), style)


@click.group()
def export() -> None:
    """Write costs, or everything, to a file of its own."""


@export.command("costs")
@click.option(
    "--format",
    "style",
    type=click.Choice(["csv", "parquet", "xlsx", "focus"]),
    default="csv",
    show_default=True,
    help="focus is FOCUS 1.4 for FinOps tools: CSV, or Parquet where --out ends so.",
)
@_WINDOW
@click.option(
    "--level",
    type=click.Choice(["hourly", "daily", "monthly"]),
    default="daily",
    show_default=True,
    help="What a row is of; with focus always daily.",
)
@click.option(
    "--out",
    type=click.Path(dir_okay=False, path_type=Path),
    help="By default named after level and days, in the working directory.",
)
def export_costs(style: str, window: str, level: str, out: Path | None) -> None:
    """Write the costs of some days to a file, every row of them.

    In CSV, text that a spreadsheet would take for a formula gets an apostrophe before it.
    """
    # Imported here: Arrow takes longer to import than most commands take altogether.
    from finops_pipeline.destinations.table_file import KINDS, replace_file
    from finops_pipeline.queries.export import read_export, require_whole

    days = parse_days(window, _today())
    if style == "focus" and level != "daily":
        raise click.UsageError("FOCUS has charges of days: leave out --level")
    level = "focus" if style == "focus" else level
    path = _outside_data(out or _default_path(style, level, days))
    kind = KINDS[_file_kind(style, path)]
    with open_published(load_data_dir()) as connection, replace_file(path) as temporary:
        export = read_export(connection, level, days, kind.most_rows)
        kind.write(temporary, export.rows, export.about)
        require_whole(connection, export, days)
    _print_export(path, export)


@export.command("database")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), required=True)
@click.option(
    "--raw",
    "raw_days",
    default="7d",
    show_default=True,
    callback=_parse_day_count,
    help="Days of raw rows that it holds; 0d for none.",
)
def export_database(out: Path, raw_days: int) -> None:
    """Copy every table into one DuckDB file that needs no lake beside it."""
    from finops_pipeline.destinations.table_file import replace_file
    from finops_pipeline.queries.database import copy_database

    with replace_file(_outside_data(out)) as temporary:
        copy_database(load_data_dir(), temporary, raw_days)
    click.echo(f"{out} has {out.stat().st_size / MIB:.1f} MiB")


def _today() -> date:
    return datetime.now(UTC).date()


def _default_path(style: str, level: str, days: Days) -> Path:
    ending = "csv" if style == "focus" else style
    return Path(f"costs-{level}-{days.first}-{days.last}.{ending}")


def _outside_data(path: Path) -> Path:
    """Return a path, but refuse to write among the files of the pipeline."""
    if path.resolve().is_relative_to(load_data_dir().resolve()):
        raise click.UsageError(f"{path} lies in the data folder, which is the pipeline's own")
    return path


def _file_kind(style: str, path: Path) -> str:
    if style != "focus":
        return style
    return "parquet" if path.suffix.lower() == ".parquet" else "csv"


def _print_export(path: Path, export: "Export") -> None:
    if "demo" in export.about["data"]:
        print_note(DEMO_MARK)
    total = f"{export.about['total cost']} {export.about['currency']}"
    click.echo(f"{path} has {export.row_count} rows, together {total}")
