"""Usage of every container of the pretend cluster in a quarter hour, as arrays.

A container's usage depends on the replica it belongs to and on the time, not on the pod that
happens to fill it, so one array per quantity and quarter serves all pods.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from typing import Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from finops_pipeline.simulation import noise
from finops_pipeline.simulation.catalog import RHYTHMS
from finops_pipeline.simulation.schedule import (
    DAY_MINUTES,
    WINDOW_MINUTES,
    Slot,
    day_minute,
    most_cores,
    most_memory_bytes,
    weekday,
)

Floats = NDArray[np.float64]
_MIB: Final = 2**20
_SATURDAY: Final = 5


class Usage(NamedTuple):
    """Usage of every container in a quarter hour, shape (series,) each."""

    cpu: Floats  # mean cores
    cpu_max: Floats  # highest cores of a minute
    memory: Floats  # mean bytes
    memory_max: Floats  # highest bytes
    throttled: Floats  # share of scheduling periods; NaN without a limit
    gpu: Floats  # mean utilisation, 0 to 1; NaN without a GPU
    restarts: Floats  # count
    oom_kills: Floats  # count
    sent: Floats  # bytes per second, the container's share of its pod's
    received: Floats  # bytes per second


@dataclass(frozen=True)
class Profile:
    """Shape of the usage of every container, one number per series."""

    keys: NDArray[np.uint64]
    cpu: Floats
    cpu_most: Floats
    cpu_request: Floats  # NaN without one
    cpu_limit: Floats  # NaN without one
    memory: Floats
    memory_most: Floats
    memory_request: Floats
    memory_limit: Floats
    gpus: Floats
    swing: Floats
    peak_hour: Floats
    weekend: Floats
    growth: Floats
    oom_minutes: Floats  # infinite: never
    restart_minutes: Floats
    network: Floats
    anchor_minute: int

    def at(self, quarter: int) -> Usage:
        """Return the usage in a quarter hour, counted since 1970."""
        minute = quarter * WINDOW_MINUTES
        activity = self._activity(minute)
        growth = 1 + self.growth * np.clip(_days(minute - self.anchor_minute), -400, 60)
        wobble = noise.bell(self.keys, quarter)
        burst = noise.uniform(self.keys + np.uint64(1), quarter)
        cpu = np.minimum(self.cpu * activity * growth * (1 + 0.1 * wobble), self.cpu_most)
        cpu_max = np.fmin(cpu * (1.1 + 0.5 * burst), self.cpu_limit)
        restarts, oom_kills = self.restarts_and_kills(quarter)
        memory, memory_max = self._memory(minute, activity, growth, wobble, burst)
        sent = self.network * activity * (1 + 0.3 * wobble)
        return Usage(
            cpu=cpu,
            cpu_max=cpu_max,
            memory=memory,
            memory_max=memory_max,
            throttled=0.6 * np.clip(cpu_max / self.cpu_limit * 2.5 - 1.5, 0, 1) ** 2,
            gpu=np.where(self.gpus > 0, np.clip(0.4 * activity, 0, 1), np.nan),
            restarts=restarts,
            oom_kills=oom_kills,
            sent=sent,
            received=0.6 * sent * (0.8 + 0.4 * burst),
        )

    def restarts_and_kills(self, quarter: int) -> tuple[Floats, Floats]:
        """Return the restarts and, among them, memory kills in a quarter hour."""
        chance = WINDOW_MINUTES / self.restart_minutes
        others = noise.uniform(self.keys + np.uint64(2), quarter) < chance
        kills = self._is_killed(quarter * WINDOW_MINUTES)
        return (kills + others).astype(np.float64), kills.astype(np.float64)

    def _is_killed(self, minute: int) -> NDArray[np.bool_]:
        """Return whether a leak reaches its limit: in the last quarter of its cycle."""
        phase: Floats = minute % self.oom_minutes
        return phase >= self.oom_minutes - WINDOW_MINUTES

    def _activity(self, minute: int) -> Floats:
        """Return the share of the mean that day and week leave, around 1."""
        hour = minute % DAY_MINUTES / 60
        is_weekend = weekday(minute // DAY_MINUTES) >= _SATURDAY
        daily = 1 + self.swing * np.cos((hour - self.peak_hour) * (np.pi / 12))
        return daily * self.weekend if is_weekend else daily

    def _memory(
        self, minute: int, activity: Floats, growth: Floats, wobble: Floats, burst: Floats
    ) -> tuple[Floats, Floats]:
        calm = self.memory * (1 + 0.08 * (activity - 1)) * (1 + (growth - 1) / 2)
        mean = np.minimum(calm * (1 + 0.02 * wobble), self.memory_most)
        highest = np.fmin(mean * (1.01 + 0.04 * burst), self.memory_limit)
        # A leak climbs from half of the limit and starts again after its kill.
        leaks = np.isfinite(self.oom_minutes)
        share = np.where(leaks, 0.5 + 0.45 * (minute % self.oom_minutes) / self.oom_minutes, 1.0)
        peak = np.where(self._is_killed(minute), 1.0, share + 0.01)
        mean = np.where(leaks, share * self.memory_limit, mean)
        return mean, np.where(leaks, peak * self.memory_limit, highest)


def _days(minutes: int) -> float:
    return minutes / DAY_MINUTES


def _or_nan(value: float | None, factor: float = 1.0) -> float:
    return np.nan if value is None else value * factor


def _or_never(hours: float) -> float:
    return hours * 60 if hours else np.inf


def profile(slots: Sequence[Slot], anchor: date) -> Profile:
    """Return the profile of every container, in the order of ``Slot.first_series``."""
    pairs = [(slot, i, c) for slot in slots for i, c in enumerate(slot.workload.containers)]

    def column(values: list[float]) -> Floats:
        return np.array(values, dtype=np.float64)

    # One level per replica, so that replicas differ from each other all the time, as real ones do.
    level = [0.9 + 0.2 * noise.below(1000, slot.key, i) / 1000 for slot, i, _ in pairs]
    rhythms = [RHYTHMS[slot.workload.rhythm] for slot, _, _ in pairs]
    return Profile(
        keys=np.array([noise.key(slot.key, i) for slot, i, _ in pairs], dtype=np.uint64),
        cpu=column([c.cpu * factor for (_, _, c), factor in zip(pairs, level, strict=True)]),
        cpu_most=column([most_cores(slot.workload, c) for slot, _, c in pairs]),
        cpu_request=column([_or_nan(c.cpu_request) for _, _, c in pairs]),
        cpu_limit=column([_or_nan(c.cpu_limit) for _, _, c in pairs]),
        memory=column([c.memory * _MIB for _, _, c in pairs]) * (0.5 + 0.5 * column(level)),
        memory_most=column([most_memory_bytes(c) for _, _, c in pairs]),
        memory_request=column([_or_nan(c.memory_request, _MIB) for _, _, c in pairs]),
        memory_limit=column([_or_nan(c.memory_limit, _MIB) for _, _, c in pairs]),
        gpus=column([c.gpus for _, _, c in pairs]),
        swing=column([rhythm[0] for rhythm in rhythms]),
        peak_hour=column([rhythm[1] for rhythm in rhythms]),
        weekend=column([rhythm[2] for rhythm in rhythms]),
        growth=column([slot.workload.growth_ratio for slot, _, _ in pairs]),
        oom_minutes=column([_or_never(slot.workload.oom_hours) for slot, _, _ in pairs]),
        restart_minutes=column([_or_never(slot.workload.restart_hours) for slot, _, _ in pairs]),
        network=column(
            [slot.workload.network_bytes / len(slot.workload.containers) for slot, _, _ in pairs]
        ),
        anchor_minute=day_minute(anchor, 0.0),
    )


def used_ratio(claim_born: int, used: float, growth: float, anchor: int, minute: int) -> float:
    """Return how full a volume is at a minute, 0.02 to 0.95."""
    days = max(_days(minute - anchor), _days(claim_born - anchor))
    return float(min(max(used + growth * days, 0.02), 0.95))
