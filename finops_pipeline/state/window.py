"""Window of a table, as the ledger keeps it, and the statuses and names that it knows."""

from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal

ABSENT = "absent"  # not read yet; the failure says why, if it was tried
PROVISIONAL = "provisional"  # read, and to be read again
FINAL = "final"  # read for the last time
LOST = "lost"  # never read, and the source has forgotten it

RAW = "raw."  # prefix of the tables that sources fill; those of others are frozen days
BILL, STATEMENT = "raw.bill", "raw.statement"  # one window a month, of all clusters together
ALL_CLUSTERS = "(all)"  # no name of a cluster
# By the names that tables had in files of the lake, which stay as they were written.
CURRENT_NAMES = {"efficiency.sum_daily": "efficiency.workload_usage_daily"}

Key = tuple[str, datetime]  # table and window, of the cluster at hand
Day = tuple[str, str, date]  # table, cluster and UTC day


@dataclass(frozen=True)
class Window:
    """Row of the ledger: one window of one table of one cluster."""

    table_name: str
    cluster: str
    window_start: datetime
    status: str = ABSENT
    is_verified: bool = False
    is_degraded: bool = False
    reason: str | None = None
    minutes_ratio: float | None = None
    row_count: int | None = None
    total: Decimal | None = None
    read_count: int = 0
    fetched_at: datetime | None = None
    next_read_at: datetime | None = None
    file: str | None = None
    content_sha256: str | None = None
    failed_at: datetime | None = None
    failure: str | None = None

    @property
    def key(self) -> Key:
        """Table and window."""
        return self.table_name, self.window_start

    @property
    def identity(self) -> tuple[str, str, datetime]:
        """Table, cluster and window."""
        return self.table_name, self.cluster, self.window_start

    @property
    def day(self) -> Day:
        """Table, cluster and UTC day."""
        return self.table_name, self.cluster, self.window_start.date()


@dataclass(frozen=True)
class StoredFile:
    """File of the lake, as the ledger needs to know it."""

    path: str
    table_name: str
    cluster: str
    day: date
    file_sha256: str
    size_bytes: int
