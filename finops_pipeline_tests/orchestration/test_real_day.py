"""A whole recorded day: real answers over HTTP, a real Prometheus, one real tick."""

import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any, NamedTuple

import pytest

from finops_pipeline_tests import servers
from finops_pipeline_tests.installation.homes import (
    CLUSTER,
    DAY,
    Home,
    Sources,
    TickResult,
    at,
    home,
)

pytestmark = pytest.mark.needs("prometheus", "promtool")

TWO_DAYS_LATER = at(48)  # everything is read for the first and last time
HALF_DIGIT = 5e-6  # of allocations: 5 decimals
HALF_ASSET_DIGIT = 5e-7  # of assets: 6 decimals
COMPONENTS = {"cpu": "cpuCost", "memory": "ramCost", "storage": "pvCost"}
LOAD_BALANCER_DAY_COST = 24 * Decimal("0.0252")  # kubecost_load_balancer_cost
WHOLE_DAY = servers.question(
    "/allocation?window=2026-11-23T00:00:00Z,2026-11-24T00:00:00Z&includeIdle=true"
)
CONTAINER = r"node is not null and container not like '\_\_%' escape '\'"


class Day(NamedTuple):
    """The installation after its tick over the day, and what that said."""

    home: Home
    result: TickResult


@pytest.fixture(scope="module")
def day(tmp_path_factory: pytest.TempPathFactory, prometheus: str) -> Iterator[Day]:
    with (
        servers.opencost() as opencost,
        home(
            tmp_path_factory.mktemp("day"), {CLUSTER: Sources(opencost.url, prometheus)}
        ) as own_home,
    ):
        yield Day(own_home, own_home.tick(TWO_DAYS_LATER, DAY.date()))


@pytest.fixture(scope="module")
def whole() -> Mapping[str, Any]:
    """The source's own answer for the day in one piece."""
    (step,) = recorded_answer("allocation_1d.json.gz")
    found: Mapping[str, Any] = step
    return found


def recorded_answer(name: str) -> Any:
    return json.loads(servers.body(servers.ANSWERS / "opencost" / "day" / name))["data"]


def one(day: Day, query: str) -> dict[str, Any]:
    (row,) = day.home.ask(query)
    return row


def assert_close(ours: Any, theirs: float, tolerance: float) -> None:
    assert float(ours) == pytest.approx(theirs, rel=0, abs=tolerance + 1e-9)


def test_every_window_is_final_and_verified(day):
    assert day.home.ask("""
        select table_name, status, is_verified, is_degraded, reason, count(*) as windows
        from core.window where table_name <> 'raw.source_daily' group by all order by all
    """) == [
        {
            "table_name": f"raw.{name}",
            "status": "final",
            "is_verified": True,
            "is_degraded": False,
            "reason": None,
            "windows": 96,
        }
        for name in ("allocation", "asset", "container_usage", "price", "volume_usage")
    ]


def test_the_day_in_one_piece_is_read_and_confirms_its_windows(day):
    read = day.home.ask("""
        select status, is_verified, is_degraded, reason, row_count
        from core.window where table_name = 'raw.source_daily'
    """)
    judged = "select is_reconciled, degraded_window_count from core.window_daily"

    assert [tuple(row.values()) for row in read] == [("final", True, False, None, 186)]
    assert day.home.ask(judged) == [{"is_reconciled": True, "degraded_window_count": 0}]


def test_each_source_is_complete_until_the_end_of_the_day(day):
    ends = day.home.ask("select source, complete_until, last_failure from core.cluster order by 1")

    assert [tuple(row.values()) for row in ends] == [
        ("opencost", at(24), None),
        ("prometheus", at(24), None),
    ]


def test_a_day_is_one_file_per_table(day):
    files = sorted(day.home.lake_files())

    assert [path.split("/")[:2] for path in files] == [
        *([f"raw.{name}", "day"] for name in ("allocation", "asset", "container_usage", "price")),
        ["raw.scorecard", "window"],
        ["raw.source_daily", "window"],
        ["raw.volume_usage", "day"],
    ]


