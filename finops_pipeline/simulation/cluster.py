"""The pure model of the pretend cluster: what ran in a window, on which node, for how long.

``Cluster.window`` answers for any window as arrays; the three dialects only write it down. Nothing
here knows what time it is: callers clip windows to their clock.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from functools import lru_cache
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from finops_pipeline.simulation import catalog, schedule
from finops_pipeline.simulation.catalog import HISTORY_DAYS, STORAGE_PRICES, LoadBalancer
from finops_pipeline.simulation.schedule import (
    DAY_MINUTES,
    WINDOW_MINUTES,
    Claim,
    Node,
    Place,
    Pod,
    Slot,
    day_minute,
)
from finops_pipeline.simulation.usage import Floats, Usage, profile, used_ratio

GIB: Final = 2**30
_Indices = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Run:
    """A container of a pod, while the pod lives."""

    pod: Pod
    index: int  # of the container in its pod

    @property
    def container(self) -> str:
        """Name of the container."""
        return self.pod.slot.workload.containers[self.index].name

    @property
    def namespace(self) -> str:
        """Namespace of its pod."""
        return self.pod.slot.workload.namespace


@dataclass(frozen=True, eq=False)
class Window:
    """Events and usage in ``[start, end)``; arrays have one entry per run.

    Averages are over the run's own ``minutes``, as OpenCost's are.
    """

    start: int
    end: int
    runs: Sequence[Run]
    minutes: Floats
    cpu_request: Floats  # cores; NaN without a request
    cpu_limit: Floats
    cpu_core_hours: Floats  # billed: the larger of request and usage
    memory_request: Floats  # bytes
    memory_limit: Floats
    memory_byte_hours: Floats  # billed
    gpus: Floats
    usage: Usage  # shape (runs,) each
    node_of: _Indices  # index into nodes
    nodes: Sequence[Node]
    node_minutes: Floats
    ghosts: Sequence[Run]  # ended when the window began: seen once more, at no cost

    @property
    def cpu_cost(self) -> Floats:
        """Currency per run, not rounded."""
        return self.cpu_core_hours * self.node_prices("cpu_price")[self.node_of]

    @property
    def memory_cost(self) -> Floats:
        """Currency per run, not rounded."""
        prices = self.node_prices("memory_price")[self.node_of]
        return self.memory_byte_hours / GIB * prices

    @property
    def gpu_hours(self) -> Floats:
        """GPU-hours per run."""
        return self.gpus * self.minutes / 60

    @property
    def gpu_cost(self) -> Floats:
        """Currency per run, not rounded."""
        return self.gpu_hours * self.node_prices("gpu_price")[self.node_of]

    def node_prices(self, attribute: str) -> Floats:
        """Return an attribute of each node's pool, such as ``cpu_price``; shape (nodes,)."""
        return np.array([getattr(node.pool, attribute) for node in self.nodes], dtype=np.float64)

    def node_cost(self, units: str, price: str) -> Floats:
        """Return currency per node for one resource, such as ``cores`` at ``cpu_price``."""
        return self.node_prices(units) * self.node_prices(price) * self.node_minutes / 60


class _Day(NamedTuple):
    """Runs and nodes that touch one UTC day."""

    runs: Sequence[Run]
    start: _Indices
    end: _Indices
    series: _Indices
    node_of: _Indices
    nodes: Sequence[Node]
    node_start: _Indices
    node_end: _Indices


