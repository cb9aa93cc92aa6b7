"""What each table's rows were made from, as one hash per slot of time.

A slot is an hour or a day; ``None`` is a table as a whole. A table is stale where its fingerprint
differs from the one it was filled with: a changed file, setting, rule or table file, and a crash
between two tables, all repair themselves the same way.
"""

import hashlib
from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from finops_pipeline.warehouse.sql_file import Table

Slots = Mapping[datetime | None, str]


def fingerprints(
    tables: Iterable[Table], contents: Mapping[str, Slots], parameters: Mapping[str, Any]
) -> dict[str, dict[datetime | None, str]]:
    """Fingerprint of every table in every slot.

    Args:
        tables: each after the tables it reads.
        contents: content hash by slot of the tables whose rows come from the lake or the ledger.
        parameters: the settings that a select may name.
    """
    found: dict[str, dict[datetime | None, str]] = {}
    for table in tables:
        upstream = [found[name] for name in sorted(table.reads)]
        used = [
            f"{name}={parameters[name]!r}" for name in sorted(table.parameters & parameters.keys())
        ]
        if table.query is None:
            slots = contents.get(table.name, {})
            found[table.name] = {
                slot: digest(table.version, content) for slot, content in slots.items()
            }
        elif table.is_growing or table.is_view:
            found[table.name] = _by_slot(digest(table.version, *used), upstream)
        else:
            found[table.name] = {None: digest(table.version, *used, *map(_combined, upstream))}
    return found


def stale(now: Slots, then: Slots) -> list[datetime | None]:
    """Slots whose fingerprint changed, appeared or vanished, oldest first."""
    changed = [slot for slot in {*now, *then} if now.get(slot) != then.get(slot)]
    return sorted(changed, key=lambda slot: (slot is not None, slot))


def digest(*parts: str) -> str:
    """One hash of several texts."""
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:24]


def _by_slot(own: str, upstream: list[dict[datetime | None, str]]) -> dict[datetime | None, str]:
    whole = digest(own, *(slots.get(None, "") for slots in upstream))
    times = {slot for slots in upstream for slot in slots if slot is not None}
    found: dict[datetime | None, str] = {None: whole}
    for slot in times:
        found[slot] = digest(whole, *(slots.get(slot, "") for slots in upstream))
    return found


def _combined(slots: Slots) -> str:
    return digest(*sorted(f"{slot} {fingerprint}" for slot, fingerprint in slots.items()))
