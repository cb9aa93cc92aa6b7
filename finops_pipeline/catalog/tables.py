"""Reads the files under ``sql/tables``: the columns of a table, its rows and how it is filled."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from functools import cache, cached_property
from graphlib import TopologicalSorter
from pathlib import Path

from finops_pipeline.catalog.columns import list_columns
from finops_pipeline.catalog.files import PARTS_DIR, SQL_DIR, SqlFile, digest, uncomment
from finops_pipeline.catalog.kinds import INCREMENTAL, LAKE, LEDGER, VIEW, Kind, parse_kind
from finops_pipeline.errors import TableError
from finops_pipeline.units import DAY, HOUR

_CREATE = re.compile(r"^create (?:table|view) .*", re.MULTILINE | re.DOTALL)
_VIEW = re.compile(r"create view \S+(?:\s*\(.*?\n\))?\s*as\s", re.DOTALL)
# A select reads tables of its own schema and of those before it.
SCHEMAS = ("raw", "core", "costs", "usage", "efficiency", "kpis")
_TIME_COLUMNS = ("window_start", "hour", "day")
_KIND = re.compile(r"^-- kind: (?P<kind>.+)\n\Z", re.MULTILINE)


@dataclass(frozen=True)
class Table(SqlFile):
    """``sql/tables/<schema>/<name>.sql``: a comment that ends with its kind, and what makes it.

    That is a ``create table`` and the select that fills it; or a ``create table`` alone, for rows
    that come from the lake (schema raw) or the ledger; or a ``create view``.
    """

    others: Mapping[str, "Table"] = field(
        default_factory=dict, kw_only=True, repr=False, compare=False
    )

    @property
    def schema(self) -> str:
        """The folder it lies in."""
        return self.path.parent.name

    @property
    def name(self) -> str:
        """Name with its schema, as an analyst writes it: ``costs.daily``."""
        return f"{self.schema}.{self.path.stem}"

    @cached_property
    def description(self) -> str:
        """The comment the file opens with, without the kind."""
        return uncomment(_KIND.sub("", self.opening))

    @cached_property
    def ddl(self) -> str:
        """The ``create`` statement, without the comment before it and with the parts it reads."""
        return f"{self._head}{self.query}" if self._head else self._create

    @cached_property
    def _create(self) -> str:
        create = _CREATE.search(self.statements[0].query)
        if not create:
            raise TableError(f"{self.path} creates neither a table nor a view")
        return create.group().strip()

    @cached_property
    def _head(self) -> str:
        """The text before the select of a view; empty for a table."""
        view = _VIEW.match(self._create)
        return view.group() if view else ""

    @cached_property
    def kind(self) -> Kind:
        """Kind of its rows: how they are made and kept, as its file says.

        Raises:
            TableError: it does not say so, or something that is none.
        """
        line = _KIND.search(self.opening)
        if not line:
            raise TableError(f"{self.path}: its first comment does not end with '-- kind: …'")
        try:
            return parse_kind(line["kind"])
        except ValueError as error:
            raise TableError(f"{self.path}: {error}") from error

    @property
    def is_view(self) -> bool:
        """Return whether its rows are computed when it is read."""
        return self.kind.name == VIEW

    @property
    def is_raw(self) -> bool:
        """Return whether its rows are the lake's."""
        return self.kind.name == LAKE

    @property
    def is_growing(self) -> bool:
        """Return whether it is filled slot by slot instead of whole."""
        return self.kind.slot is not None

    @property
    def is_filed(self) -> bool:
        """Return whether readers see a view, since files hold some of its rows, or all."""
        return self.is_raw or self.kind.archived_after is not None

    @property
    def storage(self) -> str:
        """Name of the table that holds its rows, but for those in files."""
        name = self.name.replace(".", "_")
        return f"internal.{name}" if self.is_filed else self.name

    @cached_property
    def written_query(self) -> str | None:
        """The select that makes its rows; None when they come from the lake or the ledger."""
        if self._head:
            return self._create.removeprefix(self._head)
        return self.statements[1].query.strip() if len(self.statements) > 1 else None

    @cached_property
    def columns(self) -> dict[str, str]:
        """Comment of each column, in the table's order.

        A column without one of its own means what it means in the tables that are read.

        Raises:
            TableError: they do not agree on it, or a view leaves a column without a name.
        """
        written = self._written_columns.items()
        return {name: comment or self._inherited(name) for name, comment in written}

    @cached_property
    def _written_columns(self) -> dict[str, str]:
        """The comment of each column as the file has it, empty where it has none."""
        try:
            return list_columns(self._create, self.syntax_tree)
        except ValueError as error:
            raise TableError(f"{self.path}: {error}") from error

    @cached_property
    def version(self) -> str:
        """A hash that changes whenever the file does, or a comment it takes from another table."""
        written = self._written_columns.items()
        inherited = [self.columns[name] for name, comment in written if not comment]
        return digest(self._file_version, *inherited) if any(inherited) else self._file_version

    def _inherited(self, column: str) -> str:
        upstream = (self.others[name] for name in sorted(self.reads))
        comments = {table.columns.get(column, ""): table.name for table in upstream}
        comments.pop("", None)
        if len(comments) > 1:
            names = " and ".join(comments.values())
            raise TableError(f"{self.path}: {column} needs a comment, {names} do not agree on it")
        return next(iter(comments), "")

    @property
    def time_column(self) -> str | None:
        """The column that says when, if it has one: ``window_start``, ``hour`` or ``day``."""
        return next((name for name in _TIME_COLUMNS if name in self.columns), None)

    @property
    def grain_column(self) -> str | None:
        """The column that says when, of views by month too."""
        return self.time_column or ("month" if "month" in self.columns else None)

    @property
    def row_description(self) -> str:
        """Meaning of a row, on one line."""
        return self.description.split("\n\n")[0].replace("\n", " ")

    @property
    def retention_setting(self) -> str | None:
        """The key of ``[retention]`` that says for how long rows are kept; None: for good."""
        if self.kind.is_kept_for_good:
            return None
        is_by_hour = self.time_column in {"window_start", "hour"}
        return self.kind.forgotten_after or ("raw_days" if is_by_hour else None)

    @property
    def slot(self) -> timedelta:
        """Length of the time of a growing table that is deleted and filled at once."""
        return HOUR if self.kind.is_by_hour else DAY

    def verify(self) -> None:
        """Look whether the statements are those of the kind.

        Raises:
            TableError: they are not.
        """
        kind = self.kind
        for feature, is_needed, is_there in (
            ("schema raw", kind.name == LAKE, self.schema == "raw"),
            ("create view", kind.name == VIEW, bool(self._head)),
            ("a select", kind.name not in {LAKE, LEDGER}, self.query is not None),
            ("$start and $end", kind.name == INCREMENTAL, {"start", "end"} <= self.parameters),
        ):
            if is_needed != is_there:
                verb = "needs" if is_needed else "cannot have"
                raise TableError(f"{self.path}: kind {kind.name} {verb} {feature}")
        if kind.name == INCREMENTAL and (kind.slot == "day") != (self.time_column == "day"):
            raise TableError(f"{self.path}: no column says in which {kind.slot} a row is")


@cache
def tables() -> dict[str, Table]:
    """Return every table by name, each after the tables it reads."""
    return read_tables(SQL_DIR / "tables")


def read_tables(folder: Path, parts_dir: Path = PARTS_DIR) -> dict[str, Table]:
    """Return the tables of a folder of table files, each after the tables it reads.

    Raises:
        TableError: a file reads a table that has none, is no SQL, is not what its kind says, or
            leaves open what a column is.
    """
    by_name: dict[str, Table] = {}
    for path in folder.glob("*/*.sql"):
        table = Table(path, others=by_name, parts_dir=parts_dir)
        by_name[table.name] = table
    for table in by_name.values():
        if unknown := table.reads - by_name.keys():
            raise TableError(f"{table.path} reads {', '.join(sorted(unknown))}: no such table file")
    left_to_right = sorted(by_name, key=lambda name: (SCHEMAS.index(by_name[name].schema), name))
    order = TopologicalSorter({name: sorted(by_name[name].reads) for name in left_to_right})
    in_order = {name: by_name[name] for name in order.static_order()}
    for table in in_order.values():
        _ = table.columns  # a file without clear columns is refused here
        table.verify()
    return in_order
