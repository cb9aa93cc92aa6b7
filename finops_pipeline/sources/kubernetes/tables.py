"""Rows of the raw tables that the Kubernetes API fills, made of its objects column by column."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from datetime import datetime
from operator import attrgetter
from typing import Any

import msgspec
import pyarrow as pa
from msgspec import Raw, Struct

from finops_pipeline.catalog.raw_schemas import raw_schema
from finops_pipeline.sources.kubernetes import objects
from finops_pipeline.sources.kubernetes.quantity import parse_quantity
from finops_pipeline.sources.kubernetes.states import sort_states
from finops_pipeline.sources.reading import NULL, raw_json, raw_table

INVENTORY = "raw.inventory"  # a row per kind in every reading; the other tables hold changes only
OF_WORKLOADS = ("raw.workload", "raw.pod_template")

_DEFAULT_CLASS = "storageclass.kubernetes.io/is-default-class"
_SPOT = {
    "eks.amazonaws.com/capacityType": "SPOT",
    "karpenter.sh/capacity-type": "spot",
    "cloud.google.com/gke-spot": "true",
    "cloud.google.com/gke-preemptible": "true",
    "kubernetes.azure.com/scalesetpriority": "spot",
    "node.kubernetes.io/lifecycle": "spot",
}
_GPUS = ("nvidia.com/gpu", "amd.com/gpu")


# How a column is made from an object: by the path to its field, or by a function.
_Get = str | Callable[[Any], object]


class _ResourceTarget(Struct, rename="camel"):
    average_utilization: int | None = None


class _ResourceMetric(Struct):
    name: str
    target: _ResourceTarget


class _Metric(Struct):
    resource: _ResourceMetric | None = None


_MAP = msgspec.json.Decoder(dict[str, str])
_METRICS = msgspec.json.Decoder(list[_Metric])


def _map(raw: Raw) -> dict[str, str]:
    return {} if raw == NULL else _MAP.decode(raw)


def _label(name: str) -> Callable[[objects.Object], str | None]:
    return lambda item: _map(item.metadata.labels).get(name)


def _quantity(path: str, *resources: str) -> Callable[[Any], float | None]:
    """Return what makes a column of a map of quantities."""
    quantities = attrgetter(path)
    return lambda item: _amount(quantities(item), resources)


def _amount(quantities: Mapping[str, str], resources: Iterable[str]) -> float | None:
    """Return the amount of the first resource that is listed; None where none is."""
    return next(
        (parse_quantity(quantities[name]) for name in resources if name in quantities), None
    )


def _is_spot(node: objects.Node) -> bool:
    labels = _map(node.metadata.labels)
    return any(labels.get(name) == value for name, value in _SPOT.items())


def _is_ready(node: objects.Node) -> bool | None:
    """Return whether its kubelet says so; None when it has stopped talking."""
    conditions = {condition.type: condition.status for condition in node.status.conditions}
    return {"True": True, "False": False}.get(conditions.get("Ready", "Unknown"))


def _request(*resources: str) -> Callable[[objects.Pod], float | None]:
    """Return what makes a column of what the scheduler keeps free for a pod; None if it asks none.

    Init containers run one after the other before the rest, sidecars from their turn to the end.

    Source: kubernetes/enhancements, KEP 753, and KEP 2837 for requests of the pod as a whole.
    """

    def get(pod: objects.Pod) -> float | None:
        spec = pod.spec
        of_pod = _amount(spec.resources.requests, resources)
        of_containers = _containers_request(spec, resources)
        request = of_containers if of_pod is None else of_pod
        overhead = _amount(spec.overhead, resources)
        return request if overhead is None else (request or 0.0) + overhead

    return get


def _containers_request(spec: objects.PodSpec, resources: Iterable[str]) -> float | None:
    sidecars: list[float | None] = []
    peaks: list[float | None] = []
    for container in spec.init_containers:
        request = _amount(container.resources.requests, resources)
        peaks.append(_sum([*sidecars, request]))
        if container.is_sidecar:
            sidecars.append(request)
    main = [_amount(container.resources.requests, resources) for container in spec.containers]
    peaks.append(_sum([*main, *sidecars]))
    return max((peak for peak in peaks if peak is not None), default=None)


def _sum(amounts: Iterable[float | None]) -> float | None:
    numbers = [number for number in amounts if number is not None]
    return sum(numbers) if numbers else None


def _claims(pod: objects.Pod) -> Raw:
    claims = [volume.persistent_volume_claim for volume in pod.spec.volumes]
    return Raw(msgspec.json.encode([claim.claim_name for claim in claims if claim]))


def _cpu_target(autoscaler: objects.Autoscaler) -> float | None:
    """Return usage over request of CPU that it aims at."""
    metrics = autoscaler.spec.metrics
    decoded = [] if metrics == NULL else _METRICS.decode(metrics)
    cpu = [
        metric.resource for metric in decoded if metric.resource and metric.resource.name == "cpu"
    ]
    percents = [resource.target.average_utilization for resource in cpu]
    return next((percent / 100 for percent in percents if percent is not None), None)


def _text(path: str) -> Callable[[Any], str | None]:
    """Return what makes a column of a number or a percentage, as written."""
    value = attrgetter(path)
    return lambda item: None if value(item) is None else str(value(item))


class _TemplateContainer(Struct, gc=False):
    """A container of a workload's template, beside the workload."""

    workload: objects.Workload
    container: objects.Container
    container_kind: str


