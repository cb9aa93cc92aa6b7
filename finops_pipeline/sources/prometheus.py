"""Prometheus: what containers and volumes used, what nodes cost, and what was running.

One instant query per table, at the end of the window: each quantity is one line below, told apart
by a label of its name. Two rules hold in each line. ``max by`` comes first, since a second scraper,
a replica of kube-state-metrics or OpenCost itself may send every series twice. What a container
with the same name used before and after it was recreated (``id``) is added up.
"""

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, NamedTuple

import httpx
import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct, field

from finops_pipeline import http
from finops_pipeline.sources.reading import (
    Reading,
    check_clock,
    fetch_with_retries,
    parse_answer,
    raw_table,
)
from finops_pipeline.sources.retry import RetryBudget
from finops_pipeline.units import HOUR, WINDOW, rfc3339

_FEW = 10  # containers that ran all the time: one is enough, and OpenCost may lack some

# In every selector MATCHERS stands for the labels that tell this cluster's series from others.
_CONTAINER = "namespace, pod, container"
_RUNNING = '{container!="",container!="POD",pod!="",MATCHERS}'


def _recreations_added(expression: str) -> str:
    return f"sum by ({_CONTAINER}) (max by ({_CONTAINER}, id) ({expression}))"


def _largest(expression: str) -> str:
    return f"max by ({_CONTAINER}) ({expression})"


def _last_declared(metric: str, resource: str) -> str:
    return _largest(f'last_over_time({metric}{{resource="{resource}",pod!="",MATCHERS}}[15m])')


def _event_count(counter: str, identity: str) -> str:
    """Count whole events of the window: ``increase`` extrapolates and makes 1.07 of one restart.

    Counted from the last sample before the window, so that an event between two windows is not
    lost; a series that began in the window counts from its first sample.
    """
    selector = f'{counter}{{container!="",pod!="",MATCHERS}}[15m]'
    last, before, first = (
        f"max by ({_CONTAINER}, {identity}) ({function})"
        for function in (
            f"max_over_time({selector})",
            f"max_over_time({selector} offset 15m)",
            f"min_over_time({selector})",
        )
    )
    return f"sum by ({_CONTAINER}) (clamp_min({last} - ({before} or {first}), 0))"


def _oom_kills() -> str:
    """Take the larger of two counts: the kubelet forgets containers that end between scrapes."""
    events = _event_count("container_oom_events_total", "id")
    restarts = _event_count("kube_pod_container_status_restarts_total", "uid")
    reasons = "max_over_time(kube_pod_container_status_last_terminated_reason{SELECTOR}[15m]) > 0"
    killed = _largest(reasons.replace("SELECTOR", 'reason="OOMKilled",MATCHERS'))
    ended = _largest(reasons.replace("SELECTOR", "MATCHERS"))
    on = f"and on ({_CONTAINER})"
    by_reason = f"(({restarts} {on} {killed}) or (0 * {restarts} {on} {ended}) or {restarts} == 0)"
    return f"(({events} > {by_reason}) or {by_reason} or {events})"


def _gpu() -> str:
    """Average the GPUs kept busy; the exporter's labels hide the container's unless honoured."""
    metric = "avg_over_time(DCGM_FI_DEV_GPU_UTIL{SELECTOR,MATCHERS}[15m])"
    renamed = metric.replace("SELECTOR", 'exported_pod!=""')
    for label in ("namespace", "pod", "container"):
        renamed = f'label_replace({renamed}, "{label}", "$1", "exported_{label}", "(.*)")'
    honoured = metric.replace("SELECTOR", 'exported_pod="",pod!=""')
    return (
        f"sum by ({_CONTAINER}) (max by ({_CONTAINER}, gpu, UUID) ({honoured} or {renamed})) / 100"
    )


def _network(metric: str) -> str:
    selector = '{pod!="",interface!="lo",MATCHERS}'
    increase = f"increase({metric}{selector}[15m])"
    return f"sum by (namespace, pod) (max by (namespace, pod, interface) ({increase}))"


def _of_claim(metric: str) -> str:
    selector = '{persistentvolumeclaim!="",MATCHERS}'
    return f"max by (namespace, persistentvolumeclaim) (avg_over_time({metric}{selector}[15m]))"


