"""The one way a DuckDB file of ours is opened, and the lock that lets one writer in at a time."""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from finops_pipeline.errors import TableError

# Files stay readable for DuckDB 1.5 even when a later version writes them.
_CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "storage_compatibility_version": "v1.5.0",
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
}


def connect(path: Path) -> duckdb.DuckDBPyConnection:
    """Open a DuckDB file for writing, in UTC whatever the machine's time zone is."""
    connection = duckdb.connect(str(path), config=_CONFIG)
    connection.execute("set TimeZone = 'UTC'")
    return connection


def connect_read_only(path: Path) -> duckdb.DuckDBPyConnection:
    """Open a published file, in UTC whatever the machine's time zone is."""
    connection = duckdb.connect(str(path), read_only=True)
    connection.execute("set TimeZone = 'UTC'")
    return connection


@contextmanager
def locked(path: Path, patience_seconds: float = 300.0) -> Iterator[None]:
    """Hold the lock beside a file, waiting for whoever has it.

    Raises:
        TableError: it stayed taken for the whole patience.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".lock").open("a") as file:
        _acquire(file.fileno(), path, time.monotonic() + patience_seconds)
        yield


def _acquire(descriptor: int, path: Path, end: float) -> None:
    while True:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > end:
                raise TableError(
                    f"another process keeps {path.name} (lock taken, pid {os.getpid()} gave up)"
                ) from None
            time.sleep(0.05)
        else:
            return
