"""Backup: a copy of ledger and lake in another folder, and the way back from it.

    <folder>/state.db   the ledger, as it was at one instant
    <folder>/lake/      every file it names

The ledger is copied first: the files it names stay for two days, whatever is read meanwhile.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from finops_pipeline.errors import LakeDamaged, StateError
from finops_pipeline.installation.context import lake_of, open_installation
from finops_pipeline.lake.files import Lake
from finops_pipeline.settings import Settings
from finops_pipeline.state.copying import copy_database, database_file, read_current_files
from finops_pipeline.state.window import StoredFile
from finops_pipeline.units import DAY

_STATE = "state.db"
_UNFINISHED = "state.db.new"
_UNNAMED_STAY = 30 * DAY  # files that the ledger no longer names: it may have lost them by mistake


@dataclass(frozen=True)
class CopyCounts:
    """Files of a backup or a restore, and how many had to be copied."""

    file_count: int  # files of the lake that the copy names
    copied_count: int  # of those, files that were not there yet
    size_bytes: int  # of all of them


def back_up(settings: Settings, folder: Path) -> CopyCounts:
    """Bring a backup up to date; the pipeline may run meanwhile.

    Only files that are not there yet are copied, and every byte of the others is verified. Until
    all are there the ledger of the last backup stays: the folder can be restored at any time.

    Raises:
        StateError: the ledger is damaged, or lies in PostgreSQL and has to be dumped by pg_dump;
            or the folder is that of the data.
        LakeDamaged: a file is damaged, here and in the backup.
    """
    source, target = lake_of(settings), Lake(folder / "lake")
    _require_elsewhere(settings, folder)
    copy_database(database_file(settings.database_url()), folder / _UNFINISHED)
    files = read_current_files(folder / _UNFINISHED)
    copied = sum(_copy(source, target, file) for file in files)
    (folder / _UNFINISHED).replace(folder / _STATE)
    target.sweep({file.path for file in files}, datetime.now(UTC) - _UNNAMED_STAY)
    return CopyCounts(len(files), copied, sum(file.size_bytes for file in files))


def _require_elsewhere(settings: Settings, folder: Path) -> None:
    """Refuse the data folder itself, and the lake: ledger and files in use would be replaced."""
    target, lake = folder.resolve(), lake_of(settings).root.resolve()
    database = database_file(settings.database_url()).resolve()
    if target == database.parent or target == lake.parent or target.is_relative_to(lake):
        raise StateError(f"{folder} holds the data itself: name another folder, on another disk")


def restore(settings: Settings, folder: Path) -> CopyCounts:
    """Put a backup into the empty data folder of an installation; its next tick publishes.

    Everything is verified before the ledger, which comes last, makes it count.

    Raises:
        StateError: there is data already, no backup, or its ledger is damaged.
        LakeDamaged: a file of the backup is.
    """
    database, target = database_file(settings.database_url()), lake_of(settings)
    _require_new(database, target)
    if not (folder / _STATE).exists():
        raise StateError(f"{folder} holds no backup: there is no {_STATE} in it")
    files = read_current_files(folder / _STATE)
    copied = sum(_copy(Lake(folder / "lake"), target, file) for file in files)
    copy_database(folder / _STATE, database)
    with open_installation(settings):
        return CopyCounts(len(files), copied, sum(file.size_bytes for file in files))


def _copy(source: Lake, target: Lake, file: StoredFile) -> bool:
    """Copy a file that is not there, or not what it should be; return whether it was copied."""
    try:
        target.verify(file.path, file.file_sha256)
    except LakeDamaged:
        target.copy_from(source, file.path, file.file_sha256)
        return True
    return False


def _require_new(database: Path, lake: Lake) -> None:
    for path in (database, *map(lake.absolute, lake.paths())):
        if path.exists():
            raise StateError(
                f"{path} exists: a backup is put into an empty data folder only; stop the"
                " pipeline and move the old one away"
            )
