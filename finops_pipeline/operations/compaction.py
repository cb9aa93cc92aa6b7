"""Keeps the lake tidy: finished days become one file, replaced files go after two days.

It runs where the step begins that fills the tables, after all sources: no reading waits for it.
"""

from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from finops_pipeline.durable import DISK_FULL
from finops_pipeline.installation.context import Installation
from finops_pipeline.installation.recording import merge_day
from finops_pipeline.installation.source_registry import SOURCES
from finops_pipeline.lake.files import Lake
from finops_pipeline.state.ledger import Ledger
from finops_pipeline.units import DAY

REPLACED_STAY = 2 * DAY  # a publication may name a file for as long
# Of each source in a tick, which stays short: the next ones work off a longer backlog.
_DAYS_AT_ONCE = 20
NIGHTLY_HOUR = 3


def tidy_lake(installation: Installation) -> str | None:
    """Sweep and compact; return why that failed, since tables can be filled all the same.

    Raises:
        LakeDamaged: a file is damaged.
        OSError: the disk is full.
    """
    try:
        compact_lake(installation)
    except OSError as error:
        if error.errno in DISK_FULL:
            raise
        return f"the lake could not be tidied: {error}"
    return None


def compact_lake(installation: Installation) -> None:
    """Sweep what no publication names any more, and compact the finished days of every source.

    In this order, since compacting needs room.

    Raises:
        LakeDamaged: a file is damaged.
    """
    lake, ledger, now = installation.lake, installation.state.ledger, installation.clock()
    sweep(lake, ledger, now, unreferenced_before(now, installation.published_path))
    for source in SOURCES:
        compact(lake, ledger, source.tables, now)


def compact(lake: Lake, ledger: Ledger, table_names: Iterable[str], now: datetime) -> int:
    """Put each finished day of a table and cluster that lies in several files into one.

    A day is finished when none of its windows is absent or read again. A later reading makes a new
    version of the file.

    Returns:
        Days compacted.

    Raises:
        LakeDamaged: a file is damaged.
    """
    scattered = ledger.scattered_days(table_names, before=(now - DAY).date())
    finished = (day for day in scattered if merge_day(lake, ledger, *day, at=now))
    return sum(1 for _ in islice(finished, _DAYS_AT_ONCE))


def unreferenced_before(now: datetime, published: Path) -> datetime:
    """Return the instant before which replaced files are named by no publication still in use.

    While nothing can be published, readers stay with the last publication.
    """
    if not published.exists():
        return now - REPLACED_STAY
    published_at = datetime.fromtimestamp(published.stat().st_mtime, UTC)
    return min(now, published_at) - REPLACED_STAY


def sweep(lake: Lake, ledger: Ledger, now: datetime, before: datetime) -> None:
    """Delete the files that nothing has named since an instant: replaced ones, and a crash's.

    Those of a crash are looked for once a night, since it takes a walk through the whole lake.
    """
    lake.remove(ledger.forget_files(before))
    if now.hour == NIGHTLY_HOUR:
        lake.sweep(ledger.named_paths(), before)
