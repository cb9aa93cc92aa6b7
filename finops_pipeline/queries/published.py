"""Opens the published file: read-only, in UTC, able to read nothing but itself and the lake."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

from finops_pipeline.errors import NotPublished, QueryError
from finops_pipeline.warehouse.connect import connect_read_only

if TYPE_CHECKING:
    import pandas as pd

FILE_NAME = "finops.duckdb"


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

    Raises:
        NotPublished: there is none in this folder.
    """
    path = data_dir / FILE_NAME
    if not path.exists():
        raise NotPublished(
            f"{path} does not exist yet: 'make demo' fills it with a pretend cluster,"
            " 'make run' from the clusters in finops.toml"
        )
    connection = connect_read_only(path)
    try:
        _lock_down(connection, data_dir)
        yield connection
    finally:
        connection.close()


def ask(
    connection: duckdb.DuckDBPyConnection, query: str, arguments: Mapping[str, Any] | None = None
) -> Answer:
    """Rows of one select.

    Raises:
        QueryError: it is wrong, or asks for more than the published file and the lake.
    """
    try:
        cursor = connection.execute(query, dict(arguments or {}))
        return Answer([column[0] for column in cursor.description or []], cursor.fetchall())
    except duckdb.Error as error:
        raise QueryError(str(error)) from error


def frame(connection: duckdb.DuckDBPyConnection, query: str) -> "pd.DataFrame":
    """Rows of one select as a pandas DataFrame.

    Raises:
        QueryError: as for :func:`ask`.
    """
    try:
        return connection.execute(query).df()
    except duckdb.Error as error:
        raise QueryError(str(error)) from error


def published_at(connection: duckdb.DuckDBPyConnection) -> datetime | None:
    """When the open file was published."""
    ((instant,),) = ask(connection, "select max(published_at) from core.installation").rows
    return instant if isinstance(instant, datetime) else None


def _lock_down(connection: duckdb.DuckDBPyConnection, data_dir: Path) -> None:
    # In this order: each later statement would forbid the one before.
    lake = str((data_dir / "lake").absolute()).replace("'", "''")
    connection.execute(f"set allowed_directories = ['{lake}/']")
    connection.execute("set enable_external_access = false")
    connection.execute("set lock_configuration = true")
