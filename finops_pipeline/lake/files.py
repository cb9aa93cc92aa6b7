"""Parquet files of the lake: one per table, cluster and window, or several windows of a day in one.

    <table>/window/cluster=<c>/date=<YYYY-MM-DD>/<HHMM>-<hash>.parquet
    <table>/day/cluster=<c>/date=<YYYY-MM-DD>/<hash>.parquet

A file is never overwritten: its name holds the first digits of its own hash.
"""

import hashlib
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TypeVar
from urllib.parse import quote, unquote
from uuid import uuid4

import pyarrow as pa
import pyarrow.parquet as pq

from finops_pipeline import durable
from finops_pipeline.errors import LakeDamaged, LakeError

_SUFFIX = ".parquet"
_UNFINISHED = ".tmp"  # only a suffix hides a file from the pattern *.parquet
_ROW_GROUP_ROWS = 122_880  # what DuckDB reads at once: smaller groups cost, larger ones prune less
_PRUNED_BY = ("cluster", "window_start", "namespace")  # readers skip files and groups by these
_NAME_DIGITS = 12

_Read = TypeVar("_Read")


@dataclass(frozen=True)
class LakeFile:
    """A file as it was written; its path is relative to the root of the lake."""

    path: str
    table_name: str
    cluster: str
    day: date
    file_sha256: str
    size_bytes: int


class Lake:
    """The files under one folder."""

    def __init__(self, root: Path) -> None:
        """Nothing is created before the first write."""
        self.root = root

    def absolute(self, path: str) -> Path:
        """Where a file of the lake lies on this machine."""
        return self.root / path

    def write(
        self,
        table_name: str,
        cluster: str,
        windows: Mapping[datetime, pa.Table],
        facts: Mapping[str, str],
    ) -> LakeFile:
        """Store windows of one UTC day in a new file, durable when this returns.

        Args:
            table_name: such as ``raw.allocation``.
            cluster: any name; what a path cannot hold is percent-encoded.
            windows: rows by first instant of their window, all of one schema; no rows is fine.
            facts: kept as key-value metadata of the file.

        Raises:
            ValueError: no window, or windows of more than one day.
            OSError: the disk is full or broken; no file is left behind.
        """
        day = _only_day(windows)
        body = _parquet([windows[start] for start in sorted(windows)], facts)
        file_sha256 = hashlib.sha256(body).hexdigest()
        path = _path(table_name, cluster, sorted(windows), file_sha256)
        _write_durably(self.absolute(path), body)
        return LakeFile(path, table_name, cluster, day, file_sha256, len(body))

    def read(
        self, path: str, file_sha256: str | None = None, columns: Sequence[str] | None = None
    ) -> pa.Table:
        """Rows of a file; with its hash, only if no byte of it has changed.

        Args:
            path: of the file.
            file_sha256: as the ledger knows it.
            columns: those wanted, by default all.

        Raises:
            LakeDamaged: the file is missing, or does not have this hash.
            LakeError: it cannot be read, or is not Parquet.
        """
        body = self._verified(path, file_sha256) if file_sha256 else self._bytes(path)
        # Half the CPU of read_table, which looks for data sets of many files.
        return _readable(path, lambda: pq.ParquetFile(pa.BufferReader(body)).read(columns))

    def facts(self, path: str) -> dict[str, str]:
        """Key-value metadata that a file was written with.

        Raises:
            LakeDamaged: the file is missing.
            LakeError: it cannot be read, or is not Parquet.
        """
        stored = _readable(path, lambda: pq.read_metadata(self.absolute(path)).metadata) or {}
        return {
            key.decode(): value.decode() for key, value in stored.items() if key != b"ARROW:schema"
        }

    def verify(self, path: str, file_sha256: str) -> None:
        """Read every byte; Parquet itself does not notice most of those that flip.

        Raises:
            LakeDamaged: the file is missing, or does not have this hash.
            LakeError: it cannot be read.
        """
        self._verified(path, file_sha256)

    def verify_size(self, path: str, size_bytes: int) -> None:
        """See that a file is there and whole, without reading it.

        Raises:
            LakeDamaged: the file is missing, or has another size.
        """
        found = _readable(path, self.absolute(path).stat).st_size
        if found != size_bytes:
            raise LakeDamaged(path, f"is damaged: it has {found} bytes, expected {size_bytes}")

    def take(self, other: "Lake", path: str, file_sha256: str) -> None:
        """Copy a file of another lake, durable when this returns.

        Raises:
            LakeDamaged: it is missing there, or does not have this hash.
            OSError: the disk is full or broken; no file is left behind.
        """
        _write_durably(self.absolute(path), memoryview(other._verified(path, file_sha256)))

    def recognise(self, path: str) -> LakeFile:
        """A file as it was written, known by nothing but its name and its bytes.

        Raises:
            LakeDamaged: it is missing, or its name holds digits of another hash.
            LakeError: it cannot be read.
        """
        body = self._bytes(path)
        file_sha256 = hashlib.sha256(body).hexdigest()
        digits = Path(path).stem.rpartition("-")[2]
        if digits != file_sha256[:_NAME_DIGITS]:
            raise LakeDamaged(path, f"is damaged: its SHA-256 is {file_sha256}")
        return LakeFile(path, *place(path), file_sha256, len(body))

    def move_out(self, path: str, target: Path) -> None:
        """Move a file out of the lake, over whatever is there; one already gone is fine."""
        if self.absolute(path).exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            self.absolute(path).replace(target)

    def paths(self) -> Iterator[str]:
        """Every finished file, named by the ledger or not."""
        for found in self.root.rglob(f"*{_SUFFIX}"):
            yield found.relative_to(self.root).as_posix()

    def holds_older_than(self, instant: datetime) -> bool:
        """Whether a finished file was last written before an instant."""
        return any(_is_old(self.absolute(path), instant) for path in self.paths())

    def remove(self, paths: Iterable[str]) -> None:
        """Delete files; those already gone are fine."""
        for path in paths:
            self.absolute(path).unlink(missing_ok=True)

    def sweep(self, named: Container[str], before: datetime) -> list[str]:
        """Delete what a crash left behind: files last written before an instant that nobody names.

        Args:
            named: paths that stay, however old.
            before: young files stay, since the writer may be about to name them.

        Returns:
            Paths deleted, unfinished files among them.
        """
        found = [path for path in self.root.rglob("*") if path.suffix in (_SUFFIX, _UNFINISHED)]
        old = (path.relative_to(self.root).as_posix() for path in found if _is_old(path, before))
        swept = sorted(path for path in old if path not in named)
        self.remove(swept)
        return swept

    def _bytes(self, path: str) -> bytes:
        return _readable(path, self.absolute(path).read_bytes)

    def _verified(self, path: str, file_sha256: str) -> bytes:
        body = self._bytes(path)
        found = hashlib.sha256(body).hexdigest()
        if found != file_sha256:
            raise LakeDamaged(path, f"is damaged: its SHA-256 is {found}, expected {file_sha256}")
        return body


