"""Facts planted in the pretend cluster, stated exactly, so that tests know what is true.

Instants follow from the anchor; the figures are those of the catalog.
"""

from dataclasses import dataclass
from datetime import date, datetime

from finops_pipeline.simulation import catalog
from finops_pipeline.simulation.catalog import (
    LOAD_BALANCER_PRICE,
    STORAGE_PRICES,
    Catalog,
    Container,
    Workload,
)
from finops_pipeline.simulation.schedule import day_minute, instant
from finops_pipeline.simulation.usage import used_ratio


@dataclass(frozen=True)
class Target:
    """A container of a workload."""

    namespace: str
    workload_kind: str
    workload: str
    container: str


@dataclass(frozen=True)
class Sized:
    """A container whose request is far from its mean usage; cores and bytes, None is no request."""

    target: Target
    cpu_request_cores: float | None
    cpu_usage_cores: float
    memory_request_bytes: float | None
    memory_usage_bytes: float


@dataclass(frozen=True)
class RightSized:
    """A workload whose requests were lowered at an instant, for each of its replicas."""

    target: Target
    at: datetime
    replicas: int
    cpu_request_cores_before: float
    cpu_request_cores_after: float
    memory_request_bytes_before: float
    memory_request_bytes_after: float


@dataclass(frozen=True)
class CostChange:
    """Replicas and nodes that appear at ``start``; a step never ends (``end`` is None)."""

    target: Target
    start: datetime
    end: datetime | None
    replicas_added: int
    nodes_added: int
    node_cost_per_hour: float


@dataclass(frozen=True)
class Killed:
    """A container that is killed for memory every ``every_hours``, counted from 1970."""

    target: Target
    every_hours: float
    memory_limit_bytes: float


@dataclass(frozen=True)
class Restarting:
    """A container that restarts at random, on average once in so many hours."""

    target: Target
    every_hours: float


@dataclass(frozen=True)
class Throttled:
    """A container that needs about as much CPU as its limit allows."""

    target: Target
    cpu_limit_cores: float
    cpu_usage_cores: float


@dataclass(frozen=True)
class HalfEmpty:
    """Claims of a workload that were this full on the anchor day."""

    namespace: str
    workload: str
    claims: tuple[str, ...]
    size_bytes: float
    used_ratio: float
    storage_class: str


@dataclass(frozen=True)
class Unused:
    """A volume that no pod mounts; without ``claim`` it is orphaned."""

    volume: str
    namespace: str
    claim: str
    size_bytes: float
    storage_class: str
    since: datetime
    cost_per_hour: float


@dataclass(frozen=True)
class UnusedLoadBalancer:
    """A load balancer that leads to no pod."""

    namespace: str
    service: str
    cost_per_hour: float


@dataclass(frozen=True)
class Pool:
    """Machines of one kind."""

    name: str
    node_count: int
    node_cost_per_hour: float


@dataclass(frozen=True)
class Manifest:
    """Planted facts, as of the anchor day."""

    anchor: date
    over_requested: tuple[Sized, ...]
    under_requested: tuple[Sized, ...]
    without_requests: tuple[Sized, ...]
    right_sized: RightSized
    spike: CostChange
    step: CostChange
    oom_killed: Killed
    restarting: Restarting
    throttled: Throttled
    abandoned: Target
    off_hours: tuple[Target, ...]
    bare_pod: Target
    half_empty_volumes: tuple[HalfEmpty, ...]
    unused_volumes: tuple[Unused, ...]
    unused_load_balancer: UnusedLoadBalancer
    idle_nodes: Pool
    spot_nodes: Pool
    workday_nodes: Pool  # at most so many, from 06:00 to 21:00 UTC
    namespaces_without_team: tuple[str, ...]


def plant(anchor: date) -> Manifest:
    """Return the manifest of a cluster with this anchor; the seed changes nothing in it."""
    return _Planter(anchor, catalog.build()).manifest()


