"""OpenCost and Kubecost: what was allocated and what it ran on, one window at a time.

A 200 is only read here: ``plausibility`` judges it. Of two equal names in one answer
the last wins, as in every JSON reader; the sums that ``plausibility`` compares notice the loss.
"""

import re
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from itertools import chain
from operator import attrgetter
from typing import Any, TypeVar

import httpx
import msgspec
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Raw, Struct, field

from finops_pipeline import http
from finops_pipeline.catalog.raw_schemas import raw_schema
from finops_pipeline.sources.reading import (
    NULL,
    Reading,
    check_clock,
    fetch_with_retries,
    parse_answer,
    raw_json,
    raw_table,
)
from finops_pipeline.sources.retry import RetryBudget
from finops_pipeline.units import DAY, WINDOW, rfc3339

# Enough to tell which workload differs; a row per container of a day would be 100 MB.
_OF_A_DAY = "namespace,controller"

_MOST_MINUTES = 20.0  # a window and one step of 5 minutes, the resolution OpenCost comes with
_NEVER_NEGATIVE = (
    "cpu_core_hours",
    "memory_byte_hours",
    "gpu_hours",
    "storage_byte_hours",
    "storage_used_byte_hours",
)
# No cluster has more, and more may not fit decimal(28, 10).
_MOST = 1e12
_MOST_BYTES = 1e18
_LABELS = frozenset({"labels", "annotations", "namespace_labels", "namespace_annotations"})
_PARTS = frozenset({"volumes", "load_balancers"})

# What is not listed in the structs below is skipped unread: fields come and go with versions.
# Labels stay text (Raw): they cost nothing before SQL looks into them. Fields stand in the order
# of the answer, where msgspec looks for the next one first.


class _Properties(Struct, gc=False):
    source_cluster: str | None = field(default=None, name="cluster")
    node: str | None = None
    container: str | None = None
    workload: str | None = field(default=None, name="controller")
    workload_kind: str | None = field(default=None, name="controllerKind")
    namespace: str | None = None
    pod: str | None = None
    labels: Raw = NULL
    annotations: Raw = NULL
    namespace_labels: Raw = field(default=NULL, name="namespaceLabels")
    namespace_annotations: Raw = field(default=NULL, name="namespaceAnnotations")


class _Maxima(Struct, gc=False):
    cpu_usage_max_cores: float | None = field(default=None, name="cpuCoreUsageMax")
    memory_usage_max_bytes: float | None = field(default=None, name="ramByteUsageMax")


class _Allocation(Struct, gc=False):
    name: str
    properties: _Properties
    window: Raw
    minutes: float
    cpu_request_cores: float | None = field(default=None, name="cpuCoreRequestAverage")
    cpu_usage_cores: float | None = field(default=None, name="cpuCoreUsageAverage")
    cpu_core_hours: float | None = field(default=None, name="cpuCoreHours")
    source_cpu_cost: float | None = field(default=None, name="cpuCost")
    cpu_adjustment_cost: float | None = field(default=None, name="cpuCostAdjustment")
    gpu_hours: float | None = field(default=None, name="gpuHours")
    source_gpu_cost: float | None = field(default=None, name="gpuCost")
    gpu_adjustment_cost: float | None = field(default=None, name="gpuCostAdjustment")
    network_transmit_bytes: float | None = field(default=None, name="networkTransferBytes")
    network_receive_bytes: float | None = field(default=None, name="networkReceiveBytes")
    source_network_cost: float | None = field(default=None, name="networkCost")
    network_adjustment_cost: float | None = field(default=None, name="networkCostAdjustment")
    source_load_balancer_cost: float | None = field(default=None, name="loadBalancerCost")
    load_balancer_adjustment_cost: float | None = field(
        default=None, name="loadBalancerCostAdjustment"
    )
    storage_byte_hours: float | None = field(default=None, name="pvByteHours")
    source_storage_cost: float | None = field(default=None, name="pvCost")
    volumes: dict[str, Raw] | None = field(default=None, name="pvs")
    storage_adjustment_cost: float | None = field(default=None, name="pvCostAdjustment")
    memory_request_bytes: float | None = field(default=None, name="ramByteRequestAverage")
    memory_usage_bytes: float | None = field(default=None, name="ramByteUsageAverage")
    memory_byte_hours: float | None = field(default=None, name="ramByteHours")
    source_memory_cost: float | None = field(default=None, name="ramCost")
    memory_adjustment_cost: float | None = field(default=None, name="ramCostAdjustment")
    source_external_cost: float | None = field(default=None, name="externalCost")
    source_shared_cost: float | None = field(default=None, name="sharedCost")
    source_total_cost: float | None = field(default=None, name="totalCost")
    maxima: _Maxima | None = field(default=None, name="rawAllocationOnly")
    load_balancers: dict[str, Raw] | None = field(default=None, name="lbAllocations")


