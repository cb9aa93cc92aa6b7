"""Examines our own side: disk, ledger, lake, the last publication."""

import os
import shutil
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

from finops_pipeline.errors import FinopsError, LakeError, NotPublished, StateError
from finops_pipeline.installation.context import Installation, open_installation
from finops_pipeline.operations.doctor.finding import FAILED, OK, UNKNOWN, WARNING, Finding
from finops_pipeline.queries.published import open_published
from finops_pipeline.queries.status import format_age, published_status
from finops_pipeline.settings import Settings, warnings
from finops_pipeline.units import GIB

_LATE = timedelta(minutes=45)  # three ticks
_LEAST_FREE_BYTES = GIB  # a copy of the warehouse is written before the old one goes
_LEDGER = (
    "start its server or correct state_url; if it is damaged, see Damage in docs/operations.md"
)
_MOST_LISTED = 3  # of many damaged files


def examine_data(settings: Settings, now: datetime) -> Iterator[Finding]:
    """Yield the findings of the installation itself."""
    yield _attribution(settings)
    folder = settings.data_dir.absolute()
    writable = _folder(folder)
    yield writable
    if not folder.exists():
        return
    if writable.status == FAILED:
        for check in ("disk", "ledger", "lake", "publication"):
            yield _finding(check, UNKNOWN, "the data folder cannot be used")
        return
    yield _disk(folder)
    yield from _ledger_and_lake(settings)
    yield _publication(settings, now)


def _attribution(settings: Settings) -> Finding:
    """Examine whether rules, teams and budgets fit together; useless ones do not even load."""
    # The bill has a line of its own.
    doubts = [warning for warning in warnings(settings) if not warning.startswith("bill.")]
    if doubts:
        return _finding("attribution", WARNING, "; ".join(doubts), "correct finops.toml")
    counts = {
        "rules": len(settings.attribution.rules),
        "teams": len(settings.teams),
        "budgets": len(settings.budgets),
    }
    message = ", ".join(f"{name}: {count}" for name, count in counts.items())
    return _finding("attribution", OK, f"{message}; they fit together")


def _folder(folder: Path) -> Finding:
    """Examine whether a folder can be written, or made where its nearest parent is."""
    parent = next(path for path in (folder, *folder.parents) if path.exists())
    if parent.is_dir() and os.access(parent, os.R_OK | os.W_OK | os.X_OK):
        will_be_made = "does not exist yet: the first tick makes it"
        message = "can be written" if parent == folder else will_be_made
        return _finding("data_folder", OK, f"{folder} {message}")
    return _finding(
        "data_folder",
        FAILED,
        f"{parent} is no folder that user {os.geteuid()} can write",
        "give it to the user that runs the pipeline (chown), or name another data_dir",
    )


def _disk(folder: Path) -> Finding:
    free = shutil.disk_usage(folder).free
    message = f"{free / GIB:.1f} GiB are free"
    if free >= _LEAST_FREE_BYTES:
        return _finding("disk", OK, message)
    return _finding("disk", FAILED, message, "free some, or move data_dir to a larger disk")


def _ledger_and_lake(settings: Settings) -> Iterator[Finding]:
    try:
        with open_installation(settings) as installation:
            installation.state.verify()
            yield _finding("ledger", OK, "opens, and is whole")
            yield _lake(installation)
            if settings.bill.folder:
                yield _bill(installation)
    except StateError as error:
        yield _finding("ledger", FAILED, str(error), _LEDGER)
        yield _finding("lake", UNKNOWN, "the ledger, which knows its files, does not open")


def _lake(installation: Installation) -> Finding:
    """Verify every current file byte by byte: Parquet does not notice most of those that flip."""
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
        f"{len(damaged)} of {len(files)} files: {'; '.join(damaged[:_MOST_LISTED])}",
        "run finops tick: it moves them to data/quarantine and reads their windows again",
    )


def _bill(installation: Installation) -> Finding:
    """Examine whether the bill folder is there, and which of its files were refused."""
    folder = Path(installation.settings.bill.folder)
    if not folder.is_dir():
        fix = "mount it, or correct bill.folder; what was read of it stays"
        return _finding("bill", WARNING, f"{folder} is no folder", fix)
    files = installation.state.bill_files.by_path().values()
    refused = [f"{file.path}: {file.failure}" for file in files if file.failure]
    if not refused:
        return _finding("bill", OK, f"{len(files)} files were read")
    return _finding(
        "bill",
        FAILED,
        f"{len(refused)} of {len(files)} files: {'; '.join(refused[:_MOST_LISTED])}",
        "export them again, or remove them",
    )


def _publication(settings: Settings, now: datetime) -> Finding:
    try:
        with open_published(settings.data_dir) as connection:
            published_at = published_status(connection).published_at
    except NotPublished as error:
        return _finding("publication", WARNING, str(error), "wait for the first tick")
    except FinopsError as error:
        return _finding("publication", FAILED, str(error), "run finops tick")
    message = f"{published_at:%Y-%m-%d %H:%M} UTC ({format_age(published_at, now)})"
    if now - published_at <= _LATE:
        return _finding("publication", OK, message)
    return _finding(
        "publication",
        FAILED,
        message,
        "see that the pipeline runs (make run), and in its UI why the last tick did not publish",
    )


def _finding(check: str, status: str, message: str, fix: str = "") -> Finding:
    return Finding("installation", check, status, message, fix)
