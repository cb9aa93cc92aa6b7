"""Windows as the ledger holds them."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from finops_pipeline.state.database import State
from finops_pipeline.state.window import Key, StoredFile, Window
from finops_pipeline.units import HOUR, WINDOW

TEN = datetime(2026, 3, 1, 10, tzinfo=UTC)


def window(
    table_name: str = "raw.asset", start: datetime = TEN, content: str = "a", **others: Any
) -> Window:
    facts: dict[str, Any] = {
        "cluster": "prod",
        "status": "provisional",
        "row_count": 1,
        "total": Decimal("0.5"),
        "read_count": 1,
        "fetched_at": TEN + HOUR,
        "next_read_at": start + WINDOW + HOUR,
        "file": f"{table_name}/{start:%H%M}-{content}",
        "content_sha256": content * 64,
    }
    return Window(table_name=table_name, window_start=start, **facts | others)


def files_of(*windows: Window) -> list[StoredFile]:
    """Return the files that windows say they are in."""
    files = {(window.file or "", *window.day) for window in windows}
    return [StoredFile(*file, file_sha256="f" * 64, size_bytes=100) for file in files]


def commit(state: State, *windows: Window, at: datetime = TEN + HOUR) -> bool:
    before: dict[Key, Window] = {}
    for name, cluster, day in {window.day for window in windows}:
        before |= state.ledger.day([name], cluster, day)
    return state.ledger.commit(before, windows, files_of(*windows), at)
