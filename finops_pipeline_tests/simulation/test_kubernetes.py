import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finops_pipeline.simulation import kubernetes
from finops_pipeline.simulation.answer import Answer
from finops_pipeline.simulation.cluster import Cluster
from finops_pipeline.simulation.schedule import minute
from finops_pipeline_tests.servers import ANSWERS
from finops_pipeline_tests.simulation.conftest import ANCHOR, NOW

PATHS = {
    "namespaces": "/api/v1/namespaces",
    "nodes": "/api/v1/nodes",
    "pods": "/api/v1/pods",
    "services": "/api/v1/services",
    "persistentvolumes": "/api/v1/persistentvolumes",
    "persistentvolumeclaims": "/api/v1/persistentvolumeclaims",
    "deployments": "/apis/apps/v1/deployments",
    "replicasets": "/apis/apps/v1/replicasets",
    "statefulsets": "/apis/apps/v1/statefulsets",
    "daemonsets": "/apis/apps/v1/daemonsets",
    "jobs": "/apis/batch/v1/jobs",
    "cronjobs": "/apis/batch/v1/cronjobs",
    "horizontalpodautoscalers": "/apis/autoscaling/v2/horizontalpodautoscalers",
    "poddisruptionbudgets": "/apis/policy/v1/poddisruptionbudgets",
    "storageclasses": "/apis/storage.k8s.io/v1/storageclasses",
}
_CLUSTER = Cluster(7, ANCHOR)
# Kept by the API server for itself, or said only where it differs from the default.
BOOKKEEPING = {"managedFields", "generation", "finalizers", "annotations", "labels"}


def ask(cluster: Cluster, path: str, now: datetime = NOW, **params: object) -> Answer:
    # `continue` is a word of Python.
    texts = {name.rstrip("_"): str(value) for name, value in params.items()}
    return kubernetes.answer(cluster, path, texts, now)


def items_of(cluster: Cluster, plural: str, now: datetime = NOW) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = json.loads(ask(cluster, PATHS[plural], now).body)["items"]
    return items


def recorded_answer(name: str) -> Any:
    return json.loads((ANSWERS / "kubernetes" / name).read_text())


def key(item: dict[str, Any]) -> tuple[str, str]:
    return item["metadata"].get("namespace", ""), item["metadata"]["name"]


@pytest.mark.parametrize("plural", PATHS)
def test_lists_have_items_sorted_and_told_apart(cluster, plural):
    document = json.loads(ask(cluster, PATHS[plural]).body)
    keys = [key(item) for item in document["items"]]

    assert document["kind"].endswith("List")
    assert document["metadata"].keys() == {"resourceVersion"}
    assert len(keys) == len(set(keys)) > 0
    assert keys == sorted(keys, key=lambda pair: "/".join(filter(None, pair)))


def test_uids_are_unique_and_owners_exist(cluster):
    items = [item for plural in PATHS for item in items_of(cluster, plural)]
    uids = {item["metadata"]["uid"] for item in items}
    owners = [owner for item in items for owner in item["metadata"].get("ownerReferences", [])]

    assert len(uids) == len(items)
    assert len(owners) > 150
    assert [owner for owner in owners if owner["uid"] not in uids] == []


@pytest.mark.parametrize(
    ("plural", "file"),
    [
        ("nodes", "list_nodes.json"),
        ("persistentvolumes", "list_pv.json"),
        ("persistentvolumeclaims", "list_pvc.json"),
        ("horizontalpodautoscalers", "list_hpa_v2.json"),
        ("deployments", "list_deployments.json"),
    ],
)
def test_objects_have_the_recorded_shape(cluster, plural, file):
    real, pretend = recorded_answer(file), json.loads(ask(cluster, PATHS[plural]).body)
    (real_item, *_), (item, *_) = real["items"], pretend["items"]

    assert (pretend["kind"], pretend["apiVersion"]) == (real["kind"], real["apiVersion"])
    assert list(pretend) == list(real)
    assert item.keys() == real_item.keys()
    metadata = real_item["metadata"].keys() - BOOKKEEPING
    assert item["metadata"].keys() - BOOKKEEPING == metadata
    assert item["spec"].keys() - real_item["spec"].keys() - {"claimRef"} == set()


@settings(max_examples=20)
@given(limit=st.integers(1, 200), plural=st.sampled_from(["pods", "services", "nodes"]))
def test_pages_are_the_list(limit, plural):
    path, items, token, now = PATHS[plural], [], "", NOW
    while True:
        page = json.loads(ask(_CLUSTER, path, now, limit=limit, continue_=token).body)
        items += page["items"]
        token = page["metadata"].get("continue", "")
        assert len(page["items"]) <= limit
        if not token:
            break
        remaining = page["metadata"]["remainingItemCount"]
        # Pods that come and go between two pages change nothing.
        now += timedelta(seconds=1)

    assert remaining == len(page["items"]) if len(items) > limit else True
    assert items == items_of(_CLUSTER, plural)


def test_an_old_token_has_expired_and_a_fresh_one_goes_on(cluster):
    page = json.loads(ask(cluster, PATHS["pods"], limit=50).body)
    token, later = page["metadata"]["continue"], NOW + timedelta(minutes=6)
    expired = ask(cluster, PATHS["pods"], later, limit=50, continue_=token)
    status, real = json.loads(expired.body), recorded_answer("expired_continue_410.json")

    assert expired.status == 410
    assert status | {"metadata": {}} == real | {"metadata": {}}
    fresh = status["metadata"]["continue"]
    rest = json.loads(ask(cluster, PATHS["pods"], later, continue_=fresh).body)["items"]
    assert key(rest[0]) > key(page["items"][-1])