class Cluster:
    """A pretend cluster, fixed by its seed and anchor.

    Args:
        seed: another seed is another cluster of the same shape.
        anchor: day the planted events are counted from.
        name: how OpenCost calls the cluster.

    """

    def __init__(self, seed: int, anchor: date, name: str = "demo") -> None:
        self.seed, self.anchor, self.name = seed, anchor, name
        self.catalog = catalog.build()
        self.anchor_minute = day_minute(anchor, 0.0)
        self.first_minute = day_minute(anchor, -HISTORY_DAYS)
        self.places: Sequence[Place] = schedule.places(self.catalog, seed, anchor)
        self.slots: Sequence[Slot] = schedule.slots(self.catalog, list(self.places), seed, anchor)
        self.loose_claims = schedule.loose_claims(self.catalog, seed, anchor)
        self.profile = profile(self.slots, anchor)
        # A day serves its 96 windows, a window its requests; both are rebuilt at will.
        self._day = lru_cache(maxsize=4)(self._build_day)
        self._usage = lru_cache(maxsize=8)(self.profile.at)
        self.window = lru_cache(maxsize=4)(self._build_window)

    def pods(self, start: int, end: int) -> list[Pod]:
        """Return the pods that ran in ``[start, end)``, by slot."""
        return [pod for slot in self.slots for pod in schedule.pods(slot, start, end)]

    def nodes(self, start: int, end: int) -> list[Node]:
        """Return the nodes that stood in ``[start, end)``, by machine."""
        return [node for place in self.places for node in place.nodes(start, end)]

    def claims(self, at: int) -> list[Claim]:
        """Return every volume that exists at a minute, mounted or not, by name of the volume."""
        mounted = [slot.claim for slot in self.slots if slot.claim is not None]
        claims = [claim for claim in (*mounted, *self.loose_claims) if claim.born <= at]
        return sorted(claims, key=lambda claim: claim.volume)

    def used_bytes(self, claim: Claim, at: int) -> float | None:
        """Return how much of a volume is filled at a minute; None for one that no pod mounts."""
        if claim.shape is None:
            return None
        used, growth = claim.shape.used_ratio, claim.shape.growth_ratio
        return claim.size_bytes * used_ratio(claim.born, used, growth, self.anchor_minute, at)

    def balancers_of(self, pod: Pod) -> list[LoadBalancer]:
        """Return the load balancers that lead to a pod."""
        target = (pod.slot.workload.namespace, pod.slot.workload.name)
        return [
            balancer
            for balancer in self.catalog.load_balancers
            if (balancer.namespace, balancer.workload) == target
        ]

    def _build_window(self, start: int, end: int) -> Window:
        """Build the window ``[start, end)``, whole minutes since 1970, as far as it is known.

        Raises:
            ValueError: the window is empty, or ends before the history begins.
        """
        start = max(start, self.first_minute)
        if end <= start:
            raise ValueError(f"nothing is known of [{start}, {end})")
        edges = [start, *range(start - start % 15 + 15, end, WINDOW_MINUTES), end]
        spans = zip(edges, edges[1:], strict=False)
        pieces = [self._build_piece(first, last) for first, last in spans]
        return pieces[0] if len(pieces) == 1 else _merge(pieces)

    def _build_piece(self, start: int, end: int) -> Window:
        """Build a window inside one quarter hour."""
        day = self._day(start // DAY_MINUTES)
        running = np.flatnonzero((day.start < end) & (day.end > start))
        ended = np.flatnonzero((day.end == start) & (day.end - day.start < DAY_MINUTES))
        standing = np.flatnonzero((day.node_start < end) & (day.node_end > start))
        series = day.series[running]
        usage = Usage(*(column[series] for column in self._usage(start // WINDOW_MINUTES)))
        if start % WINDOW_MINUTES:  # containers restart in the first minute of a quarter
            usage = usage._replace(restarts=usage.restarts * 0, oom_kills=usage.oom_kills * 0)
        minutes = _overlap(day.start[running], day.end[running], start, end)
        hours = minutes / 60.0
        return Window(
            start=start,
            end=end,
            runs=[day.runs[i] for i in running.tolist()],
            minutes=minutes,
            cpu_request=self.profile.cpu_request[series],
            cpu_limit=self.profile.cpu_limit[series],
            cpu_core_hours=np.fmax(self.profile.cpu_request[series], usage.cpu) * hours,
            memory_request=self.profile.memory_request[series],
            memory_limit=self.profile.memory_limit[series],
            memory_byte_hours=np.fmax(self.profile.memory_request[series], usage.memory) * hours,
            gpus=self.profile.gpus[series],
            usage=usage,
            node_of=np.searchsorted(standing, day.node_of[running]),
            nodes=[day.nodes[i] for i in standing.tolist()],
            node_minutes=_overlap(day.node_start[standing], day.node_end[standing], start, end),
            ghosts=[day.runs[i] for i in ended.tolist()],
        )

    def _build_day(self, day: int) -> _Day:
        # One minute more, so that a pod that ended at midnight is known as a ghost.
        start, end = day * DAY_MINUTES - 1, (day + 1) * DAY_MINUTES
        nodes = self.nodes(start, end)
        number = {(node.machine, node.number): i for i, node in enumerate(nodes)}
        pods = self.pods(start, end)
        runs = [Run(pod, i) for pod in pods for i in range(len(pod.slot.workload.containers))]

        def column(values: list[int]) -> _Indices:
            return np.array(values, dtype=np.int64)

        return _Day(
            runs=runs,
            start=column([run.pod.start for run in runs]),
            end=column([run.pod.end for run in runs]),
            series=column([run.pod.slot.first_series + run.index for run in runs]),
            node_of=column([number[run.pod.node.machine, run.pod.node.number] for run in runs]),
            nodes=nodes,
            node_start=column([node.start for node in nodes]),
            node_end=column([node.end for node in nodes]),
        )


def _merge(pieces: Sequence[Window]) -> Window:
    """Merge windows that follow each other: hours add up, averages are weighted by minutes."""
    rows = _Rows(pieces)
    nodes = {node.name: node for piece in pieces for node in piece.nodes}
    number = {name: i for i, name in enumerate(nodes)}
    node_into = np.array([number[n.name] for piece in pieces for n in piece.nodes], dtype=np.int64)
    node_minutes = np.concatenate([piece.node_minutes for piece in pieces])
    return Window(
        start=pieces[0].start,
        end=pieces[-1].end,
        runs=rows.runs,
        minutes=rows.minutes,
        cpu_request=rows.constant("cpu_request"),
        cpu_limit=rows.constant("cpu_limit"),
        cpu_core_hours=rows.total("cpu_core_hours"),
        memory_request=rows.constant("memory_request"),
        memory_limit=rows.constant("memory_limit"),
        memory_byte_hours=rows.total("memory_byte_hours"),
        gpus=rows.constant("gpus"),
        usage=rows.usage(),
        node_of=np.array([number[run.pod.node.name] for run in rows.runs], dtype=np.int64),
        nodes=list(nodes.values()),
        node_minutes=_sums(node_into, node_minutes, len(nodes)),
        # A run that ended inside the longer window has a row of its own.
        ghosts=pieces[0].ghosts,
    )


class _Rows:
    """Rows of several windows, laid on one row per run."""

    def __init__(self, pieces: Sequence[Window]) -> None:
        self._pieces = pieces
        every = [run for piece in pieces for run in piece.runs]
        # The same pod is another object on another day.
        keys = [(run.pod.slot.index, run.pod.start, run.index) for run in every]
        self.runs = list(dict(zip(keys, every, strict=True)).values())
        row = {key: i for i, key in enumerate(dict.fromkeys(keys))}
        self._into = np.array([row[key] for key in keys], dtype=np.int64)
        self._weights = self._all("minutes")
        self.minutes = self._sums(self._weights)

    def _all(self, name: str) -> Floats:
        return np.concatenate([getattr(piece, name) for piece in self._pieces])

    def _sums(self, values: Floats) -> Floats:
        return _sums(self._into, values, len(self.runs))

    def _means(self, values: Floats) -> Floats:
        return self._sums(values * self._weights) / self.minutes

    def _highest(self, values: Floats) -> Floats:
        highest = np.full(len(self.runs), -np.inf)
        np.maximum.at(highest, self._into, values)
        return highest

    def constant(self, name: str) -> Floats:
        """Return a column that never changes during a run."""
        values = np.zeros(len(self.runs))
        values[self._into] = self._all(name)
        return values

    def total(self, name: str) -> Floats:
        """Return a column of hours, added up."""
        return self._sums(self._all(name))

    def usage(self) -> Usage:
        """Return means weighted by minutes, the highest of highest, sums of counts."""
        columns = zip(*(piece.usage for piece in self._pieces), strict=True)
        whole = Usage(*(np.concatenate(column) for column in columns))
        return Usage(*map(self._means, whole))._replace(
            cpu_max=self._highest(whole.cpu_max),
            memory_max=self._highest(whole.memory_max),
            restarts=self._sums(whole.restarts),
            oom_kills=self._sums(whole.oom_kills),
        )


def _overlap(begins: _Indices, finishes: _Indices, start: int, end: int) -> Floats:
    """Return the minutes of each life inside ``[start, end)``."""
    return (np.minimum(finishes, end) - np.maximum(begins, start)).astype(np.float64)


def _sums(into: _Indices, values: Floats, count: int) -> Floats:
    return np.bincount(into, values, count).astype(np.float64)


def storage_price(claim: Claim) -> float:
    """Return currency per GiB and hour."""
    return STORAGE_PRICES[claim.storage_class]
