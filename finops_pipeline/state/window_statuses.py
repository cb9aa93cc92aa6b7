"""Status of the windows of one source, over all the tables that it fills together."""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import ColumnElement, Connection, and_, case, func, select

from finops_pipeline.state.schedule import WindowStatus
from finops_pipeline.state.tables import ledger
from finops_pipeline.state.window import ABSENT


def is_of_source(
    table_names: Sequence[str], cluster: str, start: datetime, end: datetime
) -> ColumnElement[bool]:
    """Return the condition for rows of some tables of a cluster, windows of ``[start, end)``."""
    return and_(
        ledger.c.table_name.in_(table_names),
        ledger.c.cluster == cluster,
        ledger.c.window_start >= start,
        ledger.c.window_start < end,
    )


def window_statuses(
    connection: Connection,
    table_names: Sequence[str],
    cluster: str,
    start: datetime,
    end: datetime,
) -> dict[datetime, WindowStatus]:
    """Read the status of the windows of ``[start, end)``; those never tried are left out."""
    is_absent = ledger.c.status == ABSENT
    query = (
        select(
            ledger.c.window_start,
            func.sum(case((is_absent, 0), else_=1)),
            func.min(ledger.c.next_read_at),
            func.max(case((is_absent, ledger.c.failure))),
            func.max(ledger.c.failed_at),
        )
        .where(is_of_source(table_names, cluster, start, end))
        .group_by(ledger.c.window_start)
    )
    return {
        window_start: WindowStatus(read_count == len(table_names), *others)
        for window_start, read_count, *others in connection.execute(query)
    }