class _AssetProperties(Struct, gc=False):
    source_cluster: str | None = field(default=None, name="cluster")
    name: str | None = None
    provider_id: str | None = field(default=None, name="providerID")


class _Asset(Struct, gc=False):
    type: str
    properties: _AssetProperties
    window: Raw
    minutes: float
    labels: Raw = NULL
    node_type: str | None = field(default=None, name="nodeType")
    preemptible: float | None = None
    cpu_cores: float | None = field(default=None, name="cpuCores")
    memory_bytes: float | None = field(default=None, name="ramBytes")
    cpu_core_hours: float | None = field(default=None, name="cpuCoreHours")
    memory_byte_hours: float | None = field(default=None, name="ramByteHours")
    gpu_hours: float | None = field(default=None, name="GPUHours")
    storage_bytes: float | None = field(default=None, name="bytes")
    storage_byte_hours: float | None = field(default=None, name="byteHours")
    storage_used_byte_hours: float | None = field(default=None, name="byteHoursUsed")
    storage_class: str | None = field(default=None, name="storageClass")
    volume: str | None = field(default=None, name="volumeName")
    volume_claim: str | None = field(default=None, name="claimName")
    volume_claim_namespace: str | None = field(default=None, name="claimNamespace")
    discount_ratio: float | None = field(default=None, name="discount")
    source_cpu_cost: float | None = field(default=None, name="cpuCost")
    source_memory_cost: float | None = field(default=None, name="ramCost")
    source_gpu_cost: float | None = field(default=None, name="gpuCost")
    source_total_cost: float | None = field(default=None, name="totalCost")
    adjustment_cost: float | None = field(default=None, name="adjustment")


class _Window(Struct, gc=False):
    start: datetime
    end: datetime


class _AllocationAnswer(Struct):
    code: int
    data: list[dict[str, _Allocation]]


class _AssetAnswer(Struct):
    code: int
    data: dict[str, _Asset]


_Answer = TypeVar("_Answer", _AllocationAnswer, _AssetAnswer)


_NO_MAXIMA = _Maxima()
_ALLOCATIONS = msgspec.json.Decoder(_AllocationAnswer)
_ASSETS = msgspec.json.Decoder(_AssetAnswer)
_WINDOW = msgspec.json.Decoder(_Window)


def read_window(
    client: httpx.Client,
    cluster: str,
    start: datetime,
    fetched_at: datetime,
    budget: RetryBudget | None = None,
) -> Reading:
    """Read ``raw.allocation`` and ``raw.asset`` of one window together.

    Args:
        client: its base URL is the OpenCost server of one cluster.
        cluster: name in the settings.
        start: first instant of the window, UTC, on the quarter hour.
        fetched_at: now, UTC.
        budget: of retries in the tick.

    Raises:
        ServerUnavailable: no answer in time, 429 or a 5xx.
        ServerRejected: any other status.
        ServerMalformed: not the JSON we know, or not the window we asked for.
        ServerClockDiffers: its clock and ours are minutes apart.
    """
    window = {"window": f"{rfc3339(start)},{rfc3339(start + WINDOW)}"}

    def fetch(seconds_left: Callable[[], float]) -> Reading:
        parameters = {**window, "includeIdle": "true"}
        answer = http.get(client, "/allocation", parameters, deadline_seconds=seconds_left())
        allocations = parse_answer(
            check_clock(answer), lambda body: parse_allocations(body, cluster, start)
        )
        clock_difference = answer.clock_difference
        answer = http.get(client, "/assets", window, deadline_seconds=seconds_left())
        assets = parse_answer(check_clock(answer), lambda body: parse_assets(body, cluster, start))
        tables = {"raw.allocation": allocations, "raw.asset": assets}
        return Reading(cluster, start, fetched_at, tables, clock_difference=clock_difference)

    return fetch_with_retries(cluster, fetch, budget)


