"""Recorded answers, each judged as it deserves: plausible, unverified, degraded or refused."""

import json
import re
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from fnmatch import fnmatchcase
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import httpx
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from finops_pipeline import http
from finops_pipeline.errors import ServerMalformed, ServerRejected, ServerUnavailable
from finops_pipeline.simulation.server import serve
from finops_pipeline.sources import opencost, prometheus
from finops_pipeline.sources.plausibility import judge
from finops_pipeline.sources.prometheus import Presence
from finops_pipeline.sources.reading import Reading
from finops_pipeline.units import DAY as DAY_LONG
from finops_pipeline.units import WINDOW, windows
from finops_pipeline_tests.servers import body, question, recorded
from finops_pipeline_tests.sources import kubecost
from finops_pipeline_tests.sources.recordings import (
    CLUSTER,
    DAY,
    FAULTY_WINDOW,
    OPENCOST,
    client,
    reading,
)

STAYS = "ip-10-0-1-12.eu-west-1.compute.internal"  # one of four nodes
NOBODY = Presence({}, opencost_sample_ratio=1.0, kube_state_sample_ratio=1.0)


def healthy() -> Reading:
    return reading("failing_queries", FAULTY_WINDOW, "baseline_")


def presence_of(reading: Reading, **changes: Any) -> Presence:
    """Return the presence of exactly what OpenCost says."""
    rows = reading.tables["raw.allocation"].to_pylist()
    ran: dict[tuple[str, ...], float] = {
        (row["namespace"], row["pod"], row["container"]): row["minutes"]
        for row in rows
        if row["node"]
    }
    nodes = reading.tables["raw.asset"].filter(pc.field("asset_kind") == "node")
    hours = pc.sum(nodes["minutes"]).as_py() / 60
    presence = Presence(
        ran,
        ran_throughout=[who for who, minutes in ran.items() if minutes == 15],
        controlled_pod_count=len({row["pod"] for row in rows if row["workload"]}),
        opencost_sample_ratio=1.0,
        kube_state_sample_ratio=1.0,
        mean_node_hour_price=pc.sum(nodes["source_total_cost"]).as_py() / hours,
        whole_node_count=nodes.num_rows,
    )
    return replace(presence, **changes)


def with_columns(reading: Reading, table: str, **columns: pa.Array) -> Reading:
    rows = reading.tables[table]
    for name, values in columns.items():
        at = rows.schema.get_field_index(name)
        rows = rows.set_column(at, rows.schema.field(at), values)
    return replace(reading, tables={**reading.tables, table: rows})


@pytest.mark.needs("prometheus", "promtool")
def test_every_window_of_a_healthy_day_is_plausible(recorded_prometheus: httpx.Client):
    for start in windows(DAY, DAY + timedelta(days=1)):
        presence = prometheus.read_presence(recorded_prometheus, CLUSTER, start)
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
        ("all_empty", "0 containers, but Prometheus saw 4 nodes"),
    ],
)
def test_an_answer_with_rows_or_hours_missing_is_refused(
    fault: str, reason: str, recorded_prometheus: httpx.Client
):
    presence = prometheus.read_presence(recorded_prometheus, CLUSTER, FAULTY_WINDOW)
    with pytest.raises(
        ServerMalformed, match=f"cluster prod: window 2026-11-23T21:30:00Z: {reason}"
    ):
        judge(reading("failing_queries", FAULTY_WINDOW, f"{fault}_"), presence)


@pytest.mark.needs("prometheus", "promtool")
@pytest.mark.parametrize(
    ("fault", "reason"),
    [
        ("nodecost_empty", "a node costs 0.00000 an hour, by its price in Prometheus 0.20373"),
        ("nodetotal_empty", "a node costs 0.10430 an hour, by its price in Prometheus 0.20373"),
        ("labels_empty", "none of 40 containers has labels of its namespace; 5 pods .* saw 33"),
        ("podowner_empty", "0 pods with a controller, but Prometheus saw 33"),
    ],
)
def test_an_answer_that_is_wrong_in_part_is_degraded(
    fault: str, reason: str, recorded_prometheus: httpx.Client
):
    presence = prometheus.read_presence(recorded_prometheus, CLUSTER, FAULTY_WINDOW)
    judged = judge(reading("failing_queries", FAULTY_WINDOW, f"{fault}_"), presence)

    assert (judged.is_verified, judged.is_degraded) == (True, True)
    assert re.search(f"{reason}$", judged.reason or "")


