"""OpenCost's answers: the right rows, or one error that names cluster, URL, status and body."""

import copy
import json
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import httpx
import pyarrow as pa
import pytest

from finops_pipeline.catalog.raw_schemas import raw_schema
from finops_pipeline.errors import (
    ServerError,
    ServerMalformed,
    ServerRejected,
    ServerUnavailable,
)
from finops_pipeline.sources import opencost
from finops_pipeline.sources.reading import Reading
from finops_pipeline.units import DAY as DAY_LENGTH
from finops_pipeline.units import WINDOW, windows
from finops_pipeline_tests.servers import ANSWERS, body
from finops_pipeline_tests.servers import opencost as replayed_opencost
from finops_pipeline_tests.sources.recordings import (
    CLUSTER,
    DAY,
    FAULTY_WINDOW,
    client,
    document,
    reading,
)

ALLOCATIONS = document("/allocation")
ASSETS = document("/assets")
KINDS = ("node", "disk", "load_balancer")
API = "prod-eu/ip-10-0-1-11.eu-west-1.compute.internal/payments/payments-api-jgnjn54n6w-js72r/api"


def read(allocations: Any = ALLOCATIONS, assets: Any = ASSETS) -> Reading:
    """Read a window from an OpenCost that gives these answers."""
    bodies = {"/allocation": allocations, "/assets": assets}

    def respond(request: httpx.Request) -> httpx.Response:
        body = bodies[request.url.path]
        return httpx.Response(200, content=body if isinstance(body, bytes) else json.dumps(body))

    with client(respond) as source:
        return opencost.read_window(source, CLUSTER, DAY, DAY + WINDOW)


def attempt(allocations: Any) -> Reading | ServerError:
    """Read, or return the only kind of error there may be."""
    try:
        return read(allocations)
    except ServerError as error:
        return error


def changed(change: Callable[[dict[str, Any]], object], name: str = API) -> dict[str, Any]:
    """Return the recorded allocations with one row changed."""
    answer = copy.deepcopy(ALLOCATIONS)
    change(answer["data"][0][name])
    return answer


def row(reading: Reading, name: str = API) -> dict[str, Any]:
    rows = reading.tables["raw.allocation"]
    return dict(rows.to_pylist()[rows["allocation"].to_pylist().index(name)])


def test_reads_what_the_source_says_of_a_container():
    assert row(reading("day", DAY + WINDOW)) == {
        "cluster": CLUSTER,
        "window_start": DAY + WINDOW,
        "allocation": API,
        "node": "ip-10-0-1-11.eu-west-1.compute.internal",
        "namespace": "payments",
        "workload_kind": "deployment",
        "workload": "payments-api",
        "pod": "payments-api-jgnjn54n6w-js72r",
        "container": "api",
        "labels": (
            '{"app":"payments-api","app_kubernetes_io_name":"payments-api",'
            '"billing_example_com_cost_center":"cc-4711","environment":"prod",'
            '"kubernetes_io_metadata_name":"payments",'
            '"node_kubernetes_io_instance_type":"m5.xlarge","pod_template_hash":"jgnjn54n6w",'
            '"team":"payments","topology_kubernetes_io_region":"eu-west-1",'
            '"topology_kubernetes_io_zone":"eu-west-1a","version":"v1.14.2"}'
        ),
        "annotations": (
            '{"corp_example_com_owners":"alice,bob","owner_example_com":"payments@example.com"}'
        ),
        "namespace_labels": (
            '{"environment":"prod","kubernetes_io_metadata_name":"payments","team":"payments"}'
        ),
        "namespace_annotations": '{"owner_example_com":"payments@example.com"}',
        "volumes": None,
        "load_balancers": (
            '{"prod-eu/payments/payments-lb":{"service":"payments/payments-lb",'
            '"cost":0.0011200000000000001,"private":false,'
            '"ip":"a1b2c3-1234567890.eu-west-1.elb.amazonaws.com","hours":0.25,"adjustment":0}}'
        ),
        "minutes": 15.0,
        "cpu_core_hours": 0.125,
        "cpu_request_cores": 0.5,
        "cpu_usage_cores": 0.33527,
        "cpu_usage_max_cores": 0.33995216164548764,
        "memory_byte_hours": 134217728.0,
        "memory_request_bytes": 536870912.0,
        "memory_usage_bytes": 454838514.0,
        "memory_usage_max_bytes": 461329150.0,
        "gpu_hours": 0.0,
        "storage_byte_hours": 0.0,
        "network_transmit_bytes": 5379425.89286,
        "network_receive_bytes": 115421339.46429,
        "source_cpu_cost": 0.00395,
        "source_memory_cost": 0.00051,
        "source_gpu_cost": 0.0,
        "source_storage_cost": 0.0,
        "source_network_cost": 0.0,
        "source_load_balancer_cost": 0.00112,
        "source_shared_cost": 0.0,
        "source_external_cost": 0.0,
        "source_total_cost": 0.00558,
        "cpu_adjustment_cost": 0.0,
        "memory_adjustment_cost": 0.0,
        "gpu_adjustment_cost": 0.0,
        "storage_adjustment_cost": 0.0,
        "network_adjustment_cost": 0.0,
        "load_balancer_adjustment_cost": 0.0,
    }


