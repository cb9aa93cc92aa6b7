"""What lies on our own side: disk, ledger, lake, the last publication."""

import os
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from finops_pipeline.errors import FinopsError, LakeError, NotPublished, StateError
from finops_pipeline.orchestration.doctor.finding import FAILED, OK, UNKNOWN, WARNING, Finding
from finops_pipeline.orchestration.installation import Installation, open_installation
from finops_pipeline.queries.published import open_published
from finops_pipeline.queries.status import age, published_status
from finops_pipeline.settings import Settings
from finops_pipeline.units import GIB

_LATE = timedelta(minutes=45)  # three ticks
_LEAST_FREE_BYTES = GIB  # a copy of the warehouse is written before the old one goes
_SHOWN = 3  # of many damaged files


def examine_data(settings: Settings, now: datetime) -> Iterator[Finding]:
    """The lines of the installation itself."""
    folder = settings.data_dir.absolute()
    if not folder.exists():
        yield _finding("data_folder", OK, f"{folder} does not exist yet: the first tick makes it")
        return
    yield _folder(folder)
    yield _disk(folder)
    yield from _ledger_and_lake(settings)
    yield _publication(settings, now)


def _folder(folder: Path) -> Finding:
    if os.access(folder, os.R_OK | os.W_OK | os.X_OK):
        return _finding("data_folder", OK, f"{folder} can be written")
    return _finding(
        "data_folder",
        FAILED,
        f"{folder} cannot be written by user {os.geteuid()}",
        "give it to the user that runs the pipeline (chown), or name another data_dir",
    )


def _disk(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    seen = f"{free / GIB:.1f} GiB are free"
    if free >= _LEAST_FREE_BYTES:
        return _finding("disk", OK, seen)
    return _finding("disk", FAILED, seen, "free some, or move data_dir to a larger disk")


def _ledger_and_lake(settings: Settings) -> Iterator[Finding]:
    try:
        with open_installation(settings) as installation:
            installation.state.verify()
            yield _finding("ledger", OK, "opens, and is whole")
            yield _lake(installation)
    except StateError as error:
        yield _finding("ledger", FAILED, str(error), "see Damage in docs/operations.md")
        yield _finding("lake", UNKNOWN, "the ledger, which knows its files, does not open")


def _lake(installation: Installation) -> Finding:
    """Every current file, byte by byte: Parquet does not notice most of those that flip."""
    damaged, files = [], installation.state.ledger.current_files()
    for file in files:
        try:
            installation.lake.verify(file.path, file.file_sha256)
        except LakeError as error:
            damaged.append(str(error))
    if not damaged:
        return _finding("lake", OK, f"{len(files)} files are what the ledger says")
    return _finding(
        "lake",
        FAILED,
        f"{len(damaged)} of {len(files)} files: {'; '.join(damaged[:_SHOWN])}",
        "run finops tick: it moves them to data/quarantine and reads their windows again",
    )


def _publication(settings: Settings, now: datetime) -> Finding:
    try:
        with open_published(settings.data_dir) as connection:
            published_at = published_status(connection).published_at
    except NotPublished as error:
        return _finding("publication", WARNING, str(error), "wait for the first tick")
    except FinopsError as error:
        return _finding("publication", FAILED, str(error), "run finops tick")
    seen = f"{published_at:%Y-%m-%d %H:%M} UTC ({age(published_at, now)})"
    if now - published_at <= _LATE:
        return _finding("publication", OK, seen)
    return _finding(
        "publication",
        FAILED,
        seen,
        "see that the pipeline runs (make run), and in its UI why the last tick did not publish",
    )


def _finding(check: str, status: str, message: str, fix: str = "") -> Finding:
    return Finding("installation", check, status, message, fix)
