"""Whether OpenCost's answer for a window can be true: it says 200 with rows and costs missing.

Pure. Each check compares two views that fail separately. What contradicts itself so far that costs
would be wrong is refused; what is merely wrong in part is kept as degraded; what nobody else
could confirm is kept as unverified.
"""

from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from finops_pipeline.errors import SourceMalformed
from finops_pipeline.sources.prometheus import Presence
from finops_pipeline.sources.reading import Reading
from finops_pipeline.units import HOUR, WINDOW, rfc3339

# Measured on one cluster: answers of a healthy day lie within (CPU hours 0.992 to 1.022 of what is
# expected, memory 1.000 to 1.001), answers with a failed query beyond.
LEAST_SAMPLE_RATIO = 0.8
LEAST_CONTAINER_RATIO = 0.9
LEAST_CPU_RATIO = 0.97
LEAST_MEMORY_RATIO = 0.99
MOST_COST_DEVIATION = 0.02

_MINUTES = 15.0
_GHOST_MINUTES = 2.5  # half a step of 5 minutes, the resolution OpenCost comes with
_ROUNDING = 5e-6  # of each figure: the source rounds to 5 decimals
_STEPS = 2  # a container seen once may have been gone before OpenCost looked


def judge(reading: Reading, presence: Presence | None, *, is_last: bool = False) -> Reading:
    """The same reading, marked by what can be believed of it.

    Args:
        reading: of OpenCost, with ``raw.allocation`` and ``raw.asset``.
        presence: what Prometheus saw of the same window; None when it could not be asked.
        is_last: it is not going to be read again: what would be refused is kept as degraded, since
            no better answer will come.

    Raises:
        SourceMalformed: rows, nodes or hours are missing; the message holds both numbers.
    """
    rows, assets = reading.tables["raw.allocation"], reading.tables["raw.asset"]
    containers = _containers(rows)
    refused = [
        *_nothing_at_all(containers, assets, presence),
        *_missing_nodes(containers),
        *_missing_hours(containers),
        *_missing_containers(containers, presence),
    ]
    if refused and not is_last:
        window = f"window {rfc3339(reading.window_start)}"
        raise SourceMalformed(f"cluster {reading.cluster}: {window}: {'; '.join(refused)}")
    degraded = [
        *refused,
        *_missing_names(containers),
        *_missing_costs(rows),
        *_wrong_money(rows, assets, presence),
    ]
    unverified = [*_blind(presence)]
    return replace(
        reading,
        is_verified=not unverified,
        is_degraded=bool(degraded),
        reason="; ".join([*degraded, *unverified]) or None,
        minutes_ratio=_minutes_ratio(containers),
    )


def _containers(rows: pa.Table) -> pa.Table:
    """Rows of containers: not idle, not unmounted, not what is shared or comes from outside."""
    own = pc.fill_null(pc.invert(pc.starts_with(rows["container"], "__")), False)
    return rows.filter(own)


def _nothing_at_all(
    containers: pa.Table, assets: pa.Table, presence: Presence | None
) -> Iterator[str]:
    """No node is without containers: its own agents run on it."""
    if containers.num_rows:
        return
    nodes = _nodes(assets).num_rows
    rate = presence.node_cost_rate if presence else None
    if nodes:
        yield f"0 containers, but {nodes} nodes in the assets"
    elif rate:
        yield f"0 containers, but Prometheus saw nodes at {rate:.4g} an hour"


def _missing_nodes(containers: pa.Table) -> Iterator[str]:
    """Without a node nobody knows the price."""
    lived = containers.filter(pc.invert(_ghosts(containers)))
    homeless = lived["node"].null_count
    if homeless:
        yield f"{homeless} of {lived.num_rows} containers name no node"


def _ghosts(containers: pa.Table) -> pa.ChunkedArray:
    """A pod that just ended leaves a row of half a step, without node, usage or cost."""
    used = [
        pc.fill_null(pc.not_equal(containers[name], 0.0), False)
        for name in ("cpu_usage_cores", "memory_usage_bytes", "source_total_cost")
    ]
    is_short = pc.less_equal(containers["minutes"], _GHOST_MINUTES)
    has_used = pc.or_(pc.or_(used[0], used[1]), used[2])
    return pc.and_(pc.and_(pc.is_null(containers["node"]), is_short), pc.invert(has_used))