def test_reads_nodes_disks_and_load_balancers():
    rows = read().tables["raw.asset"].to_pylist()

    by_kind = {kind: [row for row in rows if row["asset_kind"] == kind] for kind in KINDS}
    node, disk, balancer = (by_kind[kind][0] for kind in KINDS)
    assert [len(by_kind[kind]) for kind in KINDS] == [4, 7, 2]
    assert (node["node_type"], node["is_spot"], node["cpu_core_hours"]) == ("m5.xlarge", False, 1.0)
    assert sum(node["is_spot"] for node in by_kind["node"]) == 1
    assert (disk["name"], disk["storage_class"], disk["volume_claim"]) == ("pv-orphan", "gp2", None)
    assert (disk["storage_bytes"], disk["storage_used_byte_hours"]) == (32212254720.0, None)
    assert (balancer["name"], balancer["source_total_cost"]) == ("checkout/orphan-lb", 0.00672)
    assert balancer["cpu_core_hours"] is None


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("ClusterManagement", "cluster_management"), ("Network", "network"), ("Cloud", "cloud")],
)
def test_other_assets_keep_their_own_kind(kind: str, expected: str):
    assets = copy.deepcopy(ASSETS)
    next(iter(assets["data"].values()))["type"] = kind

    assert expected in read(assets=assets).tables["raw.asset"]["asset_kind"].to_pylist()


def test_reads_every_window_of_a_day_over_http():
    with replayed_opencost() as server, httpx.Client(base_url=server.url) as source:
        tables = [
            opencost.read_window(source, CLUSTER, start, start + WINDOW).tables["raw.allocation"]
            for start in windows(DAY, DAY + timedelta(days=1))
        ]

    assert sum(table.num_rows for table in tables) == 3734
    assert server.asked[0].startswith("/allocation?window=2026-11-23T00%3A00%3A00Z%2C2026-11-23T00")


def test_equal_answers_give_equal_tables_in_any_order():
    turned = copy.deepcopy(ALLOCATIONS)
    turned["data"] = [dict(reversed(turned["data"][0].items()))]
    for item in turned["data"][0].values():
        item["properties"].get("services", []).reverse()

    assert read(turned).tables == read().tables


def test_no_rows_are_a_table_without_rows():
    empty = read({"code": 200, "data": [{}]}, {"code": 200, "data": {}})

    assert {name: table.num_rows for name, table in empty.tables.items()} == {
        "raw.allocation": 0,
        "raw.asset": 0,
    }
    schemas = {name: raw_schema(name) for name in empty.tables}
    assert {name: table.schema for name, table in empty.tables.items()} == schemas


