"""Parses the line of a table file that says how its rows are made and kept.

It closes the comment that the file opens with, such as
``-- kind: incremental by hour, archived after native_hourly_days``. The words are those of SQLMesh
and dbt where they have one.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

LAKE, LEDGER, FULL, INCREMENTAL, VIEW = "lake", "ledger", "full", "incremental", "view"

# Slots that the rows of each kind are made by; None: all of them together.
_SLOTS: Mapping[str, tuple[str | None, ...]] = {
    LAKE: ("window", "day", "month"),  # files, as a source gave them or as they were once said
    LEDGER: (None, "hour"),  # handed over by the ledger, or by the settings
    FULL: (None,),  # filled as a whole when anything it is made from changes
    INCREMENTAL: ("hour", "day"),  # filled where what it is made from changes
    VIEW: (None,),  # computed when it is read
}
# Options after the kind, by how they begin: the field they set, and what may have them.
_VALUES = {
    "archived after": ("archived_after", {"incremental by hour"}),
    "forgotten after": ("forgotten_after", {"incremental by hour", "incremental by day", "view"}),
}
_FLAGS = {
    "kept for good": ("is_kept_for_good", {"lake by window", "lake by day", "lake by month"}),
    "appended": ("is_appended", {"lake by window", "lake by day", "lake by month"}),
    "cached by hour": ("is_cached", {"view"}),
    "compared by rows": ("is_compared_by_rows", {"incremental by day"}),
}


@dataclass(frozen=True)
class Kind:
    """Kind of a table: how its rows are made and kept."""

    name: str
    slot: str | None = None  # window, hour, day or month
    archived_after: str | None = None  # setting: days until rows move from the database to files
    forgotten_after: str | None = None  # setting: days until rows are deleted
    is_kept_for_good: bool = False  # no source can give again what it holds
    is_appended: bool = False  # statements of an instant: never made anew, changed or read again
    is_cached: bool = False  # a view over the lake, computed once for each hour of a tick
    is_compared_by_rows: bool = False  # readers follow its rows, and not what it is made from

    @property
    def is_by_hour(self) -> bool:
        """Return whether its slots are hours, or the windows in them."""
        return self.slot in {"hour", "window"}


def parse_kind(text: str) -> Kind:
    """Parse what stands after ``kind:``.

    Raises:
        ValueError: there is no such kind, slot or option.
    """
    head, *options = [part.strip() for part in text.split(",")]
    name, _, slot = head.partition(" by ")
    if (slot or None) not in _SLOTS.get(name, ()):
        known = ", ".join(" by ".join(filter(None, k)) for k in _known_kinds())
        raise ValueError(f"kind {head!r} is none of {known}")
    fields: dict[str, Any] = dict(_parse_option(head, option) for option in options)
    return Kind(name, slot or None, **fields)


def _known_kinds() -> Iterable[tuple[str, str | None]]:
    return ((name, slot) for name, slots in _SLOTS.items() for slot in slots)


def _parse_option(head: str, option: str) -> tuple[str, str | bool]:
    beginning, value = option.rpartition(" ")[::2]
    if head in _FLAGS.get(option, ("", set()))[1]:
        return _FLAGS[option][0], True
    if head in _VALUES.get(beginning, ("", set()))[1]:
        return _VALUES[beginning][0], value
    raise ValueError(f"kind {head} has no option {option!r}")
