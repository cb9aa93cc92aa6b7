"""Copies of an SQLite state database, made while other processes write to it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import date
from pathlib import Path

from sqlalchemy.engine import make_url

from finops_pipeline.errors import StateError
from finops_pipeline.state.window import StoredFile

_CURRENT_FILES = """
select path, table_name, cluster, day, file_sha256, size_bytes
from lake_file
where dropped_at is null
order by path
"""


def database_file(url: str) -> Path:
    """Return where the state database lies.

    Raises:
        StateError: in PostgreSQL, which has means of its own.
    """
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite":
        masked = parsed.set(drivername=parsed.get_backend_name())  # a password is shown as ***
        raise StateError(
            "the state database lies in PostgreSQL: back it up with 'pg_dump --format=custom"
            f" --file state.dump {masked}', then copy the lake (rsync), in this order; 'pg_restore'"
            " puts it back"
        )
    return Path(parsed.database or "")


def copy_database(source: Path, target: Path) -> None:
    """Copy a database as it is at one instant, while other processes may write to it.

    Raises:
        StateError: there is none, or it is damaged; then there is no copy either.
    """
    if not source.exists():
        raise StateError(f"there is no state database at {source}")
    target.parent.mkdir(parents=True, exist_ok=True)
    unfinished = target.with_name(f"{target.name}.tmp")
    unfinished.unlink(missing_ok=True)
    try:
        with (
            _translate_damage(source),
            closing(sqlite3.connect(source)) as original,
            closing(sqlite3.connect(unfinished)) as copy,
        ):
            original.backup(copy)
            copy.execute("pragma journal_mode = delete")  # one file, without a log beside it
            _require_whole(copy)
        unfinished.replace(target)
    finally:
        unfinished.unlink(missing_ok=True)


def read_current_files(path: Path) -> list[StoredFile]:
    """Read which files of the lake are current, as a copy of the database knows them.

    Raises:
        StateError: the copy is damaged.
    """
    url = f"file:{path}?mode=ro"
    with _translate_damage(path), closing(sqlite3.connect(url, uri=True)) as connection:
        _require_whole(connection)
        return [
            StoredFile(name, table_name, cluster, date.fromisoformat(day), file_sha256, size_bytes)
            for name, table_name, cluster, day, file_sha256, size_bytes in connection.execute(
                _CURRENT_FILES
            )
        ]


@contextmanager
def _translate_damage(path: Path) -> Iterator[None]:
    try:
        yield
    except sqlite3.DatabaseError as error:
        raise StateError(f"the state database {path} is damaged: {error}") from error


def _require_whole(connection: sqlite3.Connection) -> None:
    (verdict,) = connection.execute("pragma integrity_check(1)").fetchone()
    if verdict != "ok":
        raise sqlite3.DatabaseError(verdict)
