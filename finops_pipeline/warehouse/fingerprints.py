"""Fingerprints: one hash per slot of time of what the rows of a table are made from.

A slot is an hour or a day; ``None`` is a table as a whole. A table is stale where its fingerprint
differs from the one it was filled with: a changed file, setting, rule or table file, and a crash
between two tables, all repair themselves the same way. Only what differs is filled, so that a tick
stays flat as history grows.
"""

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from finops_pipeline.catalog.tables import Table
from finops_pipeline.units import day_start

Slots = Mapping[datetime | None, str]


class Fingerprints:
    """Fingerprints of tables by slot; each is computed once, when it is first asked for."""

    def __init__(
        self,
        tables: Mapping[str, Table],
        content_hashes: Callable[[str], Slots],
        parameters: Mapping[str, Any],
        row_hashes: Callable[[str], Slots],
    ) -> None:
        """Remember where to ask; nothing is hashed yet.

        Args:
            tables: every table by name.
            content_hashes: by slot, of a table whose rows come from the lake or the ledger.
            parameters: the settings that a select may name.
            row_hashes: by day, of the rows of a table that is compared by them, once it is filled.
        """
        self._tables = tables
        self._content_hashes = content_hashes
        self._parameters = parameters
        self._row_hashes = row_hashes
        self._by_table: dict[str, Slots] = {}

    def of_table(self, name: str) -> Slots:
        """Return the fingerprints of a table by slot: by None alone if it does not grow."""
        if name not in self._by_table:
            self._by_table[name] = self._compute(self._tables[name])
        return self._by_table[name]

    def _compute(self, table: Table) -> Slots:
        if table.query is None:
            hashes = self._content_hashes(table.name)
            return {slot: digest(table.version, content) for slot, content in hashes.items()}
        own = digest(table.version, *self._settings_of(table))
        reads = sorted(table.reads)
        upstream = [
            self._of_upstream(name) for name in reads if not self._is_compared_by_rows(name)
        ]
        by_rows = [self._row_hashes(name) for name in reads if self._is_compared_by_rows(name)]
        if table.is_growing or table.is_view:
            return _combine_by_slot(own, upstream, by_rows)
        return {None: digest(own, *map(_combine, [*upstream, *by_rows]))}

    def _is_compared_by_rows(self, name: str) -> bool:
        return self._tables[name].kind.is_compared_by_rows

    def _of_upstream(self, name: str) -> Slots:
        """Return of a table whose rows hold for some days only those: a row touches no others."""
        slots = self.of_table(name)
        return by_time(slots) or slots if self._tables[name].query is None else slots

    def _settings_of(self, table: Table) -> list[str]:
        names = sorted(table.parameters & self._parameters.keys())
        return [f"{name}={self._parameters[name]!r}" for name in names]


def stale_slots(now: Slots, before: Slots) -> list[datetime | None]:
    """List the slots whose fingerprint changed, appeared or vanished."""
    return [slot for slot in {**now, **before} if now.get(slot) != before.get(slot)]


def by_time(slots: Slots) -> dict[datetime | None, str]:
    """Return fingerprints by hour or day, without the one of the table as a whole."""
    return {slot: fingerprint for slot, fingerprint in slots.items() if slot}


def digest(*parts: str) -> str:
    """Hash several texts as one."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:24]


def _combine_by_slot(own: str, upstream: list[Slots], by_rows: list[Slots]) -> Slots:
    """Combine what a table reads, so that a slot changes with the same slot of each upstream table.

    It also changes with what is read as a whole, and with the rows of its day of what is compared
    by rows.
    """
    whole = digest(own, *(slots.get(None, "") for slots in upstream))
    times = {slot for slots in upstream for slot in slots if slot is not None}
    fingerprints: dict[datetime | None, str] = {None: whole}
    for slot in times:
        of_day = (hashes.get(day_start(slot.date()), "") for hashes in by_rows)
        of_slot = (slots.get(slot, "") for slots in upstream)
        fingerprints[slot] = digest(whole, *of_slot, *of_day)
    return fingerprints


def _combine(slots: Slots) -> str:
    return digest(*sorted(f"{slot} {fingerprint}" for slot, fingerprint in slots.items()))
