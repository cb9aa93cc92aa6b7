import json
from collections import defaultdict
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from finops_pipeline.simulation import opencost, prometheus
from finops_pipeline.simulation.cluster import Cluster
from finops_pipeline.sources import probe
from finops_pipeline.sources.prometheus import QUERIES
from finops_pipeline.units import WINDOW, rfc3339
from finops_pipeline_tests.simulation.conftest import NOW

NOON = datetime(2026, 3, 9, 12, tzinfo=UTC)
Values = dict[str, dict[tuple[str, ...], float]]


def text(*quantities: str) -> str:
    parts = (f'label_replace(up, "quantity", "{name}", "", "")' for name in quantities)
    return " or ".join(parts)


def ask(cluster: Cluster, query: str, time: object = "", path: str = "/api/v1/query") -> Any:
    params = {"query": query, "time": str(time)}
    return prometheus.answer(cluster, path, params, NOW)


def values(cluster: Cluster, end: datetime, *quantities: str) -> Values:
    document = json.loads(ask(cluster, text(*quantities), end.timestamp()).body)
    samples: Values = defaultdict(dict)
    for sample in document["data"]["result"]:
        labels = sample["metric"]
        key = tuple(value for name, value in sorted(labels.items()) if name != "quantity")
        samples[labels["quantity"]][key] = float(sample["value"][1])
        assert sample["value"][0] == end.timestamp()
    return samples


def rows(cluster: Cluster, start: datetime) -> dict[tuple[str, ...], dict[str, Any]]:
    params = {"window": f"{rfc3339(start)},{rfc3339(start + WINDOW)}"}
    (allocations,) = json.loads(opencost.answer(cluster, "/allocation", params, NOW).body)["data"]
    return {
        (
            row["properties"]["container"],
            row["properties"]["namespace"],
            row["properties"]["pod"],
        ): row
        for row in allocations.values()
        if "node" in row["properties"]
    }


def test_every_quantity_of_the_pipeline_is_known():
    queries = (*QUERIES.values(), probe.QUERY)
    names = {name for quantities in queries for name in quantities}

    assert names == set(prometheus.QUANTITIES)


def test_containers_agree_with_opencost(cluster):
    for start in (NOON - 3 * WINDOW, NOON, NOON + timedelta(hours=7)):
        expected = rows(cluster, start)
        samples = values(
            cluster, start + WINDOW, "cpu_used_core_seconds", "memory_mean_bytes", "sample_count"
        )
        assert set(samples["sample_count"]) == set(expected)
        for key, row in expected.items():
            used = row["cpuCoreUsageAverage"] * row["minutes"] * 60
            # 5 decimals of cores over 15 minutes.
            assert samples["cpu_used_core_seconds"][key] == pytest.approx(used, abs=5e-6 * 901)
            assert samples["memory_mean_bytes"][key] == pytest.approx(
                row["ramByteUsageAverage"], abs=1e-4
            )
            assert samples["sample_count"][key] == row["minutes"]


def test_maxima_requests_and_network_agree_with_opencost(cluster):
    names = ("cpu_max_cores", "cpu_request_cores", "memory_request_bytes", "network_receive_bytes")
    samples, expected = values(cluster, NOON + WINDOW, *names), rows(cluster, NOON)
    received: dict[tuple[str, ...], float] = defaultdict(float)
    for key, row in expected.items():
        assert samples["cpu_max_cores"][key] == row["rawAllocationOnly"]["cpuCoreUsageMax"]
        assert samples["cpu_request_cores"].get(key, 0.0) == row["cpuCoreRequestAverage"]
        assert samples["memory_request_bytes"].get(key, 0.0) == row["ramByteRequestAverage"]
        received[key[1:]] += row["networkReceiveBytes"]
    assert samples["network_receive_bytes"] == pytest.approx(received, abs=1e-4)


