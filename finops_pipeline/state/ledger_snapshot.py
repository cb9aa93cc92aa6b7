"""Snapshot of the ledger for what is computed from it: hashes, files and rows."""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from functools import wraps
from itertools import groupby
from operator import itemgetter
from typing import Any, TypeVar, cast

import pyarrow as pa
from sqlalchemy import ColumnElement, Connection, Row, Table, and_, func, literal, select

from finops_pipeline.state.bill_files import BillFile, read_bill_files
from finops_pipeline.state.tables import lake_file, ledger, ledger_day, restatement
from finops_pipeline.state.window import RAW, StoredFile
from finops_pipeline.state.window_statuses import is_of_source, window_statuses
from finops_pipeline.units import DAY, WINDOW, day_start, windows

_INSTANT = pa.timestamp("us", "UTC")
_COST = pa.decimal128(28, 10)

WINDOW_COLUMNS = pa.schema(
    [
        pa.field("table_name", pa.string(), nullable=False),
        pa.field("cluster", pa.string(), nullable=False),
        pa.field("window_start", _INSTANT, nullable=False),
        pa.field("status", pa.string(), nullable=False),
        pa.field("is_verified", pa.bool_(), nullable=False),
        pa.field("is_degraded", pa.bool_(), nullable=False),
        pa.field("reason", pa.string()),
        pa.field("minutes_ratio", pa.float64()),
        pa.field("row_count", pa.int64()),
        pa.field("total", _COST),
        pa.field("read_count", pa.int32(), nullable=False),
        pa.field("fetched_at", _INSTANT),
        pa.field("next_read_at", _INSTANT),
        pa.field("content_sha256", pa.string()),
        pa.field("file", pa.string()),
    ]
)
RESTATEMENT_COLUMNS = pa.schema(
    [
        pa.field("table_name", pa.string(), nullable=False),
        pa.field("cluster", pa.string(), nullable=False),
        pa.field("window_start", _INSTANT, nullable=False),
        pa.field("restated_at", _INSTANT, nullable=False),
        pa.field("reason", pa.string(), nullable=False),
        pa.field("old_row_count", pa.int64(), nullable=False),
        pa.field("new_row_count", pa.int64(), nullable=False),
        pa.field("old_total", _COST),
        pa.field("new_total", _COST),
        pa.field("old_content_sha256", pa.string(), nullable=False),
        pa.field("new_content_sha256", pa.string(), nullable=False),
    ]
)

# What `core.window` says beyond its key, and the failures that its reason falls back to.
_MARK_COLUMNS = [ledger.c[name] for name in (*WINDOW_COLUMNS.names[3:], "failure")]

_Question = TypeVar("_Question", bound=Callable[..., Any])


def _answer_once(question: _Question) -> _Question:
    """Answer from memory when asked again: every table of the warehouse asks the same."""

    @wraps(question)
    def answer(self: "LedgerSnapshot", *day: datetime) -> Any:
        key = (question.__name__, *day)
        if key not in self.answers:
            self.answers[key] = question(self, *day)
        return self.answers[key]

    return cast(_Question, answer)


@dataclass(frozen=True)
class Progress:
    """Progress of one source of one cluster: how far it has been read."""

    complete_until: datetime | None  # every window from the oldest one up to here is read or lost
    newest_window_start: datetime | None  # newest window that was read
    last_read_at: datetime | None  # last answer that was kept
    last_failed_at: datetime | None = None  # last attempt that failed, if none succeeded since
    last_failure: str | None = None  # its message


