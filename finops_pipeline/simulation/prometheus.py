"""The pretend cluster in Prometheus' dialect, for the pipeline's own queries only.

A query of the pipeline names the quantities it asks for (``"quantity", "cpu_used_core_seconds"``);
those names are found in its text and answered for the quarter hour that ends at the query's time.
PromQL itself is not understood.
"""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec
import numpy as np

from finops_pipeline.errors import FinopsError
from finops_pipeline.simulation.answer import Answer, not_found
from finops_pipeline.simulation.catalog import LOAD_BALANCER_PRICE
from finops_pipeline.simulation.cluster import Cluster, Run, Window, storage_price
from finops_pipeline.simulation.schedule import WINDOW_MINUTES, minute
from finops_pipeline.simulation.usage import Floats

_QUANTITY: Final = re.compile(r'"quantity"\s*,\s*"(\w*)"')
_ENCODER: Final = msgspec.json.Encoder()
# A head is the JSON of a sample up to its quantity: the only part that differs between quantities.
_Samples = Iterable[tuple[str, float]]
_VERSION: Final = {
    "version": "2.42.0",
    "revision": "pretend",
    "branch": "HEAD",
    "buildUser": "",
    "buildDate": "20230131-12:00:00",
    "goVersion": "go1.19",
}


class BadQuery(FinopsError):
    """A query that the pretend Prometheus cannot answer."""


def answer(cluster: Cluster, path: str, params: Mapping[str, str], now: datetime) -> Answer:
    """Answer one request; GET and POST parameters are the same.

    Args:
        cluster: the model.
        path: below the server's root, such as ``/api/v1/query``.
        params: decoded query or form parameters.
        now: the time of a query without one; what comes later is not answered.
    """
    if path in ("/-/ready", "/-/healthy"):
        return Answer(b"Prometheus Server is Ready.\n", content_type="text/plain; charset=utf-8")
    if path == "/api/v1/status/buildinfo":
        return Answer(_ENCODER.encode({"status": "success", "data": _VERSION}))
    if path != "/api/v1/query":
        return not_found()
    try:
        at = _time(params.get("time", ""), now)
        return Answer(query(cluster, params.get("query", ""), at, now))
    except BadQuery as error:
        document = {"status": "error", "errorType": "bad_data", "error": str(error)}
        return Answer(_ENCODER.encode(document), 400)


def query(cluster: Cluster, text: str, at: datetime, now: datetime) -> bytes:
    """Return the vector of all quantities that a query names.

    Raises:
        BadQuery: it names none, or one that does not exist.
    """
    names = list(dict.fromkeys(_QUANTITY.findall(text)))
    if not names:
        raise BadQuery('invalid parameter "query": the pretend Prometheus answers quantities only')
    if unknown := [name for name in names if name not in QUANTITIES]:
        raise BadQuery(f'invalid parameter "query": unknown quantities {unknown}')
    end = min(minute(at), minute(now))
    samples: list[str] = []
    if minute(at) - WINDOW_MINUTES < end and end - WINDOW_MINUTES >= cluster.first_minute:
        view = _View(cluster, cluster.window(minute(at) - WINDOW_MINUTES, end))
        tail = f'"}},"value":[{_number(at)},"'
        for name in names:
            middle = name + tail
            samples += [f'{head}{middle}{value!r}"]}}' for head, value in QUANTITIES[name](view)]
    result = ",".join(samples)
    document = f'{{"status":"success","data":{{"resultType":"vector","result":[{result}]}}}}'
    return document.encode()


def _number(at: datetime) -> str:
    seconds = at.timestamp()
    return str(int(seconds)) if seconds.is_integer() else f"{seconds:.3f}"


def _time(text: str, now: datetime) -> datetime:
    if not text:
        return now
    try:
        return datetime.fromtimestamp(float(text), UTC)
    except (ValueError, OverflowError):
        pass
    try:
        return datetime.fromisoformat(text).astimezone(UTC)
    except ValueError:
        message = f'invalid parameter "time": cannot parse "{text}" to a valid timestamp'
        raise BadQuery(message) from None