# What facts of recorded answers say of each: "warn" changed nothing; one query without answer took
# rows, hours, prices or names away; of "edge" a container names no node, and Prometheus is unknown.
VERDICTS = {
    "failing_queries": {
        "baseline_*": "plausible",
        "warn_*": "plausible",
        "podquery_503_*": "refused",
        "podquery_empty_*": "refused",
        "cpualloc_empty_*": "refused",
        "alloc_both_empty_*": "refused",
        "all_alloc_req_empty_*": "refused",
        "all_empty_*": "refused",
        "nodecost_empty_*": "degraded",
        "nodetotal_empty_*": "degraded",
        "labels_empty_*": "degraded",
        "podowner_empty_*": "degraded",
        "cpuusage_422_*": "unavailable",
        "nodecpu_503_*": "unavailable",
        "all_503_*": "unavailable",
        "all_garbage_*": "unavailable",
    },
    "resolution_300s": {
        "*_15m_*": "plausible",
        "*_1h_*": "refused",  # another window than ours
        "*_1d_*": "refused",
    },
    "edge": {
        "allocation_15m_????.json.gz": "refused",
        "assets_15m_*": "refused",
        "*_1h_2200*": "refused",
        "allocation_15m_2230_idleByNode.json.gz": "refused",
        "allocation_15m_2230_agg*": "refused",  # without containers
    },
    "prometheus_down": {
        "alloc_15m*": "unavailable",
        "assets_15m.json": "unavailable",
        "summary_15m.json": "unavailable",
        "alloc_invalid.json.gz": "rejected",
        "healthz.json": "refused",  # 200, but no answer
        "metrics.json": "refused",
        "clusterInfo.json": "refused",
        "status.json": "refused",
    },
}
RECORDED = [
    (folder, entry)
    for folder in VERDICTS
    for entry in json.loads((OPENCOST / folder / "index.json").read_text())
]


NOTHING = httpx.Response(200, content=b'{"code":200,"data":[{}]}')


def verdict(folder: str, entry: dict[str, Any], seen_by: httpx.Client | None) -> str:
    """Judge a recorded answer, beside its partner for the same window."""
    parts = urlsplit(entry["url"])
    window = dict(parse_qsl(parts.query)).get("window", "garbage")
    start = FAULTY_WINDOW if window == "garbage" or "Z," not in window else None
    start = start or datetime.fromisoformat(window.split(",")[0])
    path = parts.path if parts.path == "/assets" else "/allocation"
    prefix = re.sub("(alloc|assets)[.].*", "", entry["file"])
    partners = recorded(OPENCOST / folder, prefix if folder == "failing_queries" else "")

    def respond(request: httpx.Request) -> httpx.Response:
        if request.url.path == path:
            return httpx.Response(entry["status"], content=body(OPENCOST / folder / entry["file"]))
        found = partners.get(question(str(request.url)))
        return httpx.Response(found.status, content=found.body) if found else NOTHING

    try:
        reading = opencost.read_window(client(respond), CLUSTER, start, start + 2 * WINDOW)
        presence = prometheus.read_presence(seen_by, CLUSTER, start) if seen_by else None
        judged = judge(reading, presence)
    except ServerMalformed:
        return "refused"
    except ServerUnavailable:
        return "unavailable"
    except ServerRejected:
        return "rejected"
    if judged.is_degraded:
        return "degraded"
    return "plausible" if judged.is_verified else "unverified"


def expected(folder: str, file: str) -> str:
    (found,) = (said for name, said in VERDICTS[folder].items() if fnmatchcase(file, name))
    return found


