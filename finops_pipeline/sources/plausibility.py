"""Plausibility of OpenCost's answer for a window: it says 200 with rows and costs missing.

Pure. Each check compares two views that fail separately. What contradicts itself so far that costs
would be wrong is refused; what is merely wrong in part is kept as degraded; what no other
view could confirm is kept as unverified.
"""

from collections.abc import Iterator
from dataclasses import replace

import pyarrow as pa
import pyarrow.compute as pc

from finops_pipeline.errors import ServerMalformed
from finops_pipeline.sources.prometheus import Presence
from finops_pipeline.sources.reading import Reading
from finops_pipeline.units import rfc3339

# Measured on one cluster: answers of a healthy day lie within (CPU hours 0.992 to 1.022 of what is
# expected, memory 1.000 to 1.001), answers with a failed query beyond.
LEAST_SAMPLE_RATIO = 0.8
LEAST_CONTAINER_RATIO = 0.9
LEAST_CPU_RATIO = 0.97
LEAST_MEMORY_RATIO = 0.99
# The larger of request and usage, averaged, exceeds the larger of their averages where usage comes
# in bursts, but never the sum of both. A tenth is left for their being sampled apart; the healthy
# day lies at 0.64 to 0.73 (CPU) and 0.55 to 0.59 (memory).
MOST_HOURS_RATIO = 1.1
MOST_COST_DEVIATION = 0.02

ONE_STEP = (
    "OpenCost before 1.115 loses a step of each range with Prometheus 3, and newer ones do behind"
    " Mimir or Grafana Cloud: update OpenCost, or let it ask a Prometheus itself"
)
COARSE = (
    "set PROMETHEUS_QUERY_RESOLUTION_SECONDS=60 (ETL_RESOLUTION_SECONDS in older versions) on"
    " OpenCost: with Prometheus 3 it may lose a whole step of 300 seconds"
)

_MINUTES = 15.0
_GHOST_MINUTES = 2.5  # half a step of 5 minutes, the resolution OpenCost comes with
_ROUNDING = 5e-6  # of each figure: the source rounds to 5 decimals
_LABELS = ("labels", "namespace_labels")
_COLUMNS = (
    "node",
    "namespace",
    "pod",
    "container",
    "workload",
    "minutes",
    "cpu_core_hours",
    "cpu_request_cores",
    "cpu_usage_cores",
    "memory_byte_hours",
    "memory_request_bytes",
    "memory_usage_bytes",
    "source_total_cost",
)
_NAMES = ("namespace", "pod", "container")
_STEPS = 2  # a container seen once may have been gone before OpenCost looked


def judge(reading: Reading, presence: Presence | None, *, is_last: bool = False) -> Reading:
    """Judge a reading: return the same, marked by how plausible it is.

    Args:
        reading: of OpenCost, with ``raw.allocation`` and ``raw.asset``.
        presence: what Prometheus saw of the same window; None when it could not be asked.
        is_last: it is not going to be read again: what would be refused is kept as degraded, since
            no better answer will come.

    Raises:
        ServerMalformed: rows, nodes or hours are missing; the message holds both numbers.
    """
    rows, assets = reading.tables["raw.allocation"], reading.tables["raw.asset"]
    containers = _containers(rows)
    refused = [
        *_nothing_at_all(containers, assets, presence),
        *_missing_nodes(containers),
        *_missing_hours(containers),
        *_inflated_hours(containers),
        *_missing_containers(containers, presence),
    ]
    if refused and not is_last:
        window = f"window {rfc3339(reading.window_start)}"
        raise ServerMalformed(f"cluster {reading.cluster}: {window}: {'; '.join(refused)}")
    degraded = [
        *refused,
        *_missing_names(containers, presence),
        *_missing_costs(rows),
        *_wrong_money(rows, assets),
        *_wrong_nodes(assets, presence),
    ]
    unverified = [*_blind(presence)]
    minutes_ratio = _minutes_ratio(containers, presence)
    return replace(
        reading,
        is_verified=not unverified,
        is_degraded=bool(degraded),
        reason="; ".join([*degraded, *unverified, *_lost_time(minutes_ratio)]) or None,
        minutes_ratio=minutes_ratio,
    )


def cure(minutes_ratio: float) -> str:
    """Return what to set where a source reports less time than containers ran, by how much less."""
    return ONE_STEP if minutes_ratio * _MINUTES >= _MINUTES - 1 else COARSE