class LedgerSnapshot:
    """View of the ledger that does not change; made by ``State.snapshot``."""

    def __init__(self, connection: Connection) -> None:
        """Answer all questions from the transaction of one connection."""
        self._connection = connection
        self.answers: dict[tuple[object, ...], Any] = {}  # so far; the view does not change

    @_answer_once
    def day_hashes(self) -> dict[str, dict[datetime, str]]:
        """Hash what was read, by table and first instant of the day, over all clusters.

        It differs when rows of a window do, or when a window is read for the first time; not when
        a window is read again and says the same.
        """
        key = (ledger_day.c.table_name, ledger_day.c.day, ledger_day.c.cluster)
        sha = ledger_day.c.content_sha256
        query = select(*key, sha).where(sha.is_not(None)).order_by(*key)
        return _hash_by_slot(self._connection.execute(query), day_start)

    @_answer_once
    def day_marks(self) -> dict[datetime, str]:
        """Return a mark by day that differs whenever any row of the ledger of that day does."""
        query = select(
            ledger_day.c.day,
            func.count(),
            func.sum(ledger_day.c.revision),
            func.max(ledger_day.c.changed_at),
        )
        query = query.where(ledger_day.c.revision > 0).group_by(ledger_day.c.day)
        rows: Iterable[Any] = self._connection.execute(query)
        return {day_start(day): "-".join(map(str, values)) for day, *values in rows}

    @_answer_once
    def hour_hashes(self, day: datetime) -> dict[str, dict[datetime, str]]:
        """Hash what was read, by table and first instant of the hour, within one day."""
        key = (ledger.c.table_name, ledger.c.window_start, ledger.c.cluster)
        sha = ledger.c.content_sha256
        query = select(*key, sha).where(_within(ledger, day, day + DAY), sha.is_not(None))
        return _hash_by_slot(self._connection.execute(query.order_by(*key)), _hour)

    @_answer_once
    def hour_marks(self, day: datetime) -> dict[datetime, str]:
        """Return marks like those of ``day_marks``, by first instant of the hour, of one day."""
        key = (ledger.c.window_start, ledger.c.table_name, ledger.c.cluster)
        is_raw = ledger.c.table_name.startswith(RAW)
        query = select(literal(""), *key, *_MARK_COLUMNS)
        query = query.where(_within(ledger, day, day + DAY), is_raw)
        return _hash_by_slot(self._connection.execute(query.order_by(*key)), _hour).get("", {})

    def current_files(self, table_name: str, start: datetime, end: datetime) -> list[StoredFile]:
        """List the lake files that hold windows of ``[start, end)``, in the order of their paths.

        All rows of a current file are current, those of its other windows too.
        """
        query = (
            select(*(lake_file.c[field.name] for field in fields(StoredFile)))
            .where(
                lake_file.c.table_name == table_name,
                lake_file.c.day >= start.date(),
                lake_file.c.day <= end.date(),
                lake_file.c.dropped_at.is_(None),
                lake_file.c.first_window < end,
                lake_file.c.last_window > start - WINDOW,
            )
            .order_by(lake_file.c.path)
        )
        return [StoredFile(*row) for row in self._connection.execute(query)]

    def windows(self, start: datetime, end: datetime) -> pa.Table:
        """Read the rows of ``core.window`` in ``[start, end)``: windows read, tried or lost."""
        columns = {name: ledger.c[name] for name in WINDOW_COLUMNS.names}
        columns["reason"] = func.coalesce(ledger.c.reason, ledger.c.failure)
        is_raw = ledger.c.table_name.startswith(RAW)
        query = select(*columns.values()).where(_within(ledger, start, end), is_raw)
        return _arrow_table(self._connection.execute(query).all(), WINDOW_COLUMNS)

    def restatements(self, start: datetime, end: datetime) -> pa.Table:
        """Read the rows of ``core.restatement`` for the windows in ``[start, end)``."""
        columns = [restatement.c[name] for name in RESTATEMENT_COLUMNS.names]
        query = select(*columns).where(_within(restatement, start, end))
        return _arrow_table(self._connection.execute(query).all(), RESTATEMENT_COLUMNS)

    @_answer_once
    def bill_files(self) -> list[BillFile]:
        """List the files of the bill folder, as last looked at, in the order of their paths."""
        return read_bill_files(self._connection)

    def progress(
        self,
        table_names: Sequence[str],
        cluster: str,
        start: datetime,
        end: datetime,
        in_each_window: Sequence[str] | None = None,
    ) -> Progress:
        """Return how far a source has been read within ``[start, end)``.

        Args:
            table_names: what the source fills.
            cluster: name of the cluster that it reads.
            start: first instant of the lookback, on the grid; older windows are not looked at.
            end: first instant after it.
            in_each_window: tables that every reading fills, if those are not all.
        """
        expected = in_each_window or table_names
        statuses = window_statuses(self._connection, expected, cluster, start, end)
        read_starts = {at for at, status in statuses.items() if status.is_read}
        oldest = min(read_starts, default=end)
        until = next((at for at in windows(oldest, end) if at not in read_starts), end)
        return Progress(
            complete_until=until if read_starts else None,
            newest_window_start=max(read_starts, default=None),
            **self._last_attempts(is_of_source(table_names, cluster, start, end)),
        )

    def _last_attempts(self, is_of_source: ColumnElement[bool]) -> dict[str, Any]:
        newest = select(func.max(ledger.c.fetched_at)).where(is_of_source)
        read_at = self._connection.execute(newest).scalar()
        last_failure = (
            select(ledger.c.failed_at, ledger.c.failure)
            .where(is_of_source, ledger.c.failed_at.is_not(None))
            .order_by(ledger.c.failed_at.desc())
            .limit(1)
        )
        row = self._connection.execute(last_failure).one_or_none()
        if row is None or (read_at and row.failed_at < read_at):
            return {"last_read_at": read_at}
        return {
            "last_read_at": read_at,
            "last_failed_at": row.failed_at,
            "last_failure": row.failure,
        }


def _within(table: Table, start: datetime, end: datetime) -> ColumnElement[bool]:
    return and_(table.c.window_start >= start, table.c.window_start < end)


def _hour(instant: datetime) -> datetime:
    return instant.replace(minute=0)


def _hash_by_slot(
    rows: Iterable[Any], slot: Callable[[Any], datetime]
) -> dict[str, dict[datetime, str]]:
    """Hash rows by table and slot.

    Args:
        rows: table, time and what else counts, sorted by table and time.
        slot: the slot a time lies in.
    """
    digests: dict[str, dict[datetime, Any]] = defaultdict(lambda: defaultdict(hashlib.sha256))
    for (table_name, time), group in groupby(rows, key=itemgetter(0, 1)):
        lines = (" ".join(map(str, row[2:])) for row in group)
        digests[table_name][slot(time)].update("\n".join((f"{time}", *lines, "")).encode())
    return {
        table_name: {at: digest.hexdigest() for at, digest in slots.items()}
        for table_name, slots in digests.items()
    }


def _arrow_table(rows: Sequence[Row[Any]], schema: pa.Schema) -> pa.Table:
    columns = zip(*rows, strict=True) if rows else [()] * len(schema)
    arrays = [pa.array(values, field.type) for values, field in zip(columns, schema, strict=True)]
    return pa.Table.from_arrays(arrays, schema=schema)
