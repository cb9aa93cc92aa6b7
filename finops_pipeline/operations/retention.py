"""Old days of the daily tables are frozen in the lake; then their raw rows may go.

A frozen day is a file of the lake like any other, with a window of its own in the ledger. Tables
take it as it is: nothing that changes in the SQL files changes it any more.
"""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import date, datetime
from decimal import Decimal

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from finops_pipeline.catalog.tables import Table, tables
from finops_pipeline.errors import LakeDamaged
from finops_pipeline.installation.context import Installation
from finops_pipeline.installation.recording import told
from finops_pipeline.lake.content_hash import content_sha256
from finops_pipeline.lake.files import Lake
from finops_pipeline.queries.published import open_published
from finops_pipeline.state.window import FINAL, StoredFile, Window
from finops_pipeline.units import DAY, day_start

_AT_ONCE = 10  # a tick stays short, and keeps up with a day per day all the same
_TOTAL = "total_cost"
_WINDOWS = """
select table_name, cluster, status, read_count, content_sha256
from core.window
where window_start >= $start and window_start < $end
"""


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
                done
                for table in _daily_tables()
                for done in _freeze(installation, published, table, day, at)
            ]
            files, windows = [file for file, _ in frozen], [window for _, window in frozen]
            installation.state.ledger.expire(day, files, windows, at)
    return expired


def _daily_tables() -> Iterable[Table]:
    return (it for it in tables().values() if it.is_growing and it.time_column == "day")


def _is_published(
    installation: Installation, published: duckdb.DuckDBPyConnection, day: date
) -> bool:
    """Whether readers see of a day what the ledger says now."""
    start = day_start(day)
    with installation.state.snapshot() as contents:
        known = contents.windows(start, start + DAY)
    seen = published.execute(_WINDOWS, {"start": start, "end": start + DAY}).fetchall()
    names = ["table_name", "cluster", "status", "read_count", "content_sha256"]
    said = [tuple(row.values()) for row in known.select(names).to_pylist()]
    return sorted(map(repr, seen)) == sorted(map(repr, said))


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
            yield kept(installation.lake, _window(table.name, cluster, own, day, at), own)


def kept(lake: Lake, window: Window, rows: pa.Table) -> tuple[StoredFile, Window]:
    """One file of one window, read back before the ledger names it.

    Raises:
        LakeDamaged: it does not hold what was written.
    """
    days = {window.window_start: rows}
    file = lake.write(window.table_name, window.cluster, days, told([window]))
    if not lake.read(file.path, file.file_sha256).equals(rows):
        raise LakeDamaged(file.path, "does not hold what was written")
    return StoredFile(**vars(file)), replace(window, file=file.path)


def _window(name: str, cluster: str, rows: pa.Table, day: date, at: datetime) -> Window:
    total = _sum(rows[_TOTAL]) if _TOTAL in rows.column_names else None
    return Window(
        table_name=name,
        cluster=cluster,
        window_start=day_start(day),
        status=FINAL,
        is_verified=True,
        row_count=rows.num_rows,
        total=total,
        read_count=1,
        fetched_at=at,
        content_sha256=content_sha256(rows),
    )


def _sum(costs: pa.ChunkedArray) -> Decimal:
    total: Decimal = pc.sum(costs.cast(pa.decimal128(38, 10)), min_count=0).as_py()
    return total
