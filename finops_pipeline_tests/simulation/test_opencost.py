import gzip
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finops_pipeline.simulation import opencost
from finops_pipeline.simulation.answer import Answer
from finops_pipeline.simulation.cluster import GIB, Cluster
from finops_pipeline.simulation.schedule import minute
from finops_pipeline.units import WINDOW, rfc3339
from finops_pipeline_tests.servers import ANSWERS
from finops_pipeline_tests.simulation.conftest import ANCHOR, NOW

ANSWER_FOLDER = ANSWERS / "opencost"
NOON = datetime(2026, 3, 9, 12, tzinfo=UTC)
QUARTERS = st.integers(min_value=-400 * 96, max_value=60)
_CLUSTER = Cluster(3, ANCHOR)


def ask(cluster: Cluster, path: str, window: str, **params: str) -> Answer:
    return opencost.answer(cluster, path, {"window": window, **params}, NOW)


def span(start: datetime, length: timedelta = WINDOW) -> str:
    return f"{rfc3339(start)},{rfc3339(start + length)}"


def allocations(cluster: Cluster, start: datetime, length: timedelta = WINDOW) -> dict[str, Any]:
    body = ask(cluster, "/allocation", span(start, length), includeIdle="true").body
    rows: dict[str, Any]
    (rows,) = json.loads(body)["data"]
    return rows


def assets(cluster: Cluster, start: datetime, length: timedelta = WINDOW) -> dict[str, Any]:
    items: dict[str, Any] = json.loads(ask(cluster, "/assets", span(start, length)).body)["data"]
    return items


def recorded_answer(name: str) -> Any:
    return json.loads(gzip.decompress((ANSWER_FOLDER / name).read_bytes()))["data"]


def shape(value: Any) -> Any:
    """Names and kinds of a document; numbers are one kind, maps of free names another."""
    if isinstance(value, dict):
        return {key: shape(inner) for key, inner in value.items()}
    return "number" if isinstance(value, int | float) else type(value).__name__


FREE = {"labels", "annotations", "namespaceLabels", "namespaceAnnotations", "pvs", "lbAllocations"}
ABSENT = {"controller", "controllerKind", "services", "annotations", "namespaceAnnotations"}


def row_shape(row: dict[str, Any]) -> tuple[list[str], dict[str, Any]]:
    """Fields in their order, and what they hold; what a row may lack is left out."""
    fields = {key: shape(value) for key, value in row.items() if key not in FREE}
    fields["properties"] = {
        key: kind for key, kind in fields["properties"].items() if key not in FREE | ABSENT
    }
    return list(row), fields


def is_container(row: dict[str, Any]) -> bool:
    return "node" in row["properties"]


def test_container_rows_have_the_recorded_shape(cluster):
    (real,) = recorded_answer("day/allocation_15m_0000.json.gz")
    expected = [row_shape(row) for row in real.values() if is_container(row)]

    shapes = [row_shape(row) for row in allocations(cluster, NOON).values() if is_container(row)]

    assert shapes == [expected[0]] * len(shapes)


@pytest.mark.parametrize("name", ["__idle__", "__unmounted__", "-unmounted-pvcs"])
def test_special_rows_have_the_recorded_shape(cluster, name):
    (real,) = recorded_answer("day/allocation_15m_0000.json.gz")

    def example(rows: dict[str, Any]) -> Any:
        key = next(key for key in rows if key == name or f"/{key}".split("/")[-2].endswith(name))
        return row_shape(rows[key])

    assert example(allocations(cluster, NOON)) == example(real)


@pytest.mark.parametrize("field", ["pvs", "lbAllocations"])
def test_volumes_and_load_balancers_have_the_recorded_shape(cluster, field):
    (real,) = recorded_answer("day/allocation_15m_0000.json.gz")

    def example(rows: dict[str, Any]) -> Any:
        values = [row[field] for row in rows.values() if row[field] and is_container(row)]
        (first, *_) = values[0].values()
        return shape(first)

    assert example(allocations(cluster, NOON)) == example(real)


@pytest.mark.parametrize("kind", ["Node", "Disk", "LoadBalancer"])
def test_assets_have_the_recorded_shape(cluster, kind):
    real = recorded_answer("day/assets_15m_0000.json.gz")

    def example(items: dict[str, Any]) -> Any:
        item = next(
            item for item in items.values() if item["type"] == kind and item.get("claimName", "x")
        )
        return list(item), shape(item | {"labels": {}, "byteHoursUsed": 1, "byteUsageMax": 1})

    assert example(assets(cluster, NOON)) == example(real)


def test_keys_are_names_in_order(cluster):
    rows, items = allocations(cluster, NOON), assets(cluster, NOON)

    assert list(rows) == sorted(rows) == [row["name"] for row in rows.values()]
    assert list(items) == sorted(items)
    assert {key.count("/") for key in rows} == {0, 4}


