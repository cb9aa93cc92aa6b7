"""Ledgers that are opened, and lost."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path

from finops_pipeline import settings as configuration
from finops_pipeline.installation.context import Installation, open_installation

CONFIG = """
data_dir = "{folder}/data"

[[clusters]]
name = "prod"
opencost_url = "http://opencost"
prometheus_url = "http://prometheus"
"""


@contextmanager
def open_data(
    folder: Path, now: datetime, *, is_ledger_lost: bool = False
) -> Iterator[Installation]:
    file = folder / "finops.toml"
    file.write_text(CONFIG.format(folder=folder))
    settings = configuration.load(file, {})
    with open_installation(settings, lambda: now, is_ledger_lost=is_ledger_lost) as installation:
        yield installation


def lose_ledger(folder: Path) -> None:
    for file in (folder / "data").glob("state.db*"):
        file.unlink()
