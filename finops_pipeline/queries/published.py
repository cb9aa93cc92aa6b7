"""Opens the published file: read-only, in UTC, able to reach nothing but itself and the lake."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from finops_pipeline.errors import NotPublished, QueryError

if TYPE_CHECKING:
    import pandas as pd

FILE_NAME = "finops.duckdb"
_READS = {duckdb.StatementType.SELECT, duckdb.StatementType.CREATE}


@dataclass(frozen=True)
class Answer:
    """Rows of a query, each a tuple in the order of the columns."""

    columns: list[str]
    rows: list[tuple[Any, ...]]

    def dicts(self) -> list[dict[str, Any]]:
        """Each row by column name."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


@contextmanager
def open_published(data_dir: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    """The file as it was published last; later publications do not change it while it is open.

    It may be opened as often as wanted, in one process too: each opening is a database of its own.

    Raises:
        NotPublished: there is none in this folder.
        QueryError: it may not be read, is damaged, or no file of DuckDB.
    """
    path = data_dir / FILE_NAME
    if not _is_there(path):
        raise NotPublished(
            f"{path} does not exist yet: 'make demo' fills it with a pretend cluster,"
            " 'make run' from the clusters in finops.toml"
        )
    # DuckDB keeps one database per file and process: a second connection to the file itself would
    # get the old publication, with its settings already locked.
    connection = duckdb.connect(":memory:")
    try:
        _attach(connection, path)
        _lock_down(connection, data_dir)
        yield connection
    finally:
        connection.close()


def _is_there(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:  # a folder that may not be entered
        raise QueryError(f"{path} cannot be read: {error.strerror}") from error


def ask(
    connection: duckdb.DuckDBPyConnection, query: str, arguments: Mapping[str, Any] | None = None
) -> Answer:
    """Rows of one select.

    Raises:
        QueryError: it is wrong, or asks for more than the published file and the lake.
    """
    with _explained():
        _must_only_read(query)
        cursor = connection.execute(query, dict(arguments or {}))
        return Answer([column[0] for column in cursor.description or []], cursor.fetchall())


def frame(connection: duckdb.DuckDBPyConnection, query: str) -> "pd.DataFrame":
    """Rows of one select as a pandas DataFrame.

    Raises:
        QueryError: as for :func:`ask`.
    """
    with _explained():
        _must_only_read(query)
        return connection.execute(query).df()


@contextmanager
def _explained() -> Iterator[None]:
    """DuckDB's message as one sentence, without the lines that point into the query."""
    try:
        yield
    except duckdb.Error as error:
        message, _, _ = str(error).partition("\n\nLINE ")
        raise QueryError(" ".join(message.split())) from error


def _must_only_read(query: str) -> None:
    """Refuse statements that could write: a file may be written wherever one may be read.

    What DuckDB makes of ``pivot`` is a create and a select; in a file that is opened read-only
    nothing else can be created.
    """
    kinds = [statement.type for statement in duckdb.extract_statements(query)]
    if refused := [kind.name for kind in kinds if kind not in _READS]:
        raise QueryError(f"only a select is answered, not {refused[0].lower()}")
    if not kinds:
        raise QueryError("the query is empty")
    if kinds.count(duckdb.StatementType.SELECT) > 1:
        raise QueryError("one select is answered at a time")


def _attach(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    connection.execute("set TimeZone = 'UTC'")  # whatever the machine's time zone is
    try:
        connection.execute(f"attach {_quoted(str(path))} as finops (read_only)")
    except duckdb.Error as error:
        raise QueryError(
            f"{path} cannot be opened as a DuckDB file; the next publication replaces it"
        ) from error
    connection.execute("use finops")


def _lock_down(connection: duckdb.DuckDBPyConnection, data_dir: Path) -> None:
    # In this order: each later statement would forbid the one before.
    lake = str((data_dir / "lake").absolute())
    connection.execute(f"set allowed_directories = [{_quoted(f'{lake}/')}]")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