def test_pods_are_those_of_the_window(cluster):
    running = {
        (pod.slot.workload.namespace, pod.name, pod.node.name)
        for pod in cluster.pods(minute(NOW), minute(NOW) + 1)
    }
    pods = items_of(cluster, "pods")
    nodes = {item["metadata"]["name"] for item in items_of(cluster, "nodes")}

    assert running == {
        (*key(pod), pod["spec"]["nodeName"]) for pod in pods if pod["status"]["phase"] == "Running"
    }
    assert {pod["status"]["phase"] for pod in pods} == {"Running", "Succeeded"}
    assert {node for _, _, node in running} == nodes


def test_requests_are_those_that_are_billed(cluster):
    (pod,) = (p for p in items_of(cluster, "pods") if p["metadata"]["name"] == "ledger-db-0")
    resources = {c["name"]: c["resources"] for c in pod["spec"]["containers"]}

    assert resources == {
        "postgres": {"requests": {"cpu": "1", "memory": "4Gi"}, "limits": {"memory": "6Gi"}},
        "exporter": {"requests": {"cpu": "50m", "memory": "64Mi"}},
    }
    claims = [volume["persistentVolumeClaim"]["claimName"] for volume in pod["spec"]["volumes"]]
    assert claims == ["data-ledger-db-0"]


def test_controllers_count_their_pods(cluster):
    pods = [pod for pod in items_of(cluster, "pods") if pod["status"]["phase"] == "Running"]
    names = [f"{pod['metadata']['namespace']}/{pod['metadata']['labels']['app']}" for pod in pods]
    for item in items_of(cluster, "deployments"):
        assert item["status"]["readyReplicas"] == names.count("/".join(key(item)))
    for item in items_of(cluster, "daemonsets"):
        assert item["status"]["numberReady"] == len(items_of(cluster, "nodes"))


def test_what_was_killed_says_so(cluster):
    pods = [
        p for p in items_of(cluster, "pods") if p["metadata"]["labels"]["app"] == "leaky-ingest"
    ]
    (status,) = pods[0]["status"]["containerStatuses"]

    assert status["restartCount"] >= 1
    assert status["lastState"]["terminated"]["reason"] == "OOMKilled"


def test_objects_of_a_namespace_and_single_ones(cluster):
    pods = json.loads(ask(cluster, "/api/v1/namespaces/payments/pods").body)["items"]
    deployment = json.loads(ask(cluster, "/apis/apps/v1/namespaces/payments/deployments/api").body)

    assert {key(pod)[0] for pod in pods} == {"payments"}
    assert (deployment["kind"], deployment["metadata"]["name"]) == ("Deployment", "api")
    assert json.loads(ask(cluster, "/api/v1/namespaces/ghost/pods").body)["items"] == []
    assert json.loads(ask(cluster, "/api/v1/namespaces/data").body)["kind"] == "Namespace"


@pytest.mark.parametrize(
    ("path", "code", "reason"),
    [
        ("/apis/apps/v1/namespaces/payments/deployments/ghost", 404, "NotFound"),
        ("/api/v1/secrets", 404, "NotFound"),
        ("/api/v1/namespaces/payments/nodes", 404, "NotFound"),
        ("/api/v1/pods/web", 404, "NotFound"),
    ],
)
def test_refusals_are_status_objects(cluster, path, code, reason):
    answer = ask(cluster, path)
    document = json.loads(answer.body)

    assert (answer.status, document["kind"], document["reason"]) == (code, "Status", reason)


def test_refusals_read_as_recorded(cluster):
    ghost = json.loads(ask(cluster, "/apis/apps/v1/namespaces/a/deployments/ghost").body)
    kind = json.loads(ask(cluster, "/api/v1/secrets").body)
    limit = json.loads(ask(cluster, PATHS["pods"], limit="abc").body)

    assert json.loads(kubernetes.method_not_allowed().body) == recorded_answer("method_405.json")
    assert ghost == recorded_answer("notfound_404_object.json")
    assert kind == recorded_answer("notfound_404_kind.json")
    assert limit == recorded_answer("badrequest_limit.json")


@pytest.mark.parametrize("token", ["abc", "!!!", "e30", "bnVsbA"])
def test_other_tokens_are_bad_requests(cluster, token):
    answer = ask(cluster, PATHS["pods"], continue_=token)

    assert answer.status == 400
    assert "invalid continue token" in json.loads(answer.body)["message"]


def test_selectors_are_refused_rather_than_ignored(cluster):
    assert ask(cluster, PATHS["pods"], labelSelector="app=web").status == 400


def test_version_and_health(cluster):
    assert json.loads(ask(cluster, "/version").body)["minor"] == "35"
    assert ask(cluster, "/readyz").body == b"ok"
    assert ask(cluster, "/apis/metrics.k8s.io/v1beta1/pods").body == b"404 page not found\n"


def test_a_replaced_pod_of_a_statefulset_is_another_object(cluster):
    months = [datetime(2026, month, 9, tzinfo=UTC) for month in (1, 2, 3)]
    uids = {
        pod["metadata"]["uid"]
        for now in months
        for pod in items_of(cluster, "pods", now)
        if pod["metadata"]["name"] == "ledger-db-0"
    }

    assert len(uids) > 1
