"""Planted facts show in the answers, and only where they were planted."""

import json
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
import pytest

from finops_pipeline.simulation import opencost, prometheus
from finops_pipeline.simulation.cluster import Cluster
from finops_pipeline.simulation.manifest import CostChange, Manifest, Sized, Target, plant
from finops_pipeline.units import DAY, HOUR, WINDOW, rfc3339
from finops_pipeline_tests.simulation.conftest import ANCHOR, NOW

MANIFEST = plant(ANCHOR)
WEEKDAY = datetime(2026, 3, 9, tzinfo=UTC)
Rows = list[dict[str, Any]]


def allocations(cluster: Cluster, start: datetime, length: timedelta = DAY) -> Rows:
    window = f"{rfc3339(start)},{rfc3339(start + length)}"
    params = {"window": window, "includeIdle": "true"}
    (rows,) = json.loads(opencost.answer(cluster, "/allocation", params, NOW).body)["data"]
    return list(rows.values())


def assets(cluster: Cluster, start: datetime) -> Rows:
    params = {"window": f"{rfc3339(start)},{rfc3339(start + WINDOW)}"}
    items = json.loads(opencost.answer(cluster, "/assets", params, NOW).body)["data"]
    return list(items.values())


def metrics(
    cluster: Cluster, end: datetime, *quantities: str
) -> list[tuple[dict[str, str], float]]:
    text = " or ".join(f'label_replace(up, "quantity", "{name}", "", "")' for name in quantities)
    answer = json.loads(prometheus.query(cluster, text, end, NOW))
    return [(sample["metric"], float(sample["value"][1])) for sample in answer["data"]["result"]]


def of(target: Target, rows: Iterable[dict[str, Any]]) -> Rows:
    place = (target.namespace, target.workload, target.container)
    names = ("namespace", "controller", "container")
    return [row for row in rows if tuple(map(row["properties"].get, names)) == place]


def core_hours(rows: Rows) -> tuple[float, float]:
    """Requested and used."""
    hours = [row["minutes"] / 60 for row in rows]
    requested = sum(r["cpuCoreRequestAverage"] * h for r, h in zip(rows, hours, strict=True))
    used = sum(r["cpuCoreUsageAverage"] * h for r, h in zip(rows, hours, strict=True))
    return requested, used


def use(sized: Sized, rows: Rows) -> tuple[float, float]:
    """Mean cores and bytes per replica."""
    target_rows = of(sized.target, rows)
    minutes = sum(row["minutes"] for row in target_rows)
    cores = sum(row["cpuCoreUsageAverage"] * row["minutes"] for row in target_rows) / minutes
    memory = sum(row["ramByteUsageAverage"] * row["minutes"] for row in target_rows) / minutes
    return cores, memory


def test_says_the_same_for_every_seed_and_travels_as_json():
    assert msgspec.json.decode(msgspec.json.encode(MANIFEST), type=Manifest) == MANIFEST


def test_events_lie_inside_the_month_before_the_anchor():
    start = datetime(ANCHOR.year, ANCHOR.month, ANCHOR.day, tzinfo=UTC)
    events = (MANIFEST.right_sized.at, MANIFEST.step.start, MANIFEST.spike.start)

    assert all(timedelta(days=3) < start - event < timedelta(days=30) for event in events)
    assert {event.minute % 15 for event in events} == {0}
    assert MANIFEST.step.end is None


@pytest.mark.parametrize("sized", MANIFEST.over_requested, ids=lambda sized: sized.target.workload)
def test_over_requested_workloads_use_little_of_it(cluster, sized):
    cores, memory = use(sized, allocations(cluster, WEEKDAY))

    assert cores < 0.3 * sized.cpu_request_cores
    assert memory < 0.5 * sized.memory_request_bytes
    assert cores == pytest.approx(sized.cpu_usage_cores, rel=0.2)
    assert memory == pytest.approx(sized.memory_usage_bytes, rel=0.2)


@pytest.mark.parametrize("sized", MANIFEST.under_requested, ids=lambda sized: sized.target.workload)
def test_under_requested_workloads_use_more_than_it(cluster, sized):
    cores, memory = use(sized, allocations(cluster, WEEKDAY))

    assert cores > 1.3 * sized.cpu_request_cores
    assert memory > sized.memory_request_bytes


def test_workloads_without_requests_use_something(cluster):
    (sized,) = MANIFEST.without_requests
    requested, used = core_hours(of(sized.target, allocations(cluster, WEEKDAY)))

    assert sized.cpu_request_cores is sized.memory_request_bytes is None
    assert (requested, used > 0) == (0, True)


