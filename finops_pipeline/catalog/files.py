"""Reads files of one select: what each says of itself, needs and reads. Opens no database file."""

import hashlib
import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cache, cached_property
from pathlib import Path
from typing import Any

import duckdb

from finops_pipeline.catalog.composition import compose, part_names
from finops_pipeline.errors import TableError

SQL_DIR = Path(__file__).parent.parent / "sql"
PARTS_DIR = SQL_DIR / "parts"

# What the warehouse remembers of itself; its changes are not those of a table.
_INTERNAL = "internal"

# Part of every version: to be changed with the way tables are stored, which makes all of them anew.
_LAYOUT = "2"


@dataclass(frozen=True)
class SqlFile:
    """A file that opens with a comment that says what a row is and ends with one ``select``.

    The select may read named selects of ``sql/parts``, as ``part.<name>``.
    """

    path: Path
    parts_dir: Path = field(default=PARTS_DIR, kw_only=True)

    @property
    def name(self) -> str:
        """File name without its ending."""
        return self.path.stem

    @cached_property
    def text(self) -> str:
        """The whole file."""
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def opening(self) -> str:
        """The lines of comment that the file opens with."""
        lines = re.match(r"(?:--.*\n)*", self.text)
        return lines.group() if lines else ""

    @cached_property
    def description(self) -> str:
        """The comment the file opens with."""
        return uncomment(self.opening)

    @property
    def version(self) -> str:
        """A hash that changes whenever the file does, or a part that it reads."""
        return self._file_version

    @cached_property
    def _file_version(self) -> str:
        return digest(_LAYOUT, self.text, *(part.text for part in self.parts.values()))

    @cached_property
    def statements(self) -> list[duckdb.Statement]:
        """The file as DuckDB splits it."""
        try:
            statements = duckdb.extract_statements(self.text)
        except duckdb.ParserException as error:
            raise TableError(f"{self.path}: {error}") from error
        if not statements:
            raise TableError(f"{self.path} holds no statement")
        return statements

    @cached_property
    def written_query(self) -> str | None:
        """The select as it stands in the file."""
        return self.statements[-1].query.strip()

    @cached_property
    def parts(self) -> dict[str, "SqlFile"]:
        """The parts that the select reads by name, each after the parts that it reads itself.

        Raises:
            TableError: one has no file, or parts read each other in a circle.
        """
        try:
            return {
                name: part
                for own_name in part_names(self.written_query or "")
                for name, part in self._part(own_name).items()
            }
        except RecursionError as error:
            raise TableError(f"{self.path}: parts that read each other") from error

    def _part(self, name: str) -> dict[str, "SqlFile"]:
        part = SqlFile(self.parts_dir / f"{name}.sql", parts_dir=self.parts_dir)
        if not part.path.exists():
            raise TableError(f"{self.path} reads part.{name}: no such file")
        if len(part.statements) != 1:
            raise TableError(f"{part.path} holds more than one select")
        return part.parts | {name: part}

    @cached_property
    def query(self) -> str | None:
        """The select, with the parts that it reads in front of it."""
        parts = {name: part.written_query or "" for name, part in self.parts.items()}
        return compose(self.written_query, parts) if self.written_query else None

    @cached_property
    def parameters(self) -> frozenset[str]:
        """Names after a dollar sign: settings, ``start`` and ``end``."""
        statements = [self.statements[-1], *(part.statements[-1] for part in self.parts.values())]
        return frozenset(name for statement in statements for name in statement.named_parameters)

    @cached_property
    def reads(self) -> frozenset[str]:
        """Names of the tables the select reads, each with its schema."""
        return frozenset(
            f"{node['schema_name']}.{node['table_name']}"
            for node in _nodes(self.syntax_tree)
            if node.get("type") == "BASE_TABLE" and node["schema_name"] not in {"", _INTERNAL}
        )

    @cached_property
    def syntax_tree(self) -> dict[str, Any]:
        """The select as DuckDB parses it; empty without one."""
        try:
            return _parse_select(self.query) if self.query else {}
        except ValueError as error:
            raise TableError(f"{self.path}: {error}") from error


def uncomment(lines: str) -> str:
    """Return the text of lines of comment."""
    return re.sub(r"^-- ?", "", lines, flags=re.MULTILINE).strip()


def digest(*texts: str) -> str:
    """Return a short hash of texts that follow each other."""
    return hashlib.sha256("".join(texts).encode()).hexdigest()[:12]


@cache
def sql_files(folder: str) -> dict[str, SqlFile]:
    """Return every file of ``sql/<folder>`` by file name."""
    return {path.stem: SqlFile(path) for path in sorted((SQL_DIR / folder).glob("*.sql"))}


def query_text(name: str) -> str:
    """Return the statement of a file of ``sql/queries/``."""
    return sql_files("queries")[name].query or ""


def replace_table(query: str, table_name: str, rows: str) -> str:
    """Return a select that reads the rows of another select instead of a whole table."""
    table = re.compile(rf"\b{re.escape(table_name)}\b")
    return table.sub(f"({rows}) as {table_name.partition('.')[2]}", query)


def _parse_select(query: str) -> dict[str, Any]:
    (row,) = duckdb.execute("select json_serialize_sql($query)", {"query": query}).fetchall()
    tree: dict[str, Any] = json.loads(row[0])
    if tree["error"]:
        raise ValueError(tree["error_message"])
    return tree


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:
    if isinstance(tree, dict):
        yield tree
        tree = list(tree.values())
    if isinstance(tree, list):
        for item in tree:
            yield from _nodes(item)