def read_day(
    client: httpx.Client,
    cluster: str,
    start: datetime,
    fetched_at: datetime,
    budget: RetryBudget | None = None,
) -> Reading:
    """Read ``raw.source_daily`` of one UTC day in one piece; read once, so it is final.

    Args:
        client: its base URL is the OpenCost server of one cluster.
        cluster: name in the settings.
        start: first instant of the day, UTC.
        fetched_at: now, UTC.
        budget: of retries in the tick.

    Raises:
        ServerUnavailable: no answer in time, 429 or a 5xx.
        ServerRejected: any other status.
        ServerMalformed: not the JSON we know, or not the day we asked for.
        ServerClockDiffers: its clock and ours are minutes apart.
    """
    span = f"{rfc3339(start)},{rfc3339(start + DAY)}"
    parameters = {"window": span, "includeIdle": "true", "aggregate": _OF_A_DAY}

    def fetch(seconds_left: Callable[[], float]) -> Reading:
        answer = http.get(client, "/allocation", parameters, deadline_seconds=seconds_left())
        rows = parse_answer(check_clock(answer), lambda body: parse_day(body, cluster, start))
        tables = {"raw.source_daily": rows}
        ahead = answer.clock_difference
        return Reading(cluster, start, fetched_at, tables, clock_difference=ahead, is_final=True)

    return fetch_with_retries(cluster, fetch, budget)


def parse_day(body: bytes, cluster: str, start: datetime) -> pa.Table:
    """Parse rows of ``raw.source_daily``, by name; some servers add nothing up: one per container.

    Raises:
        ValueError: not one step for the day asked for, rows of several clusters, or numbers that
            cannot be.
        msgspec.DecodeError: not the JSON we know.
    """
    names, items = _only_step(body)
    if "" in names:  # so it answers where it does not know what to add up by
        raise ValueError(f"it cannot add up by {_OF_A_DAY}")
    _refuse_other_window(items, start, DAY)
    _refuse_other_clusters(items)
    columns = {
        "allocation": names,
        **_columns("raw.source_daily", _Allocation, items),
        **_columns("raw.source_daily", _Properties, [item.properties for item in items]),
    }
    return raw_table("raw.source_daily", cluster, start, columns)


def parse_allocations(body: bytes, cluster: str, start: datetime) -> pa.Table:
    """Parse rows of ``raw.allocation``, by name.

    Raises:
        ValueError: not one step for the window asked for, rows of several clusters, or numbers that
            cannot be.
        msgspec.DecodeError: not the JSON we know.
    """
    names, items = _only_step(body)
    _refuse_other_window(items, start)
    _refuse_other_clusters(items)
    columns = {
        "allocation": names,
        **_columns("raw.allocation", _Allocation, items),
        **_columns("raw.allocation", _Properties, [item.properties for item in items]),
        **_columns("raw.allocation", _Maxima, [item.maxima or _NO_MAXIMA for item in items]),
    }
    return _require_possible(raw_table("raw.allocation", cluster, start, columns))


def parse_assets(body: bytes, cluster: str, start: datetime) -> pa.Table:
    """Parse rows of ``raw.asset``, by name.

    Raises:
        ValueError: not the window asked for, assets of several clusters, or numbers that cannot be.
        msgspec.DecodeError: not the JSON we know.
    """
    answer = _decode(body, _ASSETS)
    names, items = _sort_by_name(answer.data)
    _refuse_other_window(items, start)
    _refuse_other_clusters(items)
    columns = {
        "asset": names,
        "asset_kind": [_snake_case(item.type) for item in items],
        "is_spot": [None if item.preemptible is None else item.preemptible > 0 for item in items],
        **_columns("raw.asset", _Asset, items),
        **_columns("raw.asset", _AssetProperties, [item.properties for item in items]),
    }
    return _require_possible(raw_table("raw.asset", cluster, start, columns))


def _decode(body: bytes, decoder: msgspec.json.Decoder[_Answer]) -> _Answer:
    body.decode()  # refuses what is not UTF-8: msgspec does not look into what it leaves as text
    answer = decoder.decode(body)
    if answer.code != httpx.codes.OK:
        raise ValueError(f"an error document, code {answer.code}")
    return answer