def _of_node(metric: str, function: str = "avg_over_time") -> str:
    """Average a price; where relabelling dropped ``node``, OpenCost's ``instance`` is the same."""
    named = f'{function}({metric}{{node!="",MATCHERS}}[15m])'
    unnamed = f'{function}({metric}{{node="",MATCHERS}}[15m])'
    renamed = f'label_replace({unnamed}, "node", "$1", "instance", "(.*)")'
    return f"max by (node) ({named} or {renamed})"


def _owners(selector: str = "") -> str:
    return f'last_over_time(kube_pod_owner{{pod!="",{selector}MATCHERS}}[15m])'


def _sample_ratio(metric: str) -> str:
    """Divide samples of the longest series by those of the best window of the hour.

    Names of scrape jobs, and so ``up``, differ between installations; these series do not.
    """
    here = f"max(count_over_time({metric}{{MATCHERS}}[15m]))"
    best = f"max(max_over_time(count_over_time({metric}{{MATCHERS}}[15m])[1h:15m]))"
    return f"({here} or vector(0)) / {best}"


_CPU = f"container_cpu_usage_seconds_total{_RUNNING}"
_MEMORY = f"container_memory_working_set_bytes{_RUNNING}[15m]"
_SAMPLES = _recreations_added(f"count_over_time({_MEMORY})")
_THROTTLED = f"increase(container_cpu_cfs_throttled_periods_total{_RUNNING}[15m])"
_PERIODS = f"increase(container_cpu_cfs_periods_total{_RUNNING}[15m])"
_TOTAL_COST = "node_total_hourly_cost"
_RAN = 'kube_pod_container_status_running{container!="",MATCHERS}'
_NODE_SAMPLES = _of_node(_TOTAL_COST, "count_over_time")
_CONTROLLED = 'owner_kind=~"ReplicaSet|StatefulSet|DaemonSet|Job",'  # those that OpenCost names

QUERIES = {
    "raw.container_usage": {
        "cpu_used_core_seconds": _recreations_added(f"increase({_CPU}[15m])"),
        # The first rate reaches back to the start of the window; the second belongs to Prometheus
        # 3, which leaves out the left end.
        "cpu_max_cores": _largest(f"max_over_time(rate({_CPU}[5m])[10m1s:1m])"),
        "memory_mean_bytes": f"{_recreations_added(f'sum_over_time({_MEMORY})')} / {_SAMPLES}",
        "memory_max_bytes": _largest(f"max_over_time({_MEMORY})"),
        "sample_count": _SAMPLES,
        "gpu_mean_ratio": _gpu(),
        "cpu_request_cores": _last_declared("kube_pod_container_resource_requests", "cpu"),
        "memory_request_bytes": _last_declared("kube_pod_container_resource_requests", "memory"),
        "cpu_limit_cores": _last_declared("kube_pod_container_resource_limits", "cpu"),
        "memory_limit_bytes": _last_declared("kube_pod_container_resource_limits", "memory"),
        "cpu_throttled_ratio": (
            f"{_recreations_added(_THROTTLED)} / {_recreations_added(_PERIODS)}"
        ),
        "restart_count": _event_count("kube_pod_container_status_restarts_total", "uid"),
        "oom_kill_count": _oom_kills(),
        "network_transmit_bytes": _network("container_network_transmit_bytes_total"),
        "network_receive_bytes": _network("container_network_receive_bytes_total"),
    },
    "raw.volume_usage": {
        "used_bytes": _of_claim("kubelet_volume_stats_used_bytes"),
        "capacity_bytes": _of_claim("kubelet_volume_stats_capacity_bytes"),
    },
    "raw.price": {
        "cpu_core_hour_price": _of_node("node_cpu_hourly_cost"),
        "memory_gib_hour_price": _of_node("node_ram_hourly_cost"),
        "gpu_hour_price": _of_node("node_gpu_hourly_cost"),
        "node_hour_price": _of_node(_TOTAL_COST),
        "storage_gib_hour_price": (
            "max by (persistentvolume) "
            '(avg_over_time(pv_hourly_cost{persistentvolume!="",MATCHERS}[15m]))'
        ),
        "load_balancer_hour_price": (
            "max by (namespace, service_name) "
            '(avg_over_time(kubecost_load_balancer_cost{service_name!="",MATCHERS}[15m]))'
        ),
    },
    "presence": {
        "running_sample_count": _largest(f"sum_over_time({_RAN}[15m])"),
        # Ran when the window began and at every sample since; a few are enough.
        "whole_sample_count": (
            f"topk({_FEW}, {_largest(f'sum_over_time({_RAN}[15m]) and ({_RAN} offset 15m == 1)')}"
            f" >= scalar(max(count_over_time({_RAN}[15m]))))"
        ),
        # Pods that are over keep their owner; only those that ran have rows.
        "controlled_pod_count": (
            f"count(max by (namespace, pod) (sum_over_time({_RAN}[15m]) > 1)"
            f" and on (namespace, pod) {_owners(_CONTROLLED)})"
            f" or 0 * count({_owners()})"
        ),
        "opencost_sample_ratio": _sample_ratio("node_cpu_hourly_cost"),
        "kube_state_sample_ratio": _sample_ratio("kube_pod_container_status_running"),
        # Over all samples, so that a node counts for as long as it was there.
        "mean_node_hour_price": (
            f"sum({_of_node(_TOTAL_COST, 'sum_over_time')}) / sum({_NODE_SAMPLES})"
        ),
        "whole_node_count": f"count({_NODE_SAMPLES} >= scalar(max({_NODE_SAMPLES})))",
    },
}