def _templates(workloads: Iterable[objects.Workload]) -> list[_TemplateContainer]:
    """List containers of templates, of workloads without a controller: others have copies."""
    return [
        _TemplateContainer(workload, container, kind)
        for workload in workloads
        if workload.controller is None
        for container, kind in _containers(workload.template.spec)
    ]


def _containers(spec: objects.PodSpec) -> Iterator[tuple[objects.Container, str]]:
    for container in spec.init_containers:
        yield container, "sidecar" if container.is_sidecar else "init"
    for container in spec.containers:
        yield container, "main"


_METADATA: dict[str, _Get] = {
    "uid": "metadata.uid",
    "namespace": "metadata.namespace",
    "name": "metadata.name",
    "labels": "metadata.labels",
    "annotations": "metadata.annotations",
    "created_at": "metadata.created_at",
}
_COLUMNS: dict[str, dict[str, _Get]] = {
    "raw.namespace": {"phase": "status.phase"},
    "raw.node": {
        "provider_id": "spec.provider_id",
        "node_type": _label("node.kubernetes.io/instance-type"),
        "region": _label("topology.kubernetes.io/region"),
        "zone": _label("topology.kubernetes.io/zone"),
        "architecture": "status.node_info.architecture",
        "operating_system": "status.node_info.operating_system",
        "kubelet_version": "status.node_info.kubelet_version",
        "is_spot": _is_spot,
        "is_ready": _is_ready,
        "is_schedulable": lambda node: not node.spec.unschedulable,
        "cpu_capacity_cores": _quantity("status.capacity", "cpu"),
        "cpu_allocatable_cores": _quantity("status.allocatable", "cpu"),
        "memory_capacity_bytes": _quantity("status.capacity", "memory"),
        "memory_allocatable_bytes": _quantity("status.allocatable", "memory"),
        "gpu_capacity_count": _quantity("status.capacity", *_GPUS),
        "gpu_allocatable_count": _quantity("status.allocatable", *_GPUS),
        "pod_allocatable_count": _quantity("status.allocatable", "pods"),
        "taints": "spec.taints",
    },
    "raw.pod": {
        "node": "spec.node_name",
        "owner_kind": "owner_kind",
        "owner": "owner",
        "phase": "status.phase",
        "qos_class": "status.qos_class",
        "priority_class": "spec.priority_class_name",
        "cpu_request_cores": _request("cpu"),
        "memory_request_bytes": _request("memory"),
        "gpu_request_count": _request(*_GPUS),
        "container_count": lambda pod: len(pod.spec.containers),
        "restart_count": lambda pod: sum(
            status.restart_count for status in pod.status.container_statuses
        ),
        "volume_claims": _claims,
        "node_selector": "spec.node_selector",
        "tolerations": "spec.tolerations",
        "affinity": "spec.affinity",
        "started_at": "status.start_time",
    },
    "raw.workload": {
        "owner_kind": "owner_kind",
        "owner": "owner",
        "replica_count": "replicas",
        "schedule": "spec.schedule",
        "is_suspended": "spec.suspend",
        "strategy": "strategy.type",
        "max_unavailable": _text("strategy.rolling_update.max_unavailable"),
        "max_surge": _text("strategy.rolling_update.max_surge"),
        "selector": "spec.selector",
        "priority_class": "template.spec.priority_class_name",
        "node_selector": "template.spec.node_selector",
        "tolerations": "template.spec.tolerations",
        "affinity": "template.spec.affinity",
        "template_labels": "template.metadata.labels",
        "completed_at": "status.completion_time",
    },
    "raw.pod_template": {
        "uid": "workload.metadata.uid",
        "namespace": "workload.metadata.namespace",
        "name": "workload.metadata.name",
        "created_at": "workload.metadata.created_at",
        "container": "container.name",
        "container_kind": "container_kind",
        "image": "container.image",
        "cpu_request_cores": _quantity("container.resources.requests", "cpu"),
        "cpu_limit_cores": _quantity("container.resources.limits", "cpu"),
        "memory_request_bytes": _quantity("container.resources.requests", "memory"),
        "memory_limit_bytes": _quantity("container.resources.limits", "memory"),
        "gpu_request_count": _quantity("container.resources.requests", *_GPUS),
        "has_liveness_probe": lambda template: template.container.liveness_probe != NULL,
        "has_readiness_probe": lambda template: template.container.readiness_probe != NULL,
        "has_startup_probe": lambda template: template.container.startup_probe != NULL,
    },
    "raw.service": {
        "service_kind": "spec.type",
        "selector": "spec.selector",
        "load_balancer_addresses": "status.load_balancer.ingress",
    },
    "raw.volume": {
        "phase": "status.phase",
        "storage_class": "spec.storage_class_name",
        "storage_bytes": _quantity("spec.capacity", "storage"),
        "volume_claim_namespace": "spec.claim_ref.namespace",
        "volume_claim": "spec.claim_ref.name",
        "driver": "spec.csi.driver",
        "volume_handle": "spec.csi.volume_handle",
        "access_modes": "spec.access_modes",
        "reclaim_policy": "spec.reclaim_policy",
    },
    "raw.volume_claim": {
        "phase": "status.phase",
        "storage_class": "spec.storage_class_name",
        "volume": "spec.volume_name",
        "storage_request_bytes": _quantity("spec.resources.requests", "storage"),
        "storage_bytes": _quantity("status.capacity", "storage"),
        "access_modes": "spec.access_modes",
    },
    "raw.storage_class": {
        "provisioner": "provisioner",
        "reclaim_policy": "reclaim_policy",
        "volume_binding_mode": "volume_binding_mode",
        "is_expandable": "allow_volume_expansion",
        "is_default": lambda item: _map(item.metadata.annotations).get(_DEFAULT_CLASS) == "true",
        "parameters": "parameters",
    },
    "raw.autoscaler": {
        "workload_kind": "spec.scale_target_ref.kind",
        "workload": "spec.scale_target_ref.name",
        "min_replica_count": "spec.min_replicas",
        "max_replica_count": "spec.max_replicas",
        "replica_count": "status.current_replicas",
        "desired_replica_count": "status.desired_replicas",
        "cpu_target_ratio": _cpu_target,
        "metrics": "spec.metrics",
    },
    "raw.disruption_budget": {
        "min_available": _text("spec.min_available"),
        "max_unavailable": _text("spec.max_unavailable"),
        "selector": "spec.selector",
        "allowed_disruption_count": "status.disruptions_allowed",
        "expected_pod_count": "status.expected_pods",
    },
}
_JSON_LISTS = {
    "taints",
    "tolerations",
    "access_modes",
    "metrics",
    "load_balancer_addresses",
    "volume_claims",
}
STATES = tuple(_COLUMNS)  # tables of objects
TABLES = (*STATES, INVENTORY)


