"""Kubernetes APIs to read from: a recorded one, and one whose answers a test makes up."""

import json
from collections.abc import Callable
from typing import Any

import httpx

from finops_pipeline.sources.kubernetes.listing import KINDS
from finops_pipeline_tests.servers import ANSWERS

RECORDED = ANSWERS / "kubernetes"
FILES = {
    "/api/v1/namespaces": "list_namespaces",
    "/api/v1/nodes": "list_nodes",
    "/api/v1/services": "list_services",
    "/api/v1/persistentvolumes": "list_pv",
    "/api/v1/persistentvolumeclaims": "list_pvc",
    "/apis/storage.k8s.io/v1/storageclasses": "list_sc",
    "/apis/apps/v1/deployments": "list_deployments",
    "/apis/apps/v1/replicasets": "list_replicasets",
    "/apis/apps/v1/statefulsets": "list_statefulsets",
    "/apis/apps/v1/daemonsets": "list_daemonsets",
    "/apis/batch/v1/jobs": "list_jobs",
    "/apis/batch/v1/cronjobs": "list_cronjobs",
    "/apis/autoscaling/v2/horizontalpodautoscalers": "list_hpa_v2",
    "/apis/policy/v1/poddisruptionbudgets": "list_pdb",
}
PODS = "/api/v1/pods"
Respond = Callable[[httpx.Request], httpx.Response]


def body(name: str) -> bytes:
    """Read a recorded answer."""
    return (RECORDED / f"{name}.json").read_bytes()


def recorded(request: httpx.Request) -> httpx.Response:
    """Respond as the recorded API did; its pods come in three pages."""
    if request.url.path != PODS:
        return httpx.Response(200, content=body(FILES[request.url.path]))
    pages = [body(f"page_{number}") for number in (1, 2, 3)]
    tokens = ["", *(json.loads(page)["metadata"].get("continue") for page in pages)]
    token = request.url.params.get("continue", "")
    return httpx.Response(200, content=pages[tokens.index(token)])


def refusing(refusals: dict[str, httpx.Response]) -> Respond:
    """Respond as the recorded API, but refuse some paths."""

    def respond(request: httpx.Request) -> httpx.Response:
        refusal = refusals.get(request.url.path)
        if refusal is None:
            return recorded(request)
        return httpx.Response(refusal.status_code, content=refusal.content)

    return respond


def client(respond: Respond) -> httpx.Client:
    """Return a client of an API that responds so."""
    return httpx.Client(base_url="http://api", transport=httpx.MockTransport(respond))


def lists(objects: dict[str, list[dict[str, Any]]]) -> Respond:
    """Respond as an API that has these objects by path, and one namespace."""
    kinds = {path: json.loads(body(name))["kind"] for path, name in FILES.items()} | {
        PODS: "PodList"
    }
    assert len(kinds) == len(KINDS)
    objects = {"/api/v1/namespaces": [thing("default", "n1")], **objects}

    def respond(request: httpx.Request) -> httpx.Response:
        items = objects.get(request.url.path, [])
        answer = {"kind": kinds[request.url.path], "metadata": {}, "items": items}
        return httpx.Response(200, content=json.dumps(answer).encode())

    return respond


def thing(name: str, uid: str, namespace: str = "", **more: object) -> dict[str, Any]:
    """Make an object with what all objects have."""
    metadata = {"name": name, "uid": uid, "creationTimestamp": "2026-03-01T09:00:00Z"}
    place = {"namespace": namespace} if namespace else {}
    return {"metadata": {**metadata, **place, **dict(more.pop("metadata", {}))}, **more}  # type: ignore[call-overload]
