"""The state of an installation as its published file has it."""

from dataclasses import dataclass
from datetime import datetime, timedelta

import duckdb

from finops_pipeline.queries.published import Answer, ask_file


@dataclass(frozen=True)
class Published:
    """Currency, version and time of a publication, and whether it is of a demo."""

    currency: str
    version: str
    is_demo: bool
    published_at: datetime


def published_status(connection: duckdb.DuckDBPyConnection) -> Published:
    """Read the currency, the version and the time of the publication."""
    (row,) = ask_file(connection, "installation").rows
    return Published(*row)


def source_status(connection: duckdb.DuckDBPyConnection) -> Answer:
    """Read how far each source of each cluster has been read."""
    return ask_file(connection, "source_status")


def is_demo(connection: duckdb.DuckDBPyConnection) -> bool:
    """Return whether the data comes from the embedded pretend cluster."""
    return published_status(connection).is_demo


def format_age(instant: datetime, now: datetime) -> str:
    """Return how long ago something was, such as ``12 min ago``."""
    minutes = (now - instant) // timedelta(minutes=1)
    if minutes < 120:
        return f"{minutes} min ago"
    return f"{minutes // 60} h ago" if minutes < 48 * 60 else f"{minutes // 1440} days ago"