class _View(NamedTuple):
    """The cluster and the window that quantities are computed from."""

    cluster: Cluster
    window: Window

    def containers(self, values: Floats) -> _Samples:
        """Return a sample per container; NaN is a metric that does not exist."""
        is_present = np.isfinite(values)
        runs = self.window.runs
        heads = [_container_head(runs[i]) for i in np.flatnonzero(is_present).tolist()]
        return zip(heads, values[is_present].tolist(), strict=True)

    def pods(self, rates: Floats) -> _Samples:
        """Return a sample per pod, of bytes per second of its containers."""
        totals: dict[str, float] = {}
        for run, value in zip(
            self.window.runs, (rates * self.window.minutes).tolist(), strict=True
        ):
            head = _pod_head(run)
            totals[head] = totals.get(head, 0.0) + value * 60
        return totals.items()

    def claims(self, *, is_used: bool) -> _Samples:
        """Yield a sample per mounted claim; the kubelet knows no others."""
        slots = {run.pod.slot.index: run.pod.slot for run in self.window.runs}
        for slot in slots.values():
            if slot.claim is not None:
                used = self.cluster.used_bytes(slot.claim, self.window.start)
                head = _head(namespace=slot.claim.namespace, persistentvolumeclaim=slot.claim.name)
                yield head, used if is_used and used else slot.claim.size_bytes

    def nodes(self, attribute: str) -> _Samples:
        """Return a price per node."""
        return [
            (_head(node=node.name), float(getattr(node.pool, attribute)))
            for node in self.window.nodes
        ]

    def volumes(self) -> _Samples:
        """Return a price per volume."""
        return [
            (_head(persistentvolume=claim.volume), storage_price(claim))
            for claim in self.cluster.claims(self.window.start)
        ]

    def balancers(self) -> _Samples:
        """Return a price per load balancer."""
        return [
            (_head(namespace=entry.namespace, service_name=entry.service), LOAD_BALANCER_PRICE)
            for entry in self.cluster.catalog.load_balancers
        ]

    def whole_containers(self) -> _Samples:
        """Return a sample per container that ran from the first minute to the last."""
        minutes = self.window.minutes
        return self.containers(np.where(minutes >= WINDOW_MINUTES, minutes, np.nan))

    def controlled_pods(self) -> float:
        """Return the number of pods that ran and belong to a controller."""
        pods = {run.pod.name: run.pod.slot for run in self.window.runs}
        return float(sum(slot.workload.kind != "pod" for slot in pods.values()))

    def mean_node_hour_price(self) -> float:
        """Return currency per hour of a node, each counted for as long as it was there."""
        prices, minutes = self.window.node_prices("hour_price"), self.window.node_minutes
        return float((prices * minutes).sum() / minutes.sum())

    def whole_nodes(self) -> float:
        """Return the number of nodes that were there longest."""
        minutes = self.window.node_minutes
        return float((minutes >= minutes.max()).sum())

    def single(self, value: float) -> _Samples:
        """Return a single sample without labels."""
        return [(_head(), value)]


# How each quantity of the pipeline's queries is computed.
QUANTITIES: Final[dict[str, Callable[[_View], _Samples]]] = {
    **dict.fromkeys(
        ("container_cpu", "container_memory", "container_running", "container_requests"),
        lambda v: v.single(float(len(v.window.runs))),
    ),
    "node_price": lambda v: v.single(float(len(v.window.nodes))),
    "copies": lambda v: v.single(1.0),
    "cpu_used_core_seconds": lambda v: v.containers(v.window.usage.cpu * v.window.minutes * 60),
    "cpu_max_cores": lambda v: v.containers(v.window.usage.cpu_max),
    "memory_mean_bytes": lambda v: v.containers(v.window.usage.memory),
    "memory_max_bytes": lambda v: v.containers(v.window.usage.memory_max),
    "sample_count": lambda v: v.containers(v.window.minutes),
    "gpu_mean_ratio": lambda v: v.containers(v.window.usage.gpu),
    "cpu_request_cores": lambda v: v.containers(v.window.cpu_request),
    "memory_request_bytes": lambda v: v.containers(v.window.memory_request),
    "cpu_limit_cores": lambda v: v.containers(v.window.cpu_limit),
    "memory_limit_bytes": lambda v: v.containers(v.window.memory_limit),
    "cpu_throttled_ratio": lambda v: v.containers(v.window.usage.throttled),
    "restart_count": lambda v: v.containers(v.window.usage.restarts),
    "oom_kill_count": lambda v: v.containers(v.window.usage.oom_kills),
    "network_transmit_bytes": lambda v: v.pods(v.window.usage.sent),
    "network_receive_bytes": lambda v: v.pods(v.window.usage.received),
    "used_bytes": lambda v: v.claims(is_used=True),
    "capacity_bytes": lambda v: v.claims(is_used=False),
    "cpu_core_hour_price": lambda v: v.nodes("cpu_price"),
    "memory_gib_hour_price": lambda v: v.nodes("memory_price"),
    "gpu_hour_price": lambda v: v.nodes("gpu_price"),
    "node_hour_price": lambda v: v.nodes("hour_price"),
    "storage_gib_hour_price": lambda v: v.volumes(),
    "load_balancer_hour_price": lambda v: v.balancers(),
    "running_sample_count": lambda v: v.containers(v.window.minutes),
    "opencost_sample_ratio": lambda v: v.single(1.0),
    "kube_state_sample_ratio": lambda v: v.single(1.0),
    "whole_sample_count": lambda v: v.whole_containers(),
    "controlled_pod_count": lambda v: v.single(v.controlled_pods()),
    "mean_node_hour_price": lambda v: v.single(v.mean_node_hour_price()),
    "whole_node_count": lambda v: v.single(v.whole_nodes()),
}


@lru_cache(maxsize=1024)
def _head(**labels: str) -> str:
    metric = _ENCODER.encode(labels).decode()
    return '{"metric":' + metric[:-1] + (',"quantity":"' if labels else '"quantity":"')


# By run and not by its names: finding them again for each sample costs more than the sample.
@lru_cache(maxsize=4096)
def _container_head(run: Run) -> str:
    return _head(container=run.container, namespace=run.namespace, pod=run.pod.name)


@lru_cache(maxsize=4096)
def _pod_head(run: Run) -> str:
    return _head(namespace=run.namespace, pod=run.pod.name)
