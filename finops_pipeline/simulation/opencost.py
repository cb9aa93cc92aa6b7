"""The pretend cluster in OpenCost's dialect: ``/allocation``, ``/assets``, and pages about itself.

Keys, their order, rounding and oddities are copied from recorded answers of a real server at one
minute of resolution: 5 decimals for allocations, 6 for assets, load balancers dearer by a minute
and counted twice where no pod stands behind them, ghost rows of pods that just ended.
"""

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import repeat
from typing import Final

import msgspec
import numpy as np

from finops_pipeline.errors import FinopsError
from finops_pipeline.simulation.answer import TEXT, Answer, not_found
from finops_pipeline.simulation.catalog import LOAD_BALANCER_PRICE, LoadBalancer
from finops_pipeline.simulation.cluster import (
    GIB,
    Cluster,
    Run,
    Window,
    storage_price,
)
from finops_pipeline.simulation.labels import node_labels, pod_labels
from finops_pipeline.simulation.schedule import DAY_MINUTES, Claim, Node, instant, minute
from finops_pipeline.simulation.usage import Floats
from finops_pipeline.units import rfc3339

_UNMOUNTED: Final = "__unmounted__"
_RESOLUTION_MINUTES: Final = 1
_ENCODER: Final = msgspec.json.Encoder()
_DECODER: Final = msgspec.json.Decoder(dict[str, object])
_SHARED_PROPERTIES: Final[tuple[str, ...]] = (
    "cluster",
    "controller",
    "controllerKind",
    "namespace",
)
_PAIR: Final = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ),(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ)")
_UNIX: Final = re.compile(r"(\d{9,11}),(\d{9,11})")
_DURATION: Final = re.compile(r"(\d{1,4})([mhd])")
_UNIT_MINUTES: Final = {"m": 1, "h": 60, "d": DAY_MINUTES}
_LONGEST: Final = timedelta(days=31)
_NOT_SERVED: Final = frozenset({"accumulate", "filter", "step"})
_BY_WORKLOAD: Final = "namespace,controller"  # the one aggregation that is served
_SUMMED_FIELDS: Final = (
    "cpuCoreHours",
    "cpuCost",
    "gpuHours",
    "gpuCost",
    "networkTransferBytes",
    "networkReceiveBytes",
    "networkCost",
    "loadBalancerCost",
    "pvByteHours",
    "pvCost",
    "ramByteHours",
    "ramCost",
    "totalCost",
)


class IllegalWindow(FinopsError):
    """The window of a request is not one that OpenCost takes."""


class _Row(msgspec.Struct, gc=False):
    """An allocation; the order of fields is the order in the answer."""

    name: str
    properties: msgspec.Raw
    window: msgspec.Raw
    start: str
    end: str
    minutes: float = 0
    cpuCores: float = 0
    cpuCoreRequestAverage: float = 0
    cpuCoreUsageAverage: float = 0
    cpuCoreHours: float = 0
    cpuCost: float = 0
    cpuCostAdjustment: float = 0
    cpuCostIdle: float = 0
    cpuEfficiency: float = 0
    gpuCount: float = 0
    gpuRequestAverage: float = 0
    gpuUsageAverage: float = 0
    gpuHours: float = 0
    gpuCost: float = 0
    gpuCostAdjustment: float = 0
    gpuCostIdle: float = 0
    gpuEfficiency: float = 0
    networkTransferBytes: float = 0
    networkReceiveBytes: float = 0
    networkCost: float = 0
    networkCrossZoneCost: float = 0
    networkCrossRegionCost: float = 0
    networkInternetCost: float = 0
    networkCostAdjustment: float = 0
    loadBalancerCost: float = 0
    loadBalancerCostAdjustment: float = 0
    pvBytes: float = 0
    pvByteHours: float = 0
    pvCost: float = 0
    pvs: dict[str, dict[str, float | str]] | None = None
    pvCostAdjustment: float = 0
    ramBytes: float = 0
    ramByteRequestAverage: float = 0
    ramByteUsageAverage: float = 0
    ramByteHours: float = 0
    ramCost: float = 0
    ramCostAdjustment: float = 0
    ramCostIdle: float = 0
    ramEfficiency: float = 0
    externalCost: float = 0
    sharedCost: float = 0
    totalCost: float = 0
    totalEfficiency: float = 0
    proportionalAssetResourceCosts: dict[str, float] | msgspec.UnsetType = msgspec.UNSET
    rawAllocationOnly: dict[str, float] | msgspec.UnsetType = msgspec.UNSET
    lbAllocations: dict[str, dict[str, float | str | bool]] | None = None
    sharedCostBreakdown: dict[str, float] | msgspec.UnsetType = msgspec.UNSET


