"""Archive of old days of hourly tables: Parquet files beside the warehouse instead of its rows.

The whole warehouse is copied at each publication, and hours outgrow everything else: so only recent
hours lie in it, and the table is a view of both. A view that computed old hours from the lake would
take minutes. The files are derived, like all else; a replaced one stays for as long as a reader may
have a publication that names it.
"""

import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from finops_pipeline import durable
from finops_pipeline.catalog.tables import Table
from finops_pipeline.errors import WarehouseDamaged
from finops_pipeline.sql_text import sql_literal
from finops_pipeline.units import DAY
from finops_pipeline.warehouse.database import Database
from finops_pipeline.warehouse.ranges import ALWAYS, Range, range_condition

FOLDER_NAME = "hours"
TABLES = """
create table internal.archived (
    table_name varchar, day timestamptz, path varchar,
    size_bytes bigint, file_sha256 varchar, row_count bigint
);
"""
_FIND_TABLE = "from duckdb_tables() where schema_name = 'internal' and table_name = 'archived'"
_NAME_DIGITS = 12
_SUFFIX = ".parquet"
_UNFINISHED = ".unfinished"
# In the order of the columns: equal rows make equal bytes, and names that repeat shrink.
_COPY = """
copy (from {rows} where {condition} order by all)
to {path} (format parquet, compression zstd)
"""


@dataclass(frozen=True)
class DayFile:
    """Day of a table, and the file that holds its rows."""

    day: datetime
    path: Path
    size_bytes: int
    file_sha256: str
    row_count: int