def read_day(change: Callable[[dict[str, Any]], object] = lambda _: None) -> Reading:
    """Read the day in one piece from the recorded OpenCost, with a change."""
    answer = json.loads(body(ANSWERS / "opencost" / "day" / "allocation_1d.json.gz"))
    change(answer)
    asked: dict[str, str] = {}

    def respond(request: httpx.Request) -> httpx.Response:
        asked.update(request.url.params)
        return httpx.Response(200, json=answer)

    with client(respond) as source:
        reading = opencost.read_day(source, CLUSTER, DAY, DAY + 2 * DAY_LENGTH)
    assert asked == {
        "window": "2026-11-23T00:00:00Z,2026-11-24T00:00:00Z",
        "includeIdle": "true",
        "aggregate": "namespace,controller",
    }
    return reading


def test_a_day_in_one_piece_is_final_and_as_the_source_says():
    found = read_day()
    rows = found.tables["raw.source_daily"].to_pylist()

    assert found.is_final
    assert found.window_start == DAY
    assert len(rows) == 186
    kafka = [row["source_total_cost"] for row in rows if row["workload"] == "kafka"]
    assert sum(kafka) == pytest.approx(2.59596)
    (idle,) = (row for row in rows if row["allocation"] == "__idle__")
    assert (idle["namespace"], idle["source_cpu_cost"]) == (None, 6.30329)


def of_a_window(answer: dict[str, Any]) -> None:
    answer["data"] = ALLOCATIONS["data"]


def in_steps(answer: dict[str, Any]) -> None:
    answer["data"] *= 2


def by_nothing(answer: dict[str, Any]) -> None:
    """Answer as the recorded server to an aggregate that it does not know."""
    (rows,) = answer["data"]
    answer["data"] = [{"": {**rows["__idle__"], "name": ""}}]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (of_a_window, "got 2026-11-23T00:00:00"),
        (in_steps, "the one step asked for, got 2"),
        (by_nothing, "cannot add up by namespace,controller"),
    ],
)
def test_what_is_not_the_day_in_one_piece_is_refused(change, message):
    with pytest.raises(ServerMalformed, match=message):
        read_day(change)


def test_idle_and_unmounted_are_rows_of_their_own():
    idle = row(read(), "__idle__")
    unmounted = row(read(), "prod-eu//__unmounted__/__unmounted__/__unmounted__")

    assert (idle["node"], idle["container"], idle["labels"]) == (None, None, None)
    assert idle["source_total_cost"] > 0
    assert unmounted["container"] == "__unmounted__"


NUMBERS = [
    key for key, value in ALLOCATIONS["data"][0][API].items() if isinstance(value, int | float)
]


@pytest.mark.parametrize("key", [key for key in NUMBERS if key != "minutes"])
@pytest.mark.parametrize("change", ["removed", "renamed", "null"])
def test_what_is_missing_is_null_never_zero(key: str, change: str):
    def missing(item: dict[str, Any]) -> None:
        value = item.pop(key)
        item.update({"renamed": {f"{key}New": value}, "null": {key: None}}.get(change, {}))

    before, after = row(read()), row(read(changed(missing)))

    assert [after[name] for name in before if before[name] != after[name]] in ([], [None])


@pytest.mark.parametrize("key", NUMBERS)
def test_a_number_of_another_type_is_refused_or_unread(key: str):
    found = attempt(changed(lambda item: item.update({key: "0.1"})))

    if isinstance(found, Reading):
        assert row(found) == row(read())
    else:
        assert "got `str`" in str(found)


def test_whole_numbers_are_numbers():
    whole = row(read(changed(lambda item: item.update({"cpuCoreHours": 2, "minutes": 10}))))

    assert (whole["cpu_core_hours"], whole["minutes"]) == (2.0, 10.0)
    assert read().tables["raw.allocation"].schema.field("cpu_core_hours").type == pa.float64()