@pytest.mark.needs("prometheus", "promtool")
@pytest.mark.parametrize(
    ("folder", "entry"),
    RECORDED,
    ids=lambda value: value if isinstance(value, str) else value["file"],
)
def test_every_recorded_answer_is_judged_as_it_deserves(
    folder: str, entry: dict[str, Any], recorded_prometheus: httpx.Client
):
    seen_by = recorded_prometheus if folder in ("failing_queries", "resolution_300s") else None

    assert verdict(folder, entry, seen_by) == expected(folder, entry["file"])


@pytest.mark.parametrize(
    ("folder", "entry"),
    [(f, e) for f, e in RECORDED if expected(f, e["file"]) == "plausible"],
    ids=lambda value: value if isinstance(value, str) else value["file"],
)
def test_plausible_windows_are_only_kept_where_prometheus_cannot_be_asked(
    folder: str, entry: dict[str, Any]
):
    assert verdict(folder, entry, None) == "unverified"


@pytest.mark.parametrize("fault", ["labels_empty", "podowner_empty"])
def test_lost_names_are_noticed_without_prometheus(fault: str):
    judged = judge(reading("failing_queries", FAULTY_WINDOW, f"{fault}_"), None)

    assert (judged.is_verified, judged.is_degraded) == (False, True)


@pytest.mark.parametrize("quarters", range(8))
def test_a_container_without_node_is_refused(quarters: int):
    start = FAULTY_WINDOW + (2 + quarters) * WINDOW
    with pytest.raises(ServerMalformed, match=r"1 of 1[34] containers name no node"):
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
    judged = judge(healthy(), presence_of(healthy(), **change))

    assert (judged.is_verified, judged.is_degraded, judged.reason) == (False, False, reason)


def test_a_tenth_of_the_containers_may_be_missing_and_no_more():
    presence = presence_of(healthy())
    ran = dict(presence.running_sample_count)
    few = ran | {("missing", "pod", str(number)): 15.0 for number in range(4)}
    many = ran | {("missing", "pod", str(number)): 15.0 for number in range(5)}
    short = ran | {("missing", "pod", str(number)): 1.0 for number in range(50)}

    assert judge(healthy(), replace(presence, running_sample_count=few)).is_verified
    assert judge(healthy(), replace(presence, running_sample_count=short)).is_verified
    with pytest.raises(ServerMalformed, match="rows of 40 containers, but Prometheus saw 45 run"):
        judge(healthy(), replace(presence, running_sample_count=many))


def test_costs_may_differ_by_a_fiftieth():
    presence = presence_of(healthy())
    price = presence.mean_node_hour_price
    assert price is not None

    assert not judge(healthy(), replace(presence, mean_node_hour_price=price * 1.019)).is_degraded
    assert judge(healthy(), replace(presence, mean_node_hour_price=price * 1.021)).is_degraded


def scale(reading: Reading, factor: float, *names: str) -> Reading:
    """Multiply all times and costs of an answer, or some columns only."""
    for table in ("raw.allocation", "raw.asset"):
        rows = reading.tables[table]
        changed = {
            name: pc.multiply(rows[name], factor)
            for name in rows.column_names
            if name in names
            or not names
            and (name == "minutes" or name.endswith("_hours") or name.startswith("source_"))
        }
        reading = with_columns(reading, table, **changed)
    return reading


@pytest.mark.parametrize(
    ("minutes", "cure"),
    [
        (
            14,
            "containers that ran all the time are reported with 14 of 15 minutes: OpenCost before"
            " 1.115",
        ),
        (10, "reported with 10 of 15 .*: set PROMETHEUS_QUERY_RESOLUTION_SECONDS=60 .* on Open"),
    ],
)
def test_short_minutes_are_noted_with_their_cure_and_not_taken_for_wrong_costs(
    minutes: int, cure: str
):
    judged = judge(scale(healthy(), minutes / 15), presence_of(healthy()))

    assert (judged.is_verified, judged.is_degraded) == (True, False)
    assert judged.minutes_ratio == pytest.approx(minutes / 15)
    assert re.search(cure, judged.reason or "")


@pytest.mark.parametrize("minutes", [14, 10])
def test_a_window_in_which_everything_started_late_has_no_ratio(minutes: int):
    late = scale(healthy(), minutes / 15)

    judged = judge(late, presence_of(healthy(), ran_throughout=()))

    assert (judged.is_verified, judged.is_degraded, judged.reason) == (True, False, None)
    assert judged.minutes_ratio is None
    assert judge(late, None).minutes_ratio is None


