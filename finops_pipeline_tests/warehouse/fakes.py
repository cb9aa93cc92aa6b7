"""A lake and a ledger of a few rows, and a folder of small table files that stand for the real."""

import hashlib
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from finops_pipeline.catalog.tables import read_tables
from finops_pipeline.units import DAY
from finops_pipeline.warehouse.fingerprints import Slots
from finops_pipeline.warehouse.session import Warehouse, open_warehouse

MONDAY = datetime(2026, 3, 2, tzinfo=UTC)
TUESDAY = MONDAY + DAY
INSTANT = pa.timestamp("us", "UTC")
# One of each sort: of the lake, of the ledger (growing or not), view, by window, hour, day, whole.
SQL = {
    "raw.item": """
-- What was bought in a window.
--
-- kind: lake by window

create table raw.item (
    window_start timestamptz not null,  -- first instant of the window, UTC
    name         varchar     not null,  -- what
    item_count   integer     not null   -- how many
);
""",
    "core.window": """
-- Windows.
--
-- kind: ledger by hour

create table core.window (
    window_start timestamptz not null,  -- first instant of the window, UTC
    row_count    integer     not null   -- rows it holds
);
""",
    "core.price": """
-- Prices.
--
-- kind: ledger

create table core.price (
    name       varchar        not null,  -- what
    unit_price decimal(28, 4) not null   -- of one
);
""",
    "costs.line_item": """
-- Items with their cost.
--
-- kind: view, cached by hour

create view costs.line_item (
    window_start,  -- first instant of the window, UTC
    name,          -- what
    total_cost     -- count x price
) as
select window_start, name, item_count * unit_price as total_cost
from raw.item
join core.price using (name);
""",
    "costs.quarter_hourly": """
-- Cost by window; recent windows only.
--
-- kind: incremental by hour, forgotten after quarter_hourly_days

create table costs.quarter_hourly (
    window_start timestamptz    not null,  -- first instant of the window, UTC
    total_cost   decimal(28, 4) not null   -- of all items
);

select window_start, sum(total_cost) as total_cost
from costs.line_item
where window_start >= $start and window_start < $end
group by all;
""",
    "costs.hourly": """
-- Cost by hour.
--
-- kind: incremental by hour, archived after native_hourly_days

create table costs.hourly (
    hour       timestamptz    not null,  -- first instant of the hour, UTC
    name       varchar        not null,  -- what
    total_cost decimal(28, 4) not null check (total_cost >= 0)  -- of all items
);

select date_trunc('hour', window_start) as hour, name, sum(total_cost) as total_cost
from costs.line_item
where window_start >= $start and window_start < $end
group by all;
""",
    "costs.daily": """
-- Cost by day.
--
-- kind: incremental by day

create table costs.daily (
    day        date           not null,  -- UTC day
    total_cost decimal(28, 4) not null   -- of all items
);

select cast(hour as date) as day, sum(total_cost) as total_cost
from costs.hourly
where hour >= $start and hour < $end
group by all;
""",
    "costs.summary": """
-- Cost of everything, with tax; one row.
--
-- kind: full

create table costs.summary (
    total_cost decimal(28, 4)  -- with tax
);

select sum(total_cost) * (1 + $tax_percent / 100) as total_cost
from costs.daily;
""",
}
ITEM = pa.schema([("window_start", INSTANT), ("name", pa.string()), ("item_count", pa.int32())])


class Crash(Exception):
    """Stop that a test lets happen in the middle of a filling."""


