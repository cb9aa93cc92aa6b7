"""Moves damage out of the way: what it hit is read again, made anew, or said to be lost."""

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime

import duckdb

from finops_pipeline.catalog.tables import tables
from finops_pipeline.durable import DISK_FULL
from finops_pipeline.errors import (
    DamageRepaired,
    DiskFull,
    LakeDamaged,
    LakeError,
    StateError,
    WarehouseDamaged,
)
from finops_pipeline.installation.context import Installation
from finops_pipeline.installation.source_registry import OPENCOST_DAY, SOURCES
from finops_pipeline.lake.files import Lake
from finops_pipeline.operations.compaction import (
    NIGHTLY_HOUR,
    sweep,
    unreferenced_before,
)
from finops_pipeline.state.database import CURE
from finops_pipeline.state.window import BILL
from finops_pipeline.units import MIB
from finops_pipeline.warehouse.connect import hold_lock, is_full

# The lake is read once a week, a share in each of the four ticks of a night.
_TICKS_A_NIGHT, _NIGHTS = 4, 7
# As many files do not break one by one: a volume is not mounted, or a folder was deleted.
_MOST_MISSING = 10


@contextmanager
def repair_damage(installation: Installation) -> Iterator[None]:
    """Repair what turns out damaged within the block.

    Raises:
        DamageRepaired: the block is to begin again.
        DiskFull: something could not be written; the next tick takes it up.
        StateError: the state database is damaged, or most of the lake is missing.
    """
    try:
        with _translate_full_disk(installation), installation.state.translate_errors():
            yield
    except (LakeDamaged, WarehouseDamaged) as damage:
        repair(installation, damage)
        raise DamageRepaired(str(damage)) from damage


@contextmanager
def _translate_full_disk(installation: Installation) -> Iterator[None]:
    try:
        yield
    except (OSError, duckdb.Error, StateError) as error:
        if not _is_full(error):
            raise
        _free_room(installation)
        free = shutil.disk_usage(installation.settings.data_dir).free
        raise DiskFull(
            f"the disk of {installation.settings.data_dir.absolute()} is full, {free / MIB:.1f} MiB"
            f" are free: make room, and the next tick goes on where this one stopped ({error})"
        ) from error


def _free_room(installation: Installation) -> None:
    """Sweep the lake: the step that does so is skipped where one before it has failed."""
    now = installation.clock()
    before = unreferenced_before(now, installation.published_path)
    with suppress(OSError, StateError), installation.state.translate_errors():
        sweep(installation.lake, installation.state.ledger, now, before)


def _is_full(error: Exception) -> bool:
    if isinstance(error, OSError):
        return error.errno in DISK_FULL
    return is_full(error) if isinstance(error, duckdb.Error) else "disk is full" in str(error)


def repair(installation: Installation, damage: LakeDamaged | WarehouseDamaged) -> None:
    """Move what is damaged into ``data/quarantine``.

    Windows of a lake file are absent again, or lost where no source can say them again. Other files
    that are missing or cut go with it. A damaged warehouse is made anew when it is opened next.

    Raises:
        StateError: it is the state database that is damaged, or most of the lake is missing.
    """
    if isinstance(damage, WarehouseDamaged):
        _move_warehouse(installation)
        return
    installation.state.verify()
    damages = {cut.path: cut for cut in _cut_files(installation)} | {damage.path: damage}
    _require_mounted(installation, damages)
    for file_damage in damages.values():
        _discard(installation, file_damage)


def inspect_share(installation: Installation) -> None:
    """Verify a part of the lake, read or not, and the ledger, in each tick of a night.

    Raises:
        StateError: the state database is damaged.
        LakeDamaged: a file is; the next attempt goes on from there.
    """
    now = installation.clock()
    if not is_nightly(now):
        return
    installation.state.verify()
    share = now.toordinal() % _NIGHTS * _TICKS_A_NIGHT + now.minute // (60 // _TICKS_A_NIGHT)
    for file in installation.state.ledger.current_files():
        if int(file.file_sha256[:8], 16) % (_NIGHTS * _TICKS_A_NIGHT) == share:
            installation.lake.verify(file.path, file.file_sha256)


def is_nightly(now: datetime) -> bool:
    """Return whether it is the hour for work that reads everything."""
    return now.hour == NIGHTLY_HOUR


def _cut_files(installation: Installation) -> Iterator[LakeDamaged]:
    for file in installation.state.ledger.current_files():
        try:
            installation.lake.verify_size(file.path, file.size_bytes)
        except LakeDamaged as damage:
            yield damage


def _require_mounted(installation: Installation, damaged: Iterable[str]) -> None:
    """Refuse to go on without most files: a missing volume must not make every window absent."""
    lake = installation.lake
    missing = sum(not lake.absolute(path).exists() for path in damaged)
    total = len(installation.state.ledger.current_files())
    if missing > max(_MOST_MISSING, total // 2):
        raise StateError(
            f"{missing} of {total} files are missing from {lake.root}: see that its volume is"
            " mounted, or put its backup back; to go on with what is there, move the state"
            " database away and run finops rebuild-ledger"
        )


def _discard(installation: Installation, damage: LakeDamaged) -> None:
    path, now = damage.path, installation.clock()
    if _is_as_named(installation.lake, path):
        raise StateError(f"the state database is damaged: it is wrong about {path}; {CURE}")
    if _is_unrepeatable(path):
        raise LakeError(
            f"{damage}; it holds frozen days or what was claimed, which no source can say again:"
            " put it back from the backup"
        )
    if path.startswith(BILL):
        installation.state.bill_files.forget()  # what is in its folder is read again
    installation.lake.move_out(path, installation.quarantine / "lake" / path)
    first = installation.lookback_start(now)
    readable = [source for source in (*SOURCES, OPENCOST_DAY) if not source.heartbeat]
    oldest = {name: first for source in readable for name in source.tables}
    installation.state.ledger.discard_file(path, now, str(damage), oldest)


def _is_unrepeatable(path: str) -> bool:
    """Return whether a file holds rows that were made here, and cannot be made again."""
    table = tables()[path.partition("/")[0]]
    return not table.is_raw or table.kind.is_appended


def _is_as_named(lake: Lake, path: str) -> bool:
    try:
        lake.identify(path)
    except LakeDamaged:
        return False
    return True


def _move_warehouse(installation: Installation) -> None:
    path = installation.warehouse_path
    installation.quarantine.mkdir(parents=True, exist_ok=True)
    with hold_lock(path):
        for file in (path, path.with_suffix(".duckdb.wal")):
            if file.exists():
                file.replace(installation.quarantine / file.name)
