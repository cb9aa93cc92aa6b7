"""The pretend cluster in the dialect of the Kubernetes API: lists in pages, objects, refusals.

Objects are those of the instant a list began: a continue token remembers it, so that pages fit
together, and expires after five minutes as the real one does.
"""

import base64
import binascii
import re
from collections.abc import Callable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import Final, NamedTuple

import msgspec

from finops_pipeline.errors import FinopsError
from finops_pipeline.simulation.answer import Answer, not_found
from finops_pipeline.simulation.cluster import Cluster
from finops_pipeline.simulation.objects import Objects
from finops_pipeline.simulation.schedule import minute

_TOKEN_MINUTES: Final = 5
_ENCODER: Final = msgspec.json.Encoder()
_VERSION: Final = {
    "major": "1",
    "minor": "35",
    "gitVersion": "v1.35.4-pretend",
    "gitCommit": "",
    "gitTreeState": "clean",
    "buildDate": "2026-01-01T00:00:00Z",
    "goVersion": "go1.25.0",
    "compiler": "gc",
    "platform": "linux/amd64",
}
_EXPIRED: Final = (
    "The provided continue parameter is too old to display a consistent list result. You can start "
    "a new list without the continue parameter, or use the continue token in this response to "
    "retrieve the remainder of the results. Continuing with the provided token results in an "
    "inconsistent list - objects that were created, modified, or deleted between the time the "
    "first chunk was returned and now may show up in the list."
)


class _Resource(NamedTuple):
    """A kind of objects, and where it is listed."""

    api: str
    kind: str
    is_namespaced: bool
    build: Callable[[Objects], list[dict[str, object]]]


_RESOURCES: Final = {
    ("api/v1", "namespaces"): _Resource("v1", "Namespace", False, Objects.namespaces),
    ("api/v1", "nodes"): _Resource("v1", "Node", False, Objects.nodes),
    ("api/v1", "pods"): _Resource("v1", "Pod", True, Objects.pods),
    ("api/v1", "services"): _Resource("v1", "Service", True, Objects.services),
    ("api/v1", "persistentvolumes"): _Resource("v1", "PersistentVolume", False, Objects.volumes),
    ("api/v1", "persistentvolumeclaims"): _Resource(
        "v1", "PersistentVolumeClaim", True, Objects.claims
    ),
    ("apis/apps/v1", "deployments"): _Resource("apps/v1", "Deployment", True, Objects.deployments),
    ("apis/apps/v1", "replicasets"): _Resource("apps/v1", "ReplicaSet", True, Objects.replica_sets),
    ("apis/apps/v1", "statefulsets"): _Resource(
        "apps/v1", "StatefulSet", True, Objects.stateful_sets
    ),
    ("apis/apps/v1", "daemonsets"): _Resource("apps/v1", "DaemonSet", True, Objects.daemon_sets),
    ("apis/batch/v1", "jobs"): _Resource("batch/v1", "Job", True, Objects.jobs),
    ("apis/batch/v1", "cronjobs"): _Resource("batch/v1", "CronJob", True, Objects.cron_jobs),
    ("apis/autoscaling/v2", "horizontalpodautoscalers"): _Resource(
        "autoscaling/v2", "HorizontalPodAutoscaler", True, Objects.autoscalers
    ),
    ("apis/policy/v1", "poddisruptionbudgets"): _Resource(
        "policy/v1", "PodDisruptionBudget", True, Objects.disruption_budgets
    ),
    ("apis/storage.k8s.io/v1", "storageclasses"): _Resource(
        "storage.k8s.io/v1", "StorageClass", False, Objects.storage_classes
    ),
}
_PATH: Final = re.compile(
    r"/(?P<group>api/v1|apis/[a-z0-9.]+/v\d\w*)"
    r"(?:/namespaces/(?P<namespace>[^/]+)(?=/))?/(?P<plural>[a-z]+)(?:/(?P<name>[^/]+))?"
)
_GROUPS: Final = frozenset(group for group, _ in _RESOURCES)


class _Refusal(FinopsError):
    """A request answered by a Status object."""

    def __init__(self, code: int, reason: str, message: str, **more: dict[str, str]) -> None:
        super().__init__(message)
        self.status = {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": message,
            "reason": reason,
            "code": code,
        } | more
        self.code = code


class _Token(msgspec.Struct, rename={"instant": "rv"}):
    """Content of a continue token: the minute of its list, and the last key that was sent."""

    instant: int
    start: str
    v: str = "meta.k8s.io/v1"


