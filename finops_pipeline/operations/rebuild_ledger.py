"""A ledger made anew from the lake: each file says what the ledger knew of its windows."""

import json
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from itertools import groupby
from typing import Any

from finops_pipeline.errors import LakeDamaged, StateError
from finops_pipeline.installation.context import Installation
from finops_pipeline.installation.recording import FACTS
from finops_pipeline.lake.files import Lake, LakeFile, parse_path
from finops_pipeline.state.window import CURRENT_NAMES, PROVISIONAL, StoredFile, Window

_INSTANTS = ("window_start", "fetched_at", "next_read_at")


@dataclass(frozen=True)
class Told:
    """A whole file of the lake, and what it says of its windows."""

    file: LakeFile
    windows: Mapping[datetime, Window]


def rebuild_ledger(installation: Installation) -> tuple[int, list[str]]:
    """Fill an empty ledger from the files of the lake, all at once or not at all.

    Every byte is compared with the hash in the file's name; what is damaged goes to the quarantine.
    Of each window the newest reading counts. Where a file of a day is damaged, older ones may speak
    for it: the windows of that day are read again. What no file tells is gone: restatements,
    failures, and which windows were lost.

    Returns:
        Files that are current now; those that were damaged.

    Raises:
        StateError: the ledger is not empty.
    """
    lake, ledger, at = installation.lake, installation.state.ledger, installation.clock()
    if not ledger.is_empty():
        raise StateError("the state database knows its lake: only an empty one is made anew")
    damaged: list[str] = []
    ledger.adopt(_days(lake, damaged, at), at)
    for path in damaged:
        lake.move_out(path, installation.quarantine / "lake" / path)
    return len(ledger.current_files()), damaged


def _days(
    lake: Lake, damaged: list[str], at: datetime
) -> Iterator[tuple[list[StoredFile], list[Window]]]:
    """The current files and windows of each table, cluster and day; what is damaged is noted."""
    for _, paths in groupby(sorted(lake.paths(), key=parse_path), key=parse_path):
        count = len(damaged)
        files = newest(_told(lake, paths, damaged))
        windows = [window for told in files for window in told.windows.values()]
        if len(damaged) > count:
            windows = [replace(it, status=PROVISIONAL, next_read_at=at) for it in windows]
        yield [StoredFile(**vars(told.file)) for told in files], windows


def newest(files: Iterable[Told]) -> list[Told]:
    """Files of one day that together hold the newest reading of each window, and each once.

    A file counts as a whole. Of those that say the same, the one with the most windows does: it is
    what the others were put together in.
    """
    told = sorted(files, key=lambda it: (-len(it.windows), it.file.path))
    versions: dict[datetime, tuple[datetime, int]] = {}
    for start, version in (pair for it in told for pair in _versions(it).items()):
        versions[start] = max(version, versions.get(start, version))
    chosen: dict[datetime, Told] = {}
    for it in told:
        own = _versions(it)
        if not own.keys() & chosen.keys() and own.items() <= versions.items():
            chosen |= dict.fromkeys(own, it)
    return list({it.file.path: it for it in chosen.values()}.values())


def _versions(told: Told) -> dict[datetime, tuple[datetime, int]]:
    return {
        start: (window.fetched_at, window.read_count)
        for start, window in told.windows.items()
        if window.fetched_at
    }


def _told(lake: Lake, paths: Iterable[str], damaged: list[str]) -> Iterator[Told]:
    for path in paths:
        try:
            file = _by_current_name(lake.identify(path))
        except LakeDamaged:
            damaged.append(path)
        else:
            windows = [_window(facts, path) for facts in json.loads(lake.facts(path)[FACTS])]
            yield Told(file, {window.window_start: window for window in windows})


def _window(facts: Mapping[str, Any], path: str) -> Window:
    """What :func:`record.record` wrote into a file."""
    instants = {name: facts[name] and datetime.fromisoformat(facts[name]) for name in _INSTANTS}
    total = None if facts["total"] is None else Decimal(facts["total"])
    name = CURRENT_NAMES.get(facts["table_name"], facts["table_name"])
    return Window(**{**facts, **instants, "table_name": name, "total": total, "file": path})


def _by_current_name(file: LakeFile) -> LakeFile:
    return replace(file, table_name=CURRENT_NAMES.get(file.table_name, file.table_name))