def test_right_sizing_lowers_the_request_and_not_the_usage(cluster):
    right = MANIFEST.right_sized
    before = of(right.target, allocations(cluster, right.at - DAY))
    after = of(right.target, allocations(cluster, right.at))

    def requests(rows: Rows) -> set[tuple[float, float]]:
        return {(row["cpuCoreRequestAverage"], row["ramByteRequestAverage"]) for row in rows}

    assert requests(before) == {(right.cpu_request_cores_before, right.memory_request_bytes_before)}
    assert requests(after) == {(right.cpu_request_cores_after, right.memory_request_bytes_after)}
    assert core_hours(after)[1] == pytest.approx(core_hours(before)[1], rel=0.1)
    assert sum(row["minutes"] for row in after) == right.replicas * 1440
    # No pod of the old kind is left, and the new ones have other names.
    names = {row["properties"]["pod"] for row in before}
    assert names & {row["properties"]["pod"] for row in after} == set()


@pytest.mark.parametrize("change", [MANIFEST.spike, MANIFEST.step], ids=["spike", "step"])
def test_cost_changes_come_with_replicas_and_nodes(cluster, change: CostChange):
    before = allocations(cluster, change.start - HOUR, HOUR)
    during = allocations(cluster, change.start, HOUR)

    def nodes(start: datetime) -> float:
        items = assets(cluster, start)
        return float(sum(item["totalCost"] for item in items if item["type"] == "Node") * 4)

    replicas_added = len(of(change.target, during)) - len(of(change.target, before))
    assert replicas_added == change.replicas_added
    assert nodes(change.start) - nodes(change.start - WINDOW) == pytest.approx(
        change.nodes_added * change.node_cost_per_hour, abs=1e-4
    )


def test_the_spike_ends_and_the_step_stays(cluster):
    spike, step = MANIFEST.spike, MANIFEST.step
    assert spike.end is not None
    over = of(spike.target, allocations(cluster, spike.end, HOUR))

    assert len(over) == len(of(spike.target, allocations(cluster, spike.start - HOUR, HOUR)))
    assert len(of(step.target, allocations(cluster, WEEKDAY, HOUR))) == step.replicas_added


def test_a_leak_is_killed_on_time_at_its_limit(cluster):
    killed = MANIFEST.oom_killed
    times = []
    for quarter in range(96):
        end = WEEKDAY + (quarter + 1) * WINDOW
        for labels, value in metrics(cluster, end, "oom_kill_count", "memory_max_bytes"):
            if labels["quantity"] == "oom_kill_count" and value:
                assert labels["container"] == killed.target.container
                times.append(end)
    # In the last window of each cycle.
    assert times == [WEEKDAY + (i + 1) * killed.every_hours * HOUR for i in range(4)]
    highest = metrics(cluster, times[0], "memory_max_bytes")
    assert max(v for k, v in highest if k["container"] == "ingest") == killed.memory_limit_bytes


def test_only_the_planted_workloads_restart(cluster):
    restarting = MANIFEST.restarting
    counts: dict[str, float] = {}
    for quarter in range(7 * 96):
        end = WEEKDAY - (quarter - 1) * WINDOW
        for labels, value in metrics(cluster, end, "restart_count"):
            if value:
                counts[labels["pod"]] = counts.get(labels["pod"], 0) + value
    owners = {name.rsplit("-", 2)[0]: 0.0 for name in counts}
    for name, count in counts.items():
        owners[name.rsplit("-", 2)[0]] += count

    assert owners.keys() == {MANIFEST.oom_killed.target.workload, restarting.target.workload}
    expected = 7 * 24 / restarting.every_hours
    assert owners[restarting.target.workload] == pytest.approx(expected, rel=0.5)


def test_only_the_planted_workload_is_throttled_much(cluster):
    throttled: dict[str, list[float]] = {}
    for quarter in range(96):
        end = WEEKDAY + (quarter + 1) * WINDOW
        for labels, value in metrics(cluster, end, "cpu_throttled_ratio"):
            throttled.setdefault(labels["container"], []).append(value)
    means = {name: sum(values) / len(values) for name, values in throttled.items()}

    assert {name for name, mean in means.items() if mean > 0.05} == {
        MANIFEST.throttled.target.container
    }


def test_the_abandoned_workload_does_nothing(cluster):
    rows = of(MANIFEST.abandoned, allocations(cluster, WEEKDAY))

    assert all(row["cpuCoreUsageAverage"] < 0.005 for row in rows)
    assert sum(row["networkTransferBytes"] for row in rows) < 100 * 86_400
    assert {row["minutes"] for row in rows} == {1440}