class FakeSourceData:
    """Windows of raw tables as files, and rows of the ledger's tables, as a test puts them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.windows: dict[str, dict[datetime, pa.Table]] = {}
        self.small_tables: dict[str, pa.Table] = {}  # all rows of those that do not grow
        self.dated_tables: set[str] = set()  # those whose rows hold from ``valid_from`` on
        self.ledger: dict[str, Callable[[datetime], pa.Table]] = {}  # rows of a window, by table
        self.frozen_days: dict[str, dict[datetime, pa.Table]] = {}  # by table
        self.crashes_at: datetime | None = None
        self.file_ranges: list[timedelta] = []  # lengths of the ranges that files were read for

    def put(self, table: str, start: datetime, rows: pa.Table) -> None:
        """Put rows into a window, over those it had before."""
        self.windows.setdefault(table, {})[start] = rows

    def drop(self, table: str, start: datetime) -> None:
        """Forget a window."""
        del self.windows[table][start]

    def day_hashes(self, table: str) -> Slots:
        days = {start.replace(hour=0, minute=0) for start in self._starts()}
        if table in self.small_tables:
            return {None: _hash(self.small_tables[table])} | self._valid_hashes(
                table, {day: day for day in days}
            )
        return self._hashes(table, lambda start: start.replace(hour=0, minute=0))

    def hour_hashes(self, table: str, day: datetime) -> Slots:
        if table in self.small_tables:
            hours = {start.replace(minute=0): day for start in self._starts() if day <= start}
            return {None: _hash(self.small_tables[table])} | self._valid_hashes(table, hours)
        by_hour = self._hashes(table, lambda start: start.replace(minute=0))
        return {hour: content for hour, content in by_hour.items() if day <= hour < day + DAY}

    def files(self, table: str, start: datetime, end: datetime) -> list[Path]:
        if start == self.crashes_at:
            raise Crash
        self.file_ranges.append(end - start)
        return [
            self._file(table, at, rows)
            for at, rows in (self.windows | self.frozen_days).get(table, {}).items()
            if start <= at < end
        ]

    def current_files(self, table: str) -> list[Path]:
        windows = self.windows.get(table, {})
        return [self._file(table, at, rows) for at, rows in windows.items()]

    def frozen_day_hashes(self, table: str) -> Slots:
        return {day: _hash(rows) for day, rows in self.frozen_days.get(table, {}).items()}

    def rows(self, table: str, start: datetime, end: datetime) -> pa.Table:
        if table in self.small_tables:
            return self.small_tables[table]
        starts = [at for at in sorted(self._starts()) if start <= at < end]
        return pa.concat_tables([self.ledger[table](at) for at in starts])

    def _hashes(self, table: str, slot: Callable[[datetime], datetime]) -> dict[Any, str]:
        hashes: dict[Any, str] = {}
        windows = self.windows.get(table, {})
        starts = self._starts() if table in self.ledger else windows
        for start in sorted(starts):
            rows = self.ledger[table](start) if table in self.ledger else windows[start]
            hashes[slot(start)] = hashes.get(slot(start), "") + f"{start} {_hash(rows)}"
        return hashes

    def _valid_hashes(
        self, table: str, slots: dict[datetime, datetime]
    ) -> dict[datetime | None, str]:
        """Hash by slot the rows that hold on its day."""
        if table not in self.dated_tables:
            return {}
        rows = self.small_tables[table]
        return {
            slot: _hash(rows.filter(pc.less_equal(rows["valid_from"], day.date())))
            for slot, day in slots.items()
        }

    def _starts(self) -> set[datetime]:
        return {start for windows in self.windows.values() for start in windows}

    def _file(self, table: str, start: datetime, rows: pa.Table) -> Path:
        path = self.folder / table / f"{start:%Y%m%d%H%M}-{_hash(rows)[:12]}.parquet"
        if not path.exists():
            path.parent.mkdir(parents=True, exist_ok=True)
            pq.write_table(rows, path)
        return path


class Shop:
    """Warehouse of the small table files; a test changes its source data, files and settings."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.source_data = FakeSourceData(folder / "lake")
        self.source_data.ledger["core.window"] = self._window
        self.settings: dict[str, Any] = {
            "tax_percent": 0,
            "quarter_hourly_days": 14,
            "native_hourly_days": 35,
        }
        self.price(apple="1.00", pear="2.00")
        for name, text in SQL.items():
            self.write(name, text)

    def write(self, name: str, text: str) -> None:
        """Write a table file, over what it was before."""
        path = self.file(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text.lstrip())

    def file(self, name: str) -> Path:
        schema, _, stem = name.partition(".")
        return self.folder / "sql" / schema / f"{stem}.sql"

    def price(self, **prices: str) -> None:
        rows = {"name": list(prices), "unit_price": list(prices.values())}
        self.source_data.small_tables["core.price"] = pa.table(rows)

    def sell(self, start: datetime, **counts: int) -> None:
        """Put what was bought into a window, over what it held before."""
        rows = [{"window_start": start, "name": n, "item_count": c} for n, c in counts.items()]
        self.source_data.put("raw.item", start, pa.Table.from_pylist(rows, ITEM))

    def refresh(self, file_name: str = "warehouse.duckdb") -> dict[str, int]:
        """Rows written by table, of the tables that were written."""
        with self.open(file_name) as warehouse:
            return {name: rows for name, rows in warehouse.refresh().items() if rows}

    def open(self, file_name: str = "warehouse.duckdb") -> Any:
        path, sql = self.folder / file_name, read_tables(self.folder / "sql")
        return open_warehouse(path, self.source_data, self.settings, sql)

    def rows(self, table: str, file_name: str = "warehouse.duckdb") -> list[tuple[Any, ...]]:
        with self.open(file_name) as warehouse:
            return all_rows(warehouse, table)

    def _window(self, start: datetime) -> pa.Table:
        count = self.source_data.windows["raw.item"][start].num_rows
        return pa.table({"window_start": pa.array([start], INSTANT), "row_count": [count]})


def all_rows(warehouse: Warehouse, table: str) -> list[tuple[Any, ...]]:
    """Read the rows of a table, sorted; also those in files."""
    warehouse.show_all()
    return warehouse.connection.execute(f"select * from {table} order by all").fetchall()


def at(hours: float, day: datetime = MONDAY) -> datetime:
    """Return an instant of a day."""
    return day + timedelta(hours=hours)


def _hash(rows: pa.Table) -> str:
    return hashlib.sha256(repr(rows.to_pylist()).encode()).hexdigest()
