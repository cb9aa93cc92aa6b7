"""Answers as Kubecost may give them: made up by hand from its documented fields, none was recorded.

One node, adjusted to a bill a tenth below its list price, with one container; cost without a
container, shared cost and cost from outside the cluster; two assets that no allocation carries.
"""

import json
from typing import Any

from finops_pipeline.sources import opencost
from finops_pipeline.sources.reading import Reading
from finops_pipeline.units import WINDOW, rfc3339
from finops_pipeline_tests.sources.recordings import CLUSTER, DAY

GIB = 2**30
TOTAL_COST = (
    "0.1870000000"  # node 0.054, shared 0.005, external 0.1, management 0.025, network 0.003
)
_WINDOW = {"start": rfc3339(DAY), "end": rfc3339(DAY + WINDOW)}

_WEB = {
    "properties": {
        "cluster": "cluster-one",
        "node": "node-a",
        "namespace": "shop",
        "controllerKind": "deployment",
        "controller": "web",
        "pod": "web-1",
        "container": "web",
        "labels": {"team": "retail"},
        "namespaceLabels": {"kubernetes_io_metadata_name": "shop"},
    },
    "cpuCoreRequestAverage": 2.0,
    "cpuCoreHours": 0.5,
    "cpuCost": 0.02,
    "cpuCostAdjustment": -0.002,
    "ramByteRequestAverage": 8 * GIB,
    "ramByteHours": 2 * GIB,
    "ramCost": 0.01,
    "ramCostAdjustment": -0.001,
    "totalCost": 0.027,
}
_IDLE = {
    "cpuCost": 0.016,
    "cpuCostAdjustment": -0.0016,
    "ramCost": 0.01,
    "ramCostAdjustment": -0.001,
    "totalCost": 0.0234,
}


def reading() -> Reading:
    """Parse the answers of one window."""
    rows = {
        "raw.allocation": opencost.parse_allocations(_answer([_allocations()]), CLUSTER, DAY),
        "raw.asset": opencost.parse_assets(_answer(_assets()), CLUSTER, DAY),
    }
    return Reading(CLUSTER, DAY, DAY + 2 * WINDOW, rows)


def _answer(data: object) -> bytes:
    return json.dumps({"code": 200, "data": data}).encode()


def _allocations() -> dict[str, Any]:
    rows: dict[str, dict[str, Any]] = {
        "cluster-one/node-a/shop/web-1/web": _WEB,
        "cluster-one/__unallocated__": {
            "cpuCost": 0.004,
            "cpuCostAdjustment": -0.0004,
            "totalCost": 0.0036,
        },
        "__shared__": {"sharedCost": 0.005, "totalCost": 0.005},
        "__external__": {
            "properties": {"labels": {"team": "data"}},
            "externalCost": 0.1,
            "totalCost": 0.1,
        },
        "cluster-one/node-a/__idle__": _IDLE,
    }
    return {
        name: {"name": name, "properties": {}, "window": _WINDOW, "minutes": 15, **row}
        for name, row in rows.items()
    }


def _assets() -> dict[str, Any]:
    node = {
        "cpuCoreHours": 1.0,
        "ramByteHours": 4 * GIB,
        "cpuCost": 0.04,
        "ramCost": 0.02,
        "adjustment": -0.006,
        "totalCost": 0.054,
    }
    assets: dict[str, dict[str, Any]] = {
        "Node": {"properties": {"cluster": "cluster-one", "name": "node-a"}, **node},
        "ClusterManagement": {"totalCost": 0.025},
        "Network": {"properties": {"name": "egress"}, "adjustment": 0.001, "totalCost": 0.003},
    }
    return {
        kind: {"type": kind, "properties": {}, "window": _WINDOW, "minutes": 15, **asset}
        for kind, asset in assets.items()
    }
