"""The configured installation: settings, lake, state database and clock, opened together."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from finops_pipeline import settings as configuration
from finops_pipeline.errors import StateError
from finops_pipeline.installation.ledger_data import LedgerData
from finops_pipeline.lake.files import Lake
from finops_pipeline.queries.published import FILE_NAME
from finops_pipeline.settings import Settings
from finops_pipeline.state.database import State, open_state
from finops_pipeline.state.schedule import Schedule
from finops_pipeline.units import day_start, window_start
from finops_pipeline.warehouse.connect import hold_lock
from finops_pipeline.warehouse.publish import Publication, publish
from finops_pipeline.warehouse.session import Warehouse, open_warehouse

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """Return the time of the machine's clock."""
    return datetime.now(UTC)


@dataclass(frozen=True)
class Installation:
    """Settings, lake, state database and clock that every step works on."""

    settings: Settings
    lake: Lake
    state: State
    clock: Clock = utc_now

    @property
    def warehouse_path(self) -> Path:
        """The pipeline's private database."""
        return self.settings.data_dir / "warehouse.duckdb"

    @property
    def published_path(self) -> Path:
        """The database that people open."""
        return (self.settings.data_dir / FILE_NAME).absolute()

    @property
    def quarantine(self) -> Path:
        """Folder that damaged files are moved to, so that they can be looked at."""
        return self.settings.data_dir / "quarantine"

    def demo_mark(self) -> dict[str, str]:
        """Return what stands beside every figure of a demo; empty where data is real."""
        return {"demo": "pretended data of the embedded cluster"} if self.settings.is_demo else {}

    def lookback_start(self, now: datetime) -> datetime:
        """Return the first instant whose window is still asked for."""
        return window_start(now) - timedelta(days=self.settings.ingest.lookback_days)

    def raw_start(self, now: datetime) -> datetime:
        """Return the first instant of the days whose raw rows are kept."""
        oldest = now - timedelta(days=self.settings.retention.raw_days)
        return day_start(oldest.astimezone(UTC).date())

    @contextmanager
    def warehouse(self) -> Iterator[Warehouse]:
        """Open the warehouse for one writer at a time, over one snapshot of the ledger."""
        with (
            hold_lock(self.warehouse_path),
            self._ledger_data() as ledger_data,
            open_warehouse(self.warehouse_path, ledger_data, self.parameters()) as warehouse,
        ):
            yield warehouse

    def publish(self) -> Publication:
        """Bring all tables up to date, check them and replace the published file."""
        with self.warehouse() as warehouse:
            return publish(warehouse, self.published_path)

    def parameters(self) -> dict[str, Any]:
        """Return the settings that SQL files may name after a dollar sign."""
        settings = self.settings
        sections = (settings.ingest, settings.retention, settings.metrics, settings.calendar)
        sharing = {
            f"{name}_sharing": getattr(settings.sharing, name) for name in ("idle", "shared")
        }
        return {name: value for section in sections for name, value in section} | sharing

    @contextmanager
    def _ledger_data(self) -> Iterator[LedgerData]:
        now = self.clock()
        with self.state.snapshot() as snapshot:
            yield LedgerData(
                snapshot,
                self.lake,
                self.settings,
                self.state.installation,
                (self.lookback_start(now), now),
            )


def lake_of(settings: Settings) -> Lake:
    """Return the lake of the installation that the settings describe."""
    return Lake((settings.data_dir / "lake").absolute())


@contextmanager
def open_installation(
    settings: Settings | None = None, clock: Clock = utc_now, *, is_ledger_lost: bool = False
) -> Iterator[Installation]:
    """Open the installation that the settings describe; the state database is migrated if needed.

    Args:
        settings: by default those that are configured.
        clock: what time it is.
        is_ledger_lost: open it all the same when the ledger does not know the lake.

    Raises:
        ConfigError: nothing is configured, or something is wrong with it.
        StateError: the data folder belongs to another installation, or its ledger was lost.
    """
    settings = settings or configuration.load()
    schedule = Schedule(
        timedelta(minutes=settings.ingest.settle_minutes),
        tuple(timedelta(hours=hours) for hours in settings.ingest.reread_hours),
        {name: timedelta(hours=hours) for name, hours in settings.last_reread_hours().items()},
    )
    lake = lake_of(settings)
    with open_state(
        settings.database_url(),
        is_demo=settings.is_demo,
        currency=settings.currency,
        schedule=schedule,
    ) as state:
        if not is_ledger_lost:
            _require_known_lake(state, lake)
        yield Installation(settings, lake, state, clock)


def _require_known_lake(state: State, lake: Lake) -> None:
    """Refuse a new ledger beside an old lake: it was lost, and all files would look like waste."""
    if state.ledger.is_empty() and lake.holds_older_than(state.installation.created_at):
        raise StateError(
            f"{lake.root} holds windows that the state database does not know: restore the state"
            " database from its backup (finops restore), make it anew from the lake"
            " (finops rebuild-ledger), or move the lake away to start over"
        )
