"""Every recorded answer is judged as it deserves: believed, unverified, degraded or refused."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import httpx
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from finops_pipeline.errors import SourceMalformed, SourceUnavailable
from finops_pipeline.sources import prometheus
from finops_pipeline.sources.belief import judge
from finops_pipeline.sources.prometheus import Presence
from finops_pipeline.sources.reading import Reading
from finops_pipeline.units import WINDOW, windows
from finops_pipeline_tests.sources.recordings import CLUSTER, DAY, FAULTY_WINDOW, reading

NOBODY = Presence({}, 1.0, 1.0, None)


def healthy() -> Reading:
    return reading("failing_queries", FAULTY_WINDOW, "baseline_")


def seen(reading: Reading, **changes: Any) -> Presence:
    """A Prometheus that saw exactly what OpenCost says."""
    rows = reading.tables["raw.allocation"].to_pylist()
    ran: dict[tuple[str, ...], float] = {
        (row["namespace"], row["pod"], row["container"]): row["minutes"]
        for row in rows
        if row["node"]
    }
    nodes = reading.tables["raw.asset"].filter(pc.field("asset_kind") == "node")
    rate = pc.sum(nodes["source_total_cost"]).as_py() * 4
    return replace(Presence(ran, 1.0, 1.0, rate), **changes)


def with_columns(reading: Reading, table: str, **columns: pa.Array) -> Reading:
    rows = reading.tables[table]
    for name, values in columns.items():
        at = rows.schema.get_field_index(name)
        rows = rows.set_column(at, rows.schema.field(at), values)
    return replace(reading, tables={**reading.tables, table: rows})


@pytest.mark.needs("prometheus", "promtool")
def test_every_window_of_a_healthy_day_is_believed(recorded_prometheus: httpx.Client):
    for start in windows(DAY, DAY + timedelta(days=1)):
        presence = prometheus.presence(recorded_prometheus, CLUSTER, start)
        judged = judge(reading("day", start), presence)

        assert (judged.is_verified, judged.is_degraded, judged.reason) == (True, False, None)
        assert judged.minutes_ratio == 1.0


@pytest.mark.needs("prometheus", "promtool")
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("podquery_503", "0 containers, but 4 nodes in the assets; rows of 0 .* saw 40 run"),
        ("podquery_empty", "0 containers, but 4 nodes in the assets; rows of 0 .* saw 40 run"),
        ("cpualloc_empty", "cpu_core_hours add up to 2.28611, expected 2.41869"),
        ("alloc_both_empty", "2 of 40 containers name no node; cpu_core_hours .* memory_byte_ho"),
        ("all_alloc_req_empty", "40 of 40 containers name no node; .* add up to 0, expected"),
        ("all_empty", "0 containers, but Prometheus saw nodes at 0.8149 an hour"),
    ],
)
def test_an_answer_with_rows_or_hours_missing_is_refused(
    fault: str, reason: str, recorded_prometheus: httpx.Client
):
    presence = prometheus.presence(recorded_prometheus, CLUSTER, FAULTY_WINDOW)
    with pytest.raises(
        SourceMalformed, match=f"cluster prod: window 2026-11-23T21:30:00Z: {reason}"
    ):
        judge(reading("failing_queries", FAULTY_WINDOW, f"{fault}_"), presence)


@pytest.mark.needs("prometheus", "promtool")
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("nodecost_empty", "nodes cost 0.00000 an hour, by their prices in Prometheus 0.81493"),
        ("nodetotal_empty", "nodes cost 0.41720 an hour, by their prices in Prometheus 0.81493"),
        ("labels_empty", "none of 40 containers has labels of its namespace"),
        ("podowner_empty", "none of 40 containers has a controller"),
    ],
)
def test_an_answer_that_is_wrong_in_part_is_degraded(
    fault: str, reason: str, recorded_prometheus: httpx.Client
):
    presence = prometheus.presence(recorded_prometheus, CLUSTER, FAULTY_WINDOW)
    judged = judge(reading("failing_queries", FAULTY_WINDOW, f"{fault}_"), presence)

    assert (judged.is_verified, judged.is_degraded) == (True, True)
    assert judged.reason
    assert judged.reason.endswith(reason)


@pytest.mark.needs("prometheus", "promtool")
@pytest.mark.parametrize("fault", ["baseline", "warn"])
def test_a_warning_that_changed_nothing_is_not_held_against_an_answer(
    fault: str, recorded_prometheus: httpx.Client
):
    presence = prometheus.presence(recorded_prometheus, CLUSTER, FAULTY_WINDOW)
    judged = judge(reading("failing_queries", FAULTY_WINDOW, f"{fault}_"), presence)

    assert (judged.is_verified, judged.is_degraded, judged.reason) == (True, False, None)


@pytest.mark.parametrize("fault", ["cpuusage_422", "nodecpu_503", "all_503", "all_garbage"])
def test_an_error_is_never_judged(fault: str):
    with pytest.raises(SourceUnavailable, match="status 500"):
        reading("failing_queries", FAULTY_WINDOW, f"{fault}_")


@pytest.mark.needs("prometheus", "promtool")
def test_a_coarse_resolution_is_believed_with_its_ghosts(recorded_prometheus: httpx.Client):
    for start in windows(FAULTY_WINDOW - 2 * WINDOW, FAULTY_WINDOW + 12 * WINDOW):
        presence = prometheus.presence(recorded_prometheus, CLUSTER, start)
        judged = judge(reading("resolution_300s", start), presence)

        assert (judged.is_verified, judged.is_degraded, judged.minutes_ratio) == (True, False, 1.0)


@pytest.mark.parametrize("quarters", range(8))
def test_a_container_without_node_is_refused(quarters: int):
    start = FAULTY_WINDOW + (2 + quarters) * WINDOW
    with pytest.raises(SourceMalformed, match=r"1 of 1[34] containers name no node"):
        judge(reading("edge", start), None)


def test_at_the_last_reading_what_would_be_refused_is_kept_as_degraded():
    kept = judge(reading("edge", FAULTY_WINDOW + 2 * WINDOW), None, is_last=True)

    assert kept.is_degraded
    assert "containers name no node" in (kept.reason or "")


def test_without_prometheus_nothing_is_verified():
    judged = judge(healthy(), None)

    assert (judged.is_verified, judged.is_degraded) == (False, False)
    assert (judged.reason, judged.minutes_ratio) == ("Prometheus could not be asked", 1.0)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"opencost_sample_ratio": 0.79}, "Prometheus has 79% of the samples of OpenCost"),
        (
            {"kube_state_sample_ratio": 0.0},
            "Prometheus has 0% of the samples of kube-state-metrics",
        ),
        ({"opencost_sample_ratio": None}, "Prometheus has no samples of OpenCost"),
        ({"warning": "store is away"}, "Prometheus warned: store is away"),
    ],
)
def test_a_prometheus_that_was_half_there_verifies_nothing(change: dict[str, Any], reason: str):
    judged = judge(healthy(), seen(healthy(), **change))

    assert (judged.is_verified, judged.is_degraded, judged.reason) == (False, False, reason)


def test_a_tenth_of_the_containers_may_be_missing_and_no_more():
    presence = seen(healthy())
    ran = dict(presence.running_sample_count)
    few = ran | {("missing", "pod", str(number)): 15.0 for number in range(4)}
    many = ran | {("missing", "pod", str(number)): 15.0 for number in range(5)}
    short = ran | {("missing", "pod", str(number)): 1.0 for number in range(50)}

    assert judge(healthy(), replace(presence, running_sample_count=few)).is_verified
    assert judge(healthy(), replace(presence, running_sample_count=short)).is_verified
    with pytest.raises(SourceMalformed, match="rows of 40 containers, but Prometheus saw 45 run"):
        judge(healthy(), replace(presence, running_sample_count=many))


def test_costs_may_differ_by_a_fiftieth():
    presence = seen(healthy())
    rate = presence.node_cost_rate
    assert rate is not None

    assert not judge(healthy(), replace(presence, node_cost_rate=rate * 1.019)).is_degraded
    assert judge(healthy(), replace(presence, node_cost_rate=rate * 1.021)).is_degraded


def test_short_minutes_are_told_and_not_taken_for_wrong_costs():
    told = healthy()
    for table in ("raw.allocation", "raw.asset"):
        rows = told.tables[table]
        shrunk = {
            name: pc.multiply(rows[name], 14 / 15)
            for name in rows.column_names
            if name == "minutes" or name.endswith("_hours") or name.startswith("source_")
        }
        told = with_columns(told, table, **shrunk)

    judged = judge(told, seen(healthy()))

    assert (judged.is_verified, judged.is_degraded) == (True, False)
    assert judged.minutes_ratio == pytest.approx(14 / 15)


def test_a_cluster_without_anything_is_believed_and_has_no_minutes():
    empty = healthy()
    nothing = {name: table.slice(0, 0) for name, table in empty.tables.items()}

    judged = judge(replace(empty, tables=nothing), NOBODY)

    assert (judged.is_verified, judged.is_degraded, judged.minutes_ratio) == (True, False, None)


def test_rows_without_a_cost_are_degraded_but_for_idle():
    told = healthy()
    rows = told.tables["raw.allocation"]
    idle = pc.ends_with(rows["allocation"], "__idle__").to_pylist()
    costs = rows["source_total_cost"].to_pylist()
    lost = {idle.index(True), *[at for at, is_idle in enumerate(idle) if not is_idle][:2]}
    left = pa.array([None if at in lost else cost for at, cost in enumerate(costs)], pa.float64())

    judged = judge(with_columns(told, "raw.allocation", source_total_cost=left), seen(healthy()))

    assert (judged.is_verified, judged.is_degraded) == (True, True)
    assert judged.reason == "2 rows without a cost"
