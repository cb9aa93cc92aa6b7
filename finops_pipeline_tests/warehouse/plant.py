"""A lake and a ledger of one small cluster for the real table files, and children that use them.

``python -m finops_pipeline_tests.warehouse.plant publish FOLDER TIMES`` publishes generations;
``... read FOLDER`` opens what is published, over and over, until the folder holds ``stop``.
"""

import os
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from finops_pipeline.catalog.raw_schemas import raw_schema
from finops_pipeline.state.ledger_snapshot import RESTATEMENT_COLUMNS, WINDOW_COLUMNS
from finops_pipeline.units import WINDOW
from finops_pipeline.warehouse.connect import connect_read_only, hold_lock
from finops_pipeline.warehouse.publish import Publication, publish
from finops_pipeline.warehouse.session import open_warehouse
from finops_pipeline_tests.warehouse.fakes import FakeSourceData

# Summer time ends in New York: 05:00Z and 06:00Z are both one o'clock there.
FALL_BACK = datetime(2026, 11, 1, 5, tzinfo=UTC)
GIB = 2**30
NODE = {
    "asset": "node-a",
    "asset_kind": "node",
    "name": "node-a",
    "cpu_core_hours": 1.0,
    "memory_byte_hours": 4.0 * GIB,
    "source_cpu_cost": 0.04,
    "source_memory_cost": 0.02,
    "source_total_cost": 0.06,
}
CONTAINER = {
    "allocation": "prod/node-a/shop/web-1/web",
    "node": "node-a",
    "namespace": "shop",
    "workload_kind": "deployment",
    "workload": "web",
    "pod": "web-1",
    "container": "web",
    "labels": '{"team":"retail"}',
    "cpu_core_hours": 0.125,
    "memory_byte_hours": 0.5 * GIB,
    "source_total_cost": 0.0075,
}
_QUARTERS = 8
# Its totals belong to one generation, or rows of several were mixed.
_TOTALS = """
select
    (select sum(total_cost) from costs.hourly) as hourly,
    (select sum(total_cost) from costs.daily) as daily,
    (select sum(total_cost) from costs.quarter_hourly) as quarter_hourly,
    (select sum(cpu_core_hours) from raw.allocation) as raw
"""
SETTINGS = {
    "lookback_days": 14,
    "native_hourly_days": 35,
    "quarter_hourly_days": 14,
    "container_days": 90,
    "fiscal_year_start_month": 1,
    "idle_sharing": "by_node",
    "shared_sharing": "proportional",
}


class Plant:
    """Data folder; a test changes what the cluster says and publishes."""

    def __init__(self, folder: Path) -> None:
        self.warehouse = folder / "warehouse.duckdb"
        self.published = folder / "finops.duckdb"
        self.lake = folder / "lake"
        self.miscount = 0
        self.source_data = FakeSourceData(self.lake)
        self.source_data.ledger = {
            "core.window": self._windows,
            "core.restatement": lambda _: RESTATEMENT_COLUMNS.empty_table(),
        }
        self.source_data.small_tables = {
            "core.cluster": pa.table({"cluster": ["prod"], "source": ["opencost"]}),
            "core.installation": pa.table(
                {"installation_id": ["i"], "currency": ["USD"], "is_demo": [True], "version": ["1"]}
            ),
            "core.label_key": pa.table(
                {"owner_part": ["team"], "position_count": [0], "label": ["team"]}
            ),
        }

    def say(self, start: datetime, *containers: dict[str, Any]) -> None:
        """Put a node and containers on it into a window."""
        self._put("raw.asset", start, NODE)
        self._put(
            "raw.allocation", start, *({**CONTAINER, **container} for container in containers)
        )

    def publish(self, **changed: Any) -> Publication:
        """Publish with some settings changed."""
        settings = SETTINGS | changed
        with (
            hold_lock(self.warehouse),
            open_warehouse(self.warehouse, self.source_data, settings) as warehouse,
        ):
            return publish(warehouse, self.published)

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        """Read rows of the published file, which is closed again."""
        with connect_read_only(self.published) as connection:
            return connection.execute(query).fetchall()

    def _put(self, table: str, start: datetime, *rows: dict[str, Any]) -> None:
        common = {"cluster": "prod", "window_start": start, "minutes": 15.0}
        schema = raw_schema(table)
        self.source_data.put(
            table, start, pa.Table.from_pylist([common | row for row in rows], schema)
        )

    def _windows(self, start: datetime) -> pa.Table:
        rows = [
            {
                "table_name": table,
                "cluster": "prod",
                "window_start": start,
                "status": "final",
                "is_verified": True,
                "is_degraded": False,
                "row_count": windows[start].num_rows + self.miscount,
                "read_count": 1,
            }
            for table, windows in self.source_data.windows.items()
            if start in windows
        ]
        return pa.Table.from_pylist(rows, WINDOW_COLUMNS)


def publish_generations(folder: Path, times: int) -> None:
    """Publish generations, each one more than the last, also if another process published that."""
    plant = Plant(folder)
    counter = folder / "generation"
    for _ in range(times):
        with hold_lock(folder / "counted"):
            generation = int(counter.read_text()) + 1 if counter.exists() else 1
            for quarter in range(_QUARTERS):
                plant.say(FALL_BACK + quarter * WINDOW, {"cpu_core_hours": generation / 1000})
            plant.publish()
            counter.write_text(str(generation))


def read_until_stopped(folder: Path) -> None:
    """Print which generations the published file held; fail when rows of two are mixed."""
    os.nice(19)  # reads as often as it can, but not instead of the publishers
    generations: dict[float, None] = {}
    while not (folder / "stop").exists():
        with connect_read_only(folder / "finops.duckdb") as connection:
            ((hourly, daily, quarter_hourly, raw),) = connection.execute(_TOTALS).fetchall()
        assert hourly == daily == quarter_hourly, (hourly, daily, quarter_hourly)
        generations[round(raw / _QUARTERS * 1000)] = None
    print(*generations)


if __name__ == "__main__":
    if sys.argv[1] == "publish":
        publish_generations(Path(sys.argv[2]), int(sys.argv[3]))
    else:
        read_until_stopped(Path(sys.argv[2]))
