"""Servers of one cluster: whether they answer, how plausibly, and what they lack."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from finops_pipeline.errors import ServerError, ServerMalformed
from finops_pipeline.installation.source_registry import (
    KUBERNETES,
    OPENCOST,
    Clients,
    kubernetes_api,
    open_clients,
)
from finops_pipeline.operations.doctor.finding import FAILED, OK, UNKNOWN, WARNING, Finding
from finops_pipeline.settings import Cluster
from finops_pipeline.sources import plausibility, probe
from finops_pipeline.sources.kubernetes.tables import INVENTORY
from finops_pipeline.sources.probe import Probe
from finops_pipeline.sources.reading import REPORTED_CLOCK_DIFFERENCE, Reading
from finops_pipeline.units import rfc3339

_ADDRESS = "correct its address, token or certificates in finops.toml, or start the server"

_WAY_IN = (
    "correct kubernetes_access and the kubeconfig or service account that it names, or start the"
    " server"
)
_LOG = "look into OpenCost's log, and at Why a window is implausible in docs/troubleshooting.md"

# Which series a line needs, and what to do when Prometheus has none of them.
_NEEDED: Mapping[str, tuple[tuple[str, ...], str]] = {
    "container_metrics": (
        ("container_cpu", "container_memory"),
        "let Prometheus scrape the kubelets' /metrics/cadvisor; usage is unknown until then",
    ),
    "kube_state_metrics": (
        ("container_running", "container_requests"),
        "install kube-state-metrics and let Prometheus scrape it; until then it stays unknown"
        " whether OpenCost leaves containers out",
    ),
    "opencost_metrics": (
        ("node_price",),
        "let Prometheus scrape OpenCost's /metrics each minute with honor_labels: true"
        " (deploy/opencost); until then OpenCost itself knows requests, not usage",
    ),
}


def examine_cluster(cluster: Cluster, window: datetime, now: datetime) -> Iterator[Finding]:
    """Yield the findings of one cluster.

    Args:
        cluster: its settings.
        window: first instant of the newest window that has settled.
        now: the time that is asked for.
    """
    try:
        with open_clients(cluster) as clients:
            servers = _Servers(clients, window, now)
            yield from servers.examine_opencost()
            yield from servers.examine_prometheus()
            if KUBERNETES.is_asked(cluster):
                yield from servers.examine_kubernetes()
    except ServerError as error:
        yield Finding(cluster.name, "connection", FAILED, str(error), _ADDRESS)


@dataclass(frozen=True)
class _Servers:
    clients: Clients
    window: datetime
    now: datetime

    def examine_opencost(self) -> Iterator[Finding]:
        """Examine whether OpenCost answers, and what its newest answer is worth."""
        try:
            server = probe.probe_opencost(self.clients.opencost)
        except ServerError as error:
            unknown = ("opencost_clock", "opencost_answer", "opencost_minutes")
            yield from self._unreachable("opencost", error, unknown)
        else:
            yield from self._server("opencost", server)
            yield from self._answer()

    def examine_prometheus(self) -> Iterator[Finding]:
        """Examine whether Prometheus answers, and has what is asked of it."""
        matchers = self.clients.cluster.promql_matchers()
        try:
            server = probe.probe_prometheus(self.clients.prometheus, self.now, matchers)
        except ServerError as error:
            unknown = ("prometheus_clock", *_NEEDED, "duplicated_series")
            yield from self._unreachable("prometheus", error, unknown)
        else:
            yield from self._server("prometheus", server)
            yield from self._metrics(server.series_counts)

    def examine_kubernetes(self) -> Iterator[Finding]:
        """Examine whether the Kubernetes API answers, and lets us list every kind."""
        try:
            with kubernetes_api(self.clients.cluster) as api:
                server = probe.probe_kubernetes(api)
        except ServerError as error:
            unknown = ("kubernetes_clock", "kubernetes_rights")
            yield from self._unreachable("kubernetes", error, unknown, _WAY_IN)
        else:
            yield from self._server("kubernetes", server)
            yield self._rights()

    def _rights(self) -> Finding:
        fix = "grant list as in deploy/kubernetes/reader; objects stay unknown until then"
        try:
            reading = KUBERNETES.read(self.clients, self.window, self.now, True)
        except ServerError as error:
            return self._finding("kubernetes_rights", FAILED, str(error), fix)
        kinds = reading.tables[INVENTORY].select(["kind", "failure"]).to_pylist()
        failures = {kind["kind"]: kind["failure"] for kind in kinds if kind["failure"]}
        if not failures:
            return self._finding("kubernetes_rights", OK, f"{len(kinds)} kinds can be listed")
        message = f"cannot list {', '.join(failures)}: {next(iter(failures.values()))}"
        return self._finding("kubernetes_rights", FAILED, message, fix)

    def _unreachable(
        self, name: str, error: ServerError, checks: Iterable[str], fix: str = _ADDRESS
    ) -> Iterator[Finding]:
        yield self._finding(name, FAILED, str(error), fix)
        for check in checks:
            yield self._finding(check, UNKNOWN, f"{name} does not answer")

    def _server(self, name: str, server: Probe) -> Iterator[Finding]:
        yield self._finding(name, OK, f"answers, version {server.version or 'unknown'}")
        yield self._clock(f"{name}_clock", server.clock_difference)

    def _clock(self, check: str, ahead: timedelta | None) -> Finding:
        if ahead is None:
            return self._finding(check, UNKNOWN, "does not tell the time")
        seconds = ahead.total_seconds()
        if abs(ahead) <= REPORTED_CLOCK_DIFFERENCE:
            return self._finding(check, OK, f"{round(seconds):+d} s from ours")
        return self._finding(
            check,
            FAILED,
            f"{round(seconds):+d} s from ours",
            "synchronise the clocks of both machines (NTP): windows are asked for by the time",
        )

    def _answer(self) -> Iterator[Finding]:
        try:
            reading = OPENCOST.read(self.clients, self.window, self.now, True)
        except ServerError as error:
            fix = _LOG if isinstance(error, ServerMalformed) else _ADDRESS
            yield self._finding("opencost_answer", FAILED, str(error), fix)
            yield self._finding("opencost_minutes", UNKNOWN, "there is no answer to judge")
            return
        yield self._plausibility(reading)
        yield self._minutes(reading)

    def _plausibility(self, reading: Reading) -> Finding:
        rows = reading.tables["raw.allocation"].num_rows
        message = f"{rows} rows for the window from {rfc3339(reading.window_start)}"
        if reading.is_degraded:
            return self._finding(
                "opencost_answer",
                FAILED,
                f"{message}, implausible: {reading.reason}",
                "look into OpenCost's log for queries that fail, and whether its Prometheus has"
                " everything; windows are read again after 1 h and 24 h",
            )
        if not reading.is_verified:
            return self._finding(
                "opencost_answer", UNKNOWN, f"{message}, unverified: {reading.reason}"
            )
        return self._finding("opencost_answer", OK, f"{message}, plausible")

    def _minutes(self, reading: Reading) -> Finding:
        ratio = reading.minutes_ratio
        if ratio is None:
            return self._finding(
                "opencost_minutes", UNKNOWN, "no container is known to have run all the time"
            )
        message = (
            f"containers that ran all the time are reported with {ratio * 15:.3g} of 15 minutes"
        )
        if ratio >= 1:
            return self._finding("opencost_minutes", OK, message)
        return self._finding("opencost_minutes", FAILED, message, plausibility.cure(ratio))

    def _metrics(self, counts: Mapping[str, float]) -> Iterator[Finding]:
        matchers = self.clients.cluster.promql_matchers()
        if matchers and not any(map(counts.get, probe.SERIES)):
            yield from self._useless_matchers(matchers)
            return
        for check, (series, fix) in _NEEDED.items():
            missing = [_metric(name) for name in series if not counts.get(name)]
            if missing:
                yield self._finding(check, FAILED, f"there is no {' and no '.join(missing)}", fix)
            else:
                count = min(counts[name] for name in series)
                yield self._finding(check, OK, f"at least {count:.0f} series of each")
        yield self._duplicates(counts.get("copies"))

    def _useless_matchers(self, matchers: str) -> Iterator[Finding]:
        yield self._finding(
            "prometheus_matchers",
            FAILED,
            f"no series of containers or nodes has {matchers}",
            "correct prometheus_matchers in finops.toml: labels of this cluster's series, as"
            " Prometheus shows them",
        )
        for check in (*_NEEDED, "duplicated_series"):
            yield self._finding(check, UNKNOWN, "prometheus_matchers select nothing")

    def _duplicates(self, copies: float | None) -> Finding:
        if copies is None:
            return self._finding("duplicated_series", UNKNOWN, "no series says who runs")
        if copies <= 1:
            return self._finding("duplicated_series", OK, "each container is measured once")
        return self._finding(
            "duplicated_series",
            WARNING,
            f"each container is measured {copies:.0f} times",
            "OpenCost exports them beside kube-state-metrics: that is fine here, but take max by"
            " before you sum in dashboards of your own; a third copy is a second"
            " kube-state-metrics: stop it",
        )

    def _finding(self, check: str, status: str, message: str, fix: str = "") -> Finding:
        return Finding(self.clients.cluster.name, check, status, message, fix)


def _metric(name: str) -> str:
    return probe.SERIES[name].partition("{")[0]
