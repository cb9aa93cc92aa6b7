"""Probes of the servers of a cluster, for the doctor: versions, clocks, and which metrics exist."""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from dataclasses import field as default
from datetime import datetime, timedelta

import httpx
import msgspec
from msgspec import Struct, field

from finops_pipeline import http
from finops_pipeline.errors import ServerError
from finops_pipeline.sources import prometheus
from finops_pipeline.sources.reading import parse_answer
from finops_pipeline.units import rfc3339

_SECONDS = 20.0  # people wait for the answer
_RUNNING = "kube_pod_container_status_running{MATCHERS}"

# Metrics without which something stays unknown: how many series of each there are now.
SERIES = {
    "container_cpu": 'container_cpu_usage_seconds_total{container!="",MATCHERS}',
    "container_memory": 'container_memory_working_set_bytes{container!="",MATCHERS}',
    "container_running": _RUNNING,
    "container_requests": "kube_pod_container_resource_requests{MATCHERS}",
    "node_price": "node_cpu_hourly_cost{MATCHERS}",
}
# Most containers are sent once; a second kube-state-metrics, or OpenCost itself, sends all again.
_COPIES = f"quantile(0.5, count by (namespace, pod, container) ({_RUNNING}))"
QUERY = {name: f"count({selector})" for name, selector in SERIES.items()} | {"copies": _COPIES}


@dataclass(frozen=True)
class Probe:
    """Facts that a server reports of itself.

    Args:
        version: as it calls itself; None where it does not say.
        clock_difference: how far its clock is ahead of ours; None where it does not say.
        series_counts: of a Prometheus, how many series it has now of each of :data:`SERIES`, and
            ``copies`` of the running containers of one; no entry where there are none.
    """

    version: str | None
    clock_difference: timedelta | None
    series_counts: Mapping[str, float] = default(default_factory=dict)


class _InstallInfo(Struct):
    version: str | None = None


class _BuildInfo(Struct):
    data: _InstallInfo


class _Version(Struct):
    git_version: str = field(name="gitVersion")


class _Labels(Struct):
    quantity: str


class _Sample(Struct):
    metric: _Labels
    value: tuple[float, str]


class _Data(Struct):
    result: list[_Sample]


class _Vector(Struct):
    data: _Data


def probe_opencost(client: httpx.Client) -> Probe:
    """Probe an OpenCost or Kubecost: its version and clock.

    Raises:
        ServerError: it does not answer as one.
    """
    answer = http.get(client, "/installInfo", {}, deadline_seconds=_SECONDS)
    info = parse_answer(answer, msgspec.json.Decoder(_InstallInfo).decode)
    return Probe(info.version, answer.clock_difference)


def probe_prometheus(client: httpx.Client, now: datetime, matchers: str) -> Probe:
    """Probe version, clock and series of a Prometheus, or of a server that speaks its language.

    Args:
        client: its base URL is the server.
        now: the time that is asked for.
        matchers: labels of one cluster's series, as in :func:`prometheus.read_window`.

    Raises:
        ServerError: it does not answer queries.
    """
    form = {"query": prometheus.query(QUERY, matchers), "time": rfc3339(now)}
    answer = http.post_form(client, "/api/v1/query", form, deadline_seconds=_SECONDS)
    counts = parse_answer(answer, _counts)
    return Probe(_prometheus_version(client), answer.clock_difference, counts)


def probe_kubernetes(client: httpx.Client) -> Probe:
    """Probe a Kubernetes API: its version and clock.

    Raises:
        ServerError: it does not answer as one.
    """
    answer = http.get(client, "/version", {}, deadline_seconds=_SECONDS)
    version = parse_answer(answer, msgspec.json.Decoder(_Version).decode)
    return Probe(version.git_version, answer.clock_difference)


def _counts(body: bytes) -> dict[str, float]:
    samples = msgspec.json.decode(body, type=_Vector).data.result
    counts = {sample.metric.quantity: float(sample.value[1]) for sample in samples}
    if not all(map(math.isfinite, counts.values())):
        raise ValueError(f"counts that are none: {counts}")
    return counts


def _prometheus_version(client: httpx.Client) -> str | None:
    try:
        answer = http.get(client, "/api/v1/status/buildinfo", {}, deadline_seconds=_SECONDS)
        return parse_answer(answer, msgspec.json.Decoder(_BuildInfo).decode).data.version
    except ServerError:  # Thanos and proxies have no such page
        return None
