"""Bookkeeping of the warehouse: versions of its tables, and what they were filled from.

It lies in the database itself, in the schema ``internal``: rows and the fingerprint that says what
they were made from are committed together, and the published copy has both.
"""

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
_TABLE_STATE_IDS = """
select
    table_name,
    md5(concat_ws(' ', version, string_agg(concat_ws(' ', slot, fingerprint), ' ' order by slot)))
from internal.definition
left join (from internal.fingerprint where grain = 'day') using (table_name)
group by table_name, version
"""
# Columns that may say when, in the rows of a check that looks at a range.
_TIME_COLUMNS = ("window_start", "hour", "day")
_HOURS_SINCE_PUBLICATION = """
select distinct slot
from internal.fingerprint
where grain = 'hour'
    and table_name in (select unnest($tables))
    and filled_at > coalesce((select max(published_at) from internal.publication), '-infinity')
"""


class Bookkeeping:
    """Schema ``internal``: private to the warehouse, in the published file too."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Create the schema when it is missing."""
        self._connection = connection
        connection.execute(TABLES)
        rows = connection.execute("select table_name, version from internal.definition").fetchall()
        self.versions: dict[str, str] = dict(rows)

    def store_definition(self, table_name: str, version: str) -> None:
        """Note that a table was made anew, as a version of its file says, and is empty."""
        self.forget(table_name)
        self._connection.execute(
            "insert into internal.definition values ($1, $2)", [table_name, version]
        )
        self.versions[table_name] = version

    def store_catalog(self, entries: Sequence[TableEntry]) -> None:
        """Store how the table files describe themselves, if that changed."""
        stored = self._connection.execute("from internal.catalog order by table_name").fetchall()
        if stored != list(entries):
            self._connection.execute("delete from internal.catalog")
            self._connection.executemany(
                "insert into internal.catalog values (?, ?, ?, ?, ?, ?, ?)", entries
            )

    def forget(self, table_name: str) -> None:
        """Forget a table that is gone, or about to be made anew."""
        for name in ("definition", "fingerprint"):
            self._connection.execute(
                f"delete from internal.{name} where table_name = $1", [table_name]
            )
        self.versions.pop(table_name, None)

    def forget_day(self, table_name: str, day: datetime) -> None:
        """Forget what a day was filled from, since its rows are lost: it is filled anew."""
        self._connection.execute(
            "delete from internal.fingerprint"
            " where table_name = $1 and date_trunc('day', slot) = $2",
            [table_name, day],
        )

    def fingerprints(self, table_name: str, grain: str) -> Slots:
        """Return the fingerprint that each slot of a table was filled with."""
        rows = self._connection.execute(
            "select slot, fingerprint from internal.fingerprint"
            " where table_name = $1 and grain = $2",
            [table_name, grain],
        )
        return {slot and slot.astimezone(UTC): fingerprint for slot, fingerprint in rows.fetchall()}

    def hour_fingerprints(self, table_name: str, days: Collection[datetime]) -> Slots:
        """Return the fingerprint that each hour of some days was filled with."""
        rows = self._connection.execute(
            "select slot, fingerprint from internal.fingerprint"
            " where table_name = $name and grain = 'hour'"
            " and date_trunc('day', slot) in (select unnest($days))",
            {"name": table_name, "days": list(days)},
        )
        return {slot.astimezone(UTC): fingerprint for slot, fingerprint in rows.fetchall()}

    def store_fingerprints(
        self,
        table_name: str,
        grain: str,
        slots: Iterable[datetime | None],
        fingerprints: Slots,
    ) -> None:
        """Note that slots were filled; those without a fingerprint are empty now."""
        changed = list(slots)
        rows = pa.table(
            {
                "slot": pa.array(changed, pa.timestamp("us", "UTC")),
                "fingerprint": pa.array([fingerprints.get(slot) for slot in changed], pa.string()),
            }
        )
        key = {"name": table_name, "grain": grain}
        self._connection.register("changed_slots", rows)
        self._connection.execute(
            "delete from internal.fingerprint where table_name = $name and grain = $grain"
            " and (slot in (select slot from changed_slots) or slot is null)",
            key,
        )
        self._connection.execute(
            "insert into internal.fingerprint select $name, $grain, slot, fingerprint, now()"
            " from changed_slots where fingerprint is not null",
            key,
        )
        self._connection.unregister("changed_slots")

    def state_id(self, folder: Path) -> str:
        """Return what differs when rows or a definition do, or the folder that the files lie in."""
        values = {"folder": str(folder.absolute())}
        ((state_id,),) = self._connection.execute(_STATE_ID, values).fetchall()
        return str(state_id)

    def table_state_ids(self) -> dict[str, str]:
        """Return by table name what differs when its rows or its definition do."""
        return dict(self._connection.execute(_TABLE_STATE_IDS).fetchall())

    def hours_since_publication(self, tables: Collection[str]) -> set[datetime]:
        """Return the hours in which one of these tables was filled since the last publication."""
        values = {"tables": list(tables)}
        rows = self._connection.execute(_HOURS_SINCE_PUBLICATION, values).fetchall()
        return {slot.astimezone(UTC) for (slot,) in rows}

    def replace_findings(
        self, check_name: str, version: str, rows_by_range: Iterable[tuple[Range, Rows]]
    ) -> list[dict[str, Any]]:
        """Store the findings of a check, and return all of its that stand, as text by column.

        Args:
            check_name: of the check.
            version: of its file; findings of another version are forgotten.
            rows_by_range: ranges looked at anew, with the findings of each.
        """
        check = {"name": check_name, "version": version}
        self._connection.execute(
            "delete from internal.finding where check_name = $name and version <> $version", check
        )
        for part, rows in rows_by_range:
            self._connection.execute(
                "delete from internal.finding where check_name = $name"
                " and found_in >= $start and found_in < $end",
                {"name": check_name, **vars(part)},
            )
            for row in rows:
                values = {"when": _time_of(row), "row": json.dumps(row, default=str)}
                self._connection.execute(
                    "insert into internal.finding values ($name, $version, $when, $row)",
                    {**check, **values},
                )
        stored = self._connection.execute(
            "select shown from internal.finding where check_name = $1 order by all", [check_name]
        )
        return [json.loads(row) for (row,) in stored.fetchall()]

    def store_publication(self, publication_id: str, published_at: datetime) -> None:
        """Note that a state passed its checks and is about to be published."""
        values = {"id": publication_id, "at": published_at}
        self._connection.execute("delete from internal.publication")
        self._connection.execute("insert into internal.publication values ($id, $at)", values)
        self._connection.execute(
            "update core.installation set publication_id = $id, published_at = $at", values
        )


def _time_of(row: dict[str, Any]) -> datetime:
    time = next((row[name] for name in _TIME_COLUMNS if name in row), None)
    if time is None:
        raise TableError(f"a check of a range has to say when, by one of {_TIME_COLUMNS}: {row}")
    return time if isinstance(time, datetime) else day_start(time)
