"""Reconciliation of a source's answer for a whole day with its answers for the windows of the day.

Pure. Each figure is rounded to 5 decimals, and a pod that starts or ends within a window is known
to a step of resolution: by that much they may differ, workload by workload, and by no more.
``costs.reconciliation_daily`` compares both with our own figures in the same way.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from finops_pipeline.sources.reading import Reading

HALF_DIGIT = 5e-6  # the source rounds to 5 decimals
STEP_MINUTES = 1.0  # PROMETHEUS_QUERY_RESOLUTION_SECONDS=60, as the platform asks for

# Network and shared cost is not a matter of hours. Load balancers are a step too high in each
# answer, and by another share in a longer one.
_PARTS = ("cpu", "memory", "gpu", "storage")
_COSTS = tuple(
    name for part in _PARTS for name in (f"source_{part}_cost", f"{part}_adjustment_cost")
)
_HOURS = ("gpu_hours", "storage_byte_hours")  # of what only some have
COLUMNS = (
    *("window_start", "allocation", "node", "namespace", "workload", "minutes"),
    *_HOURS,
    *_COSTS,
)
_MOST_NAMES = 3  # workloads that a reason names

_Workload = tuple[str | None, str | None]  # namespace, and name unless it has no controller
_Sums = Mapping[_Workload, tuple[float, float]]  # cost, and how far it may be wrong


def judge_day(reading: Reading, windows: pa.Table | None) -> Reading:
    """Judge a reading of a day: return it, degraded where it differs from the windows of its day.

    Idle cost is left out: it is the rest, and wrong by as much as all others together.

    Args:
        reading: of a day, with ``raw.source_daily``.
        windows: ``COLUMNS`` of the rows of ``raw.allocation`` of all its windows; None where some
            are missing, so that it stays unverified.
    """
    if windows is None:
        reason = "not compared with its windows: some of them were not read"
        return replace(reading, is_verified=False, reason=reason)
    whole = _sums(reading.tables["raw.source_daily"])
    wrong = sorted(_differences(whole, _sums(windows)))
    if not wrong:
        return reading
    more = [f"{len(wrong) - _MOST_NAMES} more"] * (len(wrong) > _MOST_NAMES)
    differences = "; ".join([*wrong[:_MOST_NAMES], *more])
    return replace(reading, is_degraded=True, reason=f"the day is not its windows: {differences}")


def _differences(whole: _Sums, parts: _Sums) -> Iterator[str]:
    for workload in whole.keys() | parts.keys():
        cost, error = whole.get(workload, (0.0, 0.0))
        added, added_error = parts.get(workload, (0.0, 0.0))
        if abs(cost - added) > error + added_error:
            name = "/".join(part or "-" for part in workload)
            yield f"{name} costs {cost:.5f} in one piece, its windows {added:.5f}"


def _sums(rows: pa.Table) -> _Sums:
    rows = rows.filter(pc.invert(pc.ends_with(rows["allocation"], "__idle__")))
    costs = [np.nan_to_num(rows[name].to_numpy()) for name in _COSTS]
    cost = np.sum(costs, axis=0) if rows.num_rows else np.zeros(0)
    error = np.full(rows.num_rows, len(_PARTS) * HALF_DIGIT)
    if "minutes" in rows.column_names:
        absent = sum((np.nan_to_num(rows[name].to_numpy()) == 0).astype(float) for name in _HOURS)
        error += _steps(rows, cost) - absent * HALF_DIGIT
    names = {name: rows[name] for name in ("namespace", "workload")}
    groups = pa.table({**names, "cost": cost, "error": error}).group_by(list(names))
    summed = groups.aggregate([("cost", "sum"), ("error", "sum")]).to_pydict()
    keys = zip(summed["namespace"], summed["workload"], strict=True)
    return dict(zip(keys, zip(summed["cost_sum"], summed["error_sum"], strict=True), strict=True))


def _steps(rows: pa.Table, cost: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the cost of a step of those that did not run as long as others in the same window.

    Not as long as the window: a source that loses time loses it of all, and must not be excused.
    """
    minutes = rows["minutes"].to_numpy()
    _, window = np.unique(rows["window_start"].to_numpy(), return_inverse=True)
    longest = np.zeros(window.max(initial=-1) + 1)
    np.maximum.at(longest, window, np.where(pc.is_valid(rows["node"]), minutes, 0.0))
    return np.where(minutes < longest[window], np.abs(cost) / minutes * STEP_MINUTES, 0.0)