@settings(max_examples=25)
@given(QUARTERS)
def test_allocations_and_idle_add_up_to_the_nodes(quarter):
    start = datetime(ANCHOR.year, ANCHOR.month, ANCHOR.day, tzinfo=UTC) + quarter * WINDOW
    rows, items = allocations(_CLUSTER, start), assets(_CLUSTER, start)

    for field in ("cpuCost", "ramCost", "gpuCost"):
        allocated = sum(row[field] for row in rows.values())
        nodes = sum(item.get(field, 0.0) for item in items.values())
        # 5 decimals per row and 6 per node.
        assert allocated == pytest.approx(nodes, abs=5e-6 * len(rows) + 5e-7 * len(items))
        assert rows["__idle__"][field] >= 0


@settings(max_examples=25)
@given(QUARTERS)
def test_volumes_add_up_to_the_disks(quarter):
    start = datetime(ANCHOR.year, ANCHOR.month, ANCHOR.day, tzinfo=UTC) + quarter * WINDOW
    rows, items = allocations(_CLUSTER, start), assets(_CLUSTER, start)
    volumes = [volume for row in rows.values() for volume in (row["pvs"] or {}).values()]
    disks = [item for item in items.values() if item["type"] == "Disk"]

    assert sum(v["byteHours"] for v in volumes) == pytest.approx(sum(d["byteHours"] for d in disks))
    assert sum(v["cost"] for v in volumes) == pytest.approx(
        sum(d["totalCost"] for d in disks), abs=5e-7 * len(disks)
    )


def test_totals_are_the_sum_of_their_parts(cluster):
    for row in allocations(cluster, NOON).values():
        parts = ("cpuCost", "ramCost", "gpuCost", "pvCost", "loadBalancerCost")
        assert row["totalCost"] == pytest.approx(sum(row[part] for part in parts), abs=3e-5)


def test_costs_are_hours_at_the_price_of_the_node(cluster):
    pools = {node.name: node.pool for node in cluster.nodes(minute(NOON), minute(NOON + WINDOW))}
    for row in filter(is_container, allocations(cluster, NOON).values()):
        pool = pools[row["properties"]["node"]]
        cpu = row["cpuCoreHours"] * pool.cpu_price
        memory = row["ramByteHours"] / GIB * pool.memory_price
        assert (row["cpuCost"], row["ramCost"]) == pytest.approx((cpu, memory), abs=1e-5)


def test_numbers_are_rounded_as_recorded(cluster):
    numbers = [
        value
        for row in allocations(cluster, NOON).values()
        for value in row.values()
        if isinstance(value, float)
    ]

    assert numbers == [round(number, 5) for number in numbers]


def test_load_balancers_are_a_minute_too_dear_and_without_pods_twice(cluster):
    rows, items = allocations(cluster, NOON), assets(cluster, NOON)
    unmounted = rows["demo//__unmounted__/__unmounted__/__unmounted__"]
    cost = opencost.balancer_cost(15)

    assert unmounted["properties"]["services"] == ["legacy-api", "legacy-api"]
    assert unmounted["loadBalancerCost"] == pytest.approx(2 * cost, abs=1e-5)
    balancers = [item for item in items.values() if item["type"] == "LoadBalancer"]
    assert [item["totalCost"] for item in balancers] == [pytest.approx(cost, abs=1e-6)] * 3
    shares = [row["loadBalancerCost"] for row in rows.values() if row["lbAllocations"]]
    assert sum(shares) == pytest.approx(2 * cost, abs=5e-6 * len(shares))


def test_jobs_that_just_ended_leave_ghosts(cluster):
    ghosts = {
        key: row
        for quarter in range(96)
        for key, row in allocations(cluster, NOON - quarter * WINDOW).items()
        if row["minutes"] == 0.5
    }

    assert len(ghosts) >= 5
    assert {row["totalCost"] for row in ghosts.values()} == {0}
    assert {key.split("/")[1] for key in ghosts} == {""}
    (real,) = recorded_answer("day/allocation_15m_0345.json.gz")
    expected = next(row for row in real.values() if row["minutes"] == 0.5)
    assert {tuple(row) for row in ghosts.values()} == {tuple(expected)}


def test_a_day_is_answered_at_once(cluster):
    midnight = NOON.replace(hour=0)
    day = allocations(cluster, midnight, timedelta(days=1))
    windows = [allocations(cluster, midnight + quarter * WINDOW) for quarter in range(96)]

    for field in ("cpuCoreHours", "ramByteHours", "pvByteHours"):
        total = sum(row[field] for rows in windows for row in rows.values())
        assert sum(row[field] for row in day.values()) == pytest.approx(total, rel=1e-3)
    assert day["__idle__"]["minutes"] == 1440


