"""The published costs of some days as rows for a file, and facts about them."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from finops_pipeline.catalog.files import sql_files
from finops_pipeline.errors import QueryError
from finops_pipeline.queries.costs import Days
from finops_pipeline.queries.published import ask, ask_file, batches
from finops_pipeline.queries.status import published_status

LEVELS = ("hourly", "daily", "monthly")
FOCUS = "focus"  # FinOps Open Cost and Usage Specification 1.4, dataset Cost and Usage; by the day


@dataclass
class Export:
    """Rows of an export, read once; afterwards they are counted and summed."""

    rows: pa.RecordBatchReader
    about: dict[str, str]
    row_count: int = 0
    total: Decimal = Decimal(0)


def read_export(
    connection: duckdb.DuckDBPyConnection, level: str, days: Days, most_rows: int | None = None
) -> Export:
    """Read the costs of some days.

    Args:
        connection: a published file, open for as long as rows are read.
        level: one of ``LEVELS``, or ``FOCUS``.
        days: whose costs are exported.
        most_rows: that the file can hold.

    Raises:
        QueryError: there are none, or more than the file can hold: nothing is left out.
    """
    query = (sql_files("exports")[level].query or "").rstrip(";")
    between = {"first": days.first, "after": days.after}
    ((count,),) = ask(connection, f"select count(*) from ({query})", between).rows
    if not count:
        raise QueryError(f"there are no costs of {days}")
    if most_rows and count > most_rows:
        raise QueryError(
            f"these are {count} rows, of which the file holds {most_rows}:"
            " take fewer days, --level monthly, or --format csv"
        )
    about = _describe(connection, level, days)
    rows = batches(connection, query, between)  # last: another query would end it
    export = Export(rows, about)
    cost_column = "BilledCost" if level == FOCUS else "total_cost"
    export.rows = pa.RecordBatchReader.from_batches(rows.schema, _count(export, rows, cost_column))
    return export


def require_whole(connection: duckdb.DuckDBPyConnection, export: Export, days: Days) -> None:
    """Require that the rows read add up to what was published, to the last decimal.

    Raises:
        QueryError: it does not.
    """
    between = {"first": days.first, "after": days.after}
    ((published,),) = ask_file(connection, "total_cost", between).rows
    if export.total != published:
        raise QueryError(
            f"the rows add up to {export.total}, and not to {published}; old days have no hours:"
            " take --level daily"
        )


def _count(export: Export, rows: pa.RecordBatchReader, cost: str) -> Iterator[pa.RecordBatch]:
    for batch in rows:
        export.row_count += batch.num_rows
        export.total += pc.sum(batch.column(cost)).as_py() or 0
        yield batch


def _describe(connection: duckdb.DuckDBPyConnection, level: str, days: Days) -> dict[str, str]:
    published = published_status(connection)
    between = {"first": days.first, "after": days.after}
    ((total,),) = ask_file(connection, "total_cost", between).rows
    return {
        "level": level,
        "days (UTC)": str(days),
        "currency": published.currency,
        "total cost": f"{total or 0:f}",
        "data": "demo: a pretended cluster" if published.is_demo else "measured",
        "published at": published.published_at.isoformat(),
        "by": f"finops-pipeline {published.version}",
    }