@pytest.mark.parametrize("key", ["name", "properties", "window", "minutes"])
def test_a_row_without_what_it_must_have_is_refused(key: str):
    with pytest.raises(ServerMalformed, match=f"missing required field `{key}`"):
        read(changed(lambda item: item.pop(key)))


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"minutes": 0}, "0.0 to 15.0 minutes"),
        ({"minutes": -1}, "-1.0 to 15.0 minutes"),
        ({"minutes": 21}, "21.0 minutes in a window of 15"),
        ({"minutes": None}, "Expected `float`, got `null`"),
        ({"cpuCoreHours": -0.1}, "cpu_core_hours is negative: -0.1"),
        ({"ramByteHours": -1}, "memory_byte_hours is negative"),
        ({"cpuCoreHours": 1.1e12}, "cpu_core_hours is more than a cluster has: 11"),
        ({"ramByteHours": 1.1e18}, "memory_byte_hours is more than a cluster has: 1.1e"),
        ({"networkTransferBytes": 1e308}, "network_transmit_bytes is more than a cluster has"),
        ({"cpuCost": 1.1e12}, "source_cpu_cost is more than a cluster has: 11"),
        ({"ramCostAdjustment": -1.1e12}, "memory_adjustment_cost is more than .* has: -11"),
        ({"name": "other"}, "not filed under their own names"),
        ({"pvs": [1]}, "Expected `object | null`, got `array`"),
        ({"lbAllocations": "x"}, "Expected `object | null`, got `str`"),
        ({"cpuCost": True}, "got `bool`"),
    ],
)
def test_numbers_and_maps_that_cannot_be_are_refused(change: dict[str, Any], why: str):
    with pytest.raises(ServerMalformed, match=why):
        read(changed(lambda item: item.update(change)))


@pytest.mark.parametrize("key", ["totalCost", "cpuCoreHours"])
def test_assets_that_cannot_be_are_refused(key: str):
    assets = copy.deepcopy(ASSETS)
    node = next(asset for asset in assets["data"].values() if asset["type"] == "Node")
    node[key] = 1e13

    with pytest.raises(ServerMalformed, match="more than a cluster has: 1"):
        read(assets=assets)


def test_much_is_not_too_much():
    much = row(read(changed(lambda item: item.update(cpuCost=1e12, ramByteHours=1e18))))

    assert (much["source_cpu_cost"], much["memory_byte_hours"]) == (1e12, 1e18)


BODY = json.dumps(ALLOCATIONS).encode()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        BODY[:-1],
        BODY[: len(BODY) // 2],
        BODY + b"}",
        BODY + BODY,
        b"\xef\xbb\xbf" + BODY,
        b"<html>sign in</html>",
        b"null",
        b"[]",
        b'{"code":200,"status":"success"}',
        b'{"code":200,"data":null}',
        b'{"code":200,"data":[]}',
        b'{"code":200,"data":[{},{}]}',
        b'{"code":200,"data":[null]}',
        b'{"code":500,"status":"","data":null,"message":"Error: query failed"}',
        b'{"code":500,"data":[{}]}',
        BODY.replace(b'"cpuCost": 0.00395', b'"cpuCost": NaN'),
        BODY.replace(b'"cpuCost": 0.00395', b'"cpuCost": Infinity'),
        BODY.replace(b'"cpuCost": 0.00395', b'"cpuCost": -Infinity'),
        BODY.replace(b'"cpuCost": 0.00395', b'"cpuCost": 1e999'),
        BODY.replace(b'"cpuCost": 0.00395', b'"cpuCost": ' + b"9" * 400),
        BODY.replace(b'"cpuEfficiency"', b'"cpuEff\xff"'),
        BODY.replace(b'"team": "payments"', b'"team": "\xff"'),
        BODY.replace(b'"team": "payments"', b'"team": "\\ud800"'),
        BODY.replace(b'"team": "payments"', b'"team": "a\nb"'),
        BODY.replace(b'"team": "payments"', b'"team": NaN'),
        BODY.replace(b'"cpuEfficiency"', b'"x": ' + b"[" * 100_000 + b"]" * 100_000 + b', "y"'),
        BODY.replace(b"2026-11-23T00:15:00Z", b"2026-11-23T00:30:00Z"),
        BODY.replace(b"2026-11-23T00:00:00Z", b"2026-11-23T00:00:01Z"),
        BODY.replace(b"2026-11-23T00:15:00Z", b"2026-11-23T00:15:00"),
    ],
)
def test_a_body_that_is_not_an_answer_is_refused(body: bytes):
    assert body != BODY
    with pytest.raises(ServerMalformed) as raised:
        read(body)

    assert str(raised.value).startswith(
        "cluster prod: GET http://opencost/allocation?window=2026-11-23T00%3A00%3A00Z%2C"
        "2026-11-23T00%3A15%3A00Z&includeIdle=true: status 200: "
    )
    assert str(raised.value).endswith(repr(body[:200]))