def test_no_check_but_one_finds_anything(day):
    """Three windows use more of one node than it has: true, and not a mistake of ours.

    Containers burst above their requests there while others leave theirs unused; both are billed
    the larger of the two, in the source's own figures as well.
    """
    overbooked = day.home.ask("""
        select window_start, node
        from raw.allocation
        join raw.asset using (cluster, window_start)
        where node = asset.name
        group by all
        having sum(raw.allocation.source_cpu_cost) > any_value(raw.asset.source_cpu_cost) + 1e-4
        order by all
    """)

    assert day.result.red == {"idle_not_negative"}
    shown = [row.split(" | ") for row in day.result.checks["idle_not_negative"]]
    assert [(str(row["window_start"]), row["node"]) for row in overbooked] == [
        (window, node) for _, window, node, *_ in shown
    ]
    assert len(overbooked) == 3


@pytest.mark.parametrize("component", COMPONENTS)
def test_each_workload_costs_what_the_day_in_one_piece_says(day, whole, component):
    theirs = of_workloads(whole, COMPONENTS[component])
    ours = {
        (row["namespace"], row["workload"]): row
        for row in day.home.ask(f"""
            select
                item.namespace,
                item.workload,
                sum({component}_cost) as cost,
                coalesce(sum(if(minutes < 15, {component}_cost::double / minutes, 0)), 0) as steps,
                coalesce(sum({HALF_DIGIT} * cpu_core_hour_price), 0) as rounding
            from costs.line_item as item
            left join raw.allocation using (cluster, window_start, namespace, pod, container)
            left join core.price
                on price.window_start = item.window_start and price.node = item.node
            group by all
        """)
    }

    assert theirs.keys() <= ours.keys()
    for workload, row in ours.items():
        cost, rows = theirs.get(workload, (0.0, 0))
        assert_close(row["cost"], cost, rows * HALF_DIGIT + row["rounding"] + row["steps"])


def of_workloads(whole: Mapping[str, Any], field: str) -> dict[tuple[str, str], tuple[float, int]]:
    """Cost and number of rows by namespace and workload, as our tables name them."""
    found: dict[tuple[str, str], tuple[float, int]] = {}
    for item in whole.values():
        is_idle = item["name"] == "__idle__"
        named = item["properties"]
        is_unmounted = named.get("container") == "__unmounted__"
        workload = "__unmounted__" if is_unmounted else named.get("controller", named.get("pod"))
        key = ("__idle__", "__idle__") if is_idle else (named["namespace"], workload)
        cost, rows = found.get(key, (0.0, 0))
        found[key] = cost + item.get(field, 0), rows + 1
    return found


def test_the_day_adds_up_to_what_its_assets_cost(day):
    """Compare days in one piece, too; a node that came or went is known to a minute."""
    assets = recorded_answer("assets_1d.json.gz").values()
    nodes = [asset for asset in assets if asset["type"] == "Node"]
    disks = [asset for asset in assets if asset["type"] == "Disk"]
    ours = one(
        day,
        "select sum(cpu_cost) as cpu, sum(memory_cost) as memory, sum(storage_cost) as storage"
        " from costs.daily",
    )
    minute = one(
        day,
        """
        select sum(source_cpu_cost / minutes) as cpu, sum(source_memory_cost / minutes) as memory
        from raw.asset where asset_kind = 'node' and minutes < 15
        """,
    )

    assert_close(ours["cpu"], sum(node["cpuCost"] for node in nodes), minute["cpu"])
    assert_close(ours["memory"], sum(node["ramCost"] for node in nodes), minute["memory"])
    assert_close(ours["storage"], sum(disk["totalCost"] for disk in disks), HALF_ASSET_DIGIT * 7)


