"""What the warehouse remembers of itself: versions of its tables, what they were filled from."""

import json
from collections.abc import Collection, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa

from finops_pipeline.catalog.table_entries import TableEntry
from finops_pipeline.errors import TableError
from finops_pipeline.units import day_start
from finops_pipeline.warehouse.fingerprints import Slots
from finops_pipeline.warehouse.ranges import Range

Rows = Sequence[dict[str, Any]]

HOURS = "hour"
DAYS = "day"  # also of tables that are filled as a whole: their slot is null

TABLES = """
create schema if not exists internal;
create table if not exists internal.definition (table_name varchar, version varchar);
create table if not exists internal.fingerprint (
    table_name varchar, grain varchar, slot timestamptz, fingerprint varchar, filled_at timestamptz
);
create table if not exists internal.catalog (
    table_name varchar, schema_name varchar, description varchar, kind varchar,
    grain_column varchar, kept_days integer, column_count integer
);
create table if not exists internal.publication (publication_id varchar, published_at timestamptz);
create table if not exists internal.finding (
    check_name varchar, version varchar, found_in timestamptz, shown varchar
);
"""
_STATE_ID = """
with state as (
    select concat_ws(' ', table_name, version) as line from internal.definition
    union all
    select concat_ws(' ', table_name, slot, fingerprint)
    from internal.fingerprint
    where grain = 'day'
    union all
    select file_sha256 from internal.archived
)
select md5($folder || string_agg(line, ' ' order by line)) from state
"""
_TABLE_STATES = """
select
    table_name,
    md5(concat_ws(' ', version, string_agg(concat_ws(' ', slot, fingerprint), ' ' order by slot)))
from internal.definition
left join (from internal.fingerprint where grain = 'day') using (table_name)
group by table_name, version
"""
# The column that says when, in the rows of a check that looks at a range.
_WHEN = ("window_start", "hour", "day")
_HOURS_SINCE_PUBLICATION = """
select distinct slot
from internal.fingerprint
where grain = 'hour'
    and table_name in (select unnest($tables))
    and filled_at > coalesce((select max(published_at) from internal.publication), '-infinity')
"""


