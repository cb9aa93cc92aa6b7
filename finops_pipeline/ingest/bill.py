"""The bill folder is read when its files change; the lake keeps what they said.

A billing month is made anew from all files that have charges of it, so that a replaced file
replaces its charges and nothing counts twice. The months of files that merely went stay as they
were: folders are emptied, and the lake is the record.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from finops_pipeline.catalog.raw_schemas import raw_schema
from finops_pipeline.errors import ServerMalformed
from finops_pipeline.installation.context import Installation
from finops_pipeline.installation.recording import record
from finops_pipeline.sources import focus
from finops_pipeline.sources.reading import Reading
from finops_pipeline.state.bill_files import BillFile
from finops_pipeline.state.window import ALL_CLUSTERS, BILL
from finops_pipeline.units import DAY, day_start

# A cloud that writes fewer parts than before deletes the others within minutes.
_TIDIED_WITHIN = DAY

Files = Mapping[str, BillFile]  # by path within the bill folder


def read_bill(installation: Installation) -> None:
    """Take up the files of the bill folder that changed since they were last looked at.

    A file that is refused changes nothing: what it said before still counts.

    Raises:
        LakeDamaged: a file of the lake is.
    """
    if not installation.settings.bill.folder:
        return
    folder = Path(installation.settings.bill.folder)
    at, known = installation.clock(), installation.state.bill.all()
    found = _found(folder, at)
    changed = [it for it in found.values() if not _is_known(it, known)]
    gone = sorted(known.keys() - found.keys())
    if not changed and not gone:
        return
    currency = installation.settings.currency
    seen = [_examined(folder, it, known.get(it.path), currency) for it in changed]
    now = {path: file for path, file in known.items() if path in found}
    now |= {it.path: it for it in seen}
    for month in sorted(_touched(known, now, seen, gone, at)):
        _record_month(installation, folder, now, month, at)
    installation.state.bill.remember(seen, gone)


def _found(folder: Path, at: datetime) -> dict[str, BillFile]:
    """Files that may be bills, unread."""
    found = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if _may_be_bill(path, name):
            stat = path.stat()
            found[name] = BillFile(name, stat.st_size, stat.st_mtime_ns, at)
    return found


def _may_be_bill(path: Path, name: str) -> bool:
    """A name that is no text could neither be kept nor told."""
    return (
        path.name.endswith(focus.SUFFIXES)
        and not path.name.startswith(".")
        and name.isprintable()
        and path.is_file()
    )


def _is_known(file: BillFile, known: Files) -> bool:
    return file.path in known and known[file.path].stamp == file.stamp


def _examined(folder: Path, file: BillFile, before: BillFile | None, currency: str) -> BillFile:
    try:
        bill = focus.examine(folder / file.path, currency)
    except ServerMalformed as error:
        if before is None:
            return replace(file, failure=str(error))
        return replace(file, failure=str(error), sha256=before.sha256, months=before.months)
    months = " ".join(f"{month:%Y-%m}" for month in bill.months)
    return replace(file, sha256=bill.sha256, months=months)


def _touched(
    known: Files, now: Files, seen: Iterable[BillFile], gone: Iterable[str], at: datetime
) -> set[date]:
    """Months that have to be made anew."""
    read = [it for it in seen if it.path not in known or it.sha256 != known[it.path].sha256]
    before = (known[it.path] for it in read if it.path in known)
    months = {month for it in (*read, *before) for month in it.first_days}
    young = {
        month for it in now.values() if it.read_at > at - _TIDIED_WITHIN for month in it.first_days
    }
    return months | {month for path in gone for month in known[path].first_days if month in young}


def _record_month(
    installation: Installation, folder: Path, now: Files, month: date, at: datetime
) -> None:
    counted = [it for it in _each_once(now.values()) if month in it.first_days]
    if not counted:  # its files went: what they said stays
        return
    files = [(it.path, folder / it.path) for it in counted if not it.failure]
    kept = [it.path for it in counted if it.failure]
    rows = focus.read_month(files, month) if files else raw_schema(BILL).empty_table()
    if kept:
        rows = _sorted(pa.concat_tables([rows, _stored(installation, month, kept)]))
    reading = Reading(ALL_CLUSTERS, day_start(month), at, {BILL: rows}, is_final=True)
    record(installation.lake, installation.state.ledger, [reading])


def _each_once(files: Iterable[BillFile]) -> Iterator[BillFile]:
    """Of files that hold the same, one; those that can be read come first."""
    taken: set[str | None] = {None}
    for file in sorted(files, key=lambda it: (it.failure is not None, it.path)):
        if file.sha256 not in taken:
            taken.add(file.sha256)
            yield file


def _stored(installation: Installation, month: date, paths: list[str]) -> pa.Table:
    """What the lake holds of some files: their newest versions were refused."""
    ledger = installation.state.ledger
    window = ledger.day([BILL], ALL_CLUSTERS, month).get((BILL, day_start(month)))
    if window is None or window.file is None:
        return raw_schema(BILL).empty_table()
    rows = installation.lake.read(window.file, ledger.file_sha256(window.file))
    rows = rows.filter(pc.is_in(rows["source_file"], value_set=pa.array(paths)))
    return rows.cast(raw_schema(BILL))


def _sorted(rows: pa.Table) -> pa.Table:
    """By every column, so that equal bills have equal hashes."""
    return rows.sort_by([(name, "ascending") for name in rows.column_names])
