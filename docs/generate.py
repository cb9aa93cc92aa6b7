"""Writes the pages of this folder that say what exists: tables, metrics, settings.

``make docs`` runs it; a test fails when a page no longer says what the code does.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path

import duckdb

from finops_pipeline import settings
from finops_pipeline.catalog.files import sql_files
from finops_pipeline.catalog.tables import SCHEMAS, Table, tables
from finops_pipeline.warehouse.bookkeeping import TABLES as INTERNAL_TABLES

NOTE = "Written by `make docs` from {source}; change it there.\n"
KINDS = {
    "lake": "Files of the lake",
    "table": "A table, filled when what it is made from changes",
    "view": "A view, computed when it is asked",
}
HOW_SETTINGS_ARE_READ = """They are read from `finops.toml` in the folder where a command runs, or
from the file that `FINOPS_CONFIG` names. A variable beats the file. Lists and tables are JSON in a
variable, and `FINOPS_CLUSTERS` is the whole list of clusters.
"""


def pages() -> dict[str, str]:
    """Text of each generated page by file name."""
    return {
        "tables.md": tables_page(),
        "metrics.md": metrics_page(),
        "settings.md": settings_page(),
    }


def tables_page() -> str:
    """Every table with what a row is, and type and meaning of each column."""
    types = column_types()
    left_to_right = sorted(tables().values(), key=lambda t: (SCHEMAS.index(t.schema), t.name))
    sections = (table_section(table, types[table.name]) for table in left_to_right)
    return page("Tables", "the files under `finops_pipeline/sql/tables`", sections)


def table_section(table: Table, types: dict[str, str]) -> str:
    """One table."""
    rows = ([f"`{name}`", types[name], table.columns.get(name, "")] for name in types)
    lines = grid(["column", "type", "meaning"], rows)
    head = [f"## {table.name}\n", f"{table.description}\n", f"{how_filled(table)}\n"]
    return "\n".join([*head, *lines, ""])


def how_filled(table: Table) -> str:
    """Kind, grain and how long rows are kept."""
    grain = f"by `{table.grain_column}`" if table.grain_column else "not by time"
    days = f"for `retention.{table.retention_setting}`" if table.retention_setting else "for good"
    return f"{KINDS[table.kind]}, {grain}; kept {days}."


def column_types() -> dict[str, dict[str, str]]:
    """Type of each column by table, as DuckDB has them."""
    with duckdb.connect() as database:
        database.execute(INTERNAL_TABLES)
        for table in tables().values():
            database.execute(f"create schema if not exists {table.schema}")
            database.execute(table.ddl)
        return {name: columns(database, name) for name in tables()}


def columns(database: duckdb.DuckDBPyConnection, table: str) -> dict[str, str]:
    """Type of each column of a table, in its order."""
    found = database.sql(f"from {table}")
    return {name: str(kind).lower() for name, kind in zip(found.columns, found.types, strict=True)}


def metrics_page() -> str:
    """Every gauge that is pushed, and what it means."""
    rows = ([f"`{file.name}`", file.description] for file in sql_files("metrics").values())
    return page(
        "Metrics", "the files under `finops_pipeline/sql/metrics`", grid(["gauge", "meaning"], rows)
    )


def settings_page() -> str:
    """Every setting with its variable, default and unit."""
    head = ["key", "variable", "default", "unit", "meaning"]
    rows = (
        [
            f"`{key.key}`",
            f"`{key.variable}`",
            "required" if key.is_required else f"`{plain(key.default)}`",
            key.unit,
            key.text,
        ]
        for key in settings.describe()
    )
    parts = [HOW_SETTINGS_ARE_READ, *grid(head, rows)]
    return page("Settings", "the files under `finops_pipeline/settings`", parts)


def plain(default: object) -> str:
    """A default as TOML writes it."""
    if isinstance(default, tuple):
        return f"[{', '.join(map(plain, default))}]"
    if isinstance(default, bool | int | float):
        return str(default).lower()
    return "none" if default in (None, {}) else f'"{default}"'


def page(title: str, source: str, parts: Iterable[str]) -> str:
    """A page with its heading."""
    return "\n".join([f"# {title}\n", NOTE.format(source=source), *parts]).rstrip() + "\n"


def grid(head: list[str], rows: Iterable[list[str]]) -> Iterator[str]:
    """Lines of a Markdown table."""
    for row in [head, ["---"] * len(head), *rows]:
        yield f"| {' | '.join(cell.replace('|', '&#124;').replace(chr(10), ' ') for cell in row)} |"


if __name__ == "__main__":
    for name, text in pages().items():
        (Path(__file__).parent / name).write_text(text, encoding="utf-8")
