"""What a published file says, column by column, as text that two versions of the code can compare.

Amounts of money and counts stand as exact sums. Sums of doubles depend on the order in which
threads add them, so of hours and bytes twelve digits count.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import duckdb

from finops_pipeline.queries.published import open_published
from finops_pipeline_tests import demo_data

FILE = Path(__file__).parent / "published_amounts.txt"
END = datetime(2026, 11, 24, 2, 5, tzinfo=UTC)
SPAN = timedelta(hours=4)  # over a midnight
# They differ from one publication to the next although nothing else does.
VOLATILE = {
    "core.cluster.last_failure",  # the port of a server that a test started
    "core.installation.installation_id",
    "core.installation.publication_id",
    "core.installation.published_at",
    "core.installation.version",  # grows with each release
    "core.window.reason",
    "kpis.scorecard.value",  # of freshness: by the machine's clock
    "kpis.scorecard_daily.published_at",
    "kpis.scorecard_daily.value",
    "raw.scorecard.published_at",
    "raw.scorecard.value",
}
# Claims hold the instant at which they were published.
ROWS = {"core.window": "where table_name <> 'raw.scorecard'"}
EXACT = ("DECIMAL", "BIGINT", "INTEGER", "HUGEINT")
DIGITS = 12


def lines_of_demo(folder: Path) -> list[str]:
    """Publish a demo in an empty folder; return what it says."""
    return lines(demo_data.publish(folder, END, SPAN) / "data")


def lines(data_dir: Path) -> list[str]:
    """One line per column of every published table, in the order of their names."""
    with open_published(data_dir) as connection:
        return [_line(connection, *column) for column in _columns(connection)]


def _columns(connection: duckdb.DuckDBPyConnection) -> Iterator[tuple[str, str, str]]:
    rows = connection.execute(
        "select schema_name || '.' || table_name, column_name, data_type from duckdb_columns()"
        " where not internal and schema_name <> 'internal'"
        " and (schema_name, table_name) <> ('core', 'table')"  # speaks of tables, not of costs
        " order by all"
    ).fetchall()
    return (row for row in rows if f"{row[0]}.{row[1]}" not in VOLATILE)


def _line(connection: duckdb.DuckDBPyConnection, table: str, column: str, kind: str) -> str:
    """Name, rows that have a value, sum of a number, digest of all values in any order."""
    is_exact = not kind.startswith("DOUBLE")
    total = f'sum("{column}")' if kind.startswith(EXACT) or not is_exact else "null"
    value = f'cast("{column}" as varchar)'
    digest = f"md5(string_agg({value}, chr(10) order by {value}))" if is_exact else "null"
    rows = f"{table} {ROWS.get(table, '')}"
    query = f'select count("{column}"), {total}, {digest} from {rows}'
    ((count, summed, digested),) = connection.execute(query).fetchall()
    shown = f"{summed:.{DIGITS}g}" if isinstance(summed, float) else summed
    return " ".join(
        str(part) for part in (f"{table}.{column}", count, shown, (digested or "-")[:12])
    )