def place(path: str) -> tuple[str, str, date]:
    """Table, cluster and UTC day that a file is of, by its path."""
    table_name, _, cluster, day, _ = path.split("/")
    return (
        table_name,
        unquote(cluster.removeprefix("cluster=")),
        date.fromisoformat(day.removeprefix("date=")),
    )


def _only_day(windows: Iterable[datetime]) -> date:
    days = {start.astimezone(UTC).date() for start in windows}
    if len(days) != 1:
        raise ValueError(f"a file holds windows of one UTC day, got {sorted(days)}")
    return days.pop()


def _path(table_name: str, cluster: str, starts: list[datetime], file_sha256: str) -> str:
    first = starts[0].astimezone(UTC)
    folder = f"cluster={quote(cluster, safe='')}/date={first:%Y-%m-%d}"
    digits = file_sha256[:_NAME_DIGITS]
    if len(starts) == 1:
        return f"{table_name}/window/{folder}/{first:%H%M}-{digits}{_SUFFIX}"
    return f"{table_name}/day/{folder}/{digits}{_SUFFIX}"


def _parquet(tables: list[pa.Table], facts: Mapping[str, str]) -> memoryview:
    rows = pa.concat_tables(tables).replace_schema_metadata(dict(facts))
    sink = pa.BufferOutputStream()
    pq.write_table(
        rows,
        sink,
        compression="zstd",
        row_group_size=_ROW_GROUP_ROWS,
        use_dictionary=[name for name in rows.column_names if _is_text(rows.schema.field(name))],
        write_statistics=[name for name in _PRUNED_BY if name in rows.column_names],
    )
    return memoryview(sink.getvalue())


def _is_text(column: pa.Field) -> bool:
    """Names repeat and shrink in a dictionary; measurements hardly ever do."""
    return bool(pa.types.is_string(column.type))


def _write_durably(target: Path, body: memoryview) -> None:
    """Never a torn file under a final name, also after a power cut."""
    durable.make_folder(target.parent)
    unfinished = target.with_name(f"{target.name}.{uuid4().hex}{_UNFINISHED}")
    try:
        with unfinished.open("xb") as file:
            file.write(body)
        durable.rename(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)


def _readable(path: str, read: Callable[[], _Read]) -> _Read:
    try:
        return read()
    except FileNotFoundError as error:
        raise LakeDamaged(path, "is missing from the lake") from error
    except (pa.ArrowException, OSError) as error:
        raise LakeError(f"{path} cannot be read: {error}") from error


def _is_old(path: Path, before: datetime) -> bool:
    try:
        return datetime.fromtimestamp(path.stat().st_mtime, UTC) < before
    except FileNotFoundError:  # its writer has just renamed it
        return False
