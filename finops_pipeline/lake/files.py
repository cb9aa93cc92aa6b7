"""Parquet files of the lake: one per table, cluster and window, or several windows of a day in one.

    <table>/window/cluster=<c>/date=<YYYY-MM-DD>/<HHMM>-<hash>.parquet
    <table>/day/cluster=<c>/date=<YYYY-MM-DD>/<hash>.parquet

A file is never overwritten. Its name holds the first digits of its own hash: where file and name
agree but the ledger does not, it is the ledger that is damaged. Hashes are compared since Parquet
does not notice most bytes that flip.
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

_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class LakeFile:
    """File as it was written; its path is relative to the root of the lake."""

    path: str
    table_name: str
    cluster: str
    day: date
    file_sha256: str
    size_bytes: int


class Lake:
    """Files under one folder."""

    def __init__(self, root: Path) -> None:
        """Remember the folder; nothing is created before the first write."""
        self.root = root

    def absolute(self, path: str) -> Path:
        """Return where a file of the lake lies on this machine."""
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
        day = _require_one_day(windows)
        body = _encode([windows[start] for start in sorted(windows)], facts)
        file_sha256 = hashlib.sha256(body).hexdigest()
        path = _format_path(table_name, cluster, sorted(windows), file_sha256)
        _write_durably(self.absolute(path), body)
        return LakeFile(path, table_name, cluster, day, file_sha256, len(body))

    def read(
        self, path: str, file_sha256: str | None = None, columns: Sequence[str] | None = None
    ) -> pa.Table:
        """Read the rows of a file; with its hash, only if no byte of it has changed.

        Args:
            path: of the file.
            file_sha256: as the ledger knows it.
            columns: their names, by default all.

        Raises:
            LakeDamaged: the file is missing, or does not have this hash.
            LakeError: it cannot be read, or is not Parquet.
        """
        body = self._read_verified(path, file_sha256) if file_sha256 else self._read_bytes(path)
        # Half the CPU of read_table, which looks for data sets of many files.
        return _translate_errors(path, lambda: pq.ParquetFile(pa.BufferReader(body)).read(columns))

    def facts(self, path: str) -> dict[str, str]:
        """Read the key-value metadata that a file was written with.

        Raises:
            LakeDamaged: the file is missing.
            LakeError: it cannot be read, or is not Parquet.
        """
        location = self.absolute(path)
        metadata = _translate_errors(path, lambda: pq.read_metadata(location).metadata) or {}
        return {
            key.decode(): value.decode()
            for key, value in metadata.items()
            if key != b"ARROW:schema"
        }

    def verify(self, path: str, file_sha256: str) -> None:
        """Read every byte and compare the hash; Parquet does not notice most bytes that flip.

        Raises:
            LakeDamaged: the file is missing, or does not have this hash.
            LakeError: it cannot be read.
        """
        self._read_verified(path, file_sha256)

    def verify_size(self, path: str, size_bytes: int) -> None:
        """Check that a file is there and has its size, without reading it.

        Raises:
            LakeDamaged: the file is missing, or has another size.
        """
        actual = _translate_errors(path, self.absolute(path).stat).st_size
        if actual != size_bytes:
            raise LakeDamaged(path, f"is damaged: it has {actual} bytes, expected {size_bytes}")

    def copy_from(self, source: "Lake", path: str, file_sha256: str) -> None:
        """Copy a file of another lake, durable when this returns.

        Raises:
            LakeDamaged: it is missing there, or does not have this hash.
            OSError: the disk is full or broken; no file is left behind.
        """
        body = source._read_verified(path, file_sha256)
        _write_durably(self.absolute(path), memoryview(body))

    def identify(self, path: str) -> LakeFile:
        """Tell from the name and the bytes of a file alone what was written.

        Raises:
            LakeDamaged: it is missing, or its name holds digits of another hash.
            LakeError: it cannot be read.
        """
        body = self._read_bytes(path)
        file_sha256 = hashlib.sha256(body).hexdigest()
        digits = Path(path).stem.rpartition("-")[2]
        if digits != file_sha256[:_NAME_DIGITS]:
            raise LakeDamaged(path, f"is damaged: its SHA-256 is {file_sha256}")
        return LakeFile(path, *parse_path(path), file_sha256, len(body))

    def move_out(self, path: str, target: Path) -> None:
        """Move a file out of the lake, over what is there; one already gone is fine."""
        if self.absolute(path).exists():
            target.parent.mkdir(parents=True, exist_ok=True)
            self.absolute(path).replace(target)

    def paths(self) -> Iterator[str]:
        """List all finished files, also those that the ledger does not name."""
        for file in self.root.rglob(f"*{_SUFFIX}"):
            yield file.relative_to(self.root).as_posix()

    def holds_older_than(self, instant: datetime) -> bool:
        """Return whether a finished file was last written before an instant."""
        return any(_is_old(self.absolute(path), instant) for path in self.paths())

    def remove(self, paths: Iterable[str]) -> None:
        """Delete files; those already gone are fine."""
        for path in paths:
            self.absolute(path).unlink(missing_ok=True)

    def sweep(self, current_paths: Container[str], before: datetime) -> list[str]:
        """Delete what a crash left behind: files that the ledger does not name, if they are old.

        Args:
            current_paths: files that stay, however old.
            before: files last written later stay, since a writer may be about to name them.

        Returns:
            Paths deleted, unfinished files among them.
        """
        files = [path for path in self.root.rglob("*") if path.suffix in (_SUFFIX, _UNFINISHED)]
        old = (path.relative_to(self.root).as_posix() for path in files if _is_old(path, before))
        unnamed = sorted(path for path in old if path not in current_paths)
        self.remove(unnamed)
        return unnamed

    def _read_bytes(self, path: str) -> bytes:
        return _translate_errors(path, self.absolute(path).read_bytes)

    def _read_verified(self, path: str, file_sha256: str) -> bytes:
        body = self._read_bytes(path)
        actual = hashlib.sha256(body).hexdigest()
        if actual != file_sha256:
            raise LakeDamaged(path, f"is damaged: its SHA-256 is {actual}, expected {file_sha256}")
        return body


def parse_path(path: str) -> tuple[str, str, date]:
    """Parse the path of a file into its table, cluster and UTC day."""
    table_name, _, cluster, day, _ = path.split("/")
    return (
        table_name,
        unquote(cluster.removeprefix("cluster=")),
        date.fromisoformat(day.removeprefix("date=")),
    )


def _require_one_day(windows: Iterable[datetime]) -> date:
    days = {start.astimezone(UTC).date() for start in windows}
    if len(days) != 1:
        raise ValueError(f"a file holds windows of one UTC day, got {sorted(days)}")
    return days.pop()


def _format_path(table_name: str, cluster: str, starts: list[datetime], file_sha256: str) -> str:
    first = starts[0].astimezone(UTC)
    folder = f"cluster={quote(cluster, safe='')}/date={first:%Y-%m-%d}"
    digits = file_sha256[:_NAME_DIGITS]
    if len(starts) == 1:
        return f"{table_name}/window/{folder}/{first:%H%M}-{digits}{_SUFFIX}"
    return f"{table_name}/day/{folder}/{digits}{_SUFFIX}"


def _encode(tables: list[pa.Table], facts: Mapping[str, str]) -> memoryview:
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
    """Return whether a column is text, which repeats and shrinks in a dictionary."""
    return bool(pa.types.is_string(column.type))


def _write_durably(target: Path, body: memoryview) -> None:
    """Write a file that is whole under its name, also after a power cut."""
    durable.make_folder(target.parent)
    unfinished = target.with_name(f"{target.name}.{uuid4().hex}{_UNFINISHED}")
    try:
        with unfinished.open("xb") as file:
            file.write(body)
        durable.rename(unfinished, target)
    finally:
        unfinished.unlink(missing_ok=True)


def _translate_errors(path: str, read: Callable[[], _Answer]) -> _Answer:
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
