"""A changed day of a cluster of 10,000 containers: CPU of each table that is filled from it.

The day is made up by SQL, in one file per raw table, as a compacted day is. Every derived
table is filled once, in order. What many of them read, ``costs.line_item``, is computed once:
it is no table, and counts by itself.
"""

import resource
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory

import duckdb
import pyarrow as pa

from bench.figures import print_figure
from finops_pipeline.catalog.tables import Table, tables
from finops_pipeline.units import DAY, HOUR
from finops_pipeline.warehouse.fingerprints import Slots
from finops_pipeline.warehouse.ranges import Range
from finops_pipeline.warehouse.session import Warehouse, open_warehouse

CONTAINERS = 10_000
MOST_CPU_SECONDS = 1
MOST_LINE_ITEM_SECONDS = 10
_PRINTED_COUNT = 12  # tables that cost most
MIDNIGHT = datetime(2026, 3, 1, tzinfo=UTC)
THE_DAY = Range(MIDNIGHT, MIDNIGHT + DAY)
SETTINGS = {
    "lookback_days": 14,
    "native_hourly_days": 35,
    "quarter_hourly_days": 14,
    "container_days": 90,
    "fiscal_year_start_month": 1,
    "idle_sharing": "by_node",
    "shared_sharing": "proportional",
}
SMALL = {
    "core.label_key": [
        {"owner_part": part, "position_count": 0, "label": part}
        for part in ("team", "environment", "project", "cost_center")
    ],
    "core.shared_namespace": [{"position_count": 0, "namespace_pattern": "kube-*"}],
    "core.installation": [
        {"installation_id": "bench", "currency": "USD", "is_demo": True, "version": "0"}
    ],
}
WINDOWS = """
    (select generate_series as window_start from generate_series(
        timestamptz '2026-03-01 00:00:00+00',
        timestamptz '2026-03-01 23:45:00+00',
        interval 15 minutes
    ))
"""
# One in a hundred nodes, one in forty pods with a volume; a workload has ten pods, one owner.
RAW = {
    "raw.allocation": f"""
        select 'prod' as cluster, window_start, 'node-' || n % 100 as node,
            'team-' || n // 10 % 50 as namespace, 'deployment' as workload_kind,
            'web-' || n // 10 as workload, workload || '-' || n as pod, 'app' as container,
            concat_ws('/', cluster, node, namespace, pod, container) as allocation,
            concat(
                '{{"app":"', workload, '","environment":"prod","pod_template_hash":"5d8f7c9b4",',
                '"team":"team-', n // 10 % 20, '","topology_kubernetes_io_zone":"eu-west-1a"}}'
            ) as labels,
            '{{"kubernetes_io_metadata_name":"x"}}' as namespace_labels,
            if(
                n % 40 = 0,
                '{{"cluster=prod:name=pv-' || n || '":{{"byteHours":2684354560,"cost":0.0003}}}}',
                null
            ) as volumes,
            if(n % 40 = 0, 2684354560.0, 0.0) as storage_byte_hours,
            if(n % 40 = 0, 0.0003, 0.0) as source_storage_cost,
            15.0 as minutes, (n % 17) * 0.01 as cpu_core_hours,
            (n % 17) * 0.04 as cpu_request_cores,
            (n % 13) * 67108864.0 as memory_byte_hours,
            (n % 13) * 268435456.0 as memory_request_bytes, 0.0 as gpu_hours,
            (n % 17) * 0.0003 as source_cpu_cost, (n % 13) * 0.0002 as source_memory_cost,
            source_cpu_cost + source_memory_cost + source_storage_cost as source_total_cost
        from {WINDOWS}, range({CONTAINERS}) as numbers(n)
        order by window_start, allocation
    """,
    "raw.asset": f"""
        select 'prod' as cluster, window_start, 'node-' || n as asset, 'node' as asset_kind,
            asset as name, 'm5.4xlarge' as node_type, 15.0 as minutes, 16.0 as cpu_cores,
            68719476736.0 as memory_bytes, 4.0 as cpu_core_hours,
            17179869184.0 as memory_byte_hours, 0.0 as gpu_hours, 0.12 as source_cpu_cost,
            0.06 as source_memory_cost, 0.18 as source_total_cost
        from {WINDOWS}, range(100) as numbers(n)
    """,
    "raw.price": f"""
        select 'prod' as cluster, window_start, 'node' as price_kind, 'node-' || n as name,
            0.031 as cpu_core_hour_price, 0.004 as memory_gib_hour_price
        from {WINDOWS}, range(100) as numbers(n)
    """,
    "raw.container_usage": f"""
        select 'prod' as cluster, window_start, 'team-' || n // 10 % 50 as namespace,
            'web-' || n // 10 || '-' || n as pod, 'app' as container, 0.25 as observed_hours,
            (n % 11) * 0.005 as cpu_used_core_hours, (n % 7) * 33554432.0 as memory_used_byte_hours
        from {WINDOWS}, range({CONTAINERS}) as numbers(n)
    """,
}


