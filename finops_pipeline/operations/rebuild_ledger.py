"""Makes a lost ledger anew from the lake: each file says what the ledger knew of its windows."""

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
class FileContents:
    """A whole file of the lake, and what it says of its windows."""

    file: LakeFile
    windows: Mapping[datetime, Window]


def rebuild_ledger(installation: Installation) -> tuple[int, list[str]]:
    """Fill an empty ledger from the files of the lake, all at once or not at all.

    Every byte is compared with the hash in the file's name; what is damaged goes to the quarantine.
    Of each window the newest reading counts. Where a file of a day is damaged, older ones may speak
    for it: the windows of that day are read again. What no file says is gone: restatements,
    failures, and which windows were lost.

    Returns:
        Files that are current now; those that were damaged.

    Raises:
        StateError: the ledger is not empty.
    """
    lake, ledger, at = installation.lake, installation.state.ledger, installation.clock()
    if not ledger.is_empty():
        raise StateError(
            "the state database is not lost, it names files of the lake: move it away first, if it"
            " is to be made anew"
        )
    damaged: list[str] = []
    ledger.adopt(_days(lake, damaged, at), at)
    for path in damaged:
        lake.move_out(path, installation.quarantine / "lake" / path)
    return len(ledger.current_files()), damaged


def _days(
    lake: Lake, damaged: list[str], at: datetime
) -> Iterator[tuple[list[StoredFile], list[Window]]]:
    """Yield the current files and windows of each table, cluster and day; list damaged files."""
    for _, paths in groupby(sorted(lake.paths(), key=parse_path), key=parse_path):
        count = len(damaged)
        files = _choose_newest(_read_files(lake, paths, damaged))
        windows = [window for contents in files for window in contents.windows.values()]
        if len(damaged) > count:
            windows = [replace(window, status=PROVISIONAL, next_read_at=at) for window in windows]
        yield [StoredFile(**vars(contents.file)) for contents in files], windows


def _choose_newest(files: Iterable[FileContents]) -> list[FileContents]:
    """Choose files of one day that together hold the newest reading of each window, each once.

    A file counts as a whole. Of those that say the same, the one with the most windows does: it is
    what the others were put together in.
    """
    largest_first = sorted(files, key=lambda file: (-len(file.windows), file.file.path))
    versions: dict[datetime, tuple[datetime, int]] = {}
    for start, version in (pair for file in largest_first for pair in _versions(file).items()):
        versions[start] = max(version, versions.get(start, version))
    by_window: dict[datetime, FileContents] = {}
    for file in largest_first:
        own = _versions(file)
        if not own.keys() & by_window.keys() and own.items() <= versions.items():
            by_window |= dict.fromkeys(own, file)
    return list({file.file.path: file for file in by_window.values()}.values())


def _versions(contents: FileContents) -> dict[datetime, tuple[datetime, int]]:
    return {
        start: (window.fetched_at, window.read_count)
        for start, window in contents.windows.items()
        if window.fetched_at
    }


def _read_files(lake: Lake, paths: Iterable[str], damaged: list[str]) -> Iterator[FileContents]:
    for path in paths:
        try:
            file = _by_current_name(lake.identify(path))
        except LakeDamaged:
            damaged.append(path)
        else:
            windows = [_window(facts, path) for facts in json.loads(lake.facts(path)[FACTS])]
            yield FileContents(file, {window.window_start: window for window in windows})


def _window(facts: Mapping[str, Any], path: str) -> Window:
    """Parse what ``recording.window_facts`` wrote into a file."""
    instants = {name: facts[name] and datetime.fromisoformat(facts[name]) for name in _INSTANTS}
    total = None if facts["total"] is None else Decimal(facts["total"])
    name = CURRENT_NAMES.get(facts["table_name"], facts["table_name"])
    return Window(**{**facts, **instants, "table_name": name, "total": total, "file": path})


def _by_current_name(file: LakeFile) -> LakeFile:
    return replace(file, table_name=CURRENT_NAMES.get(file.table_name, file.table_name))