def is_without_containers(reading: Reading) -> bool:
    """Return whether a reading has rows of other things only; False of another source's."""
    rows = reading.tables.get("raw.allocation")
    return rows is not None and not _containers(rows).num_rows


def _containers(rows: pa.Table) -> pa.Table:
    """Select rows of containers: not idle or unmounted, not what is shared or from outside."""
    is_container = pc.fill_null(pc.invert(pc.starts_with(rows["container"], "__")), False)
    # Of the labels only whether there are any: copying their text costs more than all else here.
    columns = rows.select(_COLUMNS)
    for name in _LABELS:
        columns = columns.append_column(name, pc.is_valid(rows[name]))
    return columns.filter(is_container)


def _nothing_at_all(
    containers: pa.Table, assets: pa.Table, presence: Presence | None
) -> Iterator[str]:
    """Expect containers on each node: its own agents run on it."""
    if containers.num_rows:
        return
    nodes = _nodes(assets).num_rows
    whole_nodes = presence.whole_node_count if presence else 0
    if nodes:
        yield f"0 containers, but {nodes} nodes in the assets"
    elif whole_nodes:
        yield f"0 containers, but Prometheus saw {whole_nodes:.0f} nodes"


def _missing_nodes(containers: pa.Table) -> Iterator[str]:
    """Expect the name of a node: without it the price is unknown."""
    homeless = containers.filter(pc.is_null(containers["node"]))
    ghosts = pc.sum(_are_ghosts(homeless)).as_py() or 0
    if homeless.num_rows > ghosts:
        lived = containers.num_rows - ghosts
        yield f"{homeless.num_rows - ghosts} of {lived} containers name no node"


def _are_ghosts(homeless: pa.Table) -> pa.ChunkedArray:
    """Return which are left by a pod that just ended: half a step, without node, usage or cost."""
    used = [
        pc.fill_null(pc.not_equal(homeless[name], 0.0), False)
        for name in ("cpu_usage_cores", "memory_usage_bytes", "source_total_cost")
    ]
    is_short = pc.less_equal(homeless["minutes"], _GHOST_MINUTES)
    return pc.and_(is_short, pc.invert(pc.or_(pc.or_(used[0], used[1]), used[2])))


def _missing_hours(containers: pa.Table) -> Iterator[str]:
    """Expect the larger of request and usage; judged by the sum, since rows err by a step."""
    for hours, request, usage, least in (
        ("cpu_core_hours", "cpu_request_cores", "cpu_usage_cores", LEAST_CPU_RATIO),
        ("memory_byte_hours", "memory_request_bytes", "memory_usage_bytes", LEAST_MEMORY_RATIO),
    ):
        billed = pc.max_element_wise(containers[request], containers[usage])
        expected = _sum(pc.multiply(billed, pc.divide(containers["minutes"], 60.0)))
        allocated = _sum(containers[hours])
        if allocated + containers.num_rows * _ROUNDING < least * expected:
            yield f"{hours} add up to {allocated:.6g}, expected {expected:.6g}"


def _inflated_hours(containers: pa.Table) -> Iterator[str]:
    """Expect no more than request and usage: where rows come twice, the sums agree all the same."""
    for hours, request, usage in (
        ("cpu_core_hours", "cpu_request_cores", "cpu_usage_cores"),
        ("memory_byte_hours", "memory_request_bytes", "memory_usage_bytes"),
    ):
        both = pc.add(pc.fill_null(containers[request], 0.0), pc.fill_null(containers[usage], 0.0))
        is_known = pc.or_(pc.is_valid(containers[request]), pc.is_valid(containers[usage]))
        most = _sum(pc.multiply(both, pc.divide(containers["minutes"], 60.0)))
        allocated = _sum(containers[hours].filter(is_known))
        if allocated - containers.num_rows * _ROUNDING > MOST_HOURS_RATIO * most:
            yield f"{hours} add up to {allocated:.6g}, request and usage together to {most:.6g}"


def _missing_containers(containers: pa.Table, presence: Presence | None) -> Iterator[str]:
    if presence is None or not presence.running_sample_count:
        return
    counts = presence.running_sample_count
    enough = max(counts.values()) * _STEPS / _MINUTES
    ran = ["/".join(container) for container, samples in counts.items() if samples >= enough]
    names = [pc.fill_null(containers[name], "") for name in _NAMES]
    answered = pc.binary_join_element_wise(*names, "/").unique()
    count = pc.sum(pc.is_in(answered, pa.array(ran, pa.string()))).as_py() or 0
    if count < LEAST_CONTAINER_RATIO * len(ran):
        yield f"rows of {count} containers, but Prometheus saw {len(ran)} run"


