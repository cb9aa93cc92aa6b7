from datetime import UTC, datetime
from typing import Any

import httpx
import pytest

from finops_pipeline.errors import ServerMalformed, ServerRejected, ServerUnavailable
from finops_pipeline.lake.content_hash import content_sha256
from finops_pipeline.sources.kubernetes.listing import KINDS, read_window
from finops_pipeline.sources.kubernetes.tables import INVENTORY
from finops_pipeline.sources.reading import Reading
from finops_pipeline_tests.sources.kubernetes.apis import (
    FILES,
    PODS,
    Respond,
    body,
    client,
    lists,
    recorded,
    refusing,
    thing,
)

TEN = datetime(2026, 3, 1, 10, tzinfo=UTC)
FORBIDDEN = httpx.Response(403, content=body("forbidden_403_nobody_nodes"))
UNAUTHORIZED = httpx.Response(401, content=body("unauthorized_401_bad"))
EXPIRED = httpx.Response(410, content=body("expired_continue_410"))
NOT_FOUND = httpx.Response(404, content=body("notfound_404_kind"))
BUSY = httpx.Response(429, content=b"too many requests")
PROXY = httpx.Response(200, content=b"<html>please log in</html>")


def read(respond: Respond) -> Reading:
    with client(respond) as api:
        return read_window(api, "prod", TEN, TEN)