# Columns whose value is not 0 where a row has none.
_BLANKS: Final[dict[str, object]] = {
    "pvs": None,
    "lbAllocations": None,
    "proportionalAssetResourceCosts": msgspec.UNSET,
    "rawAllocationOnly": msgspec.UNSET,
    "sharedCostBreakdown": msgspec.UNSET,
}


_INSTALL_INFO: Final[dict[str, object]] = {
    "containers": None,
    "clusterInfo": {},
    "version": "1.120.1 (pretend)",
}


def answer(cluster: Cluster, path: str, params: Mapping[str, str], now: datetime) -> Answer:
    """Answer one GET request.

    Args:
        cluster: the model.
        path: below the server's root, such as ``/allocation``.
        params: decoded query parameters.
        now: what has not happened by then is not answered.
    """
    if path == "/healthz":
        return Answer(b"", content_type=TEXT)
    if path == "/installInfo":
        return Answer(msgspec.json.encode(_INSTALL_INFO))
    if path not in ("/allocation", "/assets"):
        return not_found()
    text = params.get("window", "")
    try:
        start, end = _parse_window(text, now)
    except IllegalWindow:
        return _illegal(path, text)
    if end < start:
        return _backwards(path, start, end)
    if reason := _unserved_options(params, end - start):
        return Answer(f"the pretend cluster does not serve {reason}\n".encode(), 400, TEXT)
    if path == "/assets":
        return _success(assets(cluster, start, end, now))
    has_idle = params.get("includeIdle", "false") == "true"
    rows = allocations(cluster, start, end, now, includes_idle=has_idle)
    if "aggregate" in params:
        rows = _by_workload(rows)
    return _success([rows] if start < end else [])


def _unserved_options(params: Mapping[str, str], length: timedelta) -> str:
    """Return what this server refuses and a real one would do; empty without such options."""
    if length > _LONGEST:
        return f"more than {_LONGEST.days} days at once"
    options = sorted(_NOT_SERVED & params.keys())
    if params.get("aggregate", _BY_WORKLOAD) != _BY_WORKLOAD:
        options.append(f"aggregate other than {_BY_WORKLOAD}")
    return ", ".join(options)


def allocations(
    cluster: Cluster, start: datetime, end: datetime, now: datetime, *, includes_idle: bool
) -> dict[str, _Row]:
    """Return the rows of ``/allocation`` by key, for ``[start, end)``; none before the history."""
    window = _window(cluster, start, end, now)
    if window is None:
        return {}
    span = _encode({"start": rfc3339(start), "end": rfc3339(end)})
    rows = {row.name: row for row in _container_rows(cluster, window, span)}
    rows.update((row.name, row) for row in _ghost_rows(cluster, window, span))
    rows.update((row.name, row) for row in _unmounted_rows(cluster, window, span))
    if includes_idle:
        rows["__idle__"] = _idle_row(cluster, window, span)
    return dict(sorted(rows.items()))


def _by_workload(rows: Mapping[str, _Row]) -> dict[str, _Row]:
    """Add rows up by namespace and controller; without a controller by namespace alone.

    Of the properties those stay that all have in common. The real one rounds after it has added up.
    """
    sums: dict[str, _Row] = {}
    for row in rows.values():
        properties = _DECODER.decode(row.properties)
        shared = {key: properties[key] for key in _SHARED_PROPERTIES if key in properties}
        name = row.name if row.name == "__idle__" else _workload_key(shared)
        total = sums.get(name)
        if total is None:
            total = sums[name] = _Row(name, _encode(shared), row.window, row.start, row.end)
        total.minutes = max(total.minutes, row.minutes)
        for field in _SUMMED_FIELDS:
            setattr(total, field, round(getattr(total, field) + getattr(row, field), 5))
    return dict(sorted(sums.items()))


