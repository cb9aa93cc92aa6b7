"""Dagster's own storage in SQLite, with one open connection per file instead of one per event.

Dagster opens and closes a file for each event, a thousand times in the first tick of an hour. To
close the last connection of a file writes its whole log back and waits for the disk. Here the
connections stay open, and a commit waits for no disk: a power failure may cost Dagster its last
events, the crash of a process none. Ledger and lake wait for the disk themselves.

The files are Dagster's own: ``storage: sqlite`` in ``dagster.yaml`` reads and writes them, too.
"""

from collections import OrderedDict
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from functools import cached_property
from pathlib import Path
from typing import Any
from weakref import finalize

from dagster._core.storage.event_log.sqlite.sqlite_event_log import (
    INDEX_SHARD_NAME,
    SqliteEventLogStorage,
)
from dagster._core.storage.runs.sqlite.sqlite_run_storage import SqliteRunStorage
from dagster._core.storage.schedules.sqlite.sqlite_schedule_storage import SqliteScheduleStorage
from dagster._core.storage.sql import create_engine
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, QueuePool, event

# Events of a run lie in a file of its own; two runs write at once, and people look at a few more.
_MOST_OPEN_RUNS = 8


def open_engine(url: str) -> Engine:
    """Return an engine that keeps one connection open; while that is busy, others are opened."""
    engine = create_engine(
        url,
        poolclass=QueuePool,
        pool_size=1,
        max_overflow=-1,
        connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS},
    )
    event.listen(engine, "connect", _wait_for_no_disk)
    return engine


def _wait_for_no_disk(connection: Any, _record: Any) -> None:
    # In WAL mode this loses the last transactions at a power failure, and never tears a file.
    connection.execute("pragma synchronous = normal")


class _OneFile:
    """Storage in one file, whose connection is kept."""

    _conn_string: str

    @cached_property
    def _engine(self) -> Engine:
        engine = open_engine(self._conn_string)
        finalize(self, engine.dispose)  # an instance disposes of runs and events, not of ticks
        return engine

    def connect(self) -> AbstractContextManager[Connection]:
        """Begin a transaction."""
        return self._engine.begin()

    def dispose(self) -> None:
        """Close the file."""
        self._engine.dispose()


class RunStorage(_OneFile, SqliteRunStorage):  # type: ignore[misc]  # connect: as a generator there
    """Runs and their tags."""


class ScheduleStorage(_OneFile, SqliteScheduleStorage):  # type: ignore[misc]
    """Ticks of schedules and sensors."""


class EventLogStorage(SqliteEventLogStorage):
    """Events: a file per run, and an index over all runs."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        """Open the index, and make it where there is none."""
        self._engine_by_shard: OrderedDict[str, Engine] = OrderedDict()  # last used, last
        super().__init__(base_dir, inst_data)

    @contextmanager
    def _connect(self, shard: str) -> Iterator[Connection]:
        with self._db_lock:
            engine = self._engine(shard)
            if shard not in self._initialized_dbs:
                self._initdb(engine)
                self._initialized_dbs.add(shard)
            with engine.begin() as connection:
                yield connection

    def _engine(self, shard: str) -> Engine:
        """Return the engine of a file, and close what was not used for longest beyond a few."""
        if shard not in self._engine_by_shard:
            self._engine_by_shard[shard] = open_engine(self.conn_string_for_shard(shard))
        self._engine_by_shard.move_to_end(shard)
        runs = [
            open_shard for open_shard in self._engine_by_shard if open_shard != INDEX_SHARD_NAME
        ]
        for longest_unused in runs[:-_MOST_OPEN_RUNS]:
            self._engine_by_shard.pop(longest_unused).dispose()
        return self._engine_by_shard[shard]

    def close_run(self, run_id: str) -> None:
        """Close the file of a run."""
        with self._db_lock:
            self._close(run_id)

    def wipe(self) -> None:
        """Delete all events of all runs."""
        self.close()
        super().wipe()

    def dispose(self) -> None:
        """Close all files, and stop watching."""
        self.close()
        super().dispose()

    def close(self) -> None:
        """Close all files; they are opened again when they are needed."""
        with self._db_lock:
            for shard in list(self._engine_by_shard):
                self._close(shard)

    def _close(self, shard: str) -> None:
        self._initialized_dbs.discard(shard)
        if engine := self._engine_by_shard.pop(shard, None):
            engine.dispose()


def delete_run_file(storage: SqliteEventLogStorage, run_id: str) -> None:
    """Delete the events of a run, ours or Dagster's: it leaves them when a run is deleted."""
    if isinstance(storage, EventLogStorage):
        storage.close_run(run_id)
    file = Path(storage.path_for_shard(run_id))
    for part in (file, *file.parent.glob(f"{file.name}-*")):
        part.unlink(missing_ok=True)


class SqliteStorage(DagsterSqliteStorage):
    """Runs, events and ticks, each in files below ``base_dir``; named in ``dagster.yaml``."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        """Open the files, and make them where there are none."""
        super(DagsterSqliteStorage, self).__init__()  # type: ignore[no-untyped-call]  # opens no file
        self.base_dir = base_dir
        self._inst_data = inst_data
        history = Path(base_dir) / "history"
        self._run_storage = RunStorage.from_local(str(history))
        self._event_log_storage = EventLogStorage(str(history / "runs"))
        self._schedule_storage = ScheduleStorage.from_local(str(Path(base_dir) / "schedules"))

    @classmethod
    def from_config_value(
        cls, inst_data: ConfigurableClassData | None, config_value: Mapping[str, Any]
    ) -> "SqliteStorage":
        """Open the storage that ``dagster.yaml`` describes."""
        return cls(inst_data=inst_data, **config_value)
