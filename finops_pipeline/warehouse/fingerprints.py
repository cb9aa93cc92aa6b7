"""What each table's rows were made from, as one hash per slot of time.

A slot is an hour or a day; ``None`` is a table as a whole. A table is stale where its fingerprint
differs from the one it was filled with: a changed file, setting, rule or table file, and a crash
between two tables, all repair themselves the same way.
"""

import hashlib
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from finops_pipeline.catalog.tables import Table
from finops_pipeline.units import day_start

Slots = Mapping[datetime | None, str]


class Fingerprints:
    """Fingerprints of tables by slot; each is computed when asked for, and once."""

    def __init__(
        self,
        tables: Mapping[str, Table],
        contents: Callable[[str], Slots],
        parameters: Mapping[str, Any],
        settled: Callable[[str], Slots],
    ) -> None:
        """Nothing is hashed yet.

        Args:
            tables: every table by name.
            contents: content hash by slot of a table whose rows come from the lake or the ledger.
            parameters: the settings that a select may name.
            settled: content hash by day of a table that is settled, once it is filled.
        """
        self._tables = tables
        self._contents = contents
        self._parameters = parameters
        self._settled = settled
        self._found: dict[str, Slots] = {}

    def of(self, name: str) -> Slots:
        """Fingerprint of a table by slot: by None alone if it does not grow, else by time too."""
        if name not in self._found:
            self._found[name] = self._compute(self._tables[name])
        return self._found[name]

    def _compute(self, table: Table) -> Slots:
        if table.query is None:
            contents = self._contents(table.name)
            return {slot: digest(table.version, content) for slot, content in contents.items()}
        own = digest(table.version, *self._settings_of(table))
        reads = sorted(table.reads)
        upstream = [self._as_read(name) for name in reads if not self._tables[name].is_settled]
        settled = [self._settled(name) for name in reads if self._tables[name].is_settled]
        if table.is_growing or table.is_view:
            return _by_slot(own, upstream, settled)
        return {None: digest(own, *map(_combined, [*upstream, *settled]))}

    def _as_read(self, name: str) -> Slots:
        """Of an input whose rows hold for some days, only its days: a row touches no others."""
        slots = self.of(name)
        return timed(slots) or slots if self._tables[name].query is None else slots

    def _settings_of(self, table: Table) -> list[str]:
        named = sorted(table.parameters & self._parameters.keys())
        return [f"{name}={self._parameters[name]!r}" for name in named]


def stale(now: Slots, then: Slots) -> list[datetime | None]:
    """Slots whose fingerprint changed, appeared or vanished."""
    return [slot for slot in {**now, **then} if now.get(slot) != then.get(slot)]


def timed(slots: Slots) -> dict[datetime | None, str]:
    """Without the mark of the table as a whole."""
    return {slot: mark for slot, mark in slots.items() if slot}


def digest(*parts: str) -> str:
    """One hash of several texts."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:24]


def _by_slot(own: str, upstream: list[Slots], settled: list[Slots]) -> Slots:
    """A slot changes with the same slot of what is read, and with what is read as a whole.

    Of settled tables it changes with the rows of its day.
    """
    whole = digest(own, *(slots.get(None, "") for slots in upstream))
    times = {slot for slots in upstream for slot in slots if slot is not None}
    found: dict[datetime | None, str] = {None: whole}
    for slot in times:
        of_day = (rows.get(day_start(slot.date()), "") for rows in settled)
        found[slot] = digest(whole, *(slots.get(slot, "") for slots in upstream), *of_day)
    return found


def _combined(slots: Slots) -> str:
    return digest(*sorted(f"{slot} {fingerprint}" for slot, fingerprint in slots.items()))
