"""Publishes the warehouse as ``finops.duckdb``: a file that no writer ever locks."""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from finops_pipeline.errors import PublicationRefused
from finops_pipeline.warehouse.sql_file import files
from finops_pipeline.warehouse.warehouse import Inputs, Warehouse, open_warehouse

_PUBLICATION_ID = """
select md5(string_agg(concat_ws(' ', table_name, slot, fingerprint), ' ' order by table_name, slot))
from internal.fingerprint
where grain <> 'hour'
"""


@dataclass(frozen=True)
class Publication:
    """One state of all tables, as readers see it."""

    publication_id: str
    published_at: datetime
    is_new: bool


def publish(
    warehouse: Path, published: Path, inputs: Inputs, settings: Mapping[str, Any], kept: timedelta
) -> Publication:
    """Bring every table up to date, run the blocking checks, replace the published file.

    Hold the lock of the warehouse (:func:`connect.locked`) from before the inputs are made until
    this returns: then no publication mixes two states of the ledger or goes back to an older one.
    When nothing changed, the published file stays as it is.

    Args:
        warehouse: the private database.
        published: the file that readers open.
        inputs: the lake and the ledger.
        settings: what a select may name after a dollar sign.
        kept: for how long quarter-hourly tables hold their rows.

    Raises:
        PublicationRefused: a blocking check has rows; the last publication stays.
        TableError: a row breaks a constraint; the last publication stays.
    """
    with open_warehouse(warehouse, inputs, settings, kept) as tables:
        publication = _prepare(tables)
    if publication.is_new or not published.exists():
        _replace(warehouse, published)
    return publication


def _prepare(warehouse: Warehouse) -> Publication:
    last = warehouse.rows("select * from internal.publication")
    warehouse.refresh()
    _check(warehouse)
    ((publication_id,),) = warehouse.connection.execute(_PUBLICATION_ID).fetchall()
    if last and last[0]["publication_id"] == publication_id:
        return Publication(publication_id, last[0]["published_at"], is_new=False)
    warehouse.show_all_raw()
    publication = Publication(publication_id, datetime.now(UTC), is_new=True)
    _remember(warehouse, publication)
    return publication


def _check(warehouse: Warehouse) -> None:
    within = warehouse.unpublished()
    for name, check in files("checks/blocking").items():
        if rows := warehouse.check(check, within):
            raise PublicationRefused(f"check {name} has {len(rows)} rows, the first: {rows[0]}")


def _remember(warehouse: Warehouse, publication: Publication) -> None:
    values = {"id": publication.publication_id, "at": publication.published_at}
    warehouse.connection.execute("delete from internal.publication")
    warehouse.connection.execute("insert into internal.publication values ($id, $at)", values)
    warehouse.connection.execute(
        "update core.installation set publication_id = $id, published_at = $at", values
    )


def _replace(warehouse: Path, published: Path) -> None:
    """Copy the warehouse, closed and therefore whole, and rename the copy over the published file.

    Readers keep the old file until they reopen.
    """
    temporary = published.with_suffix(".duckdb.tmp")
    temporary.unlink(missing_ok=True)
    shutil.copyfile(warehouse, temporary)
    temporary.chmod(0o444)
    _sync(temporary)
    temporary.replace(published)
    # Left by a reader who opened the old file for writing and died; beside the new file it would
    # keep everybody from opening it.
    published.with_suffix(".duckdb.wal").unlink(missing_ok=True)
    _sync(published.parent)


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
