"""Keeps the tables of ``warehouse.duckdb`` equal to what the SQL files make of lake and ledger."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

import duckdb
import pyarrow as pa

from finops_pipeline.errors import TableError
from finops_pipeline.units import DAY, HOUR
from finops_pipeline.warehouse.connect import connect
from finops_pipeline.warehouse.fingerprints import Slots, fingerprints, stale
from finops_pipeline.warehouse.sql_file import SqlFile, Table, tables

# Filled in one statement at most; a week of a large cluster still fits into memory.
_LONGEST_RANGE = timedelta(days=7)

_INTERNAL = """
create schema if not exists internal;
create table if not exists internal.definition (table_name varchar, version varchar);
create table if not exists internal.fingerprint (
    table_name varchar, grain varchar, slot timestamptz, fingerprint varchar, filled_at timestamptz
);
create table if not exists internal.publication (publication_id varchar, published_at timestamptz);
"""


class Inputs(Protocol):
    """What the lake and the ledger hold, as the warehouse asks for it."""

    def day_contents(self) -> Mapping[str, Slots]:
        """Content hash by day (its first instant) or, for what does not grow, by None.

        Of each table that has no select: those of the lake and those of the ledger.
        """

    def hour_contents(self, day: datetime) -> Mapping[str, Slots]:
        """The same by the hours of one day."""

    def files(self, table: str, start: datetime, end: datetime) -> Sequence[Path]:
        """Current lake files of a raw table that hold windows of ``[start, end)``."""

    def rows(self, table: str, start: datetime, end: datetime) -> pa.Table:
        """Rows of a table of the ledger; all of them when it does not grow."""


@dataclass(frozen=True)
class Range:
    """Instants ``[start, end)``, UTC."""

    start: datetime
    end: datetime


ALWAYS = Range(datetime(2000, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC))
NEVER = Range(ALWAYS.start, ALWAYS.start)


@contextmanager
def open_warehouse(
    path: Path, inputs: Inputs, settings: Mapping[str, Any], kept: timedelta
) -> Iterator["Warehouse"]:
    """Open the warehouse; hold its lock (:func:`connect.locked`) meanwhile.

    Args:
        path: the database file; created when missing, since all of it can be derived again.
        inputs: the lake and the ledger.
        settings: what a select may name after a dollar sign.
        kept: for how long quarter-hourly tables hold their rows.
    """
    connection = connect(path)
    try:
        yield Warehouse(connection, inputs, settings, kept)
    finally:
        connection.close()


class Warehouse:
    """Every table of the SQL files, in one open database."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        inputs: Inputs,
        settings: Mapping[str, Any],
        kept: timedelta,
    ) -> None:
        """Arguments as for :func:`open_warehouse`."""
        self.connection = connection
        self._inputs = inputs
        self._settings = settings
        self._kept = kept
        connection.execute(_INTERNAL)
        for schema in sorted({table.schema for table in tables().values()}):
            connection.execute(f"create schema if not exists {schema}")
        definitions = connection.execute("select table_name, version from internal.definition")
        self._defined: dict[str, str] = dict(definitions.fetchall())
        for table in tables().values():
            if table.is_raw:
                self._define(table)

    def refresh(self) -> dict[str, int]:
        """Bring every table up to date; rows written by table name."""
        return {name: self.refresh_table(table) for name, table in tables().items()}

    def refresh_table(self, table: Table) -> int:
        """Bring one table up to date; the tables it reads already are.

        Returns:
            Rows written; 0 when nothing it is made from has changed.

        Raises:
            TableError: a row breaks a constraint of the table file; the old rows stay.
        """
        self._define(table)
        if table.is_raw or table.is_view:
            return 0
        now = self._fingerprints(table, self._inputs.day_contents())
        slots = stale(now, self._filled(table, "day"))
        if not slots:
            return 0
        if table.slot != HOUR:
            return self._fill(table, _ranges(slots, DAY), {"day": (slots, now)})
        days = [slot for slot in slots if slot]
        hours_now = {k: v for day in days for k, v in self._hour_fingerprints(table, day).items()}
        hours = stale(hours_now, self._filled(table, "hour", days))
        done = {"day": (slots, now), "hour": (hours, hours_now)}
        return self._fill(table, _ranges(hours, HOUR), done)

    def check(self, file: SqlFile, within: Range) -> list[dict[str, Any]]:
        """Rows of a check, each a mistake, among the windows of a range."""
        self._show_raw(_raw_behind(file), within)
        return self.rows(file.query or "", self._arguments(file, within))

    def unpublished(self) -> Range:
        """The range of days that changed in the ledger or the tables since the last publication."""
        window = tables()["core.window"]
        marks = self._fingerprints(window, self._inputs.day_contents())
        changed = {slot for slot in stale(marks, self._filled(window, "day")) if slot}
        changed |= {
            slot.astimezone(UTC)
            for (slot,) in self.connection.execute(
                "select distinct slot from internal.fingerprint"
                " where grain = 'day' and slot is not null and filled_at > coalesce("
                "(select max(published_at) from internal.publication), '-infinity')"
            ).fetchall()
        }
        return Range(min(changed), max(changed) + DAY) if changed else NEVER

    def show_all_raw(self) -> None:
        """Let the raw views name every current lake file."""
        self._show_raw([table for table in tables().values() if table.is_raw], ALWAYS)

    def rows(self, query: str, arguments: Mapping[str, Any] | None = None) -> list[dict[str, Any]]:
        """Rows of a query, each a dict by column name."""
        cursor = self.connection.execute(query, dict(arguments or {}))
        names = [column[0] for column in cursor.description or []]
        return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]

    def _define(self, table: Table) -> None:
        """Create a table as its file says now; a changed file makes it anew, and empty."""
        if self._defined.get(table.name) == table.version:
            return
        if table.is_view:
            self._show_raw(_raw_behind(table), NEVER)
        kind = "view" if table.is_view else "table"
        name = f"internal.empty_{table.path.stem}" if table.is_raw else table.name
        with self._transaction():
            for grave in ("internal.definition", "internal.fingerprint"):
                self.connection.execute(f"delete from {grave} where table_name = $1", [table.name])
            self.connection.execute(f"drop {kind} if exists {name}")
            self.connection.execute(table.ddl.replace(table.name, name, 1))
            if not table.is_raw:
                self._comment(table)
            self.connection.execute(
                "insert into internal.definition values ($1, $2)", [table.name, table.version]
            )

    def _comment(self, table: Table) -> None:
        kind = "view" if table.is_view or table.is_raw else "table"
        self.connection.execute(f"comment on {kind} {table.name} is {_quoted(table.description)}")
        for column, comment in table.columns.items():
            self.connection.execute(
                f"comment on column {table.name}.{column} is {_quoted(comment)}"
            )

    def _show_raw(self, raw: Iterable[Table], within: Range) -> None:
        """Point the raw views at the lake files that hold the windows of a range.

        The empty table gives the view its types even where there is no file yet.
        """
        for table in raw:
            files = self._inputs.files(table.name, within.start, within.end)
            select = f"select * from internal.empty_{table.path.stem}"
            if files:
                names = ", ".join(_quoted(str(file)) for file in files)
                select += f" union all by name select * from read_parquet([{names}])"
                if within != ALWAYS:
                    select += (
                        f" where window_start >= '{within.start}' and window_start < '{within.end}'"
                    )
            self.connection.execute(f"create or replace view {table.name} as {select}")
            if within == ALWAYS:
                self._comment(table)

    def _fingerprints(self, table: Table, contents: Mapping[str, Slots]) -> Slots:
        found = fingerprints(tables().values(), contents, self._settings)[table.name]
        slots = {
            slot: value for slot, value in found.items() if (slot is not None) == table.is_growing
        }
        if not table.name.endswith("quarter_hourly"):
            return slots
        oldest = max((slot for slot in slots if slot), default=ALWAYS.start) - self._kept
        return {slot: value for slot, value in slots.items() if slot and slot > oldest}

    def _hour_fingerprints(self, table: Table, day: datetime) -> Slots:
        contents = self._inputs.hour_contents(day)
        found = fingerprints(tables().values(), contents, self._settings)[table.name]
        return {slot: value for slot, value in found.items() if slot is not None}

    def _filled(self, table: Table, grain: str, days: Sequence[datetime] = ()) -> Slots:
        rows = self.connection.execute(
            "select slot, fingerprint from internal.fingerprint"
            " where table_name = $name and grain = $grain"
            " and (len($days) = 0 or date_trunc('day', slot) in (select unnest($days)))",
            {"name": table.name, "grain": grain, "days": list(days)},
        ).fetchall()
        return {slot and slot.astimezone(UTC): fingerprint for slot, fingerprint in rows}

    def _fill(
        self,
        table: Table,
        ranges: Iterable[Range],
        done: Mapping[str, tuple[list[datetime | None], Slots]],
    ) -> int:
        try:
            with self._transaction():
                written = sum(self._fill_range(table, part) for part in ranges)
                for grain, (slots, now) in done.items():
                    self._remember(table, grain, slots, now)
        except duckdb.ConstraintException as error:
            raise TableError(f"{table.name}: {error}") from error
        return written

    def _fill_range(self, table: Table, part: Range) -> int:
        where = (
            f" where {table.time_column} >= $start and {table.time_column} < $end"
            if table.is_growing
            else ""
        )
        bounds = {"start": part.start, "end": part.end} if table.is_growing else {}
        self.connection.execute(f"delete from {table.name}{where}", bounds)
        if table.query is None:
            given = self._inputs.rows(table.name, part.start, part.end)
            self.connection.register("given", given)
            result = self.connection.execute(
                f"insert into {table.name} by name select * from given"
            )
        else:
            self._show_raw(_raw_behind(table), part)
            result = self.connection.execute(
                f"insert into {table.name} by name {table.query}", self._arguments(table, part)
            )
        return int((result.fetchone() or (0,))[0])

    def _remember(self, table: Table, grain: str, slots: list[datetime | None], now: Slots) -> None:
        given = pa.table(
            {
                "slot": pa.array(slots, pa.timestamp("us", "UTC")),
                "fingerprint": [now.get(slot) for slot in slots],
            }
        )
        self.connection.register("given", given)
        self.connection.execute(
            "delete from internal.fingerprint where table_name = $name and grain = $grain"
            " and (slot in (select slot from given) or slot is null)",
            {"name": table.name, "grain": grain},
        )
        self.connection.execute(
            "insert into internal.fingerprint select $name, $grain, slot, fingerprint, now()"
            " from given where fingerprint is not null",
            {"name": table.name, "grain": grain},
        )

    def _arguments(self, file: SqlFile, within: Range) -> dict[str, Any]:
        known = {**self._settings, "start": within.start, "end": within.end}
        return {name: known[name] for name in file.parameters}

    @contextmanager
    def _transaction(self) -> Iterator[None]:
        self.connection.execute("begin")
        try:
            yield
        except BaseException:
            self.connection.execute("rollback")
            raise
        self.connection.execute("commit")


def _raw_behind(file: SqlFile) -> list[Table]:
    """The raw tables a select reads, itself or through views."""
    read = [tables()[name] for name in sorted(file.reads)]
    behind = {view.name: view for table in read if table.is_view for view in _raw_behind(table)}
    return [*{**{table.name: table for table in read if table.is_raw}, **behind}.values()]


def _ranges(slots: Sequence[datetime | None], step: timedelta) -> list[Range]:
    """Ranges that cover slots, joined where they touch."""
    ranges: list[Range] = []
    for slot in slots:
        if slot is None:
            return [ALWAYS]
        last = ranges[-1] if ranges else None
        if last and last.end == slot and slot - last.start < _LONGEST_RANGE:
            ranges[-1] = Range(last.start, slot + step)
        else:
            ranges.append(Range(slot, slot + step))
    return ranges


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