def _missing_hours(containers: pa.Table) -> Iterator[str]:
    """Allocated is the larger of request and usage; judged by the sum, since rows err by a step."""
    for hours, request, usage, least in (
        ("cpu_core_hours", "cpu_request_cores", "cpu_usage_cores", LEAST_CPU_RATIO),
        ("memory_byte_hours", "memory_request_bytes", "memory_usage_bytes", LEAST_MEMORY_RATIO),
    ):
        billed = pc.max_element_wise(containers[request], containers[usage])
        expected = _sum(pc.multiply(billed, pc.divide(containers["minutes"], 60.0)))
        allocated = _sum(containers[hours])
        if allocated + containers.num_rows * _ROUNDING < least * expected:
            yield f"{hours} add up to {allocated:.6g}, expected {expected:.6g}"


def _missing_containers(containers: pa.Table, presence: Presence | None) -> Iterator[str]:
    if presence is None or not presence.running_sample_count:
        return
    counts = presence.running_sample_count
    enough = max(counts.values()) * _STEPS / _MINUTES
    ran = {container for container, count in counts.items() if count >= enough}
    keys = ("namespace", "pod", "container")
    answered = set(zip(*(containers[key].to_pylist() for key in keys), strict=True))
    found = len(ran & answered)
    if found < LEAST_CONTAINER_RATIO * len(ran):
        yield f"rows of {found} containers, but Prometheus saw {len(ran)} run"


def _missing_names(containers: pa.Table) -> Iterator[str]:
    """Kubernetes labels every namespace, and somebody always uses a controller."""
    for column, what in (
        ("labels", "labels"),
        ("namespace_labels", "labels of its namespace"),
        ("workload", "a controller"),
    ):
        if containers.num_rows and containers[column].null_count == containers.num_rows:
            yield f"none of {containers.num_rows} containers has {what}"


def _missing_costs(rows: pa.Table) -> Iterator[str]:
    own = rows.filter(pc.invert(pc.ends_with(rows["allocation"], "__idle__")))
    count = own["source_total_cost"].null_count
    if count:
        yield f"{count} rows without a cost"


def _wrong_money(rows: pa.Table, assets: pa.Table, presence: Presence | None) -> Iterator[str]:
    """Rates rather than totals: where minutes are short, all totals are short together."""
    nodes = _nodes(assets)
    allocated = sum(_cost(rows, kind) for kind in ("cpu", "memory", "gpu"))
    cost = _sum(nodes["source_total_cost"])
    if _deviates(allocated, cost):
        yield f"allocations and idle cost {allocated:.5f}, the nodes {cost:.5f}"
    if presence is None or presence.node_cost_rate is None or not nodes.num_rows:
        return
    hours = WINDOW / HOUR * pc.max(nodes["minutes"]).as_py() / _MINUTES
    rate = (cost - _sum(nodes["adjustment_cost"])) / hours
    if _deviates(rate, presence.node_cost_rate):
        seen = presence.node_cost_rate
        yield f"nodes cost {rate:.5f} an hour, by their prices in Prometheus {seen:.5f}"


def _blind(presence: Presence | None) -> Iterator[str]:
    if presence is None:
        yield "Prometheus could not be asked"
        return
    for what, ratio in (
        ("OpenCost", presence.opencost_sample_ratio),
        ("kube-state-metrics", presence.kube_state_sample_ratio),
    ):
        if ratio is None:
            yield f"Prometheus has no samples of {what}"
        elif ratio < LEAST_SAMPLE_RATIO:
            yield f"Prometheus has {ratio:.0%} of the samples of {what}"
    if presence.warning:
        yield f"Prometheus warned: {presence.warning}"


def _minutes_ratio(containers: pa.Table) -> float | None:
    most = pc.max(containers["minutes"]).as_py()
    return None if most is None else most / _MINUTES


def _nodes(assets: pa.Table) -> pa.Table:
    return assets.filter(pc.equal(assets["asset_kind"], "node"))


def _cost(rows: pa.Table, kind: str) -> float:
    return _sum(rows[f"source_{kind}_cost"]) + _sum(rows[f"{kind}_adjustment_cost"])


def _sum(column: pa.ChunkedArray) -> float:
    return float(pc.sum(column).as_py() or 0.0)


def _deviates(one: float, other: float) -> bool:
    return abs(one - other) > MOST_COST_DEVIATION * abs(other) + _ROUNDING