def rows(name: str, kind: str, items: list[Any], cluster: str, start: datetime) -> pa.Table:
    """Return rows of one table, in the order of the objects.

    Args:
        name: such as ``raw.pod``.
        kind: as the API calls the objects.
        items: decoded objects of that kind.
        cluster: name in the settings.
        start: first instant of the window they are stored under.

    Raises:
        ValueError: a required value is missing, or a quantity is none.
        msgspec.DecodeError: labels or metrics that are not what they should be.
    """
    sources = _templates(items) if name == "raw.pod_template" else items
    names = raw_schema(name).names  # not every kind has a namespace, or labels
    getters = {column: get for column, get in _METADATA.items() if column in names}
    getters |= _COLUMNS[name]
    columns = {column: _column(column, get, sources) for column, get in getters.items()}
    columns["is_deleted"] = [False] * len(sources)
    if name in OF_WORKLOADS:
        columns["workload_kind"] = [kind] * len(sources)
    return raw_table(name, cluster, start, columns)


def _column(name: str, get: _Get, rows: list[Any]) -> pa.Array | list[object]:
    values = list(map(attrgetter(get) if isinstance(get, str) else get, rows))
    if values and isinstance(values[0], Raw):
        return raw_json(values, "[" if name in _JSON_LISTS else "{")
    return values


def combine_pages(name: str, pages: list[pa.Table]) -> pa.Table:
    """Combine pages of a table, in the order of states."""
    return sort_states(pa.concat_tables([raw_schema(name).empty_table(), *pages]))