class Bookkeeping:
    """The schema ``internal``: nobody else's business, in the published file neither."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Made when missing."""
        self._connection = connection
        connection.execute(TABLES)
        rows = connection.execute("select table_name, version from internal.definition").fetchall()
        self.versions: dict[str, str] = dict(rows)

    def define(self, table_name: str, version: str) -> None:
        """A table was made anew as a version of its file says, and is empty."""
        self.forget(table_name)
        self._connection.execute(
            "insert into internal.definition values ($1, $2)", [table_name, version]
        )
        self.versions[table_name] = version

    def describe(self, entries: Sequence[TableEntry]) -> None:
        """What the table files say of themselves; written when it changed."""
        known = self._connection.execute("from internal.catalog order by table_name").fetchall()
        if known != list(entries):
            self._connection.execute("delete from internal.catalog")
            self._connection.executemany(
                "insert into internal.catalog values (?, ?, ?, ?, ?, ?, ?)", entries
            )

    def forget(self, table_name: str) -> None:
        """A table is gone, or about to be made anew."""
        for name in ("definition", "fingerprint"):
            self._connection.execute(
                f"delete from internal.{name} where table_name = $1", [table_name]
            )
        self.versions.pop(table_name, None)

    def unfill(self, table_name: str, day: datetime) -> None:
        """The rows of a day are lost: it is to be filled anew."""
        self._connection.execute(
            "delete from internal.fingerprint"
            " where table_name = $1 and date_trunc('day', slot) = $2",
            [table_name, day],
        )

    def filled(self, table_name: str, grain: str) -> Slots:
        """Fingerprint that each slot of a table was filled with."""
        rows = self._connection.execute(
            "select slot, fingerprint from internal.fingerprint"
            " where table_name = $1 and grain = $2",
            [table_name, grain],
        )
        return {slot and slot.astimezone(UTC): mark for slot, mark in rows.fetchall()}

    def filled_hours(self, table_name: str, days: Collection[datetime]) -> Slots:
        """The same of the hours of some days."""
        rows = self._connection.execute(
            "select slot, fingerprint from internal.fingerprint"
            " where table_name = $name and grain = 'hour'"
            " and date_trunc('day', slot) in (select unnest($days))",
            {"name": table_name, "days": list(days)},
        )
        return {slot.astimezone(UTC): mark for slot, mark in rows.fetchall()}

    def remember(
        self, table_name: str, grain: str, slots: Iterable[datetime | None], now: Slots
    ) -> None:
        """Slots were filled; those without a fingerprint are empty now."""
        changed = list(slots)
        given = pa.table(
            {
                "slot": pa.array(changed, pa.timestamp("us", "UTC")),
                "fingerprint": pa.array([now.get(slot) for slot in changed], pa.string()),
            }
        )
        which = {"name": table_name, "grain": grain}
        self._connection.register("given_slots", given)
        self._connection.execute(
            "delete from internal.fingerprint where table_name = $name and grain = $grain"
            " and (slot in (select slot from given_slots) or slot is null)",
            which,
        )
        self._connection.execute(
            "insert into internal.fingerprint select $name, $grain, slot, fingerprint, now()"
            " from given_slots where fingerprint is not null",
            which,
        )
        self._connection.unregister("given_slots")

    def state_id(self, folder: Path) -> str:
        """Changes when the rows or the definition of any table do, or the folder of their files."""
        where = {"folder": str(folder.absolute())}
        ((state_id,),) = self._connection.execute(_STATE_ID, where).fetchall()
        return str(state_id)

    def table_states(self) -> dict[str, str]:
        """By table name what changes when its rows or its definition do."""
        return dict(self._connection.execute(_TABLE_STATES).fetchall())

    def hours_since_publication(self, tables: Collection[str]) -> set[datetime]:
        """Hours that one of these tables was filled in since the last publication."""
        chosen = {"tables": list(tables)}
        rows = self._connection.execute(_HOURS_SINCE_PUBLICATION, chosen).fetchall()
        return {slot.astimezone(UTC) for (slot,) in rows}

    def findings(
        self, check_name: str, version: str, found: Iterable[tuple[Range, Rows]]
    ) -> list[dict[str, Any]]:
        """All rows a check has found that stand, as text by column.

        Args:
            check_name: of the check.
            version: of its file; what another version found is forgotten.
            found: ranges looked at anew, with the rows found there.
        """
        which = {"name": check_name, "version": version}
        self._connection.execute(
            "delete from internal.finding where check_name = $name and version <> $version", which
        )
        for part, rows in found:
            self._connection.execute(
                "delete from internal.finding where check_name = $name"
                " and found_in >= $start and found_in < $end",
                {"name": check_name, **vars(part)},
            )
            for row in rows:
                shown = {"when": _when(row), "shown": json.dumps(row, default=str)}
                self._connection.execute(
                    "insert into internal.finding values ($name, $version, $when, $shown)",
                    {**which, **shown},
                )
        stored = self._connection.execute(
            "select shown from internal.finding where check_name = $1 order by all", [check_name]
        )
        return [json.loads(shown) for (shown,) in stored.fetchall()]

    def publish(self, publication_id: str, published_at: datetime) -> None:
        """A state passed its checks and is about to be published."""
        values = {"id": publication_id, "at": published_at}
        self._connection.execute("delete from internal.publication")
        self._connection.execute("insert into internal.publication values ($id, $at)", values)
        self._connection.execute(
            "update core.installation set publication_id = $id, published_at = $at", values
        )


def _when(row: dict[str, Any]) -> datetime:
    when = next((row[name] for name in _WHEN if name in row), None)
    if when is None:
        raise TableError(f"a check of a range has to say when, by one of {_WHEN}: {row}")
    return when if isinstance(when, datetime) else day_start(when)
