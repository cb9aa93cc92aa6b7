"""Reads the files under ``sql/``: what each defines, needs and reads. Opens no database file."""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import timedelta
from functools import cache, cached_property
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any

import duckdb

from finops_pipeline.errors import TableError
from finops_pipeline.units import DAY, HOUR

SQL_DIR = Path(__file__).parent.parent / "sql"

_COLUMN = re.compile(r"^    (?P<name>[a-z_0-9]+),?[ ].*?-- (?P<comment>.+)$", re.MULTILINE)
_CREATE = re.compile(r"^create (?:table|view) .*", re.MULTILINE | re.DOTALL)
_VIEW = re.compile(r"create view \S+\s*\(.*?\n\)\s*as\s", re.DOTALL)
# A select reads tables of its own schema and of those before it.
SCHEMAS = ("raw", "core", "costs", "usage", "efficiency", "kpis")
# What the warehouse remembers of itself; its changes are not those of a table.
_INTERNAL = "internal"
_SLOTS = {"window_start": HOUR, "hour": HOUR, "day": DAY}

# Part of every version: to be changed with the way tables are stored, which makes all of them anew.
_LAYOUT = "2"

# Of tables that keep less than the lake does: end of their name, and setting.
KEPT = {"quarter_hourly": "quarter_hourly_days", "container_daily": "container_days"}
# Days of hourly tables that lie in the database itself, and not in files beside it: setting.
NATIVE = "native_hourly_days"


@dataclass(frozen=True)
class SqlFile:
    """A file that opens with a comment that says what a row is and ends with one ``select``."""

    path: Path

    @property
    def name(self) -> str:
        """File name without its ending."""
        return self.path.stem

    @cached_property
    def text(self) -> str:
        """The whole file."""
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def description(self) -> str:
        """The comment the file opens with."""
        lines = re.match(r"(?:--.*\n)*", self.text)
        return re.sub(r"^-- ?", "", lines.group() if lines else "", flags=re.MULTILINE).strip()

    @cached_property
    def version(self) -> str:
        """Changes whenever the file does."""
        return hashlib.sha256(f"{_LAYOUT}{self.text}".encode()).hexdigest()[:12]

    @cached_property
    def statements(self) -> list[duckdb.Statement]:
        """The file as DuckDB splits it."""
        try:
            return duckdb.extract_statements(self.text)
        except duckdb.ParserException as error:
            raise TableError(f"{self.path}: {error}") from error

    @cached_property
    def query(self) -> str | None:
        """The select."""
        return self.statements[-1].query.strip()

    @cached_property
    def parameters(self) -> frozenset[str]:
        """Names after a dollar sign: settings, ``start`` and ``end``."""
        return frozenset(self.statements[-1].named_parameters)

    @cached_property
    def reads(self) -> frozenset[str]:
        """Names of the tables the select reads, each with its schema."""
        try:
            return _tables_read(self.query) if self.query else frozenset()
        except ValueError as error:
            raise TableError(f"{self.path}: {error}") from error


