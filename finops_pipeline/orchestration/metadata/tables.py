"""Describes tables for the Dagster UI: columns with comments, a preview, totals and charts."""

from datetime import UTC
from functools import cache
from typing import Any

import dagster as dg
import duckdb

from finops_pipeline.catalog.files import query_text
from finops_pipeline.catalog.tables import SCHEMAS, Table, tables
from finops_pipeline.installation.context import Installation
from finops_pipeline.orchestration.metadata.trends import movers, trend
from finops_pipeline.warehouse.bookkeeping import TABLES as INTERNAL_TABLES
from finops_pipeline.warehouse.session import Warehouse

_PREVIEW_ROWS = 5
_PREVIEW_COLUMNS = 10
_WIDEST_CELL = 40


def key(table_name: str) -> dg.AssetKey:
    """Return the key of a table's asset: ``costs.daily`` -> ``costs/daily``."""
    return dg.AssetKey(table_name.split("."))


def column_schema(table: Table) -> dg.TableSchema:
    """Return the columns of a table with their types and comments."""
    types = _column_types()
    return dg.TableSchema(
        [
            dg.TableColumn(
                name,
                type=types[table.name, name][0],
                description=_as_markdown(comment),
                constraints=dg.TableColumnConstraints(nullable=types[table.name, name][1]),
            )
            for name, comment in table.columns.items()
        ]
    )


@cache
def _column_types() -> dict[tuple[str, str], tuple[str, bool]]:
    """Return type and nullability by table and column, as DuckDB understands the table files."""
    with duckdb.connect() as connection:
        connection.execute(INTERNAL_TABLES)
        for schema in SCHEMAS:
            connection.execute(f"create schema {schema}")
        for table in tables().values():
            connection.execute(table.ddl)
        rows = connection.execute(query_text("column_types")).fetchall()
    return {(table, column): (kind, nullable) for table, column, kind, nullable in rows}


def _as_markdown(text: str) -> str:
    """Escape a comment, which the UI renders: ``__idle__`` would become a bold idle."""
    return text.replace("_", "\\_").replace("*", "\\*")


def describe_table(
    warehouse: Warehouse, table: Table, rows_written: int, installation: Installation
) -> dict[str, Any]:
    """Return row counts, totals, trend, movers and a preview of a table that was just filled.

    Of a view only how to ask it: its rows would be computed, all of them, to be counted.
    """
    ask = dg.MetadataValue.text(f'finops sql "from {table.name} limit 10"')
    if table.is_view:
        return {"ask": ask}
    newest = _newest(table)
    metadata: dict[str, Any] = {
        "dagster/row_count": warehouse.row_count(table),
        "rows_written": rows_written,
        "ask": ask,
        "preview": dg.MetadataValue.md(preview(warehouse.rows(f"{newest} limit {_PREVIEW_ROWS}"))),
    }
    today = installation.clock().astimezone(UTC).date()
    metadata |= trend(warehouse, table, installation.settings.currency)
    warehouse.refresh_table(warehouse.tables["core.window_daily"])  # says which days are whole
    return metadata | movers(warehouse, table, today)


def _newest(table: Table) -> str:
    wanted = (table.time_column, "total_cost")
    columns = [f"{name} desc nulls last" for name in wanted if name in table.columns]
    order = f" order by {', '.join(columns)}" if columns else ""
    return f"select * from {table.storage}{order}"


def preview(rows: list[dict[str, Any]]) -> str:
    """Format rows as a small Markdown table."""
    if not rows:
        return "no rows"
    names = _preview_columns(list(rows[0]))
    lines = [names, ["---"] * len(names), *([_cell(row[name]) for name in names] for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _preview_columns(names: list[str]) -> list[str]:
    """Choose the columns to show: the first ones, and the total cost, which people look for."""
    names = [name for name in names if not name.endswith("_rule")]
    totals = [name for name in names[_PREVIEW_COLUMNS:] if name == "total_cost"]
    return [*names[: _PREVIEW_COLUMNS - len(totals)], *totals]


def _cell(value: Any) -> str:
    text = "" if value is None else str(value).replace("|", "\\|").replace("\n", " ")
    short = text if len(text) <= _WIDEST_CELL else f"{text[: _WIDEST_CELL - 1]}…"
    return short.replace("__", "\\_\\_")  # else __idle__ would become a bold idle