def rows(reading: Reading, table: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = reading.tables[table].to_pylist()
    return found


def failures(reading: Reading) -> dict[str, str]:
    return {row["kind"]: row["failure"] for row in rows(reading, INVENTORY) if row["failure"]}


def only(respond: Respond, table: str) -> dict[str, Any]:
    (row,) = rows(read(respond), table)
    return row


def test_a_recorded_cluster_is_read_page_by_page():
    reading = read(recorded)

    counts = {row["kind"]: row["object_count"] for row in rows(reading, INVENTORY)}
    assert (counts["Pod"], counts["Node"], counts["Deployment"]) == (30, 4, 9)
    (node,) = [row for row in rows(reading, "raw.node") if row["name"].startswith("ip-10-0-3-31.")]
    assert (node["cpu_capacity_cores"], node["zone"]) == (8, "eu-west-1c")
    assert node["memory_capacity_bytes"] == 32432680 * 1024
    (budget,) = [row for row in rows(reading, "raw.disruption_budget") if row["name"] == "kafka"]
    assert budget["max_unavailable"] == "34%"


def test_the_order_of_a_list_is_no_news():
    things = [thing(f"service-{uid}", uid, "web", spec={}) for uid in "cab"]
    forth, back = (read(lists({"/api/v1/services": given})) for given in (things, things[::-1]))

    hashes = [content_sha256(reading.tables["raw.service"]) for reading in (forth, back)]
    assert hashes[0] == hashes[1]


def test_kinds_that_are_forbidden_fail_alone():
    half = [*FILES][::2]

    reading = read(refusing(dict.fromkeys(half[1:], FORBIDDEN)))

    assert len(failures(reading)) == len(half) - 1
    assert all("status 403" in message for message in failures(reading).values())
    assert reading.tables["raw.pod"].num_rows == 30
    assert {row["kind"] for row in rows(reading, INVENTORY)} == KINDS.keys()
    missing = [row for row in rows(reading, INVENTORY) if row["failure"]]
    assert {row["object_count"] for row in missing} == {None}  # unknown, not zero


def test_a_kind_that_the_api_does_not_know_fails_alone():
    reading = read(refusing({"/apis/autoscaling/v2/horizontalpodautoscalers": NOT_FOUND}))

    assert failures(reading).keys() == {"HorizontalPodAutoscaler"}


def test_a_wrong_token_is_an_error_of_the_whole_reading():
    with pytest.raises(ServerRejected, match="cluster prod: .*status 401"):
        read(lambda _: UNAUTHORIZED)


def test_a_proxys_page_is_not_read_as_an_empty_cluster():
    with pytest.raises(ServerMalformed, match="please log in"):
        read(lambda _: PROXY)


def test_an_api_without_namespaces_is_implausible():
    with pytest.raises(ServerMalformed, match="no namespace at all"):
        read(lists({"/api/v1/namespaces": []}))


@pytest.mark.parametrize(
    "content",
    [
        body("page_1")[:-100],
        b'{"kind":"NodeList","metadata":{},"items":[]}',
        b'{"kind":"PodList","metadata":{},"items":[{}]}',
        body("page_1").replace(b'"250m"', b'"250 m"'),
        body("page_1").replace(b'"labels":{', b'"labels":["x"],"l":{'),
        body("page_1").replace(b"checkout-cart", b"checkout-\xff", 1),
    ],
    ids=["cut", "other kind", "no metadata", "quantity", "labels", "not UTF-8"],
)
def test_an_answer_that_cannot_be_right_fails_its_kind(content):
    reading = read(refusing({PODS: httpx.Response(200, content=content)}))

    assert failures(reading).keys() == {"Pod"}
    assert reading.tables["raw.pod"].num_rows == 0


def test_a_list_that_expires_is_begun_anew():
    asked = []

    def expires_once(request: httpx.Request) -> httpx.Response:
        asked.append("continue" in request.url.params)
        is_second_page = request.url.path == PODS and asked[-1]
        return EXPIRED if is_second_page and asked.count(True) == 1 else recorded(request)

    reading = read(expires_once)

    assert not failures(reading)
    assert len({row["uid"] for row in rows(reading, "raw.pod")}) == 30
    assert asked[-5:] == [False, True, False, True, True]


def test_a_list_that_always_expires_is_given_up():
    def expires(request: httpx.Request) -> httpx.Response:
        return EXPIRED if "continue" in request.url.params else recorded(request)

    assert "expire before the last one is read" in failures(read(expires))["Pod"]


def test_a_busy_api_is_asked_again():
    asked = []

    def busy_twice(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        is_busy = request.url.path == "/api/v1/nodes" and asked.count("/api/v1/nodes") < 3
        return BUSY if is_busy else recorded(request)

    assert not failures(read(busy_twice))


def test_nothing_more_is_asked_of_an_api_that_is_gone():
    asked = []

    def goes_away(request: httpx.Request) -> httpx.Response:
        asked.append(request.url.path)
        return recorded(request) if asked[-1] == "/api/v1/namespaces" else BUSY

    reading = read(goes_away)

    assert failures(reading).keys() == KINDS.keys() - {"Namespace"}
    assert set(asked) == {"/api/v1/namespaces", "/api/v1/nodes"}


def test_an_api_that_is_not_there_is_unavailable():
    with pytest.raises(ServerUnavailable):
        read(lambda _: BUSY)


def container(cpu: str | None, **more: object) -> dict[str, Any]:
    requests = {} if cpu is None else {"requests": {"cpu": cpu}}
    return {"name": "c", "resources": requests, **more}


@pytest.mark.parametrize(
    ("spec", "cores"),
    [
        ({"containers": [container("1"), container("500m")]}, 1.5),
        ({"containers": [container("1"), container(None)]}, 1),
        ({"containers": [container(None)]}, None),
        ({"containers": [container("1")], "initContainers": [container("3")]}, 3),
        # KEP 753: a sidecar runs on, beside the init containers after it.
        (
            {
                "containers": [container("1")],
                "initContainers": [container("1", restartPolicy="Always"), container("2")],
            },
            3,
        ),
        ({"containers": [container("1")], "overhead": {"cpu": "250m"}}, 1.25),
        ({"containers": [container("1")], "resources": {"requests": {"cpu": "4"}}}, 4),
    ],
)
def test_a_pod_requests_what_the_scheduler_keeps_free(spec, cores):
    pod = only(lists({PODS: [thing("web-0", "p1", "web", spec=spec)]}), "raw.pod")

    assert pod["cpu_request_cores"] == cores
    assert pod["memory_request_bytes"] is None


@pytest.mark.parametrize(
    ("labels", "is_spot"),
    [
        ({"eks.amazonaws.com/capacityType": "SPOT"}, True),
        ({"cloud.google.com/gke-spot": "true"}, True),
        ({"karpenter.sh/capacity-type": "on-demand"}, False),
        ({}, False),
    ],
)
def test_a_nodes_labels_say_whether_it_is_spot(labels, is_spot):
    node = thing("n", "u", metadata={"labels": labels})

    row = only(lists({"/api/v1/nodes": [node]}), "raw.node")

    assert (row["is_spot"], row["is_ready"]) == (is_spot, None)
    assert row["cpu_capacity_cores"] is None


def test_a_template_has_a_row_per_container_with_its_part():
    spec = {
        "containers": [{"name": "main", "livenessProbe": {"httpGet": {}}}],
        "initContainers": [{"name": "setup"}, {"name": "proxy", "restartPolicy": "Always"}],
    }
    job = {"jobTemplate": {"spec": {"template": {"spec": spec}}}, "schedule": "0 * * * *"}
    reading = read(lists({"/apis/batch/v1/cronjobs": [thing("report", "w", "web", spec=job)]}))

    parts = {row["container"]: row["container_kind"] for row in rows(reading, "raw.pod_template")}
    assert parts == {"main": "main", "setup": "init", "proxy": "sidecar"}
    probes = {
        row["container"]: row["has_liveness_probe"] for row in rows(reading, "raw.pod_template")
    }
    assert probes == {"main": True, "setup": False, "proxy": False}
    (workload,) = rows(reading, "raw.workload")
    assert (workload["schedule"], workload["replica_count"]) == ("0 * * * *", None)


def test_a_list_without_end_is_given_up():
    endless = {"kind": "PodList", "metadata": {"continue": "more"}, "items": []}
    found = read(refusing({PODS: httpx.Response(200, json=endless)}))

    assert "no end after" in failures(found)["Pod"]


def test_an_object_that_is_listed_twice_fails_its_kind():
    twins = [thing("node-a", "a"), thing("node-a", "a")]

    found = read(lists({"/api/v1/nodes": twins}))

    assert "listed twice" in failures(found)["Node"]
    assert rows(found, "raw.node") == []