def _only_step(body: bytes) -> tuple[list[str], list[Any]]:
    answer = _decode(body, _ALLOCATIONS)
    if len(answer.data) != 1:
        raise ValueError(f"expected the one step asked for, got {len(answer.data)}")
    names, items = _sort_by_name(answer.data[0])
    if names != [item.name for item in items]:
        raise ValueError("rows are not filed under their own names")
    return names, items


def _sort_by_name(items: dict[str, Any]) -> tuple[list[str], list[Any]]:
    names = sorted(items)
    return names, [items[name] for name in names]


def _refuse_other_window(items: Iterable[Any], start: datetime, length: timedelta = WINDOW) -> None:
    texts = list(map(attrgetter("window"), items))
    are_alike = b"".join(texts) == b"".join(texts[:1]) * len(texts)  # else each is read
    for text in texts[:1] if are_alike else texts:
        window = _WINDOW.decode(text)
        if (window.start, window.end) != (start, start + length):
            raise ValueError(
                f"asked for the window from {rfc3339(start)}, "
                f"got {window.start.isoformat()} to {window.end.isoformat()}"
            )


def _refuse_other_clusters(items: Iterable[Any]) -> None:
    """Refuse rows of several clusters: no name says which are this one's, since it may be any."""
    clusters = set(map(attrgetter("properties.source_cluster"), items)) - {None, ""}
    if len(clusters) > 1:
        raise ValueError(
            f"rows of several clusters ({', '.join(sorted(clusters))}): ask the OpenCost of one,"
            " or set CURRENT_CLUSTER_ID_FILTER_ENABLED=true on it"
        )


def _columns(table_name: str, kind: type[Struct], items: list[Any]) -> dict[str, Any]:
    """Return columns of a table that the fields of one kind of item fill.

    No dict or tuple is kept per row: that would cost as much as the decode.
    """
    fields = [column for column in raw_schema(table_name) if column.name in kind.__struct_fields__]
    texts = [column.name for column in fields if pa.types.is_string(column.type)]
    numbers = [column.name for column in fields if pa.types.is_floating(column.type)]
    columns = {name: _text(name, list(map(attrgetter(name), items))) for name in texts}
    return columns | _number_columns(numbers, items)


def _number_columns(names: list[str], items: list[Any]) -> dict[str, pa.Array]:
    """Return columns of numbers, taken row by row; JSON has no NaN, so that it can mean null."""
    if not names:
        return {}
    values = list(chain.from_iterable(map(attrgetter(*names), items)))
    rows = np.array(values, np.float64).reshape(len(items), len(names))
    _refuse_absurd(names, rows)
    columns = rows.T
    return {
        name: pa.array(np.ascontiguousarray(column), from_pandas=True)
        for name, column in zip(names, columns, strict=True)
    }


def _refuse_absurd(names: list[str], rows: np.ndarray) -> None:
    most = [_MOST_BYTES if "byte" in name else _MOST for name in names]
    is_absurd = np.abs(rows) > most
    if is_absurd.any():
        at, column = np.argwhere(is_absurd)[0]
        raise ValueError(f"{names[column]} is more than a cluster has: {rows[at, column]}")


def _text(name: str, values: list[Any]) -> pa.Array | list[str | bytes | None]:
    if name in _LABELS:
        return raw_json(values)
    if name in _PARTS:
        return [msgspec.json.encode(parts) if parts else None for parts in values]
    # What one version leaves empty, another leaves out.
    return [value or None for value in values] if "" in values else values


def _require_possible(rows: pa.Table) -> pa.Table:
    minutes = pc.min_max(rows["minutes"]).as_py()
    if rows.num_rows and not 0 < minutes["min"] <= minutes["max"] <= _MOST_MINUTES:
        raise ValueError(f"{minutes['min']} to {minutes['max']} minutes in a window of 15")
    for name in _NEVER_NEGATIVE:
        if name in rows.column_names and (pc.min(rows[name]).as_py() or 0) < 0:
            raise ValueError(f"{name} is negative: {pc.min(rows[name]).as_py()}")
    return rows


def _snake_case(kind: str) -> str:
    return re.sub(r"(?<=[a-z])(?=[A-Z])", "_", kind).lower()
