"""The published costs of some days as rows for a file, and what is to be known of them."""

from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

import duckdb
import pyarrow as pa
import pyarrow.compute as pc

from finops_pipeline.catalog.files import sql_files
from finops_pipeline.errors import QueryError
from finops_pipeline.queries.costs import Days
from finops_pipeline.queries.published import ask, batches

_MONTHLY = r"""
select
    cast(date_trunc('month', day) as date) as month,
    columns(it -> not regexp_matches(it, '^day$|_(cost|hours|count)$')),
    sum(columns('(.+_(?:cost|hours))')) as '\1',
    count(distinct day) as day_count
from costs.daily
where day >= $first and day < $after
group by all
order by all
"""
_QUERIES = {
    "hourly": "from costs.hourly where hour >= $first and hour < $after order by all",
    "daily": "from costs.daily where day >= $first and day < $after order by all",
    "monthly": _MONTHLY,
}
LEVELS = tuple(_QUERIES)
FOCUS = "focus"  # FinOps Open Cost and Usage Specification 1.4, dataset Cost and Usage; by the day
_TOTAL = "select sum(total_cost) from costs.daily where day >= $first and day < $after"


@dataclass
class Export:
    """Rows of an export, read once; afterwards they are counted and summed."""

    rows: pa.RecordBatchReader
    about: dict[str, str]
    row_count: int = 0
    total: Decimal = Decimal(0)


def exported(
    connection: duckdb.DuckDBPyConnection, level: str, days: Days, most_rows: int | None = None
) -> Export:
    """The costs of some days.

    Args:
        connection: a published file, open for as long as rows are read.
        level: one of ``LEVELS``, or ``FOCUS``.
        days: whose costs are exported.
        most_rows: that the file can hold.

    Raises:
        QueryError: there are none, or more than the file can hold: nothing is left out.
    """
    query = _query(level)
    between = {"first": days.first, "after": days.after}
    ((count,),) = ask(connection, f"select count(*) from ({query})", between).rows
    if not count:
        raise QueryError(f"there are no costs of {days}")
    if most_rows and count > most_rows:
        raise QueryError(
            f"these are {count} rows, of which the file holds {most_rows}:"
            " take fewer days, --level monthly, or --format csv"
        )
    about = _about(connection, level, days)
    rows = batches(connection, query, between)  # last: another query would end it
    export = Export(rows, about)
    cost_column = "BilledCost" if level == FOCUS else "total_cost"
    export.rows = pa.RecordBatchReader.from_batches(
        rows.schema, _counted(export, rows, cost_column)
    )
    return export


def _query(level: str) -> str:
    if level in _QUERIES:
        return _QUERIES[level]
    return (sql_files("exports")[level].query or "").rstrip(";")


def must_be_whole(connection: duckdb.DuckDBPyConnection, export: Export, days: Days) -> None:
    """See that what was written adds up to what was published, to the last decimal.

    Raises:
        QueryError: it does not.
    """
    between = {"first": days.first, "after": days.after}
    ((published,),) = ask(connection, _TOTAL, between).rows
    if export.total != published:
        raise QueryError(
            f"the rows add up to {export.total}, and not to {published}; old days have no hours:"
            " take --level daily"
        )


def _counted(export: Export, rows: pa.RecordBatchReader, cost: str) -> Iterator[pa.RecordBatch]:
    for batch in rows:
        export.row_count += batch.num_rows
        export.total += pc.sum(batch.column(cost)).as_py() or 0
        yield batch


def _about(connection: duckdb.DuckDBPyConnection, level: str, days: Days) -> dict[str, str]:
    query = "select currency, is_demo, version, published_at from core.installation"
    ((currency, is_demo, version, published_at),) = ask(connection, query).rows
    ((total,),) = ask(connection, _TOTAL, {"first": days.first, "after": days.after}).rows
    return {
        "level": level,
        "days (UTC)": str(days),
        "currency": currency,
        "total cost": f"{total or 0:f}",
        "data": "demo: a pretended cluster" if is_demo else "measured",
        "published at": published_at.isoformat(),
        "by": f"finops-pipeline {version}",
    }
