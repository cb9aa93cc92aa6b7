"""Times at which nodes and pods of the pretend cluster start and end.

Every instant is a pure function of the seed and a running number, so that the pods of any window
are found without walking through the history before it. Times are whole minutes since 1970 (UTC).
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

from finops_pipeline.simulation import noise
from finops_pipeline.simulation.catalog import (
    DAY_POOL,
    FOREVER,
    RHYTHMS,
    Catalog,
    Container,
    Machine,
    NodePool,
    Volume,
    Workload,
)

DAY_MINUTES: Final = 1440
WINDOW_MINUTES: Final = 15
# Nodes come and go on the quarter hour, so that a window's price per node is one number.
_NODE_GRID: Final = WINDOW_MINUTES
_NODE_HOURS: Final = (6, 21)  # of a node that is there by day (UTC)
_WORKDAYS: Final = 5


def minute(instant: datetime) -> int:
    """Return the whole minutes since 1970 of an aware instant, rounded down."""
    return int(instant.timestamp() // 60)


def instant(minutes: int) -> datetime:
    """Return the instant of whole minutes since 1970, UTC."""
    return datetime.fromtimestamp(minutes * 60, tz=UTC)


def weekday(day: int) -> int:
    """Day of the week of a day counted since 1970, which began on a Thursday; Monday is 0."""
    return (day + 3) % 7


def day_minute(anchor: date, days: float) -> int:
    """Return the minute of an instant in days from the anchor, on the quarter hour."""
    start = datetime(anchor.year, anchor.month, anchor.day, tzinfo=UTC)
    quarters = round(days * DAY_MINUTES / WINDOW_MINUTES)
    return minute(start) + quarters * WINDOW_MINUTES


@dataclass(frozen=True)
class Renewals:
    """Endless row of instants, about ``period`` minutes apart."""

    key: int
    period: int
    grid: int = 1

    def start(self, number: int) -> int:
        """Return the minute of a renewal; each lies in the first half of its period."""
        wait = noise.below(max(1, self.period // (2 * self.grid)), self.key, number)
        return (number * self.period // self.grid + wait) * self.grid

    def number_at(self, at: int) -> int:
        """Return the number of the last renewal at or before a minute."""
        number = at // self.period + 1
        while self.start(number) > at:
            number -= 1
        return number


@dataclass(frozen=True, eq=False)
class Node:
    """A node during its life, ``[start, end)`` in minutes since 1970."""

    machine: int
    number: int
    name: str
    provider_id: str
    pool: NodePool
    zone: str
    start: int
    end: int


@dataclass(frozen=True)
class Place:
    """A machine of the catalog with its times: nodes stand there one after another."""

    index: int
    machine: Machine
    pool: NodePool
    born: int
    gone: int
    renewals: Renewals

    def number_at(self, at: int) -> int:
        """Return the number of the node that stands here at a minute."""
        if self.machine.workday_ratio is not None:
            return at // DAY_MINUTES
        return self.renewals.number_at(at)

    def has_node_on(self, day: int) -> bool:
        """Return whether an autoscaler adds a node here on a day, counted since 1970."""
        chance = noise.below(1000, self.renewals.key, "day", day) / 1000
        return weekday(day) < _WORKDAYS and chance < (self.machine.workday_ratio or 0.0)

    def node(self, number: int) -> Node:
        """Return the node of a number, clipped to the machine's own times."""
        start, end = self.renewals.start(number), self.renewals.start(number + 1)
        if self.machine.workday_ratio is not None:
            start, end = (number * DAY_MINUTES + hour * 60 for hour in _NODE_HOURS)
        octet = 10 + (37 * number + 11 * self.index) % 230
        return Node(
            machine=self.index,
            number=number,
            name=f"ip-10-0-{self.index}-{octet}.eu-west-1.compute.internal",
            provider_id="i-" + noise.hexadecimal(17, self.renewals.key, "node", number),
            pool=self.pool,
            zone=self.machine.zone,
            start=max(self.born, start),
            end=min(self.gone, end),
        )

    def nodes(self, start: int, end: int) -> Iterator[Node]:
        """Yield the nodes that stood here in ``[start, end)``, oldest first."""
        if self.machine.workday_ratio is not None:
            days = range(start // DAY_MINUTES, (end - 1) // DAY_MINUTES + 1)
            nodes = (self.node(day) for day in days if self.has_node_on(day))
            yield from (node for node in nodes if node.start < end and node.end > start)
            return
        at, end = max(start, self.born), min(end, self.gone)
        while at < end:
            node = self.node(self.number_at(at))
            yield node
            at = node.end


@dataclass(frozen=True)
class Claim:
    """A volume claim and its persistent volume."""

    namespace: str
    name: str
    volume: str
    provider_id: str
    size_bytes: float
    storage_class: str
    born: int
    shape: Volume | None = None  # None: no pod has ever mounted it
    phase: str = "Bound"


@dataclass(frozen=True)
class Slot:
    """A replica of a workload: the pods that take turns in it."""

    index: int
    key: int
    workload: Workload
    ordinal: int
    is_daytime: bool
    place: Place
    born: int
    gone: int
    rollouts: Renewals | None
    claim: Claim | None
    first_series: int  # number of its first container among all containers of all slots

    def shifts(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield the times with a pod that reach into ``[start, end)``: ever, by day, or per job."""
        if self.workload.kind == "cronjob":
            yield from self._jobs(start, end)
        elif self.workload.kind == "daemonset":
            yield from ((node.start, node.end) for node in self.place.nodes(start, end))
        elif self.is_daytime:
            yield from self._working_hours(start, end)
        elif self.born < end and self.gone > start:
            yield self.born, self.gone

    @property
    def job_offset(self) -> int:
        """Minutes after midnight (UTC) at which a CronJob first starts."""
        period = self.workload.every_minutes
        # A rare job would otherwise start at midnight together with all others.
        return noise.below(period // 15, self.key, "offset") * 15 if period >= 360 else 0

    def _jobs(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        period, longest = self.workload.every_minutes, self.workload.longest_minutes
        offset = self.job_offset
        for number in range((start - offset - longest) // period, (end - offset) // period + 1):
            begin = number * period + offset
            shortest = max(1, longest * 2 // 5)
            length = shortest + noise.below(longest - shortest + 1, self.key, number)
            if begin < end and begin + length > start and self.born <= begin < self.gone:
                yield begin, begin + length

    def _working_hours(self, start: int, end: int) -> Iterator[tuple[int, int]]:
        """Yield hours inside those of the node that an autoscaler adds for it, if it does."""
        for node in self.place.nodes(start, end):
            late = noise.below(30, self.key, "up", node.number)
            early = noise.below(30, self.key, "down", node.number)
            begin, finish = node.start + 20 + late, node.end - 20 - early
            if begin < end and finish > start:
                yield begin, finish


@dataclass(frozen=True, eq=False)
class Pod:
    """A pod during its life, ``[start, end)`` in minutes since 1970."""

    slot: Slot
    name: str
    start: int
    end: int
    node: Node
    template_hash: str  # of a Deployment's pod template; otherwise ''
    owner: str  # the ReplicaSet, Job, StatefulSet or DaemonSet; '' for a bare pod


def pods(slot: Slot, start: int, end: int) -> Iterator[Pod]:
    """Yield the pods of a slot that ran in ``[start, end)``: cut by shifts, rollouts and nodes."""
    for begin, finish in slot.shifts(start, end):
        at = max(begin, start)
        while at < min(finish, end):
            pod = _pod(slot, begin, finish, at)
            yield pod
            at = pod.end


def _pod(slot: Slot, begin: int, finish: int, at: int) -> Pod:
    node = slot.place.node(slot.place.number_at(at))
    first, last, number = max(begin, node.start), min(finish, node.end), 0
    if slot.rollouts is not None:
        delay = 2 * slot.ordinal  # replicas are replaced one after another
        number = slot.rollouts.number_at(at - delay)
        first = max(first, slot.rollouts.start(number) + delay)
        last = min(last, slot.rollouts.start(number + 1) + delay)
    return _build_pod(slot, begin, first, last, node, number)


def _build_pod(slot: Slot, begin: int, first: int, last: int, node: Node, number: int) -> Pod:
    base, suffix, kind = slot.workload.name, noise.name(5, slot.key, first), slot.workload.kind
    owner, template_hash = base, ""
    if kind == "deployment":
        # A changed template is another ReplicaSet, also between two phases of one workload.
        phase = round(slot.workload.born * DAY_MINUTES)
        template_hash = noise.name(10, slot.workload.namespace, base, phase, number)
        owner = f"{base}-{template_hash}"
    elif kind == "cronjob":
        owner = f"{base}-{begin}"
    names = {"statefulset": f"{base}-{slot.ordinal}", "pod": base}
    name = names.get(kind, f"{owner}-{suffix}")
    return Pod(slot, name, first, last, node, template_hash, "" if kind == "pod" else owner)


def places(catalog: Catalog, seed: int, anchor: date) -> list[Place]:
    """Return the machines of a catalog with their times."""
    pools = {pool.name: pool for pool in catalog.pools}
    return [
        Place(
            index,
            machine,
            pools[machine.pool],
            day_minute(anchor, machine.born),
            day_minute(anchor, machine.gone),
            Renewals(
                noise.key(seed, "machine", index),
                round(pools[machine.pool].renewal_days * DAY_MINUTES),
                _NODE_GRID,
            ),
        )
        for index, machine in enumerate(catalog.machines)
    ]


def most_cores(workload: Workload, container: Container) -> float:
    """Return the cores a container never exceeds on average over a quarter hour."""
    swing, _, weekend = RHYTHMS[workload.rhythm]
    most = container.cpu * (1 + swing) * max(weekend, 1.0) * 1.2
    return min(most, container.cpu_limit or FOREVER)


def most_memory_bytes(container: Container) -> float:
    """Return the bytes a container never exceeds on average over a quarter hour."""
    return min(container.memory * 1.25, container.memory_limit or FOREVER) * 2**20


@dataclass
class _Room:
    """Reservations of pods on one machine, so that no node is ever sold twice."""

    place: Place
    reservations: list[tuple[int, int, float, float, int]]  # born, gone, cores, bytes, GPUs

    def free(self, born: int, gone: int) -> tuple[float, float, int]:
        """Return the cores, bytes and GPUs that are free in all of ``[born, gone)``."""
        pool = self.place.pool
        rivals = [other for other in self.reservations if other[0] < gone and other[1] > born]
        return (
            pool.cores - sum(rival[2] for rival in rivals),
            pool.memory_gib * 2**30 - sum(rival[3] for rival in rivals),
            pool.gpus - sum(rival[4] for rival in rivals),
        )

    def has_room(self, pool: str, born: int, gone: int, need: tuple[float, float, int]) -> bool:
        """Return whether a replica may stand here for all of its life."""
        stands = self.place.born <= born and self.place.gone >= gone
        free = self.free(born, gone)
        is_enough = all(have >= want for have, want in zip(free, need, strict=True))
        return self.place.pool.name == pool and stands and is_enough


def slots(catalog: Catalog, places: list[Place], seed: int, anchor: date) -> list[Slot]:
    """Place every replica of every workload on a machine with room for the most it may be billed.

    Raises:
        ValueError: the catalog asks for more than its machines have.
    """
    rooms = [_Room(place, []) for place in places]
    slots: list[Slot] = []
    # DaemonSets run everywhere, so they take their room first.
    for workload in sorted(catalog.workloads, key=lambda workload: workload.kind != "daemonset"):
        for ordinal, (is_daytime, born) in enumerate(_replicas(workload, len(places))):
            begin, end = day_minute(anchor, born), day_minute(anchor, workload.gone)
            pool, eligible = DAY_POOL if is_daytime else workload.pool, rooms
            if workload.kind == "daemonset":
                own = rooms[ordinal].place
                pool, eligible, begin, end = own.pool.name, [rooms[ordinal]], own.born, own.gone
            place = _choose_place(workload, pool, eligible, begin, end)
            series = slots[-1].first_series + len(slots[-1].workload.containers) if slots else 0
            slots.append(
                _slot(len(slots), workload, ordinal, is_daytime, place, begin, end, seed, series)
            )
    return slots


def _replicas(workload: Workload, machine_count: int) -> Iterator[tuple[bool, float]]:
    count = machine_count if workload.kind == "daemonset" else workload.replicas
    yield from ((False, workload.born) for _ in range(count))
    yield from ((False, born) for born in workload.spare_replicas)
    yield from ((True, workload.born) for _ in range(workload.day_replicas))


def _choose_place(workload: Workload, pool: str, rooms: list[_Room], born: int, gone: int) -> Place:
    cores = sum(max(c.cpu_request or 0.0, most_cores(workload, c)) for c in workload.containers)
    memory = sum(
        max((c.memory_request or 0.0) * 2**20, most_memory_bytes(c)) for c in workload.containers
    )
    gpus = sum(c.gpus for c in workload.containers)
    need = (cores, memory, gpus)
    fitting = [room for room in rooms if room.has_room(pool, born, gone, need)]
    if not fitting:
        raise ValueError(f"no {pool} machine has room for {workload.name}")
    # The emptiest machine, as the default scheduler does; on equal terms the first.
    room = max(fitting, key=lambda room: (room.free(born, gone), -room.place.index))
    room.reservations.append((born, gone, *need))
    return room.place


def _slot(
    index: int,
    workload: Workload,
    ordinal: int,
    is_daytime: bool,
    place: Place,
    born: int,
    gone: int,
    seed: int,
    series: int,
) -> Slot:
    name = (workload.namespace, workload.name)
    is_rolled = workload.kind in ("deployment", "daemonset")
    period = round(workload.rollout_days * DAY_MINUTES)
    rollouts = Renewals(noise.key(seed, "rollout", *name), period) if is_rolled else None
    slot_key = noise.key(seed, "slot", *name, ordinal, int(workload.born * 96))
    return Slot(
        index=index,
        key=slot_key,
        workload=workload,
        ordinal=ordinal,
        is_daytime=is_daytime,
        place=place,
        born=born,
        gone=gone,
        rollouts=rollouts,
        claim=_claim(workload, ordinal, born, seed),
        first_series=series,
    )


def _claim(workload: Workload, ordinal: int, born: int, seed: int) -> Claim | None:
    if workload.volume is None:
        return None
    suffix = f"-{ordinal}" if workload.kind == "statefulset" else ""
    name = f"data-{workload.name}{suffix}"
    label = (seed, workload.namespace, name)
    return Claim(
        namespace=workload.namespace,
        name=name,
        volume=f"pvc-{noise.hexadecimal(8, *label)}-{workload.name}{suffix}",
        provider_id="vol-" + noise.hexadecimal(17, *label),
        size_bytes=workload.volume.size_gib * 2**30,
        storage_class=workload.volume.storage_class,
        born=born,
        shape=workload.volume,
    )


def loose_claims(catalog: Catalog, seed: int, anchor: date) -> list[Claim]:
    """Return the volumes that no pod mounts; those without a claim have no namespace and name."""
    return [
        Claim(
            volume.namespace,
            volume.claim,
            volume.name,
            "vol-" + noise.hexadecimal(17, seed, volume.name),
            volume.size_gib * 2**30,
            volume.storage_class,
            day_minute(anchor, volume.born),
            phase=volume.phase,
        )
        for volume in catalog.loose_volumes
    ]
