"""The systems that are read for each cluster and window, and the raw tables that each fills."""

import ssl
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import datetime

import httpx
from pydantic import SecretStr

from finops_pipeline import http
from finops_pipeline.errors import ServerError, ServerRejected
from finops_pipeline.settings import Cluster
from finops_pipeline.sources import opencost, plausibility, prometheus
from finops_pipeline.sources.kubernetes import access as kubernetes_access
from finops_pipeline.sources.kubernetes import listing
from finops_pipeline.sources.kubernetes import tables as kubernetes_tables
from finops_pipeline.sources.prometheus import Presence
from finops_pipeline.sources.reading import Reading
from finops_pipeline.sources.retry import RetryBudget


@dataclass(frozen=True)
class Clients:
    """Connections to the servers of one cluster, for one tick.

    Args:
        cluster: its settings.
        opencost: asked for costs.
        prometheus: asked for usage, and whether the costs are plausible.
        retry_budget: how long, how often and how soon again they are asked.
        failures: errors of servers that are not asked again in this tick.
    """

    cluster: Cluster
    opencost: httpx.Client
    prometheus: httpx.Client
    retry_budget: RetryBudget = field(default_factory=RetryBudget)
    failures: list[ServerError] = field(default_factory=list)


@dataclass(frozen=True)
class Source:
    """A system whose answer about one window fills some raw tables together.

    Args:
        name: of the system, in lower case.
        tables: raw tables it fills.
        read: asks for one window, by its first instant; its other arguments are the time it is
            asked, and whether that is for the last time.
        heartbeat: of a source that can only say how things are now: the table that every reading
            fills. The others are there in the windows in which something changed.
        is_asked: whether a cluster has this source.
    """

    name: str
    tables: tuple[str, ...]
    read: Callable[[Clients, datetime, datetime, bool], Reading]
    heartbeat: str | None = None
    is_asked: Callable[[Cluster], bool] = lambda _: True

    @property
    def required_tables(self) -> tuple[str, ...]:
        """Names of the tables without which a window is missing."""
        return (self.heartbeat,) if self.heartbeat else self.tables


@contextmanager
def open_clients(cluster: Cluster, retry_budget: RetryBudget | None = None) -> Iterator[Clients]:
    """Open connections to the servers of a cluster, closed at the end.

    Args:
        cluster: its settings.
        retry_budget: of the tick; by default one without an end.

    Raises:
        ServerRejected: its settings make no connection, such as a ca_file without certificates.
    """
    try:
        costs, measures = _clients(cluster)
    except (OSError, ValueError, httpx.InvalidURL) as error:
        raise ServerRejected(
            f"cluster {cluster.name}: its settings do not work: {error}"
        ) from error
    with costs, measures:
        yield Clients(cluster, costs, measures, retry_budget or RetryBudget())


def _clients(cluster: Cluster) -> tuple[httpx.Client, httpx.Client]:
    verify = _verification(cluster)

    def client(url: str, token: SecretStr | None) -> httpx.Client:
        plain = token.get_secret_value() if token else None
        return http.client(url, token=plain, headers=cluster.headers, verify=verify)

    return (
        client(cluster.opencost_url, cluster.opencost_token),
        client(cluster.prometheus_url, cluster.prometheus_token),
    )


def _verification(cluster: Cluster) -> bool | ssl.SSLContext:
    """Return whom we trust, with the certificate that we show."""
    if cluster.verify and not (cluster.ca_file or cluster.client_certificate_file):
        return True
    context = ssl.create_default_context(cafile=cluster.ca_file)
    if not cluster.verify:
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    if cluster.client_certificate_file:
        context.load_cert_chain(cluster.client_certificate_file, cluster.client_key_file)
    return context


def _read_opencost(clients: Clients, window: datetime, at: datetime, is_last: bool) -> Reading:
    """Read OpenCost, and mark as implausible what Prometheus saw otherwise.

    Costs do not wait for Prometheus: when it cannot be asked, they are kept as unverified.
    """
    reading = opencost.read_window(
        clients.opencost, clients.cluster.name, window, at, clients.retry_budget
    )
    return plausibility.judge(reading, _presence(clients, window), is_last=is_last)


def _read_opencost_day(clients: Clients, day: datetime, at: datetime, _is_last: bool) -> Reading:
    name = clients.cluster.name
    return opencost.read_day(clients.opencost, name, day, at, clients.retry_budget)


def _presence(clients: Clients, window: datetime) -> Presence | None:
    if clients.failures:
        return None
    name, matchers = clients.cluster.name, clients.cluster.promql_matchers()
    try:
        return prometheus.read_presence(
            clients.prometheus, name, window, matchers, clients.retry_budget
        )
    except ServerError as error:
        clients.failures.append(error)
        return None


def _read_prometheus(clients: Clients, window: datetime, at: datetime, _is_last: bool) -> Reading:
    matchers = clients.cluster.promql_matchers()
    return prometheus.read_window(
        clients.prometheus, clients.cluster.name, window, at, matchers, clients.retry_budget
    )


def _read_kubernetes(clients: Clients, window: datetime, at: datetime, _is_last: bool) -> Reading:
    """List what exists now; connect only here, since finding the way in costs more than that."""
    with kubernetes_api(clients.cluster) as client:
        return listing.read_window(client, clients.cluster.name, window, at)


def kubernetes_api(cluster: Cluster) -> AbstractContextManager[httpx.Client]:
    """Open a connection to the Kubernetes API of a cluster that gives access to it.

    Raises:
        ServerRejected: on entering, when there is no way in.
    """
    if cluster.kubernetes_access == "in-cluster":
        return kubernetes_access.from_service_account(cluster.name)
    file, context = cluster.kubeconfig_file, cluster.kubeconfig_context
    return kubernetes_access.from_kubeconfig(cluster.name, file, context)


OPENCOST = Source("opencost", ("raw.allocation", "raw.asset"), _read_opencost)
PROMETHEUS = Source("prometheus", prometheus.TABLES, _read_prometheus)
KUBERNETES = Source(
    "kubernetes",
    kubernetes_tables.TABLES,
    _read_kubernetes,
    heartbeat=kubernetes_tables.INVENTORY,
    is_asked=lambda cluster: cluster.kubernetes_access != "none",
)
SOURCES = (OPENCOST, PROMETHEUS, KUBERNETES)
# Asked for days instead of windows, after all of these: see ``ingest/days.py``.
OPENCOST_DAY = Source("opencost", ("raw.source_daily",), _read_opencost_day)