_MOST = 1e18  # no cluster has more bytes
_LONGEST_URL = 2_000  # longer queries are sent as a form: servers refuse URLs from about 8,000
_INFO = "PromQL info"  # a remark on a query, not on its answer


@dataclass(frozen=True)
class Presence:
    """Containers, pods and nodes that Prometheus saw of one cluster in one window.

    Args:
        running_sample_count: samples at which a container ran, by (namespace, pod, container).
        ran_throughout: a few containers that ran from the first instant to the last.
        controlled_pod_count: pods that ran and belong to a controller OpenCost names; None when
            Kubernetes' owners are not known.
        opencost_sample_ratio: scrapes of OpenCost's prices over those of the best window of the
            hour, 0 to 1; None when there were none at all.
        kube_state_sample_ratio: the same of which containers run.
        mean_node_hour_price: what a node cost, averaged over nodes and window [currency per hour].
        whole_node_count: nodes that were there all the time.
        warning: the server doubts that it has everything.
    """

    running_sample_count: Mapping[tuple[str, ...], float]
    ran_throughout: Collection[tuple[str, ...]] = ()
    controlled_pod_count: float | None = None
    opencost_sample_ratio: float | None = None
    kube_state_sample_ratio: float | None = None
    mean_node_hour_price: float | None = None
    whole_node_count: float = 0.0
    warning: str | None = None


class _Labels(Struct, gc=False):
    quantity: str
    namespace: str = ""
    pod: str = ""
    container: str = ""
    claim: str = field(default="", name="persistentvolumeclaim")
    node: str = ""
    volume: str = field(default="", name="persistentvolume")
    service: str = field(default="", name="service_name")


class _Sample(Struct, gc=False):
    metric: _Labels
    value: tuple[float, str]


class _Data(Struct):
    result: list[_Sample]


class _Answer(Struct):
    status: str
    data: _Data | None = None
    error_type: str = field(default="", name="errorType")
    error: str = ""
    warnings: list[str] = []


_ANSWER = msgspec.json.Decoder(_Answer)

_Key = tuple[str, ...]
_Values = dict[str, dict[_Key, float]]


class _Vector(NamedTuple):
    """Values by quantity and key; what the server warned of."""

    by_quantity: _Values
    warnings: list[str]


class _Part(NamedTuple):
    """Rows of a raw table; what the server warned of; how far its clock is ahead."""

    rows: pa.Table
    warnings: list[str]
    clock_difference: timedelta | None