def test_allocations_and_idle_are_what_the_nodes_cost(day):
    windows = day.home.ask(f"""
        with nodes as (
            select
                window_start,
                sum(source_cpu_cost) as cpu,
                sum(source_memory_cost) as memory,
                {HALF_ASSET_DIGIT} * count(*) as rounding
            from raw.asset where asset_kind = 'node' group by all
        )
        select window_start, cpu, memory, rounding,
            sum(cpu_cost) as cpu_cost, sum(memory_cost) as memory_cost
        from costs.line_item join nodes using (window_start)
        group by all
    """)

    assert len(windows) == 96
    for row in windows:
        assert_close(row["cpu_cost"], row["cpu"], 2 * row["rounding"])
        assert_close(row["memory_cost"], row["memory"], 2 * row["rounding"])


def test_every_resource_is_reconciled_three_ways(day, whole):
    rows = {row["resource"]: row for row in day.home.ask("from costs.reconciliation_daily")}
    fields = {**COMPONENTS, "gpu": "gpuCost", "network": "networkCost", "shared": "sharedCost"}

    assert {name: row["is_reconciled"] for name, row in rows.items()} == dict.fromkeys(
        [*fields, "load_balancer", "total"], True
    )
    for resource, field in fields.items():
        theirs = sum(item[field] for item in whole.values())
        assert float(rows[resource]["source_day_cost"]) == pytest.approx(theirs, abs=1e-9)
    # Neither a mistake of a per mille of the cluster's cost nor one of its nodes' would pass.
    total = rows["total"]
    assert total["day_tolerance_cost"] < total["our_cost"] / 1000
    assert total["asset_tolerance_cost"] < total["our_cost"] / 10_000


def test_every_workload_is_reconciled(day, whole):
    rows = day.home.ask("from costs.workload_reconciliation_daily where our_cost > 0")
    controllers = {item["properties"].get("controller") for item in whole.values()} - {None}

    assert {row["is_reconciled"] for row in rows} == {True}
    assert {row["workload"] for row in rows} == {*controllers, "__unallocated__"}


def test_a_workload_that_is_a_hundredth_dearer_for_the_source_is_red(recorded_home, opencost):
    """Raise a cost by half a cent a day: less than the whole cluster's figures may differ by."""
    dearer = json.loads(opencost.answers[WHOLE_DAY].body)
    for item in dearer["data"][0].values():
        if item["properties"].get("controller") == "payments-worker":
            for field in (*COMPONENTS.values(), "totalCost"):
                item[field] *= 1.01
    body = json.dumps(dearer).encode()
    opencost.answers[WHOLE_DAY] = servers.Recorded(200, "application/json", body)

    result = recorded_home.tick(TWO_DAYS_LATER, DAY.date())

    assert result.red == {"idle_not_negative", "source_reconciles"}
    rows = recorded_home.ask("""
        select namespace, workload from costs.workload_reconciliation_daily where not is_reconciled
    """)
    assert rows == [{"namespace": "payments", "workload": "payments-worker"}]
    degraded = "select is_reconciled, degraded_window_count from core.window_daily"
    assert recorded_home.ask(degraded) == [{"is_reconciled": False, "degraded_window_count": 96}]
    (why,) = recorded_home.ask("select reason from core.window where is_degraded")
    assert "payments/payments-worker costs 0.673" in str(why["reason"])


def test_volumes_without_a_mount_are_counted_once(day):
    unmounted = day.home.ask("""
        select namespace, workload, sum(storage_cost) as cost from costs.daily
        where cost_kind = 'unmounted' and storage_cost > 0 group by all order by all
    """)
    disks = {
        row["name"]: row["cost"]
        for row in day.home.ask("""
            select name, sum(source_total_cost) as cost from raw.asset
            where asset_kind = 'disk' group by all
        """)
    }

    orphan, claimed = unmounted
    assert (orphan["namespace"], claimed["namespace"]) == ("__unmounted__", "data")
    assert_close(orphan["cost"], disks["pv-orphan"], HALF_ASSET_DIGIT * 96)
    assert_close(claimed["cost"], disks["pvc-44444444-oldbackup"], HALF_ASSET_DIGIT * 96)


