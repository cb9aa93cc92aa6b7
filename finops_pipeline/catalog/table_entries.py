"""Lists what the table files say of themselves, for ``core.table``."""

from collections.abc import Iterable, Mapping
from typing import Any

from finops_pipeline.catalog.tables import Table

# Name, schema, what a row is, kind, column that says when, days kept, columns.
TableEntry = tuple[str, str, str, str, str | None, int | None, int]


def table_entries(tables: Iterable[Table], settings: Mapping[str, Any]) -> list[TableEntry]:
    """List an entry per table, in the order of names.

    Args:
        tables: those of the SQL files.
        settings: their ``…_days`` say for how long rows are kept.
    """
    return sorted(_entry(table, settings) for table in tables)


def _entry(table: Table, settings: Mapping[str, Any]) -> TableEntry:
    return (
        table.name,
        table.schema,
        table.row_description,
        table.kind.name,
        table.grain_column,
        settings.get(table.retention_setting or ""),
        len(table.columns),
    )
