"""Staleness of tables: the days and hours that are not made from what is there now.

It compares fingerprints with those that the rows were filled with, and looks whether the files of
old days are still what they were.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache, partial
from typing import Any

from finops_pipeline.catalog.tables import Table
from finops_pipeline.units import DAY, HOUR, day_start
from finops_pipeline.warehouse.archive import Archive
from finops_pipeline.warehouse.bookkeeping import DAYS, HOURS, Bookkeeping
from finops_pipeline.warehouse.database import Database
from finops_pipeline.warehouse.fingerprints import Fingerprints, Slots, by_time, stale_slots
from finops_pipeline.warehouse.ranges import ALWAYS, Range, join_slots
from finops_pipeline.warehouse.source_data import SourceData


@dataclass(frozen=True)
class StaleSlots:
    """Slots where a growing table differs from what it is made from."""

    days: list[datetime]
    slots: list[datetime]  # what is deleted: those days, or hours of them
    computed: list[Range]  # what is filled again by the select; the rest has vanished or expired
    frozen: list[Range]  # what is filled again from the lake, as it was published
    fingerprints: Mapping[str, Slots]  # by grain


class Staleness:
    """Stale slots of each table; fingerprints are computed once, when they are first needed."""

    def __init__(
        self,
        database: Database,
        bookkeeping: Bookkeeping,
        archive: Archive,
        tables: Mapping[str, Table],
        source_data: SourceData,
        settings: Mapping[str, Any],
    ) -> None:
        """Remember where to look; nothing is compared yet."""
        self._database = database
        self._bookkeeping = bookkeeping
        self._archive = archive
        self._source_data = source_data
        self._settings = settings
        self._of_days = Fingerprints(tables, source_data.day_hashes, settings, self._row_hashes)
        self._of_hours = cache(
            lambda day: Fingerprints(
                tables, partial(source_data.hour_hashes, day=day), settings, self._row_hashes
            )
        )

    def whole(self, table: Table) -> Slots:
        """Return the fingerprint of a table that does not grow; empty if it is up to date."""
        fingerprints = self._of_days.of_table(table.name)
        whole: Slots = {slot: mark for slot, mark in fingerprints.items() if slot is None}
        return whole if stale_slots(whole, self._bookkeeping.fingerprints(table.name, DAYS)) else {}

    def days(self, table: Table) -> list[datetime]:
        """List the days on which a growing table is stale, or its file is missing or cut."""
        if table.kind.archived_after:
            self._discard(table, self._archive.broken_days(table))
        stored = self._bookkeeping.fingerprints(table.name, DAYS)
        return _sorted_times(stale_slots(self._kept_days(table), stored))

    def slots(self, table: Table, days: list[datetime]) -> StaleSlots:
        """Return what is stale on days that are: themselves, or the hours of them that are."""
        by_day = self._kept_days(table)
        if table.slot != HOUR:
            frozen = self._source_data.frozen_day_hashes(table.name)
            current = [day for day in days if day in by_day]
            return StaleSlots(
                days,
                days,
                join_slots([day for day in current if day not in frozen], DAY),
                join_slots([day for day in current if day in frozen], DAY),
                {DAYS: by_day},
            )
        if table.kind.archived_after:  # their files are about to be read
            for day in days:
                self._discard(table, self._archive.changed_days(table, Range(day, day + DAY)))
        by_hour: dict[datetime | None, str] = {}
        for day in (day for day in days if day in by_day):
            by_hour |= by_time(self._of_hours(day).of_table(table.name))
        stored = self._bookkeeping.hour_fingerprints(table.name, days)
        slots = _sorted_times(stale_slots(by_hour, stored))
        computed = join_slots([hour for hour in slots if hour in by_hour], HOUR)
        return StaleSlots(days, slots, computed, [], {DAYS: by_day, HOURS: by_hour})

    def archived_before(self, table: Table) -> datetime | None:
        """Return the midnight before which rows of a table belong into files; None if none do."""
        days = _sorted_times(self._kept_days(table)) if table.kind.archived_after else []
        if not days or not table.kind.archived_after:
            return None
        return days[-1] + DAY - timedelta(days=self._settings[table.kind.archived_after])

    def discard_changed_days(self, table: Table) -> None:
        """Discard the old days of a table whose file has changed; reads every byte of them."""
        self._discard(table, self._archive.changed_days(table, ALWAYS))

    def _discard(self, table: Table, days: Iterable[datetime]) -> None:
        """Forget days whose file is not what it was, so that they are filled anew."""
        for day in days:
            with self._database.transaction():
                self._archive.drop(table.name, Range(day, day + DAY))
                self._bookkeeping.forget_day(table.name, day)

    def _kept_days(self, table: Table) -> Slots:
        """Return the fingerprints of a growing table by day, without days that it forgets."""
        frozen = self._source_data.frozen_day_hashes(table.name)
        days = by_time(self._of_days.of_table(table.name)) | by_time(frozen)
        if not days or not table.kind.forgotten_after:
            return days
        newest = _sorted_times(days)[-1]
        oldest = newest - timedelta(days=self._settings[table.kind.forgotten_after])
        return {day: days[day] for day in _sorted_times(days) if day > oldest}

    def _row_hashes(self, name: str) -> Slots:
        """Hash the rows of each day of a table that is compared by rows; it is filled by now."""
        rows = self._database.connection.execute(
            f"select day, cast(bit_xor(hash(it)) as varchar) from {name} as it group by day"
        )
        return {day_start(day): content for day, content in rows.fetchall()}


def _sorted_times(slots: Iterable[datetime | None]) -> list[datetime]:
    return sorted(slot for slot in slots if slot)