@pytest.mark.parametrize("labels", [[1], "x", 5, True])
def test_labels_that_are_not_a_map_are_refused(labels: object):
    with pytest.raises(ServerMalformed, match="not an object"):
        read(changed(lambda item: item["properties"].update(labels=labels)))


@pytest.mark.parametrize("nothing", [None, {}])
def test_empty_maps_are_null(nothing: dict[str, str] | None):
    bare = changed(
        lambda item: item.update(
            properties=item["properties"] | {"labels": nothing, "node": ""},
            lbAllocations=nothing,
            rawAllocationOnly=None,
        )
    )
    columns = ("labels", "node", "load_balancers", "cpu_usage_max_cores")

    assert [row(read(bare))[column] for column in columns] == [None] * 4


def test_assets_of_another_window_are_refused():
    shifted = json.dumps(ASSETS).replace("T00:15:00Z", "T00:30:00Z").encode()

    with pytest.raises(ServerMalformed, match="asked for the window from 2026-11-23T00:00:00Z"):
        read(assets=shifted)


def test_an_answer_of_several_clusters_is_refused():
    other = changed(
        lambda item: item.update(properties=item["properties"] | {"cluster": "staging"})
    )
    why = r"rows of several clusters \(prod-eu, staging\): .* CURRENT_CLUSTER_ID_FILTER_ENABLED"

    with pytest.raises(ServerMalformed, match=why):
        read(other)


def test_assets_of_several_clusters_are_refused():
    assets = copy.deepcopy(ASSETS)
    next(iter(assets["data"].values()))["properties"]["cluster"] = "staging"

    with pytest.raises(ServerMalformed, match="rows of several clusters"):
        read(assets=assets)


def test_strange_labels_are_kept_as_they_are():
    strange = {"team": 'a"b\\c\nd\u2028é', "kubernetes_io": ""}
    kept = row(read(changed(lambda item: item["properties"].update(labels=strange))))

    assert json.loads(kept["labels"]) == strange


def test_of_two_equal_keys_the_last_wins():
    twice = BODY.replace(b'"cpuCost": 0.00395', b'"cpuCost": 1, "cpuCost": 0.00395')

    assert read(twice).tables == read().tables


@pytest.mark.parametrize(
    ("failures", "error"),
    [
        ([500], None),
        ([429, 503], None),
        (["cut", 502, 500], None),
        ([500, 500, 500, 500], ServerUnavailable),
        (["cut", "cut", "cut", "cut"], ServerMalformed),
        ([400], ServerRejected),
    ],
)
def test_asks_four_times_where_another_answer_may_come(
    failures: list[int | str], error: type[ServerError] | None
):
    left = list(failures)

    def respond(request: httpx.Request) -> httpx.Response:
        if request.url.path == "/assets":
            return httpx.Response(200, content=json.dumps(ASSETS))
        status = left.pop(0) if left else 200
        if isinstance(status, str):
            return httpx.Response(200, content=BODY[:1000])
        return httpx.Response(status, content=BODY)

    with client(respond) as source:
        if error is None:
            assert opencost.read_window(source, CLUSTER, DAY, DAY).tables == read().tables
        else:
            with pytest.raises(error, match="cluster prod: GET http://opencost/allocation"):
                opencost.read_window(source, CLUSTER, DAY, DAY)
    assert not left


def test_a_stopped_prometheus_is_the_source_unavailable():
    with pytest.raises(ServerUnavailable, match="status 500: refused: b'.{0,250}$"):
        reading("prometheus_down", FAULTY_WINDOW)