def read_window(
    client: httpx.Client,
    cluster: str,
    start: datetime,
    fetched_at: datetime,
    matchers: str = "",
    budget: RetryBudget | None = None,
) -> Reading:
    """Read ``raw.container_usage``, ``raw.volume_usage`` and ``raw.price`` of one window.

    A series Prometheus does not have is null. Where it warns that an answer may lack some, the
    reading is degraded.

    Args:
        client: its base URL is the Prometheus of the cluster.
        cluster: name in the settings.
        start: first instant of the window, UTC, on the quarter hour.
        fetched_at: now, UTC.
        matchers: labels of this cluster's series where several share one Prometheus, such as
            ``cluster="prod"``.
        budget: of retries in the tick.

    Raises:
        ServerUnavailable: no answer in time, 429 or a 5xx.
        ServerRejected: any other status.
        ServerMalformed: not the JSON we know, or of another time.
        ServerClockDiffers: its clock and ours are minutes apart.
    """

    def fetch(seconds_left: Callable[[], float]) -> list[_Part]:
        return [_read(client, name, cluster, start, matchers, seconds_left()) for name in _ROWS]

    parts = fetch_with_retries(cluster, fetch, budget)
    warnings = [warning for part in parts for warning in part.warnings]
    return Reading(
        cluster,
        start,
        fetched_at,
        {name: part.rows for name, part in zip(_ROWS, parts, strict=True)},
        is_degraded=bool(warnings),
        reason=f"Prometheus warned: {warnings[0]}" if warnings else None,
        clock_difference=parts[0].clock_difference,
    )


def read_presence(
    client: httpx.Client,
    cluster: str,
    start: datetime,
    matchers: str = "",
    budget: RetryBudget | None = None,
) -> Presence:
    """Read what Prometheus saw of one window, to judge OpenCost's answer by.

    Args:
        client: its base URL is the Prometheus of the cluster.
        cluster: name in the settings.
        start: first instant of the window, UTC, on the quarter hour.
        matchers: as in :func:`read_window`.
        budget: of retries in the tick.

    Raises:
        ServerError: as in :func:`read_window`.
    """

    def fetch(seconds_left: Callable[[], float]) -> _Vector:
        answer = _fetch(client, QUERIES["presence"], start, matchers, seconds_left())
        return parse_answer(
            answer, lambda body: _parse_vector(body, QUERIES["presence"], _container_key, start)
        )

    vector = fetch_with_retries(cluster, fetch, budget)
    by_quantity, cluster_wide = vector.by_quantity, ("", "", "")
    return Presence(
        running_sample_count=by_quantity["running_sample_count"],
        ran_throughout=by_quantity["whole_sample_count"].keys(),
        controlled_pod_count=by_quantity["controlled_pod_count"].get(cluster_wide),
        opencost_sample_ratio=by_quantity["opencost_sample_ratio"].get(cluster_wide),
        kube_state_sample_ratio=by_quantity["kube_state_sample_ratio"].get(cluster_wide),
        mean_node_hour_price=by_quantity["mean_node_hour_price"].get(cluster_wide),
        whole_node_count=by_quantity["whole_node_count"].get(cluster_wide, 0.0),
        warning=vector.warnings[0] if vector.warnings else None,
    )


def query(quantities: Mapping[str, str], matchers: str = "") -> str:
    """Return a single PromQL expression for several quantities."""
    lines = (
        f'label_replace({expression}, "quantity", "{name}", "", "")'
        for name, expression in quantities.items()
    )
    return "\nor ".join(lines).replace("MATCHERS", matchers)


def _read(
    client: httpx.Client,
    name: str,
    cluster: str,
    start: datetime,
    matchers: str,
    seconds_left: float,
) -> _Part:
    answer = _fetch(client, QUERIES[name], start, matchers, seconds_left)
    vector = parse_answer(
        answer, lambda body: _parse_vector(body, QUERIES[name], _KEYS[name], start)
    )
    rows = parse_answer(
        answer, lambda _: raw_table(name, cluster, start, _ROWS[name](vector.by_quantity))
    )
    return _Part(rows, vector.warnings, answer.clock_difference)