@pytest.mark.parametrize("target", MANIFEST.off_hours, ids=lambda target: target.workload)
def test_off_hours_workloads_sleep_on_weekends(cluster, target):
    weekday, sunday = (
        core_hours(of(target, allocations(cluster, day)))[1] for day in (WEEKDAY, WEEKDAY - DAY)
    )

    assert sunday < 0.4 * weekday


def test_the_bare_pod_has_no_controller(cluster):
    bare = MANIFEST.bare_pod
    rows = allocations(cluster, WEEKDAY)
    without = {
        row["properties"]["pod"]
        for row in rows
        if "node" in row["properties"] and "controller" not in row["properties"]
    }

    assert without == {bare.workload}


def test_volumes_are_half_empty_or_unused_as_stated(cluster):
    disks = {
        (item["claimNamespace"], item["claimName"]): item
        for item in assets(cluster, NOW.replace(hour=0, minute=0))
        if item["type"] == "Disk"
    }
    for half in MANIFEST.half_empty_volumes:
        for claim in half.claims:
            disk = disks[half.namespace, claim]
            used = disk["byteHoursUsed"] / disk["byteHours"]
            assert used == pytest.approx(half.used_ratio, abs=0.01)
            assert (disk["bytes"], disk["storageClass"]) == (half.size_bytes, half.storage_class)


def test_unused_volumes_cost_as_stated_from_their_day(cluster):
    rows = allocations(cluster, WEEKDAY, HOUR)
    loose = {
        key.rpartition("=")[2]: volume["cost"]
        for row in rows
        if row["properties"].get("container") == "__unmounted__"
        for key, volume in (row["pvs"] or {}).items()
    }

    assert loose == {
        volume.volume: pytest.approx(volume.cost_per_hour) for volume in MANIFEST.unused_volumes
    }
    newest = max(MANIFEST.unused_volumes, key=lambda volume: volume.since)
    names = {item["properties"]["name"] for item in assets(cluster, newest.since - WINDOW)}
    assert newest.volume not in names


def test_the_unused_load_balancer_has_no_owner(cluster):
    unused = MANIFEST.unused_load_balancer
    rows = allocations(cluster, WEEKDAY, HOUR)
    owners = [
        row["properties"]["namespace"]
        for row in rows
        if unused.service in row["properties"].get("services", [])
    ]

    assert owners == ["__unmounted__"]


def test_idle_and_spot_nodes_are_there(cluster):
    nodes = [item for item in assets(cluster, WEEKDAY) if item["type"] == "Node"]
    spot = [item for item in nodes if item["preemptible"]]
    pool = "eks_amazonaws_com_nodegroup"
    idle = {n["properties"]["name"] for n in nodes if n["labels"][pool] == "reserve"}
    used = [r for r in allocations(cluster, WEEKDAY, WINDOW) if r["properties"].get("node") in idle]

    assert len(spot) == MANIFEST.spot_nodes.node_count
    assert spot[0]["totalCost"] * 4 == pytest.approx(
        MANIFEST.spot_nodes.node_cost_per_hour, abs=1e-5
    )
    assert len(idle) == MANIFEST.idle_nodes.node_count
    idle_cost = MANIFEST.idle_nodes.node_cost_per_hour * len(idle) / 4
    assert sum(row["totalCost"] for row in used) < 0.1 * idle_cost


def test_an_autoscaler_adds_nodes_on_workdays_and_none_on_weekends(cluster):
    pool = "eks_amazonaws_com_nodegroup"

    def count(at: datetime) -> int:
        return sum(item["labels"].get(pool) == "day" for item in assets(cluster, at))

    days = [WEEKDAY.replace(hour=12) - i * DAY for i in range(28)]
    workdays = [count(day) for day in days if day.weekday() < 5]
    assert {count(day) for day in days if day.weekday() >= 5} == {0}
    assert min(workdays) >= 1
    assert max(workdays) <= MANIFEST.workday_nodes.node_count
    assert len(set(workdays)) > 1
    assert count(WEEKDAY) == 0  # at night


def test_namespaces_without_a_team_have_none_anywhere(cluster):
    teamless: set[str] = set()
    with_team: set[str] = set()
    for row in allocations(cluster, WEEKDAY):
        if "node" in row["properties"]:
            has_team = "team" in row["properties"]["labels"]
            (with_team if has_team else teamless).add(row["properties"]["namespace"])

    assert (
        set(MANIFEST.namespaces_without_team) == teamless - with_team == {"kube-system", "sandbox"}
    )