def test_prices_are_those_of_the_assets(cluster):
    params = {"window": f"{rfc3339(NOON)},{rfc3339(NOON + WINDOW)}"}
    items = json.loads(opencost.answer(cluster, "/assets", params, NOW).body)["data"].values()
    samples = values(cluster, NOON + WINDOW, *QUERIES["raw.price"], "mean_node_hour_price")
    nodes = {(item["properties"]["name"],): item for item in items if item["type"] == "Node"}
    disks = {(item["properties"]["name"],): item for item in items if item["type"] == "Disk"}

    assert set(samples["node_hour_price"]) == set(nodes)
    for key, item in nodes.items():
        cpu = item["cpuCoreHours"] * samples["cpu_core_hour_price"][key]
        assert cpu == pytest.approx(item["cpuCost"], abs=1e-6)
        assert samples["node_hour_price"][key] / 4 == pytest.approx(item["totalCost"], abs=1e-6)
    for key, item in disks.items():
        cost = item["byteHours"] / 2**30 * samples["storage_gib_hour_price"][key]
        assert cost == pytest.approx(item["totalCost"], abs=1e-6)
    hours = sum(item["minutes"] for item in nodes.values()) / 60
    assert samples["mean_node_hour_price"][()] == pytest.approx(
        sum(item["totalCost"] for item in nodes.values()) / hours, abs=1e-5
    )


def test_only_mounted_volumes_have_a_usage(cluster):
    samples = values(cluster, NOON + WINDOW, "used_bytes", "capacity_bytes")
    mounted = {
        (slot.claim.namespace, slot.claim.name) for slot in cluster.slots if slot.claim is not None
    }

    assert set(samples["used_bytes"]) == set(samples["capacity_bytes"]) == mounted
    assert all(0 < samples["used_bytes"][key] < samples["capacity_bytes"][key] for key in mounted)


def test_what_does_not_exist_has_no_sample(cluster):
    samples = values(cluster, NOON + WINDOW, *QUERIES["raw.container_usage"])
    containers = set(samples["sample_count"])
    limited = set(samples["cpu_limit_cores"])

    assert limited == set(samples["cpu_throttled_ratio"]) < containers
    assert {key[0] for key in samples["gpu_mean_ratio"]} == {"train"}
    assert ("demo", "sandbox") not in {key[:2] for key in samples["cpu_request_cores"]}
    assert set(samples["restart_count"]) == set(samples["oom_kill_count"]) == containers


def test_presence_says_that_all_was_seen(cluster):
    samples = values(cluster, NOON + WINDOW, *QUERIES["presence"])

    assert samples["running_sample_count"].keys() == rows(cluster, NOON).keys()
    assert samples["opencost_sample_ratio"] == samples["kube_state_sample_ratio"] == {(): 1.0}
    allocations = rows(cluster, NOON)
    whole = {key for key, row in allocations.items() if row["minutes"] == 15}
    controlled = {
        row["properties"]["pod"]
        for row in allocations.values()
        if row["properties"].get("controller")
    }
    assert samples["whole_sample_count"].keys() == whole
    assert samples["controlled_pod_count"] == {(): len(controlled)}


def test_form_of_an_answer(cluster):
    body = ask(cluster, text("mean_node_hour_price"), rfc3339(NOON)).body
    document = json.loads(body)

    assert document["data"]["resultType"] == "vector"
    assert document["data"]["result"][0]["metric"] == {"quantity": "mean_node_hour_price"}
    assert document["data"]["result"][0]["value"][0] == NOON.timestamp()
    assert ask(cluster, text("mean_node_hour_price")).status == 200


def test_times_without_data_are_an_empty_vector(cluster):
    for end in (NOW + timedelta(days=1), NOW - timedelta(days=500)):
        assert values(cluster, end, "sample_count") == {}


@pytest.mark.parametrize(
    ("query", "time", "message"),
    [
        ("up", "", "quantities only"),
        ("", "", "quantities only"),
        (text("cpu_used"), "", "unknown quantities"),
        (text("sample_count"), "yesterday", 'cannot parse \\"yesterday\\"'),
    ],
)
def test_other_queries_are_refused(cluster, query, time, message):
    answer = ask(cluster, query, time)

    assert answer.status == 400
    assert message in answer.body.decode()
    document = json.loads(answer.body)
    assert (document["status"], document["errorType"]) == ("error", "bad_data")


def test_says_which_version_it_pretends_to_be(cluster):
    answer = ask(cluster, "", path="/api/v1/status/buildinfo")

    assert json.loads(answer.body)["data"]["version"] == "2.42.0"
    assert ask(cluster, "", path="/-/ready").status == 200
    assert ask(cluster, "", path="/api/v1/series").status == 404
