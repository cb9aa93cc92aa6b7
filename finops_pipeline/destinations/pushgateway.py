"""Gauges in a Prometheus Pushgateway: one complete registry and one PUT per group.

A PUT replaces its group whole, so a namespace that is gone vanishes with the next push; a group
split over two pushes would lose the first. Groups never expire: :func:`delete` those of clusters
that are no longer read.
"""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from http.client import HTTPException
from urllib.error import HTTPError

from prometheus_client import delete_from_gateway, push_to_gateway
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.registry import Collector

from finops_pipeline import http
from finops_pipeline.errors import DeliveryError, ServerError, ServerUnavailable

JOB = "finops_pipeline"
_VALUE = "value"


@dataclass(frozen=True)
class Metric:
    """Gauge, as its file under ``sql/metrics`` computes it."""

    name: str
    help: str
    rows: Sequence[Mapping[str, object]]  # column ``value``; each other column is a label


@dataclass(frozen=True)
class Group(Collector):
    """Metrics that one PUT carries, and the labels they stand under besides the job."""

    grouping: Mapping[str, str]  # {"cluster": name}, or {} for what belongs to no cluster
    metrics: Sequence[Metric]

    def collect(self) -> Iterable[GaugeMetricFamily]:
        """Return a family per metric; the gateway itself adds the labels of the group."""
        return [_family(metric, self.grouping) for metric in self.metrics]


def groups(metrics: Iterable[Metric]) -> list[Group]:
    """Group metrics by cluster, and those without a column ``cluster`` in a group of their own.

    Pushed into the group of each cluster, the latter would be there once per cluster.
    """
    parts: dict[str | None, list[Metric]] = {}
    for metric in metrics:
        rows: dict[str | None, list[Mapping[str, object]]] = {}
        for row in metric.rows:
            rows.setdefault(_cluster(row), []).append(row)
        for cluster, cluster_rows in rows.items():
            parts.setdefault(cluster, []).append(replace(metric, rows=cluster_rows))
    return [
        Group({} if cluster is None else {"cluster": cluster}, cluster_metrics)
        for cluster, cluster_metrics in parts.items()
    ]


def push(url: str, groups: Sequence[Group], timeout_seconds: float = 10.0) -> None:
    """Replace each group in the gateway by what it is now.

    Args:
        url: of the gateway, with its path prefix if it has one.
        groups: complete; a metric left out is gone afterwards.
        timeout_seconds: for each group.

    Raises:
        DeliveryError: a value is no finite number; nothing was sent.
        ServerUnavailable: the gateway does not answer.
        ServerError: it refused a group; the others were sent all the same.
    """
    for group in groups:
        group.collect()
    refusals = [refusal for group in groups if (refusal := _put(url, group, timeout_seconds))]
    if refusals:
        raise type(refusals[0])("\n".join(map(str, refusals)))


def delete(url: str, grouping: Mapping[str, str], timeout_seconds: float = 10.0) -> None:
    """Remove a group; one that does not exist is fine.

    Raises:
        ServerError: the gateway does not answer, or refused.
    """
    message = f"{url}: could not delete group {dict(grouping)}"
    try:
        delete_from_gateway(url, JOB, dict(grouping), timeout_seconds)
    except HTTPError as error:
        with error:
            raise http.refusal(error.code, f"{message}: {error}") from error
    except (OSError, HTTPException) as error:
        raise ServerUnavailable(f"{message}: {error}") from error


def _put(url: str, group: Group, timeout_seconds: float) -> ServerError | None:
    """Send a group; return why the gateway refused it, if it did."""
    try:
        push_to_gateway(url, JOB, group, dict(group.grouping), timeout_seconds)
    except HTTPError as error:
        with error:
            reason = error.read(200).decode(errors="replace").strip()
        message = f"{url}: refused group {dict(group.grouping)}: status {error.code}: {reason}"
        return http.refusal(error.code, message)
    except (OSError, HTTPException) as error:
        raise ServerUnavailable(f"{url}: no answer: {error}") from error
    return None


def _family(metric: Metric, grouping: Mapping[str, str]) -> GaugeMetricFamily:
    labels = [name for name in (metric.rows or [{}])[0] if name not in {_VALUE, *grouping}]
    family = GaugeMetricFamily(metric.name, metric.help, labels=labels)
    for row in metric.rows:
        family.add_metric([_label(row[name]) for name in labels], _finite(metric, row))
    return family


def _cluster(row: Mapping[str, object]) -> str | None:
    return str(row["cluster"]) if "cluster" in row else None


def _label(value: object) -> str:
    """Format a label; Prometheus knows no null, an empty label is one that is not there."""
    return "" if value is None else str(value)


def _finite(metric: Metric, row: Mapping[str, object]) -> float:
    value = row[_VALUE]
    number = math.nan if value is None else float(str(value))
    if not math.isfinite(number):
        labels = {name: label for name, label in row.items() if name != _VALUE}
        raise DeliveryError(f"{metric.name} {labels}: {value} is not a finite number")
    return number