def test_load_balancers_cost_their_hours_once(day):
    """Shared by the pods behind it, or a row of its own when there are none.

    The source's own 0.00672 for each window is a resolution step too much.
    """
    ours = day.home.ask("""
        select namespace, workload, cost_kind, sum(load_balancer_cost) as cost
        from costs.daily where load_balancer_cost <> 0 group by all order by all
    """)

    assert [tuple(row.values()) for row in ours] == [
        ("checkout", "orphan-lb", "unmounted", LOAD_BALANCER_DAY_COST),
        ("payments", "payments-api", "workload", LOAD_BALANCER_DAY_COST),
    ]


def test_pods_that_just_ended_cost_nothing(day):
    ghosts = one(
        day,
        """
        select count(*) as rows, max(minutes) as minutes, sum(source_total_cost) as cost
        from raw.allocation where node is null and container not like '%unmounted%'
        """,
    )
    ours = one(
        day,
        """
        select count(*) as rows, count(*) filter (total_cost <> 0) as with_cost from costs.daily
        where workload_kind = 'Pod' and workload like 'spark-batch-%'
        """,
    )

    assert (ghosts["rows"], ghosts["minutes"], ghosts["cost"]) == (14, 0.5, 0.0)
    assert ours["with_cost"] == 0


def test_nothing_runs_longer_than_its_window(day):
    assert one(day, "select min(minutes) as least, max(minutes) as most from raw.allocation") == {
        "least": 0.5,
        "most": 15.0,
    }
    ratios = "select distinct minutes_ratio from core.window where table_name = 'raw.allocation'"
    assert day.home.ask(ratios) == [{"minutes_ratio": 1.0}]


def test_usage_agrees_with_what_opencost_averaged(day):
    """Compare with averages over the whole window, however short the container lived in it."""
    agreed = one(
        day,
        f"""
        select
            count(*) as rows,
            count(cpu_used_core_hours) as measured,
            max(abs(cpu_used_core_hours - cpu_usage_cores / 4)) as cpu_deviation,
            max(abs(memory_mean_bytes - memory_usage_bytes)) as memory_deviation,
            max(minutes) filter (cpu_used_core_hours is null) as unmeasured_minutes
        from raw.allocation
        join raw.container_usage using (cluster, window_start, namespace, pod, container)
        where {CONTAINER}
        """,
    )

    assert agreed["cpu_deviation"] <= HALF_DIGIT / 4
    assert agreed["memory_deviation"] <= 1  # whole bytes
    # A counter with one sample says nothing of what was used.
    assert (agreed["rows"] - agreed["measured"], agreed["unmeasured_minutes"]) == (10, 1.0)


def test_what_the_recording_does_not_hold_is_unknown(day):
    unknown = one(
        day,
        """
        select count(cpu_throttled_ratio) as throttled, count(restart_count) as restarts,
            count(oom_kill_count) as oom_kills, count(gpu_used_hours) as gpus
        from raw.container_usage
        """,
    )

    assert set(unknown.values()) == {0}


def test_a_tick_without_news_changes_nothing(day):
    # The first publication of a day is claimed after it: the next one holds what was said.
    second = day.home.tick(TWO_DAYS_LATER, DAY.date())
    before, files = day.home.published.stat(), day.home.lake_files()

    again = day.home.tick(TWO_DAYS_LATER, DAY.date())

    assert again.publication["publication_id"] == second.publication["publication_id"]
    assert not again.publication["is_new"]
    assert day.home.published.stat().st_ino == before.st_ino
    assert day.home.lake_files() == files
