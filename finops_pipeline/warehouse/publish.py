"""Publishes the warehouse as ``finops.duckdb``: a file that no writer ever locks."""

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
from finops_pipeline.warehouse.schema import transaction
from finops_pipeline.warehouse.session import Warehouse


@dataclass(frozen=True)
class Publication:
    """One state of all tables, as readers see it."""

    publication_id: str
    published_at: datetime
    is_new: bool


def publish(warehouse: Warehouse, published: Path) -> Publication:
    """Bring every table up to date, run the blocking checks, replace the published file.

    Hold the lock of the warehouse (:func:`connect.locked`) from before its inputs were made until
    this returns: then no publication mixes two states of the ledger or goes back to an older one.
    When readers already have this state, the published file stays as it is.

    Args:
        warehouse: closed by this, since only a closed file is whole.
        published: the file that readers open.

    Raises:
        PublicationRefused: a blocking check has rows; the last publication stays.
        TableError: a row breaks a constraint; the last publication stays.
    """
    warehouse.refresh()
    _check(warehouse)
    publication = _publication(warehouse, published)
    if publication.is_new:
        _finish(warehouse, publication)
    warehouse.connection.execute("checkpoint")  # closing would keep to itself why it cannot
    warehouse.close()
    _must_be_whole(warehouse.path)
    if publication.is_new:
        _replace(warehouse.path, published)
    return publication


def _check(warehouse: Warehouse) -> None:
    for name, check in sql_files("checks/blocking").items():
        if rows := warehouse.check(check):
            raise PublicationRefused(f"check {name} has {len(rows)} rows, the first: {rows[0]}")


def _publication(warehouse: Warehouse, published: Path) -> Publication:
    """The state of the tables; readers are asked which they have, since a copy may have failed."""
    state_id = warehouse.records.state_id(published.parent)
    published_at = _published_at(published, state_id)
    if published_at:
        return Publication(state_id, published_at.astimezone(UTC), is_new=False)
    return Publication(state_id, datetime.now(UTC), is_new=True)


def _published_at(published: Path, state_id: str) -> datetime | None:
    """When readers got this state; None when they have another, none, or a damaged file."""
    query = "select published_at from core.installation where publication_id = $1"
    try:
        with closing(connect_read_only(published)) as connection:
            row = connection.execute(query, [state_id]).fetchone()
            if row:  # nothing has changed, so the file would stay for who knows how long
                read_everything(connection)
    except duckdb.Error:
        return None
    return row[0] if row else None


def _finish(warehouse: Warehouse, publication: Publication) -> None:
    warehouse.show_all()
    with transaction(warehouse.connection):
        warehouse.records.publish(publication.publication_id, publication.published_at)


def _must_be_whole(warehouse: Path) -> None:
    """What closing could not write stays in the log beside the file, and would be left behind."""
    log = warehouse.with_suffix(".duckdb.wal")
    if log.exists():
        raise WarehouseDamaged(f"{warehouse} cannot take up {log.name}: a block of it is damaged")


def _replace(warehouse: Path, published: Path) -> None:
    """Copy the warehouse, closed and therefore whole, and rename the copy over the published file.

    Readers keep the old file until they reopen.
    """
    temporary = published.with_suffix(".duckdb.tmp")
    temporary.unlink(missing_ok=True)
    try:
        shutil.copyfile(warehouse, temporary)
        temporary.chmod(0o444)
        durable.rename(temporary, published)
    except OSError:
        temporary.unlink(missing_ok=True)  # half a copy would keep a full disk full
        raise
    # Left by a reader who opened the old file for writing and died; beside the new file it would
    # keep everybody from opening it.
    published.with_suffix(".duckdb.wal").unlink(missing_ok=True)
    durable.sync(published.parent)
