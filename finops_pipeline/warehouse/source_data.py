"""What the warehouse asks of lake and ledger; the orchestration answers."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Protocol

import pyarrow as pa

from finops_pipeline.warehouse.fingerprints import Slots


class SourceData(Protocol):
    """One unchanging view of what lake and ledger hold.

    A hash is of the rows of the tables that have no select: those of the lake and of the ledger.
    """

    def day_hashes(self, table: str) -> Slots:
        """Content hash by first instant of the day; by None for a table that does not grow.

        By both for one that does not grow, but whose rows hold for some days each.
        """

    def hour_hashes(self, table: str, day: datetime) -> Slots:
        """The same by first instant of the hour, within one day."""

    def files(self, table: str, start: datetime, end: datetime) -> Sequence[Path]:
        """Current lake files of a raw table that hold windows of ``[start, end)``, to be read.

        Raises:
            LakeDamaged: the bytes of one are not those that were written.
        """

    def named_files(self, table: str) -> Sequence[Path]:
        """Every current lake file of a raw table, for readers to find.

        Raises:
            LakeDamaged: one is missing or cut.
        """

    def frozen(self, table: str) -> Slots:
        """Content hash by first instant of the day of what is kept in the lake for good."""

    def rows(self, table: str, start: datetime, end: datetime) -> pa.Table:
        """Rows of a table of the ledger in ``[start, end)``; all when it does not grow."""