def _fetch(
    client: httpx.Client,
    quantities: Mapping[str, str],
    start: datetime,
    matchers: str,
    seconds_left: float,
) -> http.Answer:
    form = {"query": query(quantities, matchers), "time": rfc3339(start + WINDOW)}
    send = http.get if len(form["query"]) < _LONGEST_URL else http.post_form
    return check_clock(send(client, "/api/v1/query", form, deadline_seconds=seconds_left))


def _parse_vector(
    body: bytes, quantities: Mapping[str, str], key: Callable[[_Labels], _Key], start: datetime
) -> _Vector:
    body.decode()  # refuses what is not UTF-8: msgspec does not look into what it skips
    answer, end = _ANSWER.decode(body), start + WINDOW
    if answer.status != "success" or answer.data is None:
        raise ValueError(f"an error document, {answer.error_type or 'without type'}")
    samples = answer.data.result
    if any(sample.value[0] != end.timestamp() for sample in samples):
        raise ValueError(f"asked for {rfc3339(end)}, got another time")
    by_quantity: _Values = {name: {} for name in quantities}
    for sample in samples:
        values, value = by_quantity.get(sample.metric.quantity), _number(sample.value[1])
        if values is None:
            raise ValueError(f"did not ask for {sample.metric.quantity!r}")
        if math.isfinite(value):  # "NaN" and "+Inf" come from a division by zero: not known
            if not 0 <= value <= _MOST:
                raise ValueError(f"{sample.metric.quantity} cannot be {value}")
            if values.setdefault(key(sample.metric), value) != value:
                raise ValueError(f"{sample.metric.quantity} of {key(sample.metric)} is given twice")
    return _Vector(by_quantity, [text for text in answer.warnings if not text.startswith(_INFO)])


def _number(text: str) -> float:
    if "_" in text or not text.isascii():  # Python reads 1_5 as 15
        raise ValueError(f"not a number: {text!r}")
    return float(text)


def _container_key(labels: _Labels) -> _Key:
    return labels.namespace, labels.pod, labels.container


def _claim_key(labels: _Labels) -> _Key:
    return labels.namespace, labels.claim


def _price_key(labels: _Labels) -> _Key:
    if labels.service:
        return "load_balancer", f"{labels.namespace}/{labels.service}"
    return ("node", labels.node) if labels.node else ("volume", labels.volume)


def _columns(by_quantity: _Values, key_names: tuple[str, ...]) -> dict[str, Any]:
    """Return the keys, sorted, then each quantity in their order."""
    keys = sorted(set().union(*by_quantity.values()))
    key_columns = zip(*keys, strict=True) if keys else ([] for _ in key_names)
    return dict(zip(key_names, key_columns, strict=True)) | {
        name: pa.array([values.get(key) for key in keys], pa.float64())
        for name, values in by_quantity.items()
    }


def _container_usage(by_quantity: _Values) -> dict[str, Any]:
    columns = _columns(by_quantity, ("namespace", "pod", "container"))
    counts, gpu_ratio = columns.pop("sample_count"), columns.pop("gpu_mean_ratio")
    if pc.max(counts).as_py() == 0:
        raise ValueError("rows of containers without a sample")
    hours = pc.multiply(counts, pc.divide(WINDOW / HOUR, pc.max(counts)))
    used = pc.divide(columns.pop("cpu_used_core_seconds"), HOUR.total_seconds())
    return columns | {
        "observed_hours": hours,
        "cpu_used_core_hours": used,
        "cpu_mean_cores": pc.divide(used, hours),
        "memory_used_byte_hours": pc.multiply(columns["memory_mean_bytes"], hours),
        "gpu_used_hours": pc.multiply(gpu_ratio, hours),
    }


def _volume_usage(by_quantity: _Values) -> dict[str, Any]:
    return _columns(by_quantity, ("namespace", "volume_claim"))


def _price(by_quantity: _Values) -> dict[str, Any]:
    return _columns(by_quantity, ("price_kind", "name"))


_KEYS = {
    "raw.container_usage": _container_key,
    "raw.volume_usage": _claim_key,
    "raw.price": _price_key,
}
_ROWS = {
    "raw.container_usage": _container_usage,
    "raw.volume_usage": _volume_usage,
    "raw.price": _price,
}
TABLES = tuple(_ROWS)