@dataclass(frozen=True)
class _Planter:
    """Looks the planted workloads up in the catalog."""

    anchor: date
    catalog: Catalog

    def manifest(self) -> Manifest:
        over = (("checkout", "coupons"), ("search", "suggest"))
        under = (("payments", "worker"), ("catalog", "images"))
        return Manifest(
            anchor=self.anchor,
            over_requested=tuple(self.sized(*name) for name in over),
            under_requested=tuple(self.sized(*name) for name in under),
            without_requests=(self.sized("sandbox", "demo-app"),),
            right_sized=self.right_sized("catalog", "pricing"),
            spike=self.cost_change("payments", "fraud", "surge"),
            step=self.cost_change("search", "vectors", "vector"),
            oom_killed=self.killed("data", "leaky-ingest"),
            restarting=self.restarting("staging", "flaky-preview"),
            throttled=self.throttled("payments", "statements"),
            abandoned=self.target("search", "synonyms"),
            off_hours=(self.target("ml", "notebooks"), self.target("data", "reports")),
            bare_pod=self.target("sandbox", "scratch"),
            half_empty_volumes=(
                self.half_empty("catalog", "catalog-db"),
                self.half_empty("ml", "features"),
            ),
            unused_volumes=tuple(self.unused()),
            unused_load_balancer=self.unused_load_balancer(),
            idle_nodes=self.pool("reserve"),
            spot_nodes=self.pool("spot"),
            workday_nodes=self.pool(catalog.DAY_POOL),
            namespaces_without_team=self.namespaces_without_team(),
        )

    def phases(self, namespace: str, name: str) -> list[Workload]:
        """Return the entries of a workload, the oldest first: more than one where it changed."""
        phases = [w for w in self.catalog.workloads if (w.namespace, w.name) == (namespace, name)]
        return sorted(phases, key=lambda workload: workload.born)

    def current(self, namespace: str, name: str) -> tuple[Target, Workload, Container]:
        """Return a workload as it is on the anchor day, with its first container."""
        *_, workload = [phase for phase in self.phases(namespace, name) if phase.gone > 0]
        container = workload.containers[0]
        return Target(namespace, workload.kind, name, container.name), workload, container

    def target(self, namespace: str, name: str) -> Target:
        return self.current(namespace, name)[0]

    def at(self, days: float) -> datetime:
        return instant(day_minute(self.anchor, days))

    def sized(self, namespace: str, name: str) -> Sized:
        target, _, container = self.current(namespace, name)
        memory_request = container.memory_request
        return Sized(
            target,
            container.cpu_request,
            container.cpu,
            None if memory_request is None else memory_request * 2**20,
            container.memory * 2**20,
        )

    def right_sized(self, namespace: str, name: str) -> RightSized:
        before, after = self.phases(namespace, name)
        old, new = before.containers[0], after.containers[0]
        return RightSized(
            target=self.target(namespace, name),
            at=self.at(after.born),
            replicas=after.replicas,
            cpu_request_cores_before=old.cpu_request or 0.0,
            cpu_request_cores_after=new.cpu_request or 0.0,
            memory_request_bytes_before=(old.memory_request or 0.0) * 2**20,
            memory_request_bytes_after=(new.memory_request or 0.0) * 2**20,
        )

    def cost_change(self, namespace: str, name: str, pool: str) -> CostChange:
        phase = self.phases(namespace, name)[-1]
        machines = [machine for machine in self.catalog.machines if machine.pool == pool]
        price = next(entry.hour_price for entry in self.catalog.pools if entry.name == pool)
        return CostChange(
            target=self.target(namespace, name),
            start=self.at(phase.born),
            end=None if phase.gone == catalog.FOREVER else self.at(phase.gone),
            replicas_added=phase.replicas,
            nodes_added=len(machines),
            node_cost_per_hour=price,
        )

    def killed(self, namespace: str, name: str) -> Killed:
        target, workload, container = self.current(namespace, name)
        return Killed(target, workload.oom_hours, (container.memory_limit or 0.0) * 2**20)

    def restarting(self, namespace: str, name: str) -> Restarting:
        target, workload, _ = self.current(namespace, name)
        return Restarting(target, workload.restart_hours)

    def throttled(self, namespace: str, name: str) -> Throttled:
        target, _, container = self.current(namespace, name)
        return Throttled(target, container.cpu_limit or 0.0, container.cpu)

    def half_empty(self, namespace: str, name: str) -> HalfEmpty:
        _, workload, _ = self.current(namespace, name)
        volume = workload.volume or catalog.Volume(0.0)
        claims = tuple(f"data-{name}-{i}" for i in range(workload.replicas))
        used = used_ratio(0, volume.used_ratio, 0.0, 0, 0)
        size = volume.size_gib * 2**30
        return HalfEmpty(namespace, name, claims, size, used, volume.storage_class)

    def unused(self) -> list[Unused]:
        return [
            Unused(
                volume=volume.name,
                namespace=volume.namespace,
                claim=volume.claim,
                size_bytes=volume.size_gib * 2**30,
                storage_class=volume.storage_class,
                since=self.at(volume.born),
                cost_per_hour=volume.size_gib * STORAGE_PRICES[volume.storage_class],
            )
            for volume in self.catalog.loose_volumes
        ]

    def unused_load_balancer(self) -> UnusedLoadBalancer:
        balancer = next(entry for entry in self.catalog.load_balancers if not entry.workload)
        return UnusedLoadBalancer(balancer.namespace, balancer.service, LOAD_BALANCER_PRICE)

    def pool(self, name: str) -> Pool:
        price = next(pool.hour_price for pool in self.catalog.pools if pool.name == name)
        return Pool(name, sum(machine.pool == name for machine in self.catalog.machines), price)

    def namespaces_without_team(self) -> tuple[str, ...]:
        """Return the namespaces in which neither the namespace nor a pod names a team."""
        spaces, workloads = self.catalog.namespaces, self.catalog.workloads
        with_team = {space.name for space in spaces if "team" in space.labels}
        with_team |= {workload.namespace for workload in workloads if "team" in workload.labels}
        return tuple(space.name for space in spaces if space.name not in with_team)
