"""Reads the bill folder when its files change; the lake keeps what they said.

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
    at, before = installation.clock(), installation.state.bill_files.by_path()
    files = _list_files(folder, at)
    changed = [file for file in files.values() if not _is_unchanged(file, before)]
    missing = sorted(before.keys() - files.keys())
    if not changed and not missing:
        return
    currency = installation.settings.currency
    updates = [_examine(folder, file, before.get(file.path), currency) for file in changed]
    after = {path: file for path, file in before.items() if path in files}
    after |= {file.path: file for file in updates}
    for month in sorted(_stale_months(before, after, updates, missing, at)):
        _record_month(installation, folder, after, month, at)
    installation.state.bill_files.remember(updates, missing)


def _list_files(folder: Path, at: datetime) -> dict[str, BillFile]:
    """List files that may be bills, unread."""
    files = {}
    for path in folder.rglob("*"):
        name = path.relative_to(folder).as_posix()
        if _may_be_bill(path, name):
            stat = path.stat()
            files[name] = BillFile(name, stat.st_size, stat.st_mtime_ns, at)
    return files


def _may_be_bill(path: Path, name: str) -> bool:
    """Return whether a file may be a bill; a name that is no text could not be stored."""
    return (
        path.name.endswith(focus.SUFFIXES)
        and not path.name.startswith(".")
        and name.isprintable()
        and path.is_file()
    )


def _is_unchanged(file: BillFile, before: Files) -> bool:
    return file.path in before and before[file.path].stamp == file.stamp


def _examine(folder: Path, file: BillFile, before: BillFile | None, currency: str) -> BillFile:
    try:
        bill = focus.examine(folder / file.path, currency)
    except ServerMalformed as error:
        if before is None:
            return replace(file, failure=str(error))
        return replace(file, failure=str(error), sha256=before.sha256, months=before.months)
    months = " ".join(f"{month:%Y-%m}" for month in bill.months)
    return replace(file, sha256=bill.sha256, months=months)


def _stale_months(
    before: Files, after: Files, updates: Iterable[BillFile], missing: Iterable[str], at: datetime
) -> set[date]:
    """Return the months that have to be made anew: of new contents, and of files replaced by them.

    A file that went takes its month along only where another one of it has just come.
    """
    new = [
        file
        for file in updates
        if file.path not in before or file.sha256 != before[file.path].sha256
    ]
    replaced = (before[file.path] for file in new if file.path in before)
    months = {month for file in (*new, *replaced) for month in file.first_days}
    young = {
        month
        for file in after.values()
        if file.read_at > at - _TIDIED_WITHIN
        for month in file.first_days
    }
    gone = {month for path in missing for month in before[path].first_days}
    return months | (gone & young)


def _record_month(
    installation: Installation, folder: Path, all_files: Files, month: date, at: datetime
) -> None:
    files = [file for file in _without_copies(all_files.values()) if month in file.first_days]
    if not files:  # its files went: what they said stays
        return
    readable = [(file.path, folder / file.path) for file in files if not file.failure]
    refused = [file.path for file in files if file.failure]
    rows = focus.read_month(readable, month) if readable else raw_schema(BILL).empty_table()
    if refused:
        rows = _in_order(pa.concat_tables([rows, _stored_rows(installation, month, refused)]))
    reading = Reading(ALL_CLUSTERS, day_start(month), at, {BILL: rows}, is_final=True)
    record(installation.lake, installation.state.ledger, [reading])


def _without_copies(files: Iterable[BillFile]) -> Iterator[BillFile]:
    """Yield one of the files that hold the same; those that can be read come first."""
    contents: set[str | None] = {None}
    for file in sorted(files, key=lambda file: (file.failure is not None, file.path)):
        if file.sha256 not in contents:
            contents.add(file.sha256)
            yield file


def _stored_rows(installation: Installation, month: date, paths: list[str]) -> pa.Table:
    """Return what the lake holds of files whose newest versions were refused."""
    ledger = installation.state.ledger
    window = ledger.day([BILL], ALL_CLUSTERS, month).get((BILL, day_start(month)))
    if window is None or window.file is None:
        return raw_schema(BILL).empty_table()
    rows = installation.lake.read(window.file, ledger.file_sha256(window.file))
    rows = rows.filter(pc.is_in(rows["source_file"], value_set=pa.array(paths)))
    return rows.cast(raw_schema(BILL))


def _in_order(rows: pa.Table) -> pa.Table:
    """Sort rows by every column, so that equal bills have equal hashes."""
    return rows.sort_by([(name, "ascending") for name in rows.column_names])