def answer(cluster: Cluster, path: str, params: Mapping[str, str], now: datetime) -> Answer:
    """Answer one GET request.

    Args:
        cluster: the model.
        path: below the server's root, such as ``/api/v1/pods``.
        params: decoded query parameters: ``limit`` and ``continue``; selectors are refused.
        now: the instant whose objects are listed.
    """
    if path in ("/healthz", "/livez", "/readyz"):
        return Answer(b"ok", content_type="text/plain; charset=utf-8")
    if path == "/version":
        return Answer(_ENCODER.encode(_VERSION))
    route = _PATH.fullmatch(path)
    if route is None or route["group"] not in _GROUPS:
        return not_found()
    try:
        return Answer(_ENCODER.encode(_document(cluster, route, params, minute(now))))
    except _Refusal as refusal:
        return Answer(_ENCODER.encode(refusal.status), refusal.code)


def method_not_allowed() -> Answer:
    """Return the answer to all but a GET: the pretend API cannot be changed."""
    message = "the server does not allow this method on the requested resource"
    refusal = _Refusal(405, "MethodNotAllowed", message, details={})
    return Answer(_ENCODER.encode(refusal.status), refusal.code)


def _document(
    cluster: Cluster, route: re.Match[str], params: Mapping[str, str], now: int
) -> dict[str, object]:
    resource = _RESOURCES.get((route["group"], route["plural"]))
    if resource is None or (route["namespace"] and not resource.is_namespaced):
        message = "the server could not find the requested resource"
        raise _Refusal(404, "NotFound", message, details={})
    if unknown := {"labelSelector", "fieldSelector", "watch"} & params.keys():
        message = f"the pretend cluster does not serve {sorted(unknown)}"
        raise _Refusal(400, "BadRequest", message)
    if route["name"]:
        return _object(cluster, resource, route, now)
    return _list(cluster, resource, route["namespace"], params, now)


def _object(
    cluster: Cluster, resource: _Resource, route: re.Match[str], now: int
) -> dict[str, object]:
    key = f"{route['namespace']}/{route['name']}" if route["namespace"] else route["name"]
    items = _items(cluster, resource, route["namespace"], now)
    if key not in items or resource.is_namespaced != bool(route["namespace"]):
        group = resource.api.rpartition("/")[0]
        kind = f"{route['plural']}.{group}" if group else route["plural"]
        details = {"name": route["name"], "group": group, "kind": route["plural"]}
        message = f'{kind} "{route["name"]}" not found'
        raise _Refusal(404, "NotFound", message, details={k: v for k, v in details.items() if v})
    return {"kind": resource.kind, "apiVersion": resource.api} | items[key]


def _items(
    cluster: Cluster, resource: _Resource, namespace: str | None, at: int
) -> dict[str, dict[str, object]]:
    """Return objects by the key they are sorted by: namespace and name."""
    prefix = f"{namespace}/" if namespace else ""
    objects = _all_items(cluster, resource, at)
    return {key: item for key, item in objects.items() if key.startswith(prefix)}


@lru_cache(maxsize=32)
def _all_items(cluster: Cluster, resource: _Resource, at: int) -> dict[str, dict[str, object]]:
    """Build all objects of a kind, once for all pages of a list."""
    objects = {Objects.key(item): item for item in resource.build(Objects(cluster, at))}
    return {key: objects[key] for key in sorted(objects)}


def _list(
    cluster: Cluster,
    resource: _Resource,
    namespace: str | None,
    params: Mapping[str, str],
    now: int,
) -> dict[str, object]:
    limit = _limit(params.get("limit", ""))
    token = _read_token(params.get("continue", ""), now)
    items = _items(cluster, resource, namespace, token.instant)
    rest = [key for key in items if key > token.start]
    page = rest[:limit] if limit else rest
    metadata: dict[str, object] = {"resourceVersion": str(token.instant)}
    if len(page) < len(rest):
        metadata["continue"] = _write_token(_Token(token.instant, page[-1]))
        metadata["remainingItemCount"] = len(rest) - len(page)
    return {
        "kind": f"{resource.kind}List",
        "apiVersion": resource.api,
        "metadata": metadata,
        "items": [items[key] for key in page],
    }


def _limit(text: str) -> int:
    if not text:
        return 0
    try:
        return max(int(text), 0)
    except ValueError:
        message = f'strconv.ParseInt: parsing "{text}": invalid syntax'
        raise _Refusal(400, "BadRequest", message) from None


def _write_token(token: _Token) -> str:
    return base64.urlsafe_b64encode(_ENCODER.encode(token)).rstrip(b"=").decode()


def _read_token(text: str, now: int) -> _Token:
    """Return the list a token continues; a new list without one."""
    if not text:
        return _Token(now, "")
    try:
        document = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        token = msgspec.json.decode(document, type=_Token)
    except (binascii.Error, ValueError) as error:
        message = f"invalid continue token: continue key is not valid: {error}"
        raise _Refusal(400, "BadRequest", message) from None
    if token.instant < now - _TOKEN_MINUTES:
        fresh = {"continue": _write_token(_Token(now, token.start))}
        raise _Refusal(410, "Expired", _EXPIRED, metadata=fresh)
    return token
