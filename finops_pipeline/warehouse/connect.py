"""Connections to our DuckDB files, and the lock that lets one writer in at a time.

A DuckDB file has one writing process, and one open reader blocks it: so the warehouse is private to
the pipeline, and readers open the published copy alone.
"""

import errno
import fcntl
import os
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import duckdb
import stamina

from finops_pipeline.durable import DISK_FULL
from finops_pipeline.errors import WarehouseBusy, WarehouseDamaged
from finops_pipeline.sql_text import sql_literal

_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    # Files stay readable for DuckDB 1.5 even when a later version writes them.
    "storage_compatibility_version": "v1.5.0",
    # By default DuckDB takes most of the machine, and a pod of 2 GiB is killed. What does not fit
    # is spilled beside the file; a changed week of 10,000 containers costs no more CPU with it.
    "memory_limit": "512MiB",
    # What is not in the wheel would be downloaded.
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}
_OPEN_SECONDS = 30.0
_LOG_NOT_READ = "replaying WAL"
_DAMAGE = (
    duckdb.IOException,
    duckdb.FatalException,
    duckdb.InternalException,
    duckdb.SerializationException,
)
# Failures of the system that say nothing of the file; ENOENT is of a file of the lake.
_NOT_THE_FILE = (
    *DISK_FULL,
    errno.EACCES,
    errno.EROFS,
    errno.EMFILE,
    errno.ENFILE,
    errno.ENOENT,
)


def connect(path: Path) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB file for writing, in UTC also where the machine is in another time zone.

    Raises:
        WarehouseBusy: another process keeps the file open; the message names it.
        WarehouseDamaged: it is no database, or one whose bytes have changed.
    """
    try:
        with translate_damage(path):
            connection = _open(path)
    except duckdb.IOException as error:
        if not _is_taken(error):
            raise
        raise WarehouseBusy(f"{path} is private to the pipeline; close it: {error}") from error
    connection.execute("set TimeZone = 'UTC'")
    return connection


def read_everything(connection: duckdb.DuckDBPyConnection) -> None:
    """Read every row of every table, so that DuckDB compares each block with its checksum.

    Raises:
        duckdb.IOException: a block has changed.
    """
    query = (
        "select schema_name || '.' || table_name from duckdb_tables()"
        " where database_name = current_database()"
    )
    for (name,) in connection.execute(query).fetchall():
        connection.execute(f"select bit_xor(hash(it)) from {name} as it").fetchall()


@contextmanager
def translate_damage(path: Path) -> Iterator[None]:
    """Raise our error where DuckDB finds that a block no longer matches its checksum.

    Raises:
        WarehouseDamaged: a block of the file is not as it was written, or the file is cut.
        duckdb.Error: anything else, such as a full disk, which harms no file.
    """
    try:
        yield
    except _DAMAGE as error:
        if _is_taken(error) or _quotes(error, _NOT_THE_FILE):
            raise
        raise WarehouseDamaged(f"{path} cannot be read: {error}") from error


def is_full(error: duckdb.Error) -> bool:
    """Return whether DuckDB failed because the disk, or the user's share of it, is used up."""
    return _quotes(error, DISK_FULL)


def _quotes(error: duckdb.Error, numbers: Iterable[int]) -> bool:
    """Return whether an error quotes a message of the system; it has no number of its own."""
    return any(os.strerror(number) in str(error) for number in numbers)


def connect_read_only(path: Path) -> duckdb.DuckDBPyConnection:
    """Open a published file, in UTC also where the machine is in another time zone.

    Within a process all connections to a file share one database and its settings.
    """
    connection = duckdb.connect(str(path), read_only=True)
    ((is_locked,),) = connection.execute("select current_setting('lock_configuration')").fetchall()
    if not is_locked:
        connection.execute("set global TimeZone = 'UTC'")
    return connection


@contextmanager
def hold_lock(path: Path, timeout_seconds: float = 300.0, note: str = "") -> Iterator[None]:
    """Hold the lock beside a file, after waiting for the process that has it.

    Args:
        path: what the lock lies beside.
        timeout_seconds: how long to wait.
        note: for those who find it taken, after the number of this process.

    Raises:
        WarehouseBusy: it stayed taken for the whole timeout; the message names the process.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("a+") as file:
        _acquire(file, path, time.monotonic() + timeout_seconds)
        file.truncate(0)
        file.write(f"{os.getpid()}{note}")
        file.flush()
        yield


def _is_taken(error: Exception) -> bool:
    """Return whether another process has the file: DuckDB does not wait for it."""
    return isinstance(error, duckdb.IOException) and "Could not set lock" in str(error)


def _open(path: Path) -> duckdb.DuckDBPyConnection:
    try:
        return _open_with_retries(path)
    except duckdb.InternalException as error:
        if _LOG_NOT_READ not in str(error):
            raise
        _replay_log(path)
        return _open_with_retries(path)


def _replay_log(path: Path) -> None:
    """Write into the file what a killed process had logged.

    DuckDB 1.5 and 2.0 cannot do so while they open it by name: a comment on a table whose check has
    a function in it makes them look for a database they have not got yet. Attached, it is there.
    """
    with duckdb.connect(config=_CONFIG) as connection:
        connection.execute(f"attach {sql_literal(path)} as warehouse")
        connection.execute("checkpoint warehouse")


@stamina.retry(on=_is_taken, attempts=None, timeout=_OPEN_SECONDS, wait_max=0.5)
def _open_with_retries(path: Path) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(str(path), config=_CONFIG)


def _acquire(file: IO[str], path: Path, deadline: float) -> None:
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                file.seek(0)
                raise WarehouseBusy(f"process {file.read()} keeps {path.name} to itself") from None
            time.sleep(0.05)
        else:
            return
