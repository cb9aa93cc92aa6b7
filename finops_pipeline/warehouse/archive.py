"""Old days of tables by hour or window: Parquet files beside the warehouse instead of its rows.

The warehouse is copied at each publication, so only recent hours lie in it. The files are derived,
like all else; a replaced one stays for as long as a reader may have a publication that names it.
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
from finops_pipeline.sql_text import quoted
from finops_pipeline.units import DAY
from finops_pipeline.warehouse.ranges import ALWAYS, Range, within

FOLDER_NAME = "hours"
TABLES = """
create table internal.archived (
    table_name varchar, day timestamptz, path varchar,
    size_bytes bigint, file_sha256 varchar, row_count bigint
);
"""
_IS_THERE = "from duckdb_tables() where schema_name = 'internal' and table_name = 'archived'"
_NAME_DIGITS = 12
_SUFFIX = ".parquet"
_UNFINISHED = ".unfinished"
# In the order of the columns: equal rows make equal bytes, and names that repeat shrink.
_COPY = """
copy (from {rows} where {within} order by all)
to {path} (format parquet, compression zstd)
"""


@dataclass(frozen=True)
class ArchivedDay:
    """A day of a table, and the file it lies in."""

    day: datetime
    path: Path
    size_bytes: int
    file_sha256: str
    row_count: int


class Archive:
    """Moves days between the rows of a table and files; transactions are the caller's."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, warehouse: Path) -> None:
        """Beside a new warehouse, files of the one before count as replaced when it is made."""
        self._connection = connection
        self._warehouse = warehouse
        self._folder = (warehouse.parent / FOLDER_NAME).absolute()
        self._verified: set[Path] = set()
        self._known: dict[str, list[ArchivedDay]] = {}  # by table; asked for many times a tick
        if not connection.execute(_IS_THERE).fetchall():
            connection.execute(TABLES)
            _touch(self._all_files())

    def files(self, table: Table, within: Range) -> list[Path]:
        """Files of the days of a table that overlap a range, verified.

        Raises:
            WarehouseDamaged: one does not hold what was written.
        """
        found = self._days(table, within)
        for it in found:
            if it.path not in self._verified:  # several tables read the same files
                if not self._is_whole(it):
                    raise self._damage(it)
                self._verified.add(it.path)
        return [it.path for it in found]

    def named_files(self, table: Table) -> tuple[list[Path], Range]:
        """Every file of a table, and the range they lie in."""
        found = self._days(table, ALWAYS)
        end = found[-1].day + DAY if found else ALWAYS.start
        return [it.path for it in found], Range(ALWAYS.start, end)

    def row_count(self, table: Table) -> int:
        """Rows of a table that lie in files."""
        return sum(it.row_count for it in self._days(table, ALWAYS))

    def rolled_back(self) -> None:
        """A transaction was: what is known is what the database says."""
        self._known.clear()

    def put_away(self, table: Table, before: datetime) -> None:
        """Move the rows of a table that are older than a midnight to files."""
        when = table.time_column
        query = f"select distinct date_trunc('day', {when}) from {table.storage} where {when} < $1"
        for (day,) in self._connection.execute(query, [before]).fetchall():
            self._put_away(table, Range(day.astimezone(UTC), day.astimezone(UTC) + DAY))

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
        """Forget the files of a table with days that begin in a range."""
        dropped = self._connection.execute(
            f"delete from internal.archived where table_name = $name and {within('day')}"
            " returning path",
            {"name": table_name, **vars(part)},
        )
        self._known.pop(table_name, None)
        _touch(self._folder / path for (path,) in dropped.fetchall())

    def broken(self, table: Table) -> list[datetime]:
        """Days of a table whose file is missing or cut."""
        return [it.day for it in self._days(table, ALWAYS) if _size(it.path) != it.size_bytes]

    def changed(self, table: Table, part: Range = ALWAYS) -> list[datetime]:
        """Days of a table whose file does not hold what was written; every byte is read."""
        return [it.day for it in self._days(table, part) if not self._is_whole(it)]

    def sweep(self, before: datetime) -> None:
        """Delete files that are not named any more, nor were after an instant."""
        named = self._named()
        for path in self._all_files():
            if path not in named and path.stat().st_mtime < before.timestamp():
                path.unlink()

    def _put_away(self, table: Table, part: Range) -> None:
        path, file_sha256 = self._write(table, part)
        condition = within(table.time_column or "")
        deleted = self._connection.execute(
            f"delete from {table.storage} where {condition}", vars(part)
        )
        (row_count,) = deleted.fetchone() or (0,)
        name, size_bytes = path.relative_to(self._folder).as_posix(), path.stat().st_size
        self._connection.execute(
            "insert into internal.archived values ($1, $2, $3, $4, $5, $6)",
            [table.name, part.start, name, size_bytes, file_sha256, row_count],
        )
        self._known.pop(table.name, None)

    def _write(self, table: Table, part: Range) -> tuple[Path, str]:
        """Copy the rows of a day to a file that is durable when this returns; it and its hash."""
        folder, day = self._folder / table.name, f"{part.start:%Y-%m-%d}"
        durable.make_folder(folder)
        unfinished = folder / f"{day}{_UNFINISHED}"
        condition = within(table.time_column or "")
        copy = _COPY.format(rows=table.storage, within=condition, path=quoted(unfinished))
        self._connection.execute(copy, vars(part))
        file_sha256 = _sha256(unfinished)
        path = folder / f"{day}-{file_sha256[:_NAME_DIGITS]}{_SUFFIX}"
        durable.rename(unfinished, path)
        return path, file_sha256

    def _is_whole(self, it: ArchivedDay) -> bool:
        return _sha256(it.path) == it.file_sha256

    def _days(self, table: Table, within: Range) -> list[ArchivedDay]:
        if table.name not in self._known:
            self._known[table.name] = self._read(table.name)
        return [it for it in self._known[table.name] if within.start - DAY < it.day < within.end]

    def _read(self, table_name: str) -> list[ArchivedDay]:
        rows = self._connection.execute(
            "select day, path, size_bytes, file_sha256, row_count from internal.archived"
            " where table_name = $1 order by day",
            [table_name],
        )
        return [
            ArchivedDay(day.astimezone(UTC), self._folder / path, *rest)
            for day, path, *rest in rows.fetchall()
        ]

    def _named(self) -> set[Path]:
        rows = self._connection.execute("select path from internal.archived").fetchall()
        return {self._folder / path for (path,) in rows}

    def _all_files(self) -> Iterator[Path]:
        found = self._folder.glob("*/*")
        return (path for path in found if path.suffix in (_SUFFIX, _UNFINISHED))

    def _damage(self, it: ArchivedDay) -> WarehouseDamaged:
        return WarehouseDamaged(
            f"{self._warehouse} cannot be read: {it.path} has changed or is gone"
        )


def insert_files(connection: duckdb.DuckDBPyConnection, table: Table, files: Iterable[Path]) -> int:
    """Make rows of a table of what lies in files; how many."""
    result = connection.execute(
        f"insert into {table.storage} by name"
        " select * from read_parquet($1, hive_partitioning = false)",
        [[str(file) for file in files]],
    )
    return int((result.fetchone() or (0,))[0])


def _sha256(path: Path) -> str:
    """Hash of what a file holds; nothing when it is missing."""
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
    """From now on they count as replaced."""
    for path in paths:
        if path.exists():
            path.touch()