def test_one_that_ran_all_the_time_tells_the_loss_however_long_others_ran():
    rows = healthy().tables["raw.allocation"].to_pylist()
    whole = [row for row in rows if row["node"] and row["minutes"] == 15]
    names = [(row["namespace"], row["pod"], row["container"]) for row in whole]
    minutes = [14.0 if row["pod"] == names[0][1] else min(row["minutes"], 13.0) for row in rows]
    shortened = with_columns(healthy(), "raw.allocation", minutes=pa.array(minutes))

    judged = judge(shortened, presence_of(healthy(), ran_throughout=names[:1]), is_last=True)

    assert judged.minutes_ratio == pytest.approx(14 / 15)


def without_containers(reading: Reading, is_kept: Callable[[dict[str, Any]], bool]) -> Reading:
    """Leave out some containers; the nodes they leave are idle."""
    rows = reading.tables["raw.allocation"]
    table = rows.filter(pa.array([is_kept(row) for row in rows.to_pylist()]))
    left = sum(
        pc.sum(rows[f"source_{kind}_cost"]).as_py() - pc.sum(table[f"source_{kind}_cost"]).as_py()
        for kind in ("cpu", "memory", "gpu")
    )
    costs = [
        (row["source_cpu_cost"] or 0) + (left if row["allocation"] == "__idle__" else 0)
        for row in table.to_pylist()
    ]
    changed = replace(reading, tables={**reading.tables, "raw.allocation": table})
    return with_columns(changed, "raw.allocation", source_cpu_cost=pa.array(costs))


def test_a_nightly_scale_down_is_plausible_at_once():
    night = without_containers(
        healthy(), lambda row: not row["node"] or row["namespace"] == "kube-system"
    )
    assert night.tables["raw.allocation"].num_rows < healthy().tables["raw.allocation"].num_rows / 2

    judged = judge(night, presence_of(night))

    assert (judged.is_verified, judged.is_degraded, judged.reason) == (True, False, None)


def test_every_window_of_a_day_of_the_embedded_cluster_is_plausible_at_once():
    """Replicas and nodes go at night and come in the morning, jobs run for minutes."""
    day = datetime(2026, 3, 9, tzinfo=UTC)
    counts = []
    with (
        serve(anchor=day.date(), cluster_name="demo", clock=lambda: day + 2 * DAY_LONG) as server,
        http.client(server.opencost_url) as costs,
        http.client(server.prometheus_url) as measures,
    ):
        for start in windows(day, day + DAY_LONG):
            reading = opencost.read_window(costs, "demo", start, start + 2 * WINDOW)
            judged = judge(reading, prometheus.read_presence(measures, "demo", start))
            counts.append(reading.tables["raw.allocation"].num_rows)

            assert (judged.is_verified, judged.is_degraded) == (True, False), judged.reason
            assert judged.minutes_ratio == 1.0
    assert min(counts) < 0.9 * max(counts)


def test_nodes_that_leave_within_the_window_are_plausible_at_once():
    assets = healthy().tables["raw.asset"]
    is_leaving = pc.and_(
        pc.equal(assets["asset_kind"], "node"), pc.not_equal(assets["name"], STAYS)
    )
    columns = {
        name: pc.if_else(is_leaving, pc.multiply(assets[name], 7 / 15), assets[name])
        for name in ("minutes", "source_total_cost")
    }
    nodes = [row for row in assets.to_pylist() if row["asset_kind"] == "node"]
    # A step too long in OpenCost's answer: they were there for 6.3 minutes, not for 7.
    hours = [0.25 if node["name"] == STAYS else 6.3 / 60 for node in nodes]
    prices = [node["source_total_cost"] * 4 for node in nodes]
    paid = sum(hour * price for hour, price in zip(hours, prices, strict=True))
    left = with_columns(healthy(), "raw.asset", **columns)

    judged = judge(
        left, presence_of(left, mean_node_hour_price=paid / sum(hours), whole_node_count=1)
    )

    assert "a node costs" not in (judged.reason or "")


