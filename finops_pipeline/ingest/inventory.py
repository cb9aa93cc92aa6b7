"""Makes changes to what the lake holds out of what the Kubernetes API lists.

The first reading of a UTC day stores everything, so that days stand alone and old ones may go; the
others store what differs from the states before, which are read from the lake and nowhere else.
"""

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import replace
from datetime import datetime

import pyarrow as pa
import pyarrow.compute as pc

from finops_pipeline.catalog.raw_schemas import raw_schema
from finops_pipeline.installation.recording import merge_day
from finops_pipeline.lake.files import Lake
from finops_pipeline.sources.kubernetes import states
from finops_pipeline.sources.kubernetes.listing import KINDS
from finops_pipeline.sources.kubernetes.tables import INVENTORY, STATES, TABLES
from finops_pipeline.sources.reading import Reading
from finops_pipeline.state.ledger import Ledger
from finops_pipeline.units import WINDOW

# Files of a day that a reading has to look through before they are put into one.
_MOST_FILES = 16
_MISSED = "not asked in time, and the Kubernetes API only says what is now"


def changes(lake: Lake, ledger: Ledger, reading: Reading) -> Reading:
    """Return what to store of a listing: no table at all where nothing changed.

    What could not be listed is taken to be as it was.

    Raises:
        LakeDamaged: a file with states before is damaged.
    """
    start = reading.window_start
    last = ledger.newest_read_window(INVENTORY, reading.cluster, before=start)
    is_first_of_day = last is None or last.date() != start.date()
    failed_kinds = [*_failures(reading)]
    rows_by_table: dict[str, pa.Table] = {}
    changed_uids: dict[str, set[str]] = defaultdict(set)
    for name, before in _states_before(lake, ledger, reading, last).items():
        assumed = _assumed_states(name, before, failed_kinds, start)
        now = pa.concat_tables([reading.tables[name], assumed])
        different = states.changed_states(before, now, start)
        rows_by_table[name] = (
            states.all_states(before, now, start) if is_first_of_day else different
        )
        for kind, uids in _uids_by_kind(name, different).items():
            changed_uids[kind] |= uids
    tables = {name: rows for name, rows in rows_by_table.items() if rows.num_rows}
    return replace(reading, tables=tables | {INVENTORY: _with_counts(reading, changed_uids)})


def lose_missed(ledger: Ledger, reading: Reading, oldest: datetime) -> None:
    """Lose the windows that passed between the reading before and this one."""
    last = ledger.newest_read_window(INVENTORY, reading.cluster, before=reading.window_start)
    if last and last + WINDOW < reading.window_start:
        start, end = max(last + WINDOW, oldest), reading.window_start
        ledger.lose([INVENTORY], reading.cluster, start, end, reading.fetched_at, _MISSED)


def note_failures(ledger: Ledger, readings: Iterable[Reading]) -> list[str]:
    """Record which tables lack a kind that could not be listed, and return the messages."""
    messages = []
    for reading in readings:
        cluster, start, at = reading.cluster, reading.window_start, reading.fetched_at
        for table_name, message in _failures_by_table(reading).items():
            ledger.fail([table_name], cluster, start, at, message)
            ledger.lose([table_name], cluster, start, start + WINDOW, at, message)
        messages += sorted(set(_failures(reading).values()))
    return messages


def merge_small_files(lake: Lake, ledger: Ledger, readings: Iterable[Reading]) -> None:
    """Put the files of a table and day into one once there are many: each reading reads them.

    Raises:
        LakeDamaged: a file is damaged.
    """
    for reading in readings:
        cluster, day = reading.cluster, reading.window_start.date()
        files: dict[str, set[str]] = defaultdict(set)
        for (name, _), window in ledger.day(TABLES, cluster, day).items():
            files[name] |= {window.file} if window.file else set()
        for name in (name for name, paths in files.items() if len(paths) > _MOST_FILES):
            merge_day(lake, ledger, name, cluster, day, reading.fetched_at)


def _failures(reading: Reading) -> dict[str, str]:
    """Return why kinds could not be listed, by kind."""
    rows = reading.tables[INVENTORY].select(["kind", "failure"]).to_pylist()
    return {row["kind"]: row["failure"] for row in rows if row["failure"]}


def _failures_by_table(reading: Reading) -> dict[str, str]:
    messages: dict[str, set[str]] = defaultdict(set)
    for kind, message in _failures(reading).items():
        for table_name in KINDS[kind]:
            messages[table_name].add(message)
    return {table_name: "; ".join(sorted(of_table)) for table_name, of_table in messages.items()}


def _states_before(
    lake: Lake, ledger: Ledger, reading: Reading, last: datetime | None
) -> dict[str, pa.Table]:
    """Return the states before a reading by table: all that its predecessor's day stored."""
    paths: dict[str, set[str]] = {name: set() for name in STATES}
    if last:
        for (name, start), window in ledger.day(STATES, reading.cluster, last.date()).items():
            if window.file and start < reading.window_start:
                paths[name].add(window.file)
    tables = {
        name: [lake.read(path, ledger.file_sha256(path)) for path in sorted(files)]
        for name, files in paths.items()
    }
    return {
        name: states.newest_states(raw_schema(name), tables[name], before=reading.window_start)
        for name in STATES
    }


def _assumed_states(
    name: str, before: pa.Table, failed_kinds: Collection[str], start: datetime
) -> pa.Table:
    """Return the states of kinds that could not be listed, taken to be as they were."""
    kinds = _kinds(name)
    if len(kinds) > 1:
        has_failed = pc.is_in(before["workload_kind"], pa.array(failed_kinds, pa.string()))
        return states.move_to_window(before.filter(has_failed), start)
    return states.move_to_window(before if kinds[0] in failed_kinds else before.slice(0, 0), start)


def _uids_by_kind(name: str, rows: pa.Table) -> dict[str, set[str]]:
    """Return the objects that rows are about, by kind."""
    kinds, uids = _kinds(name), rows["uid"].to_pylist()
    of_rows = rows["workload_kind"].to_pylist() if len(kinds) > 1 else kinds * len(uids)
    by_kind: dict[str, set[str]] = defaultdict(set)
    for kind, uid in zip(of_rows, uids, strict=True):
        by_kind[kind].add(uid)
    return by_kind


def _kinds(name: str) -> list[str]:
    """List the kinds of a table: one, except for workloads and their templates."""
    return [kind for kind, tables in KINDS.items() if name in tables]


def _with_counts(reading: Reading, changed_uids: Mapping[str, set[str]]) -> pa.Table:
    """Return the rows of the inventory with how many objects of each kind changed."""
    rows = reading.tables[INVENTORY]
    failures = _failures(reading)
    counts = [
        None if kind in failures else float(len(changed_uids.get(kind, ())))
        for kind in rows["kind"].to_pylist()
    ]
    at = rows.schema.get_field_index("changed_count")
    return rows.set_column(at, rows.schema.field(at), pa.array(counts, pa.float64()))