def _workload_key(properties: Mapping[str, object]) -> str:
    namespace, controller = properties.get("namespace"), properties.get("controller")
    if controller is None:
        return f"{namespace}/__unallocated__"
    return f"{namespace}/{properties.get('controllerKind')}:{controller}"


def _success(data: object) -> Answer:
    return Answer(_ENCODER.encode({"code": 200, "status": "success", "data": data}))


def _illegal(path: str, text: str) -> Answer:
    line = f"Invalid 'window' parameter: illegal window: {text}\n".encode()
    if path == "/allocation":  # the real one writes a second document after the first
        line += _failure("Error: illegal window: [nil, nil)")
    return Answer(line, 400, TEXT)


def _backwards(path: str, start: datetime, end: datetime) -> Answer:
    span = f"[{start:%Y-%m-%dT%H:%M:%S}+0000, {end:%Y-%m-%dT%H:%M:%S}+0000)"
    if path == "/allocation":
        return Answer(_failure(f"Error: illegal window: {span}"), 500)
    message = (
        "Error getting assets: error computing asset set: error computing node assets "
        f"for {span}: illegal duration value for {span}\n"
    )
    return Answer(message.encode(), 500, TEXT)


def _failure(message: str) -> bytes:
    return _ENCODER.encode({"code": 500, "status": "", "data": None, "message": message})