def test_a_mass_rollout_is_plausible_at_once():
    rows = healthy().tables["raw.allocation"]
    halves = [
        scale(rename_pods(healthy(), generation), share)
        for generation, share in (("old", 7 / 15), ("new", 8 / 15))
    ]
    both = pa.concat_tables([half.tables["raw.allocation"] for half in halves])
    reading = replace(healthy(), tables={**healthy().tables, "raw.allocation": both})
    assert both.num_rows == 2 * rows.num_rows

    judged = judge(reading, presence_of(reading, ran_throughout=()))

    assert (judged.is_verified, judged.is_degraded, judged.reason) == (True, False, None)


def rename_pods(reading: Reading, generation: str) -> Reading:
    """Rename the pods of all containers."""
    rows = reading.tables["raw.allocation"]
    pods = pc.binary_join_element_wise(rows["pod"], generation, "-")
    names = pc.binary_join_element_wise(rows["allocation"], generation, "-")
    is_idle = pc.equal(rows["allocation"], "__idle__")
    names = pc.if_else(is_idle, rows["allocation"], names)
    return with_columns(reading, "raw.allocation", pod=pods, allocation=names)


@pytest.mark.parametrize("hours", ["cpu_core_hours", "memory_byte_hours"])
def test_hours_beyond_request_and_usage_together_are_refused(hours: str):
    once, twice = (scale(healthy(), factor, hours) for factor in (1.4, 2.1))

    assert judge(once, presence_of(healthy())).is_verified
    with pytest.raises(ServerMalformed, match=f"{hours} add up to .*, request and usage together"):
        judge(twice, presence_of(healthy()))


def test_hours_of_which_neither_request_nor_usage_is_known_are_not_called_inflated():
    nothing = pa.nulls(healthy().tables["raw.allocation"].num_rows, pa.float64())
    columns = dict.fromkeys(("cpu_request_cores", "cpu_usage_cores"), nothing)

    assert judge(
        with_columns(healthy(), "raw.allocation", **columns), presence_of(healthy())
    ).is_verified


def test_a_cluster_of_bare_pods_lacks_no_controller():
    rows = healthy().tables["raw.allocation"].num_rows
    bare = with_columns(healthy(), "raw.allocation", workload=pa.nulls(rows, pa.string()))

    judged = judge(bare, presence_of(bare))

    assert (judged.is_verified, judged.is_degraded, judged.reason) == (True, False, None)


def test_adjusted_costs_of_kubecost_are_plausible():
    reading = kubecost.reading()
    presence = presence_of(
        reading, mean_node_hour_price=0.24
    )  # the list price, before the adjustment

    judged = judge(reading, presence)

    assert (judged.is_verified, judged.is_degraded, judged.reason) == (True, False, None)


def test_nodes_that_are_missing_from_the_assets_are_found():
    judged = judge(healthy(), presence_of(healthy(), whole_node_count=5))

    assert (judged.is_degraded, judged.reason) == (True, "4 nodes, but Prometheus saw 5")


def test_a_cluster_without_anything_is_plausible_and_has_no_minutes():
    empty = healthy()
    nothing = {name: table.slice(0, 0) for name, table in empty.tables.items()}

    judged = judge(replace(empty, tables=nothing), NOBODY)

    assert (judged.is_verified, judged.is_degraded, judged.minutes_ratio) == (True, False, None)


def test_rows_without_a_cost_are_degraded_but_for_idle():
    reading = healthy()
    rows = reading.tables["raw.allocation"]
    idle = pc.ends_with(rows["allocation"], "__idle__").to_pylist()
    costs = rows["source_total_cost"].to_pylist()
    lost = {idle.index(True), *[at for at, is_idle in enumerate(idle) if not is_idle][:2]}
    left = pa.array([None if at in lost else cost for at, cost in enumerate(costs)], pa.float64())

    judged = judge(
        with_columns(reading, "raw.allocation", source_total_cost=left), presence_of(healthy())
    )

    assert (judged.is_verified, judged.is_degraded) == (True, True)
    assert judged.reason == "2 rows without a cost"
