"""Connections to the state database, which behave the same on SQLite and PostgreSQL."""

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, Table, create_engine, event
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError, NoSuchModuleError

from finops_pipeline.errors import StateError

_BUSY_SECONDS = 30  # a commit takes milliseconds: a longer wait is for a process that hangs


def connect(url: str) -> Engine:
    """Create an engine whose commits survive a power cut.

    Args:
        url: of SQLAlchemy; the folder of an SQLite file is created.

    Raises:
        StateError: not a URL of SQLAlchemy, of a database whose driver is not installed, or of a
            file in a folder that cannot be made.
    """
    try:
        parsed = make_url(url)
        if parsed.get_backend_name() != "sqlite":
            return create_engine(parsed)
    except (ArgumentError, NoSuchModuleError, ImportError) as error:
        raise StateError(f"state_url cannot be used: {error}") from error
    _make_folder(Path(parsed.database or "").absolute().parent)
    engine = create_engine(parsed, connect_args={"timeout": _BUSY_SECONDS})
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def begin_writing(engine: Engine) -> AbstractContextManager[Connection]:
    """Begin a transaction that writes; on SQLite it is alone from its first statement."""
    return engine.execution_options(finops_writes=True).begin()


def upsert(
    connection: Connection, table: Table, rows: Sequence[Mapping[str, Any]], update: Sequence[str]
) -> None:
    """Insert rows; where the primary key is taken, set the columns of ``update`` instead."""
    dialect: Any = sqlite if connection.dialect.name == "sqlite" else postgresql
    statement = dialect.insert(table)
    key = [column.name for column in table.primary_key]
    if update:
        new = {name: statement.excluded[name] for name in update}
        statement = statement.on_conflict_do_update(index_elements=key, set_=new)
    else:
        statement = statement.on_conflict_do_nothing(index_elements=key)
    if rows:
        connection.execute(statement, [dict(row) for row in rows])


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise StateError(f"the data folder {folder} cannot be made: {error.strerror}") from error


def _prepare_sqlite(connection: Any, _record: object) -> None:
    connection.isolation_level = None  # the driver would begin on its own, too late and deferred
    connection.execute("pragma journal_mode = wal")
    connection.execute("pragma synchronous = full")


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get("finops_writes")
    connection.exec_driver_sql("begin immediate" if writes else "begin")