def _missing_names(containers: pa.Table, presence: Presence | None) -> Iterator[str]:
    """Expect labels, which all namespaces have, and the controllers that Prometheus knows."""
    for name, what in zip(_LABELS, ("labels", "labels of its namespace"), strict=True):
        if containers.num_rows and not pc.any(containers[name]).as_py():
            yield f"none of {containers.num_rows} containers has {what}"
    expected = presence.controlled_pod_count if presence else None
    pods = containers.select(["namespace", "pod"]).filter(pc.is_valid(containers["workload"]))
    count = len(pc.unique(pc.binary_join_element_wise(*pods.columns, "/")))
    if expected is None and containers.num_rows and not count:
        yield f"none of {containers.num_rows} containers has a controller"
    elif count < LEAST_CONTAINER_RATIO * (expected or 0):
        yield f"{count} pods with a controller, but Prometheus saw {expected:.0f}"


def _missing_costs(rows: pa.Table) -> Iterator[str]:
    own = pc.invert(pc.ends_with(rows["allocation"], "__idle__"))
    count = rows["source_total_cost"].filter(own).null_count
    if count:
        yield f"{count} rows without a cost"


def _wrong_money(rows: pa.Table, assets: pa.Table) -> Iterator[str]:
    allocated = sum(_cost(rows, kind) for kind in ("cpu", "memory", "gpu"))
    cost = _sum(_nodes(assets)["source_total_cost"])
    if _deviates(allocated, cost):
        yield f"allocations and idle cost {allocated:.5f}, the nodes {cost:.5f}"


def _wrong_nodes(assets: pa.Table, presence: Presence | None) -> Iterator[str]:
    """Compare per node-hour: short minutes, and nodes that came or left, change both alike."""
    nodes = _nodes(assets)
    if presence is None or presence.mean_node_hour_price is None or not nodes.num_rows:
        return
    cost = _sum(nodes["source_total_cost"]) - _sum(nodes["adjustment_cost"])
    price, expected = cost / _sum(nodes["minutes"]) * 60, presence.mean_node_hour_price
    if _deviates(price, expected):
        yield f"a node costs {price:.5f} an hour, by its price in Prometheus {expected:.5f}"
    if nodes.num_rows < LEAST_CONTAINER_RATIO * presence.whole_node_count:
        yield f"{nodes.num_rows} nodes, but Prometheus saw {presence.whole_node_count:.0f}"


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


def _minutes_ratio(containers: pa.Table, presence: Presence | None) -> float | None:
    """Divide the minutes of those that ran all the time by 15; others may have started late."""
    most = pc.max(containers["minutes"]).as_py()
    if most is not None and most < _MINUTES:
        names = set(presence.ran_throughout) if presence else set()
        pods = pa.array([pod for _, pod, _ in names], pa.string())
        some = containers.filter(pc.is_in(containers["pod"], pods)).select([*_NAMES, "minutes"])
        rows = zip(*some.to_pydict().values(), strict=True)
        most = max((minutes for *name, minutes in rows if tuple(name) in names), default=None)
    return None if most is None else most / _MINUTES


def _lost_time(minutes_ratio: float | None) -> Iterator[str]:
    """Tell the factor and what to set: nothing is scaled."""
    if minutes_ratio is None or minutes_ratio >= 1:
        return
    minutes = minutes_ratio * _MINUTES
    mend = cure(minutes_ratio)
    yield f"containers that ran all the time are reported with {minutes:.3g} of 15 minutes: {mend}"


def _nodes(assets: pa.Table) -> pa.Table:
    return assets.filter(pc.equal(assets["asset_kind"], "node"))


def _cost(rows: pa.Table, kind: str) -> float:
    return _sum(rows[f"source_{kind}_cost"]) + _sum(rows[f"{kind}_adjustment_cost"])


def _sum(column: pa.ChunkedArray) -> float:
    return float(pc.sum(column).as_py() or 0.0)


def _deviates(cost: float, expected: float) -> bool:
    return abs(cost - expected) > MOST_COST_DEVIATION * abs(expected) + _ROUNDING