def _parse_window(text: str, now: datetime) -> tuple[datetime, datetime]:
    """Parse a window as OpenCost does, relative ones with their surprising end."""
    if pair := _PAIR.fullmatch(text):
        try:
            return datetime.fromisoformat(pair[1]), datetime.fromisoformat(pair[2])
        except ValueError:
            raise IllegalWindow(text) from None
    if unix := _UNIX.fullmatch(text):
        return datetime.fromtimestamp(int(unix[1]), UTC), datetime.fromtimestamp(int(unix[2]), UTC)
    if duration := _DURATION.fullmatch(text):
        unit = _UNIT_MINUTES[duration[2]]
        end = (minute(now) // unit + 1) * unit  # the next full minute, hour or day
        return instant(end - int(duration[1]) * unit), instant(end)
    raise IllegalWindow(text)


def _window(cluster: Cluster, start: datetime, end: datetime, now: datetime) -> Window | None:
    first, last = minute(start), min(minute(end), minute(now))
    if last <= max(first, cluster.first_minute):
        return None
    return cluster.window(first, last)


def _container_rows(cluster: Cluster, window: Window, span: msgspec.Raw) -> list[_Row]:
    columns = _columns(window)
    columns["window"] = repeat(span)
    heads = [_name_and_properties(cluster, run) for run in window.runs]
    columns["name"], columns["properties"] = zip(*heads, strict=True) if heads else ((), ())
    blanks = {field: repeat(_BLANKS.get(field, 0)) for field in _Row.__struct_fields__}
    rows = [_Row(*row) for row in zip(*(blanks | columns).values(), strict=False)]
    for row, run in zip(rows, window.runs, strict=True):
        if run.pod.slot.claim is not None:
            _mount(cluster, row, run, run.pod.slot.claim)
    for balancer in cluster.catalog.load_balancers:
        if balancer.workload:
            _balance(cluster, window, rows, balancer)
    return rows


def _columns(window: Window) -> dict[str, Iterable[object]]:
    """Return the numbers of all containers by column: one rounding per column, not per number."""
    usage, seconds = window.usage, window.minutes * 60
    peaks = zip(usage.cpu_max.tolist(), usage.memory_max.round().tolist(), strict=True)
    return {
        "start": [_stamp(max(run.pod.start, window.start)) for run in window.runs],
        "end": [_stamp(min(run.pod.end, window.end)) for run in window.runs],
        "minutes": window.minutes.astype(np.int64).tolist(),
        **{name: column.round(5).tolist() for name, column in _resources(window).items()},
        "networkTransferBytes": (usage.sent * seconds).round(5).tolist(),
        "networkReceiveBytes": (usage.received * seconds).round(5).tolist(),
        "rawAllocationOnly": [{"cpuCoreUsageMax": c, "ramByteUsageMax": m} for c, m in peaks],
    }


def _resources(window: Window) -> dict[str, Floats]:
    usage, hours = window.usage, window.minutes / 60
    cpu_request = np.nan_to_num(window.cpu_request)
    memory_request = np.nan_to_num(window.memory_request)
    cpu_cost, memory_cost, gpu_cost = window.cpu_cost, window.memory_cost, window.gpu_cost
    cpu_efficiency = _efficiency(usage.cpu, cpu_request)
    memory_efficiency = _efficiency(usage.memory, memory_request)
    used_cost = cpu_efficiency * cpu_cost + memory_efficiency * memory_cost
    return {
        "cpuCores": window.cpu_core_hours / hours,
        "cpuCoreRequestAverage": cpu_request,
        "cpuCoreUsageAverage": usage.cpu,
        "cpuCoreHours": window.cpu_core_hours,
        "cpuCost": cpu_cost,
        "cpuEfficiency": cpu_efficiency,
        "gpuCount": window.gpus,
        "gpuRequestAverage": window.gpus,
        "gpuHours": window.gpu_hours,
        "gpuCost": gpu_cost,
        "ramBytes": window.memory_byte_hours / hours,
        "ramByteRequestAverage": memory_request,
        "ramByteUsageAverage": usage.memory,
        "ramByteHours": window.memory_byte_hours,
        "ramCost": memory_cost,
        "ramEfficiency": memory_efficiency,
        "totalCost": cpu_cost + memory_cost + gpu_cost,
        "totalEfficiency": used_cost / (cpu_cost + memory_cost),
    }


def _efficiency(usage: Floats, request: Floats) -> Floats:
    """Return OpenCost's efficiency: used over requested, and 1 where nothing is requested."""
    return np.divide(usage, request, out=np.ones_like(usage), where=request > 0)


def _mount(cluster: Cluster, row: _Row, run: Run, claim: Claim) -> None:
    """Add the container's share of its pod's volume."""
    share = 1 / len(run.pod.slot.workload.containers)
    byte_hours = claim.size_bytes * share * row.minutes / 60
    cost = byte_hours / GIB * storage_price(claim)
    row.pvBytes = round(claim.size_bytes * share, 5)
    row.pvByteHours = round(byte_hours, 5)
    row.pvCost = round(cost, 5)
    row.pvs = _volumes(cluster, [(claim, byte_hours, cost)])
    row.totalCost = round(row.totalCost + cost, 5)


def _volumes(
    cluster: Cluster, volumes: Iterable[tuple[Claim, float, float]]
) -> dict[str, dict[str, float | str]]:
    return {
        f"cluster={cluster.name}:name={claim.volume}": {
            "byteHours": byte_hours,
            "cost": cost,
            # OpenCost knows the disk behind a volume only through the pod that mounts it.
            "providerID": claim.provider_id if claim.shape else "",
            "adjustment": 0,
        }
        for claim, byte_hours, cost in volumes
    }


def balancer_cost(minutes: float) -> float:
    """Return currency; a step of resolution too much, as the real one has it."""
    return LOAD_BALANCER_PRICE * (minutes + _RESOLUTION_MINUTES) / 60


def _balance(cluster: Cluster, window: Window, rows: list[_Row], balancer: LoadBalancer) -> None:
    """Split a load balancer over the containers behind it, by their minutes."""
    behind = [
        (row, run)
        for row, run in zip(rows, window.runs, strict=True)
        if (run.namespace, run.pod.slot.workload.name) == (balancer.namespace, balancer.workload)
    ]
    minutes = sum(row.minutes for row, _ in behind)
    name = f"{balancer.namespace}/{balancer.service}"
    for row, _ in behind:
        cost = balancer_cost(window.end - window.start) * row.minutes / minutes
        row.loadBalancerCost = round(cost, 5)
        row.totalCost = round(row.totalCost + cost, 5)
        row.lbAllocations = {
            f"{cluster.name}/{name}": {
                "service": name,
                "cost": cost,
                "private": False,
                "ip": balancer.address,
                "hours": row.minutes / 60,
                "adjustment": 0,
            }
        }


def _ghost_rows(cluster: Cluster, window: Window, span: msgspec.Raw) -> list[_Row]:
    """Return rows of pods listed once more after their end: half a minute, no node, no cost."""
    end = rfc3339(instant(window.start)).replace(":00Z", ":30Z")
    return [
        _Row(
            name=f"{cluster.name}//{run.namespace}/{run.pod.name}/{run.container}",
            properties=_ghost_properties(cluster, run),
            window=span,
            start=_stamp(window.start),
            end=end,
            minutes=0.5,
            rawAllocationOnly={"cpuCoreUsageMax": 0, "ramByteUsageMax": 0},
        )
        for run in window.ghosts
    ]


def _unmounted_rows(cluster: Cluster, window: Window, span: msgspec.Raw) -> list[_Row]:
    """Return rows of volumes that no pod mounts, and of load balancers that lead nowhere."""
    minutes = window.end - window.start
    loose: dict[str, list[tuple[Claim, float, float]]] = {_UNMOUNTED: []}
    for claim in cluster.loose_claims:
        if claim.born <= window.start:
            byte_hours = claim.size_bytes * minutes / 60
            cost = byte_hours / GIB * storage_price(claim)
            namespace = claim.namespace or _UNMOUNTED
            loose.setdefault(namespace, []).append((claim, byte_hours, cost))
    balancers = cluster.catalog.load_balancers
    services = [balancer.service for balancer in balancers if not balancer.workload]
    rows = [_unmounted_row(cluster, window, span, *item) for item in loose.items()]
    # Counted twice, as OpenCost does.
    rows[0].loadBalancerCost = round(2 * len(services) * balancer_cost(minutes), 5)
    rows[0].totalCost = round(rows[0].totalCost + rows[0].loadBalancerCost, 5)
    rows[0].properties = _encode(
        {
            "cluster": cluster.name,
            "container": _UNMOUNTED,
            "namespace": _UNMOUNTED,
            "pod": _UNMOUNTED,
            "services": [service for service in services for _ in range(2)],
        }
    )
    return rows


def _unmounted_row(
    cluster: Cluster,
    window: Window,
    span: msgspec.Raw,
    namespace: str,
    volumes: list[tuple[Claim, float, float]],
) -> _Row:
    pod = _UNMOUNTED if namespace == _UNMOUNTED else f"{namespace}-unmounted-pvcs"
    cost = sum(cost for _, _, cost in volumes)
    return _Row(
        name=f"{cluster.name}//{namespace}/{pod}/{_UNMOUNTED}",
        properties=_encode(
            {
                "cluster": cluster.name,
                "container": _UNMOUNTED,
                "namespace": namespace,
                "pod": pod,
            }
        ),
        window=span,
        start=_stamp(window.start),
        end=_stamp(window.end),
        minutes=window.end - window.start,
        pvBytes=sum(claim.size_bytes for claim, _, _ in volumes),
        pvByteHours=sum(byte_hours for _, byte_hours, _ in volumes),
        pvCost=round(cost, 5),
        pvs=_volumes(cluster, volumes) or None,
        totalCost=round(cost, 5),
    )


def _idle_row(cluster: Cluster, window: Window, span: msgspec.Raw) -> _Row:
    """Return the cost of nodes beyond what containers were allocated, per resource."""
    cpu = window.node_cost("cores", "cpu_price").sum() - window.cpu_cost.sum()
    memory = window.node_cost("memory_gib", "memory_price").sum() - window.memory_cost.sum()
    gpu = window.node_cost("gpus", "gpu_price").sum() - window.gpu_cost.sum()
    return _Row(
        name="__idle__",
        properties=_encode({"cluster": cluster.name}),
        window=span,
        start=_stamp(window.start),
        end=_stamp(window.end),
        minutes=window.end - window.start,
        cpuCost=round(float(cpu), 5),
        gpuCost=round(float(gpu), 5),
        ramCost=round(float(memory), 5),
        totalCost=round(float(cpu + memory + gpu), 5),
        proportionalAssetResourceCosts={},
        sharedCostBreakdown={},
    )


def _encode(document: object) -> msgspec.Raw:
    return msgspec.Raw(_ENCODER.encode(document))


@lru_cache(maxsize=256)
def _stamp(at: int) -> str:
    return rfc3339(instant(at))


@lru_cache(maxsize=4096)
def _name_and_properties(cluster: Cluster, run: Run) -> tuple[str, msgspec.Raw]:
    """Return name and properties of a container, encoded once per day and not per window."""
    pod, workload = run.pod, run.pod.slot.workload
    path = (cluster.name, pod.node.name, run.namespace, pod.name, run.container)
    labels, _ = _namespace_labels(cluster, run.namespace)
    labels = node_labels(pod.node, is_short=True) | labels | pod_labels(pod)
    controller: dict[str, object] = {}
    if pod.owner:
        kind = "job" if workload.kind == "cronjob" else workload.kind
        controller = {"controller": workload.name, "controllerKind": kind}
    services = _services(cluster, run)
    properties = {
        "cluster": cluster.name,
        "node": pod.node.name,
        "container": run.container,
        **controller,
        "namespace": run.namespace,
        "pod": pod.name,
        **({"services": services} if services else {}),
        "providerID": pod.node.provider_id,
        **_label_maps(cluster, run.namespace, labels),
    }
    return "/".join(path), _encode(properties)


def _services(cluster: Cluster, run: Run) -> list[str]:
    workload = run.pod.slot.workload
    own = [workload.name] if workload.kind in ("deployment", "statefulset") else []
    return own + [balancer.service for balancer in cluster.balancers_of(run.pod)]


def _label_maps(cluster: Cluster, namespace: str, labels: Mapping[str, str]) -> dict[str, object]:
    """Return the four maps of a row; an empty one is absent."""
    own, annotations = _namespace_labels(cluster, namespace)
    maps = {
        "labels": labels,
        "annotations": annotations,
        "namespaceLabels": own,
        "namespaceAnnotations": annotations,
    }
    return {name: _sanitize(labels) for name, labels in maps.items() if labels}


def _ghost_properties(cluster: Cluster, run: Run) -> msgspec.Raw:
    labels, _ = _namespace_labels(cluster, run.namespace)
    own = {
        "cluster": cluster.name,
        "container": run.container,
        "namespace": run.namespace,
        "pod": run.pod.name,
    }
    return _encode(own | _label_maps(cluster, run.namespace, labels))


def _namespace_labels(cluster: Cluster, name: str) -> tuple[dict[str, str], dict[str, str]]:
    namespace = next(space for space in cluster.catalog.namespaces if space.name == name)
    return {**namespace.labels, "kubernetes.io/metadata.name": name}, namespace.annotations


def _sanitize(labels: Mapping[str, str]) -> dict[str, str]:
    """Return label names as Prometheus and OpenCost write them, sorted."""
    return {re.sub(r"[^a-zA-Z0-9_]", "_", key): labels[key] for key in sorted(labels)}


def assets(
    cluster: Cluster, start: datetime, end: datetime, now: datetime
) -> dict[str, dict[str, object]]:
    """Return the items of ``/assets`` by key, for ``[start, end)``; none before the history."""
    window = _window(cluster, start, end, now)
    if window is None:
        return {}
    span = {"start": rfc3339(start), "end": rfc3339(end)}
    items = [
        *(
            _node_asset(cluster, window, span, node, minutes)
            for node, minutes in zip(window.nodes, window.node_minutes.tolist(), strict=True)
        ),
        *(_balancer_asset(cluster, window, span, b) for b in cluster.catalog.load_balancers),
        *(_disk_asset(cluster, window, span, claim) for claim in cluster.claims(window.start)),
    ]
    return dict(sorted(items, key=lambda item: item[0]))


def _asset(
    cluster: Cluster,
    span: dict[str, str],
    kind: tuple[str, str],
    name: str,
    provider_id: str,
    life: tuple[int, int],
) -> tuple[str, dict[str, object]]:
    category, asset_type = kind
    path = f"custom/__undefined__/__undefined__/{category}/{cluster.name}/{asset_type}/Kubernetes"
    return f"{path}/{provider_id}/{name}", {
        "type": asset_type,
        "properties": {
            "category": category,
            "provider": "custom",
            "service": "Kubernetes",
            "cluster": cluster.name,
            "name": name,
            "providerID": provider_id,
        },
        "labels": {},
        "window": span,
        "start": _stamp(life[0]),
        "end": _stamp(life[1]),
        "minutes": float(life[1] - life[0]),
    }


_BREAKDOWN: Final = {"idle": 1, "other": 0, "system": 0, "user": 0}
_OVERHEAD: Final = {
    "CpuOverheadFraction": 0.02,
    "RamOverheadFraction": 0.07,
    "OverheadCostFraction": 0.037,
}


def _node_asset(
    cluster: Cluster, window: Window, span: dict[str, str], node: Node, minutes: float
) -> tuple[str, dict[str, object]]:
    life = max(node.start, window.start), min(node.end, window.end)
    pool, hours = node.pool, minutes / 60
    kind = ("Compute", "Node")
    key, item = _asset(cluster, span, kind, node.name, node.provider_id, life)
    item["labels"] = _node_labels(node)
    return key, item | {
        "nodeType": pool.node_type,
        "cpuCores": pool.cores,
        "ramBytes": pool.memory_gib * GIB,
        "cpuCoreHours": round(pool.cores * hours, 6),
        "ramByteHours": round(pool.memory_gib * GIB * hours, 6),
        "GPUHours": round(pool.gpus * hours, 6),
        "cpuBreakdown": _BREAKDOWN,
        "ramBreakdown": _BREAKDOWN,
        "preemptible": float(pool.is_spot),
        "discount": 0.0,
        "cpuCost": round(pool.cores * hours * pool.cpu_price, 6),
        "gpuCost": round(pool.gpus * hours * pool.gpu_price, 6),
        "gpuCount": float(pool.gpus),
        "ramCost": round(pool.memory_gib * hours * pool.memory_price, 6),
        "adjustment": 0.0,
        "overhead": _OVERHEAD,
        "totalCost": round(pool.hour_price * hours, 6),
    }


@lru_cache(maxsize=256)
def _node_labels(node: Node) -> dict[str, str]:
    return _sanitize(node_labels(node))


def _disk_asset(
    cluster: Cluster, window: Window, span: dict[str, str], claim: Claim
) -> tuple[str, dict[str, object]]:
    hours = (window.end - window.start) / 60
    used = cluster.used_bytes(claim, window.start)
    life = window.start, window.end
    kind = ("Storage", "Disk")
    key, item = _asset(cluster, span, kind, claim.volume, claim.provider_id, life)
    return key, item | {
        "byteHours": round(claim.size_bytes * hours, 6),
        "bytes": claim.size_bytes,
        "byteHoursUsed": None if used is None else round(used * hours, 6),
        "byteUsageMax": None if used is None else float(round(used)),
        "breakdown": _BREAKDOWN,
        "adjustment": 0.0,
        "totalCost": round(claim.size_bytes / GIB * hours * storage_price(claim), 6),
        "storageClass": claim.storage_class,
        "volumeName": claim.volume if claim.name else "",
        "claimName": claim.name,
        "claimNamespace": claim.namespace,
    }


def _balancer_asset(
    cluster: Cluster, window: Window, span: dict[str, str], balancer: LoadBalancer
) -> tuple[str, dict[str, object]]:
    name = f"{balancer.namespace}/{balancer.service}"
    provider_id = balancer.address
    if not provider_id.replace(".", "").isdigit():
        provider_id = provider_id.partition("-")[0]
    life = window.start, window.end
    kind = ("Network", "LoadBalancer")
    key, item = _asset(cluster, span, kind, name, provider_id, life)
    return key, item | {
        "adjustment": 0.0,
        "totalCost": round(balancer_cost(window.end - window.start), 6),
        "private": False,
        "ip": balancer.address,
    }