@dataclass(frozen=True)
class Table(SqlFile):
    """``sql/tables/<schema>/<name>.sql``.

    Either a ``create table`` and the select that fills it; or a ``create table`` alone, for rows
    that come from the lake (schema raw) or the ledger; or a ``create view``.
    """

    @property
    def schema(self) -> str:
        """The folder it lies in."""
        return self.path.parent.name

    @property
    def name(self) -> str:
        """Name with its schema, as an analyst writes it: ``costs.daily``."""
        return f"{self.schema}.{self.path.stem}"

    @cached_property
    def ddl(self) -> str:
        """The ``create`` statement, without the comment before it."""
        found = _CREATE.search(self.statements[0].query)
        if not found:
            raise TableError(f"{self.path} creates neither a table nor a view")
        return found.group().strip()

    @cached_property
    def is_view(self) -> bool:
        """Whether its rows are computed when it is read."""
        return _VIEW.search(self.ddl) is not None

    @property
    def is_line_item(self) -> bool:
        """Whether it is a view over the lake whose rows are each made from their window alone."""
        return self.is_view and self.path.stem == "line_item"

    @property
    def is_raw(self) -> bool:
        """Whether its rows are the lake's."""
        return self.schema == "raw"

    @property
    def is_archived(self) -> bool:
        """Whether its old days lie in files, and only the recent ones in the database.

        Tables by hour or window, but for those of the ledger and those that keep recent days only.
        """
        return bool(self.query) and self.is_growing and self.slot == HOUR and not self.forgets_after

    @property
    def forgets_after(self) -> str | None:
        """The setting that says for how many days rows are kept; None: as long as the lake's."""
        return next((name for ending, name in KEPT.items() if self.name.endswith(ending)), None)

    @property
    def is_filed(self) -> bool:
        """Whether readers see a view, since files hold some of its rows, or all."""
        return self.is_raw or self.is_archived

    @property
    def stored(self) -> str:
        """Name of the table that holds its rows, but for those in files."""
        name = self.name.replace(".", "_")
        return f"internal.{name}" if self.is_filed else self.name

    @cached_property
    def query(self) -> str | None:
        """The select that makes its rows; None when they come from the lake or the ledger."""
        if self.is_view:
            return _VIEW.split(self.ddl, maxsplit=1)[1]
        return self.statements[1].query.strip() if len(self.statements) > 1 else None

    @cached_property
    def columns(self) -> dict[str, str]:
        """Comment of each column, in the table's order."""
        return dict(_COLUMN.findall(self.ddl))

    @property
    def time_column(self) -> str | None:
        """The column that says when, if it has one: ``window_start``, ``hour`` or ``day``."""
        return next((name for name in _SLOTS if name in self.columns), None)

    @property
    def grain_column(self) -> str | None:
        """The column that says when, of views by month too."""
        return self.time_column or ("month" if "month" in self.columns else None)

    @property
    def kind(self) -> str:
        """How it is filled: ``lake``, ``table`` or ``view``."""
        return "lake" if self.is_raw else "view" if self.is_view else "table"

    @property
    def row_description(self) -> str:
        """What a row is, on one line."""
        return self.description.split("\n\n")[0].replace("\n", " ")

    @property
    def kept_setting(self) -> str | None:
        """The key of ``[retention]`` that says for how long rows are kept; None: for good."""
        by_hour = self.time_column in {"window_start", "hour"}
        return self.forgets_after or ("raw_days" if by_hour else None)

    @property
    def is_growing(self) -> bool:
        """Whether it is filled range by range instead of whole."""
        if self.query is None:
            return self.time_column is not None
        return "start" in self.parameters

    @property
    def is_settled(self) -> bool:
        """Whether what reads it is filled again when its rows differ, not when its inputs do.

        Tables of core by day say things of many hours that seldom change, from inputs that do.
        """
        return self.schema == "core" and "start" in self.parameters and self.time_column == "day"

    @property
    def slot(self) -> timedelta:
        """How much time of a growing table is deleted and filled at once."""
        return _SLOTS[self.time_column or "day"]


@cache
def tables() -> dict[str, Table]:
    """Every table file by table name, each after the tables it reads."""
    return read_tables(SQL_DIR / "tables")


def read_tables(folder: Path) -> dict[str, Table]:
    """The same of another folder.

    Raises:
        TableError: a file reads a table that has none, or is no SQL.
    """
    found = {table.name: table for table in map(Table, folder.glob("*/*.sql"))}
    for table in found.values():
        if unknown := table.reads - found.keys():
            raise TableError(f"{table.path} reads {', '.join(sorted(unknown))}: no such table file")
    left_to_right = sorted(found, key=lambda name: (SCHEMAS.index(found[name].schema), name))
    order = TopologicalSorter({name: sorted(found[name].reads) for name in left_to_right})
    return {name: found[name] for name in order.static_order()}


def reading(query: str, table_name: str, rows: str) -> str:
    """A select that reads some rows, a select too, where it read a whole table."""
    table = re.compile(rf"\b{re.escape(table_name)}\b")
    return table.sub(f"({rows}) as {table_name.partition('.')[2]}", query)


@cache
def files(folder: str) -> dict[str, SqlFile]:
    """Every file of ``sql/<folder>`` by file name."""
    return {path.stem: SqlFile(path) for path in sorted((SQL_DIR / folder).glob("*.sql"))}


def _tables_read(query: str) -> frozenset[str]:
    (row,) = duckdb.execute("select json_serialize_sql($query)", {"query": query}).fetchall()
    tree = json.loads(row[0])
    if tree["error"]:
        raise ValueError(tree["error_message"])
    return frozenset(
        f"{node['schema_name']}.{node['table_name']}"
        for node in _nodes(tree)
        if node.get("type") == "BASE_TABLE" and node["schema_name"] not in {"", _INTERNAL}
    )


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
        tree = list(tree.values())
    if isinstance(tree, list):
        for item in tree:
            yield from _nodes(item)
