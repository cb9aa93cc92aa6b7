"""Freezes old days of the daily tables in the lake; then their raw rows may go.

A frozen day is a file of the lake like any other, with a window of its own in the ledger. Tables
take it as it is: nothing that changes in the SQL files changes it any more.
"""

from collections.abc import Iterable, Iterator
from datetime import date, datetime

import duckdb
import pyarrow.compute as pc

from finops_pipeline.catalog.files import query_text
from finops_pipeline.catalog.tables import Table, tables
from finops_pipeline.installation.context import Installation
from finops_pipeline.installation.recording import final_window, write_and_verify
from finops_pipeline.queries.published import open_published
from finops_pipeline.state.window import StoredFile, Window
from finops_pipeline.units import DAY, day_start

_AT_ONCE = 10  # a tick stays short, and keeps up with a day per day all the same


def freeze_old_days(installation: Installation) -> list[date]:
    """Freeze the days that have become too old for raw rows, and let those go.

    What is frozen is what was published: its checks have passed. A day that changed since waits for
    the next publication. Raw files stay on disk for two days, as all that are replaced.

    Returns:
        Days whose raw rows are gone.

    Raises:
        LakeDamaged: what was written cannot be read back; nothing has gone.
    """
    at = installation.clock()
    days = installation.state.ledger.raw_days(before=installation.raw_start(at).date())[:_AT_ONCE]
    if not days:
        return []
    with open_published(installation.settings.data_dir) as published:
        expired = [day for day in days if _is_published(installation, published, day)]
        for day in expired:
            frozen = [
                pair
                for table in _daily_tables()
                for pair in _freeze(installation, published, table, day, at)
            ]
            files, windows = [file for file, _ in frozen], [window for _, window in frozen]
            installation.state.ledger.expire(day, files, windows, at)
    return expired


def _daily_tables() -> Iterable[Table]:
    return (table for table in tables().values() if table.kind.slot == "day" and not table.is_raw)


def _is_published(
    installation: Installation, published: duckdb.DuckDBPyConnection, day: date
) -> bool:
    """Return whether readers see of a day what the ledger says now."""
    start = day_start(day)
    with installation.state.snapshot() as contents:
        windows = contents.windows(start, start + DAY)
    query = query_text("windows_of_day")
    published_rows = published.execute(query, {"start": start, "end": start + DAY}).fetchall()
    names = ["table_name", "cluster", "status", "read_count", "content_sha256"]
    ledger_rows = [tuple(row.values()) for row in windows.select(names).to_pylist()]
    return sorted(map(repr, published_rows)) == sorted(map(repr, ledger_rows))


def _freeze(
    installation: Installation,
    published: duckdb.DuckDBPyConnection,
    table: Table,
    day: date,
    at: datetime,
) -> Iterator[tuple[StoredFile, Window]]:
    """Write the rows of a day to the lake, one file per cluster; what is frozen already stays."""
    is_day = duckdb.ColumnExpression("day") == duckdb.ConstantExpression(day)
    rows = published.table(table.name).filter(is_day).order("all").to_arrow_table()
    for cluster in sorted(set(rows["cluster"].to_pylist())):
        own = rows.filter(pc.field("cluster") == cluster)
        if not installation.state.ledger.day([table.name], cluster, day):
            window = final_window(table.name, cluster, day_start(day), at, own)
            yield write_and_verify(installation.lake, window, own)
