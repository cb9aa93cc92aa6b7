"""Protocol by which the warehouse asks for the lake and the ledger; ``installation`` implements it.

The warehouse thus knows neither of them: tests and benchmarks fill it from data of their own.
"""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from finops_pipeline.warehouse.fingerprints import Slots


class SourceData(Protocol):
    """View of the lake and the ledger that does not change while the warehouse is open.

    A hash is of the rows of the tables that have no select: those of the lake and of the ledger.
    """

    def day_hashes(self, table: str) -> Slots:
        """Content hash by first instant of the day; by None for a table that does not grow.

        By both for one that does not grow, but whose rows hold for some days each.
        """

    def hour_hashes(self, table: str, day: datetime) -> Slots:
        """Content hash by first instant of the hour, within one day; else as ``day_hashes``."""

    def files(self, table: str, start: datetime, end: datetime) -> Sequence[Path]:
        """List the current lake files of a raw table that hold windows of ``[start, end)``.

        Raises:
            LakeDamaged: the bytes of one are not those that were written.
        """

    def current_files(self, table: str) -> Sequence[Path]:
        """List all current lake files of a raw table, for the views that readers get.

        Raises:
            LakeDamaged: one is missing or cut.
        """

    def frozen_day_hashes(self, table: str) -> Slots:
        """Content hash by first instant of the day, of the days that the lake keeps for good."""

    def rows(self, table: str, start: datetime, end: datetime) -> pa.Table:
        """Read the rows of a table of the ledger in ``[start, end)``; all if it does not grow."""
