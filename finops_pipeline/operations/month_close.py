"""Closes a month: its statement becomes a file of the lake, and stays as it is for good."""

from collections.abc import Sequence
from datetime import date, datetime
from decimal import Decimal

import duckdb

from finops_pipeline.catalog.files import query_text
from finops_pipeline.errors import CloseRefused
from finops_pipeline.installation.context import Installation
from finops_pipeline.installation.recording import append
from finops_pipeline.queries.published import open_published
from finops_pipeline.state.window import ALL_CLUSTERS, STATEMENT, Window
from finops_pipeline.units import day_start

_MOST_LISTED = 5  # of many windows
_OPEN_WINDOWS = query_text("open_windows")
_STATEMENT = query_text("month_statement")


def close_month(
    installation: Installation, month: date, *, is_forced: bool = False
) -> tuple[int, Decimal]:
    """Freeze the statement of a month, as it is published now.

    Args:
        installation: whose month.
        month: its first day.
        is_forced: although some of its windows may still change; what they change is an adjustment
            in the next statement.

    Returns:
        Rows of the statement, and their sum [currency].

    Raises:
        CloseRefused: the month is not over, is closed, has no row, or windows of it are not final.
        NotPublished: nothing is.
        LakeDamaged: what was written cannot be read back; the month is as open as before.
    """
    start, end = day_start(month), day_start(next_month(month))
    at = installation.clock()
    if at < end:
        raise CloseRefused(f"{month:%Y-%m} is not over")
    if closed := _closed_window(installation, start):
        raise CloseRefused(f"{month:%Y-%m} was closed at {closed.fetched_at:%Y-%m-%d %H:%M} UTC")
    with open_published(installation.settings.data_dir) as published:
        if not is_forced:
            _require_final(published, month, start, end)
        arguments = {"month": month, "start": start}
        rows = published.execute(_STATEMENT, arguments).to_arrow_table()
    if not rows.num_rows:
        raise CloseRefused(f"no cost of {month:%Y-%m} is published")
    window = append(installation.lake, installation.state.ledger, STATEMENT, start, at, rows)
    if not window:
        raise CloseRefused(f"{month:%Y-%m} was closed just now by another process")
    return rows.num_rows, window.total or Decimal()


def _closed_window(installation: Installation, start: datetime) -> Window | None:
    windows = installation.state.ledger.day([STATEMENT], ALL_CLUSTERS, start.date())
    return windows.get((STATEMENT, start))


def next_month(month: date) -> date:
    """Return the first day of the month after."""
    return date(month.year + month.month // 12, month.month % 12 + 1, 1)


def _require_final(
    published: duckdb.DuckDBPyConnection, month: date, start: datetime, end: datetime
) -> None:
    rows = published.execute(_OPEN_WINDOWS, {"start": start, "end": end}).fetchall()
    if rows:
        raise CloseRefused(
            f"{len(rows)} windows of {month:%Y-%m} are not final: {_format_windows(rows)}; wait for"
            " the ticks that read them, or use --force: later changes become adjustments"
        )


def _format_windows(rows: Sequence[tuple[str, str, datetime, str]]) -> str:
    texts = [
        f"{at:%Y-%m-%d %H:%M} {cluster} {table_name} ({status})"
        for cluster, table_name, at, status in rows
    ]
    return "; ".join([*texts[:_MOST_LISTED], *(["..."] if len(rows) > _MOST_LISTED else [])])