class Archive:
    """Moves days between the rows of a table and files; transactions are the caller's."""

    def __init__(self, database: Database, warehouse: Path) -> None:
        """Create the list of files in a new warehouse: files beside it count as replaced now."""
        self._connection = connection = database.connection
        self._warehouse = warehouse
        self._folder = (warehouse.parent / FOLDER_NAME).absolute()
        self._verified_paths: set[Path] = set()
        self._files_by_table: dict[str, list[DayFile]] = {}  # read many times a tick
        database.on_rollback(self._files_by_table.clear)
        if not connection.execute(_FIND_TABLE).fetchall():
            connection.execute(TABLES)
            _touch(self._paths_on_disk())

    def files(self, table: Table, part: Range) -> list[Path]:
        """List the files of the days of a table that overlap a range, verified.

        Raises:
            WarehouseDamaged: one does not hold what was written.
        """
        files = self._day_files(table, part)
        for file in files:
            if file.path not in self._verified_paths:  # several tables read the same files
                if not _is_whole(file):
                    raise self._damage(file)
                self._verified_paths.add(file.path)
        return [file.path for file in files]

    def current_files(self, table: Table) -> tuple[list[Path], Range]:
        """Return all files of a table, and the range of time that they cover."""
        files = self._day_files(table, ALWAYS)
        end = files[-1].day + DAY if files else ALWAYS.start
        return [file.path for file in files], Range(ALWAYS.start, end)

    def row_count(self, table: Table) -> int:
        """Count the rows of a table that lie in files."""
        return sum(file.row_count for file in self._day_files(table, ALWAYS))

    def archive_days(self, table: Table, before: datetime) -> None:
        """Move the rows of a table that are older than a midnight to files."""
        when = table.time_column
        query = f"select distinct date_trunc('day', {when}) from {table.storage} where {when} < $1"
        for (day,) in self._connection.execute(query, [before]).fetchall():
            self._archive_day(table, Range(day.astimezone(UTC), day.astimezone(UTC) + DAY))

    def bring_back(self, table: Table, day: datetime) -> None:
        """Make the rows of a day anew from its file, before they change.

        Raises:
            WarehouseDamaged: the file does not hold what was written.
        """
        part = Range(day, day + DAY)
        if files := self.files(table, part):
            insert_files(self._connection, table, files)
            self.drop(table.name, part)

    def drop(self, table_name: str, part: Range = ALWAYS) -> None:
        """Forget the files of a table whose days begin in a range."""
        result = self._connection.execute(
            f"delete from internal.archived where table_name = $name and {range_condition('day')}"
            " returning path",
            {"name": table_name, **vars(part)},
        )
        self._files_by_table.pop(table_name, None)
        _touch(self._folder / path for (path,) in result.fetchall())

    def broken_days(self, table: Table) -> list[datetime]:
        """List the days of a table whose file is missing or cut."""
        files = self._day_files(table, ALWAYS)
        return [file.day for file in files if _size(file.path) != file.size_bytes]

    def changed_days(self, table: Table, part: Range = ALWAYS) -> list[datetime]:
        """List the days of a table whose file does not hold what was written; reads every byte."""
        return [file.day for file in self._day_files(table, part) if not _is_whole(file)]

    def sweep(self, before: datetime) -> None:
        """Delete files that the warehouse has not named since an instant."""
        current_paths = self._current_paths()
        for path in self._paths_on_disk():
            if path not in current_paths and path.stat().st_mtime < before.timestamp():
                path.unlink()

    def _archive_day(self, table: Table, part: Range) -> None:
        path, file_sha256 = self._write(table, part)
        condition = range_condition(table.time_column or "")
        result = self._connection.execute(
            f"delete from {table.storage} where {condition}", vars(part)
        )
        (row_count,) = result.fetchone() or (0,)
        name, size_bytes = path.relative_to(self._folder).as_posix(), path.stat().st_size
        self._connection.execute(
            "insert into internal.archived values ($1, $2, $3, $4, $5, $6)",
            [table.name, part.start, name, size_bytes, file_sha256, row_count],
        )
        self._files_by_table.pop(table.name, None)

    def _write(self, table: Table, part: Range) -> tuple[Path, str]:
        """Copy the rows of a day to a file, durable when this returns; return it and its hash."""
        folder, day = self._folder / table.name, f"{part.start:%Y-%m-%d}"
        durable.make_folder(folder)
        unfinished = folder / f"{day}{_UNFINISHED}"
        condition = range_condition(table.time_column or "")
        copy = _COPY.format(rows=table.storage, condition=condition, path=sql_literal(unfinished))
        self._connection.execute(copy, vars(part))
        file_sha256 = _sha256(unfinished)
        path = folder / f"{day}-{file_sha256[:_NAME_DIGITS]}{_SUFFIX}"
        durable.rename(unfinished, path)
        return path, file_sha256

    def _day_files(self, table: Table, part: Range) -> list[DayFile]:
        if table.name not in self._files_by_table:
            self._files_by_table[table.name] = self._read(table.name)
        start = part.start - DAY  # a day that begins after it overlaps the range
        files = self._files_by_table[table.name]
        return [file for file in files if start < file.day < part.end]

    def _read(self, table_name: str) -> list[DayFile]:
        rows = self._connection.execute(
            "select day, path, size_bytes, file_sha256, row_count from internal.archived"
            " where table_name = $1 order by day",
            [table_name],
        )
        return [
            DayFile(day.astimezone(UTC), self._folder / path, *rest)
            for day, path, *rest in rows.fetchall()
        ]

    def _current_paths(self) -> set[Path]:
        rows = self._connection.execute("select path from internal.archived").fetchall()
        return {self._folder / path for (path,) in rows}

    def _paths_on_disk(self) -> Iterator[Path]:
        paths = self._folder.glob("*/*")
        return (path for path in paths if path.suffix in (_SUFFIX, _UNFINISHED))

    def _damage(self, file: DayFile) -> WarehouseDamaged:
        return WarehouseDamaged(
            f"{self._warehouse} cannot be read: {file.path} has changed or is gone"
        )


def insert_files(connection: duckdb.DuckDBPyConnection, table: Table, files: Iterable[Path]) -> int:
    """Insert the rows of files into a table; return how many."""
    result = connection.execute(
        f"insert into {table.storage} by name"
        " select * from read_parquet($1, hive_partitioning = false)",
        [[str(file) for file in files]],
    )
    return int((result.fetchone() or (0,))[0])


def _is_whole(file: DayFile) -> bool:
    return _sha256(file.path) == file.file_sha256


def _sha256(path: Path) -> str:
    """Hash what a file holds; an empty text when it is missing."""
    try:
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return ""


def _size(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except FileNotFoundError:
        return None


def _touch(paths: Iterable[Path]) -> None:
    """Mark files as replaced at this moment: their time says since when."""
    for path in paths:
        if path.exists():
            path.touch()
