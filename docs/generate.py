"""Writes the pages of this folder that say what exists: tables by schema, metrics, settings.

``make docs`` runs it; a test fails when a page no longer says what the code does.
"""

import re
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path

import duckdb

from finops_pipeline import settings
from finops_pipeline.catalog.files import sql_files
from finops_pipeline.catalog.tables import SCHEMAS, Table, tables
from finops_pipeline.warehouse.bookkeeping import TABLES as INTERNAL_TABLES

TABLE_FILES = "the files under `finops_pipeline/sql/tables`"
TABLE_ORDER = """A table reads tables of its own schema and of those listed before it. In SQL the
same comments are in `duckdb_tables()` and `duckdb_columns()`.
"""
NOTE = "Written by `make docs` from {source}; change it there.\n"
KINDS = {
    "lake": "Files of the lake",
    "ledger": "Rows of the ledger or of the settings",
    "full": "A table, filled as a whole when what it is made from changes",
    "incremental": "A table, filled where what it is made from changes",
    "view": "A view, computed when it is asked",
}
SCHEMA_TEXTS = {
    "raw": "Rows as the sources gave them, and claims as they were made, in the files of the lake.",
    "core": "Windows, prices, usage that is plausible, Kubernetes objects, and settings as rows.",
    "costs": "Cost by owner, workload, node, volume and label, from the line item to the month.",
    "usage": "Use of CPU and memory by container.",
    "efficiency": "Use beside requests, capacity and cost, and what was wasted.",
    "kpis": "Success metrics with their targets.",
}
HOW_SETTINGS_ARE_READ = """They are read from `finops.toml` in the folder where a command runs, or
from the file that `FINOPS_CONFIG` names. A variable beats the file. Lists and tables are JSON in a
variable, and `FINOPS_CLUSTERS` is the whole list of clusters.
"""


def format_pages() -> dict[str, str]:
    """Format each generated page, by its path below this folder."""
    return {
        "tables/README.md": format_table_index(),
        **{f"tables/{schema}.md": format_schema(schema) for schema in SCHEMAS},
        "metrics.md": format_metrics(),
        "settings.md": format_settings(),
    }


def write_pages(folder: Path) -> None:
    """Write all pages, and delete those of schemas that are gone."""
    pages = format_pages()
    (folder / "tables").mkdir(exist_ok=True)
    for path in (folder / "tables").glob("*.md"):
        if f"tables/{path.name}" not in pages:
            path.unlink()
    for name, text in pages.items():
        (folder / name).write_text(text, encoding="utf-8")


def format_table_index() -> str:
    """Format the list of all tables: what a row of each is, with a link to its columns."""
    return format_page("Tables", TABLE_FILES, [TABLE_ORDER, *map(format_index_section, SCHEMAS)])


def format_index_section(schema: str) -> str:
    """Format the tables of one schema for the list of all."""
    rows = (
        [f"[{table.name}]({schema}.md#{anchor(table.name)})", table.row_description]
        for table in schema_tables(schema)
    )
    grid = format_grid(["table", "what a row is"], rows)
    return "\n".join([f"## {schema}\n", f"{SCHEMA_TEXTS[schema]}\n", *grid, ""])


def format_schema(schema: str) -> str:
    """Format the page of a schema: each table with type and meaning of its columns."""
    types = read_column_types()
    sections = (format_table(table, types[table.name]) for table in schema_tables(schema))
    text = f"{SCHEMA_TEXTS[schema]} [All tables](README.md).\n"
    return format_page(f"Tables of {schema}", TABLE_FILES, [text, *sections])


def schema_tables(schema: str) -> list[Table]:
    """List the tables of a schema by name."""
    return sorted(
        (table for table in tables().values() if table.schema == schema),
        key=lambda table: table.name,
    )


def anchor(heading: str) -> str:
    """Return the part of a link that leads to a heading, as GitHub makes it."""
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def format_table(table: Table, types: dict[str, str]) -> str:
    """Format the section of one table."""
    rows = ([f"`{name}`", types[name], table.columns.get(name, "")] for name in types)
    grid = format_grid(["column", "type", "meaning"], rows)
    head = [f"## {table.name}\n", f"{table.description}\n", f"{format_storage(table)}\n"]
    return "\n".join([*head, *grid, ""])


def format_storage(table: Table) -> str:
    """Format kind and grain of a table, and how long its rows are kept."""
    grain = f"by `{table.grain_column}`" if table.grain_column else "not by time"
    days = f"for `retention.{table.retention_setting}`" if table.retention_setting else "for good"
    return f"{KINDS[table.kind.name]}, {grain}; kept {days}."


@cache
def read_column_types() -> dict[str, dict[str, str]]:
    """Read the type of each column by table from DuckDB."""
    with duckdb.connect() as database:
        database.execute(INTERNAL_TABLES)
        for table in tables().values():
            database.execute(f"create schema if not exists {table.schema}")
            database.execute(table.ddl)
        return {name: read_types(database, name) for name in tables()}


def read_types(database: duckdb.DuckDBPyConnection, table_name: str) -> dict[str, str]:
    """Read the type of each column of a table, in its order."""
    table = database.sql(f"from {table_name}")
    return {name: str(kind).lower() for name, kind in zip(table.columns, table.types, strict=True)}


def format_metrics() -> str:
    """Format the list of gauges that are pushed."""
    rows = ([f"`{file.name}`", file.description] for file in sql_files("metrics").values())
    grid = format_grid(["gauge", "meaning"], rows)
    return format_page("Metrics", "the files under `finops_pipeline/sql/metrics`", grid)


def format_settings() -> str:
    """Format the list of settings with variable, default and unit of each."""
    head = ["key", "variable", "default", "unit", "meaning"]
    rows = (
        [
            f"`{key.key}`",
            f"`{key.variable}`",
            "required" if key.is_required else f"`{format_default(key.default)}`",
            key.unit,
            key.text,
        ]
        for key in settings.describe()
    )
    parts = [HOW_SETTINGS_ARE_READ, *format_grid(head, rows)]
    return format_page("Settings", "the files under `finops_pipeline/settings`", parts)


def format_default(default: object) -> str:
    """Format a default as TOML writes it."""
    if isinstance(default, tuple):
        return f"[{', '.join(map(format_default, default))}]"
    if isinstance(default, bool | int | float):
        return str(default).lower()
    return "none" if default in (None, {}) else f'"{default}"'


def format_page(title: str, source: str, parts: Iterable[str]) -> str:
    """Format a page with its heading and a note on where its text comes from."""
    return "\n".join([f"# {title}\n", NOTE.format(source=source), *parts]).rstrip() + "\n"


def format_grid(head: list[str], rows: Iterable[list[str]]) -> Iterator[str]:
    """Format a Markdown table line by line."""
    for row in [head, ["---"] * len(head), *rows]:
        yield f"| {' | '.join(cell.replace('|', '&#124;').replace(chr(10), ' ') for cell in row)} |"


if __name__ == "__main__":
    write_pages(Path(__file__).parent)