class Day:
    """Lake and ledger that hold one day."""

    def __init__(self, folder: Path) -> None:
        """Write the day's files."""
        self._files = {name: folder / f"{name}.parquet" for name in RAW}
        with duckdb.connect() as connection:
            connection.execute("set TimeZone = 'UTC'")
            for name, query in RAW.items():
                connection.execute(f"copy ({query}) to '{self._files[name]}' (compression zstd)")

    def day_hashes(self, table: str) -> Slots:
        """Return one content of one day."""
        slot = MIDNIGHT if table in self._files else None
        return {slot: table}

    def hour_hashes(self, table: str, day: datetime) -> Slots:
        """Return one content of each hour of a day."""
        if table not in self._files:
            return {None: table}
        return {day + count * HOUR: table for count in range(24)}

    def files(self, table: str, start: datetime, end: datetime) -> Sequence[Path]:
        """Return the file of the day, if the range touches it."""
        paths = [self._files[table]] if table in self._files else []
        return paths if start < MIDNIGHT + DAY and end > MIDNIGHT else []

    def current_files(self, table: str) -> Sequence[Path]:
        """Return the file of the day."""
        return self.files(table, MIDNIGHT, MIDNIGHT + DAY)

    def frozen_day_hashes(self, _table: str) -> Slots:
        """Return no day: none is frozen."""
        return {}

    def rows(self, table: str, _start: datetime, _end: datetime) -> pa.Table:
        """Return the rows of the settings."""
        rows = SMALL.get(table)
        return pa.Table.from_pylist(rows) if rows else pa.table({_first_column(table): []})


def main() -> None:
    """Print CPU of each table, and the largest of them beside the goal."""
    with TemporaryDirectory() as folder:
        source_data = Day(Path(folder))
        path = Path(folder) / "warehouse.duckdb"
        with open_warehouse(path, source_data, SETTINGS) as warehouse:
            seconds_by_table = {
                table.name: _fill_seconds(warehouse, table) for table in tables().values()
            }
    line_items = {name for name, table in tables().items() if table.kind.is_cached}
    line_item_seconds = sum(map(seconds_by_table.pop, line_items))
    print_figure(
        "day_10000_containers_line_items_cpu_seconds", line_item_seconds, MOST_LINE_ITEM_SECONDS
    )
    for name, seconds in sorted(seconds_by_table.items(), key=lambda item: -item[1])[
        :_PRINTED_COUNT
    ]:
        print_figure(f"day_10000_containers_{name}_cpu_seconds", seconds, MOST_CPU_SECONDS)


def _fill_seconds(warehouse: Warehouse, table: Table) -> float:
    views = [tables()[name] for name in table.reads if tables()[name].is_view]
    for name in table.reads:
        warehouse.refresh_table(tables()[name])
    for view in views if table.is_growing else []:
        warehouse.line_items.cache_view(view, THE_DAY)
    before = _cpu_seconds()
    warehouse.refresh_table(table)
    if table.kind.is_cached:
        warehouse.line_items.cache_view(table, THE_DAY)
    return _cpu_seconds() - before


def _first_column(table: str) -> str:
    return next(iter(tables()[table].columns))


def _cpu_seconds() -> float:
    used = resource.getrusage(resource.RUSAGE_SELF)
    return used.ru_utime + used.ru_stime


if __name__ == "__main__":
    main()
