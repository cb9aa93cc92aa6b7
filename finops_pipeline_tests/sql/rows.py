"""Rows that tests of SQL begin with, and short ways to fill and ask tables."""

from typing import Any

from finops_pipeline_tests.sql.data import Data

GIB = 2**30


NODE = {
    "cluster": "prod",
    "asset": "node-a",
    "asset_kind": "node",
    "name": "node-a",
    "cpu_core_hours": 1.0,
    "memory_byte_hours": 4 * GIB,
    "source_cpu_cost": 0.04,
    "source_memory_cost": 0.02,
}


CONTAINER = {
    "cluster": "prod",
    "allocation": "prod/node-a/shop/web-1/web",
    "node": "node-a",
    "namespace": "shop",
    "workload_kind": "deployment",
    "workload": "web",
    "pod": "web-1",
    "container": "web",
    "cpu_core_hours": 0.125,
    "memory_byte_hours": 0.5 * GIB,
}


def lines(data: Data) -> list[dict[str, Any]]:
    return data.fill("core.price", "costs.line_item")


REQUESTED = {**CONTAINER, "cpu_request_cores": 0.5, "memory_request_bytes": 2 * GIB}


USED = {
    "cluster": "prod",
    "namespace": "shop",
    "pod": "web-1",
    "container": "web",
    "cpu_used_core_hours": 0.025,
    "memory_used_byte_hours": 0.4 * GIB,
}


EFFICIENCY_TABLES = [
    "core.price",
    "core.usage_window",
    "core.node_hourly",
    "costs.hourly",
    "costs.daily",
    "costs.idle_share_daily",
    "costs.attributed_daily",
    "costs.node_hourly",
    "costs.node_daily",
    "costs.volume_hourly",
    "costs.volume_daily",
    "efficiency.workload_usage_hourly",
    "efficiency.workload_usage_daily",
]
