"""Opens the published file: read-only, in UTC, able to reach nothing but itself and the lake."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from finops_pipeline.catalog.files import query_text
from finops_pipeline.errors import NotPublished, QueryError
from finops_pipeline.sql_text import sql_literal
from finops_pipeline.warehouse.archive import FOLDER_NAME as HOURS_FOLDER

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

FILE_NAME = "finops.duckdb"
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    # What is not in the wheel would be downloaded.
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "python_enable_replacements": False,  # else a name could be a variable of the caller
}
_BATCH_ROWS = 10_000  # rows that are Python values at the same time


@dataclass(frozen=True)
class Limits:
    """Memory and threads that a connection may take; it never spills to disk."""

    memory_bytes: int
    thread_count: int


@dataclass(frozen=True)
class Answer:
    """Rows of a query, each a tuple in the order of the columns."""

    columns: list[str]
    rows: list[tuple[Any, ...]]

    def dicts(self) -> list[dict[str, Any]]:
        """Return each row by column name."""
        return [dict(zip(self.columns, row, strict=True)) for row in self.rows]


@dataclass(frozen=True)
class Stream:
    """Rows of a query, computed while they are read; reading may raise what :func:`ask` does."""

    columns: list[str]
    rows: Iterator[tuple[Any, ...]]


@contextmanager
def open_published(
    data_dir: Path, limits: Limits | None = None
) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the file as it was published last; later publications do not change it meanwhile.

    It may be opened as often as wanted, in one process too: each opening is a database of its own.

    Args:
        data_dir: folder that holds ``finops.duckdb``, ``lake/`` and ``hours/``.
        limits: of memory and threads; by default DuckDB's own, which are most of the machine.

    Raises:
        NotPublished: there is none in this folder.
        QueryError: it may not be read, is damaged, or no file of DuckDB.
    """
    path = published_file(data_dir)
    # DuckDB keeps one database per file and process: a second connection to the file itself would
    # get the old publication, with its settings already locked.
    connection = duckdb.connect(":memory:", config=_CONFIG)
    try:
        _attach(connection, path)
        if limits:
            _limit(connection, limits)
        _lock_down(connection, data_dir)
        yield connection
    finally:
        connection.close()


def published_file(data_dir: Path) -> Path:
    """Return the path of the published file.

    Raises:
        NotPublished: there is none in this folder.
        QueryError: the folder may not be entered.
    """
    path = data_dir / FILE_NAME
    if not _exists(path):
        raise NotPublished(
            f"{path} does not exist yet: 'make demo' fills it with a pretend cluster,"
            " 'make run' from the clusters in finops.toml"
        )
    return path


def _exists(path: Path) -> bool:
    try:
        return path.exists()
    except OSError as error:  # a folder that may not be entered
        raise QueryError(f"{path} cannot be read: {error.strerror}") from error


def ask(
    connection: duckdb.DuckDBPyConnection, query: str, arguments: Mapping[str, Any] | None = None
) -> Answer:
    """Return the rows of one select.

    Raises:
        QueryError: it is wrong, or asks for more than the published file and the lake.
    """
    with _translate_errors():
        _require_select(connection, query)
        cursor = connection.execute(query, dict(arguments or {}))
        return Answer([column[0] for column in cursor.description or []], cursor.fetchall())


def ask_file(
    connection: duckdb.DuckDBPyConnection, name: str, arguments: Mapping[str, Any] | None = None
) -> Answer:
    """Return the rows of the select in a file of ``sql/queries/``.

    Raises:
        QueryError: the published file is of another version, whose tables differ, or damaged.
    """
    return ask(connection, query_text(name), arguments)


def stream_rows(connection: duckdb.DuckDBPyConnection, query: str) -> Stream:
    """Return the rows of one select, some at a time: they need not all fit into memory.

    Raises:
        QueryError: as for :func:`ask`.
    """
    with _translate_errors():
        _require_select(connection, query)
        cursor = connection.execute(query)
        return Stream([column[0] for column in cursor.description or []], _rows(cursor))


def _rows(cursor: duckdb.DuckDBPyConnection) -> Iterator[tuple[Any, ...]]:
    while True:
        with _translate_errors():
            rows = cursor.fetchmany(_BATCH_ROWS)
        if not rows:
            return
        yield from rows


def batches(
    connection: duckdb.DuckDBPyConnection, query: str, arguments: Mapping[str, Any]
) -> "pa.RecordBatchReader":
    """Return the rows of one select as Arrow batches, some at a time.

    Raises:
        QueryError: as for :func:`ask`.
    """
    with _translate_errors():
        _require_select(connection, query)
        return connection.execute(query, dict(arguments)).to_arrow_reader(_BATCH_ROWS)


def frame(connection: duckdb.DuckDBPyConnection, query: str) -> "pd.DataFrame":
    """Return the rows of one select as a pandas DataFrame.

    Raises:
        QueryError: as for :func:`ask`.
    """
    with _translate_errors():
        _require_select(connection, query)
        return connection.execute(query).df()


@contextmanager
def _translate_errors() -> Iterator[None]:
    """Raise DuckDB's message as one sentence, without lines that point into the query."""
    try:
        yield
    except duckdb.Error as error:
        message, _, _ = str(error).partition("\n\n")
        raise QueryError(" ".join(message.split())) from error


def _require_select(connection: duckdb.DuckDBPyConnection, query: str) -> None:
    """Refuse statements that could write: a file may be written wherever one may be read."""
    other_kinds, count = _statement_kinds(connection, query)
    if other_kinds:
        raise QueryError(f"only a select is answered, not {other_kinds[0]}")
    if not count:
        raise QueryError("the query is empty")
    if count > 1:
        raise QueryError("one select is answered at a time")


def _statement_kinds(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[list[str], int]:
    """Return the kinds of statements that are no select, and the number of selects.

    DuckDB makes of ``pivot`` the creation of a type and a select, neither with a text of its own;
    DuckDB 2 calls both together MULTI.
    """
    other_kinds, count = [], 0
    for statement in connection.extract_statements(query):  # parsing an import reads its files
        kind = statement.type.name
        if kind in ("SELECT", "MULTI"):
            count += 1
        elif kind != "CREATE" or statement.query:
            other_kinds.append(kind.lower())
    return other_kinds, count


def _attach(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    connection.execute("set TimeZone = 'UTC'")  # not the machine's time zone
    try:
        connection.execute(f"attach {sql_literal(path)} as finops (read_only)")
    except duckdb.Error as error:
        raise QueryError(
            f"{path} cannot be opened as a DuckDB file; the next publication replaces it"
        ) from error
    connection.execute("use finops")


def _limit(connection: duckdb.DuckDBPyConnection, limits: Limits) -> None:
    connection.execute(f"set memory_limit = '{limits.memory_bytes} bytes'")
    connection.execute(f"set threads = {limits.thread_count:d}")
    connection.execute("set max_temp_directory_size = '0 bytes'")


def _lock_down(connection: duckdb.DuckDBPyConnection, data_dir: Path) -> None:
    # In this order: each later statement would forbid the one before.
    folders = [sql_literal(f"{(data_dir / name).absolute()}/") for name in ("lake", HOURS_FOLDER)]
    connection.execute(f"set allowed_directories = [{', '.join(folders)}]")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")
