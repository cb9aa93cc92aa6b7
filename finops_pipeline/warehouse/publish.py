"""Publication of the warehouse as ``finops.duckdb``: a file that no writer ever locks.

A copy of the closed warehouse is synced and renamed over the published file: a reader has one state
of all tables or the next, keeps it for as long as it has the file open, and blocks nothing.
"""

import shutil
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import duckdb

from finops_pipeline import durable
from finops_pipeline.catalog.files import sql_files
from finops_pipeline.errors import PublicationRefused, WarehouseDamaged
from finops_pipeline.warehouse.connect import connect_read_only, read_everything
from finops_pipeline.warehouse.session import Warehouse


@dataclass(frozen=True)
class Publication:
    """State of all tables, as readers see it."""

    publication_id: str
    published_at: datetime
    is_new: bool


def publish(warehouse: Warehouse, published_file: Path) -> Publication:
    """Bring every table up to date, run the blocking checks, replace the published file.

    Hold the lock of the warehouse (:func:`connect.hold_lock`) from before its source data was made
    until this returns: then no publication mixes two states of the ledger or goes back to an older.
    When readers already have this state, the published file stays as it is.

    Args:
        warehouse: closed by this, since only a closed file is whole.
        published_file: the file that readers open.

    Raises:
        PublicationRefused: a blocking check has rows; the last publication stays.
        TableError: a row breaks a constraint; the last publication stays.
    """
    warehouse.refresh()
    _run_blocking_checks(warehouse)
    publication = _next_publication(warehouse, published_file)
    if publication.is_new:
        _store_publication(warehouse, publication)
    warehouse.connection.execute("checkpoint")  # closing would keep to itself why it cannot
    warehouse.close()
    _require_no_log(warehouse.path)
    if publication.is_new:
        _replace(warehouse.path, published_file)
    return publication


def _run_blocking_checks(warehouse: Warehouse) -> None:
    for name, check in sql_files("checks/blocking").items():
        if rows := warehouse.check(check):
            raise PublicationRefused(f"check {name} has {len(rows)} rows, the first: {rows[0]}")


def _next_publication(warehouse: Warehouse, published_file: Path) -> Publication:
    """Compare the state of the tables with the one readers have: a copy may have failed before."""
    state_id = warehouse.bookkeeping.state_id(published_file.parent)
    published_at = _published_at(published_file, state_id)
    if published_at:
        return Publication(state_id, published_at.astimezone(UTC), is_new=False)
    return Publication(state_id, datetime.now(UTC), is_new=True)


def _published_at(published_file: Path, state_id: str) -> datetime | None:
    """Read when this state was published; None when readers have another, or a damaged file."""
    query = "select published_at from core.installation where publication_id = $1"
    try:
        with closing(connect_read_only(published_file)) as connection:
            row = connection.execute(query, [state_id]).fetchone()
            if row:  # nothing has changed, so that the file may stay for long: it has to be whole
                read_everything(connection)
    except duckdb.Error:
        return None
    return row[0] if row else None


def _store_publication(warehouse: Warehouse, publication: Publication) -> None:
    warehouse.show_all()
    with warehouse.database.transaction():
        warehouse.bookkeeping.store_publication(
            publication.publication_id, publication.published_at
        )


def _require_no_log(warehouse: Path) -> None:
    """Refuse a file beside which closing has left its log: the copy would lack what is in it."""
    log = warehouse.with_suffix(".duckdb.wal")
    if log.exists():
        raise WarehouseDamaged(f"{warehouse} cannot take up {log.name}: a block of it is damaged")


def _replace(warehouse: Path, published_file: Path) -> None:
    """Copy the warehouse, closed and therefore whole, and rename the copy over the published file.

    Readers keep the old file until they reopen.
    """
    temporary = published_file.with_suffix(".duckdb.tmp")
    temporary.unlink(missing_ok=True)
    try:
        shutil.copyfile(warehouse, temporary)
        temporary.chmod(0o444)
        durable.rename(temporary, published_file)
    except OSError:
        temporary.unlink(missing_ok=True)  # half a copy would keep a full disk full
        raise
    # Left by a reader who opened the old file for writing and died; beside the new file it would
    # keep every reader from opening it.
    published_file.with_suffix(".duckdb.wal").unlink(missing_ok=True)
    durable.sync(published_file.parent)