def test_only_what_has_happened_is_answered(cluster):
    rows = allocations(cluster, NOW.replace(minute=0))

    assert {row["window"]["end"] for row in rows.values()} == {"2026-03-10T15:15:00Z"}
    assert max(row["minutes"] for row in rows.values()) == 7
    assert allocations(cluster, NOW + WINDOW) == {}
    assert allocations(cluster, NOW - timedelta(days=500)) == {}
    assert assets(cluster, NOW + WINDOW) == {}


def test_idle_is_a_row_only_when_asked_for(cluster):
    (rows,) = json.loads(ask(cluster, "/allocation", span(NOON)).body)["data"]

    assert "__idle__" not in rows


@pytest.mark.parametrize(
    "window",
    [
        "",
        "garbage",
        "2026-03-09T12:00:00Z",
        "2026-03-09T12:00:00+01:00,2026-03-09T12:15:00+01:00",
        "2026-03-09T12:00:00.500Z,2026-03-09T12:15:00.500Z",
        "2026-02-30T12:00:00Z,2026-02-30T12:15:00Z",
    ],
)
def test_illegal_windows_are_refused_as_recorded(cluster, window):
    line = f"Invalid 'window' parameter: illegal window: {window}\n"
    second = '{"code":500,"status":"","data":null,"message":"Error: illegal window: [nil, nil)"}'
    text = "text/plain; charset=utf-8"

    assert ask(cluster, "/allocation", window) == Answer((line + second).encode(), 400, text)
    assert ask(cluster, "/assets", window) == Answer(line.encode(), 400, text)


def test_an_end_before_the_start_is_an_error_as_recorded(cluster):
    backwards = "2026-11-23T21:45:00Z,2026-11-23T21:30:00Z"
    message = "illegal window: [2026-11-23T21:45:00+0000, 2026-11-23T21:30:00+0000)"
    answer = ask(cluster, "/allocation", backwards)

    assert answer.status == ask(cluster, "/assets", backwards).status == 500
    assert json.loads(answer.body) == {
        "code": 500,
        "status": "",
        "data": None,
        "message": f"Error: {message}",
    }


def test_no_window_and_relative_windows(cluster):
    empty = ask(cluster, "/allocation", f"{rfc3339(NOON)},{rfc3339(NOON)}")
    assert json.loads(empty.body)["data"] == []
    (rows,) = json.loads(ask(cluster, "/allocation", "1h").body)["data"]
    # It ends at the next full hour, and not now.
    assert next(iter(rows.values()))["window"] == {
        "start": "2026-03-10T15:00:00Z",
        "end": "2026-03-10T16:00:00Z",
    }
    unix = f"{NOON.timestamp():.0f},{(NOON + WINDOW).timestamp():.0f}"
    assert ask(cluster, "/allocation", unix) == ask(cluster, "/allocation", span(NOON))


def test_a_day_by_workload_adds_up_to_its_rows(cluster):
    day = span(NOON.replace(hour=0), timedelta(days=1))
    rows, sums_by_workload = (
        json.loads(ask(cluster, "/allocation", day, includeIdle="true", **params).body)["data"][0]
        for params in ({}, {"aggregate": "namespace,controller"})
    )

    assert sums_by_workload["__idle__"]["cpuCost"] == rows["__idle__"]["cpuCost"]
    assert sums_by_workload["checkout/deployment:web"]["properties"] == {
        "cluster": cluster.name,
        "controller": "web",
        "controllerKind": "deployment",
        "namespace": "checkout",
    }
    sums: dict[str, float] = {}
    for row in rows.values():
        properties = row["properties"]
        workload = f"{properties.get('controllerKind')}:{properties.get('controller')}"
        loose = "__unallocated__" if "controller" not in properties else workload
        key = "__idle__" if row["name"] == "__idle__" else f"{properties['namespace']}/{loose}"
        sums[key] = sums.get(key, 0) + row["totalCost"]
    assert {name: row["totalCost"] for name, row in sums_by_workload.items()} == pytest.approx(sums)
    assert all(name == row["name"] for name, row in sums_by_workload.items())


def test_the_windows_of_a_day_add_up_to_it(cluster):
    start = NOON.replace(hour=0)
    day = allocations(cluster, start, timedelta(days=1))
    parts = [allocations(cluster, start + n * WINDOW) for n in range(96)]

    rounding = 5e-6 * sum(map(len, parts))
    for field in ("cpuCost", "ramCost", "gpuCost", "pvCost"):
        whole = sum(row[field] for row in day.values())
        pieces = sum(row[field] for rows in parts for row in rows.values())
        assert pieces == pytest.approx(whole, rel=0, abs=rounding)


def test_what_is_not_served_is_said(cluster):
    assert ask(cluster, "/allocation", span(NOON), aggregate="namespace").status == 400
    assert ask(cluster, "/assets", span(NOON, timedelta(days=32))).status == 400
    assert opencost.answer(cluster, "/nosuch", {}, NOW).status == 404
    assert opencost.answer(cluster, "/healthz", {}, NOW).status == 200
