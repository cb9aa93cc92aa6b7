"""The Kubernetes API: what exists in a cluster now, kind by kind.

It has no memory: a reading says how things are at the end of a window, and can never be repeated.
A kind that may not be listed fails alone; ``raw.inventory`` says which and why.
"""

import time
from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import cached_property
from typing import Any, Generic, TypeVar

import httpx
import msgspec
import pyarrow as pa
import pyarrow.compute as pc
from msgspec import Struct

from finops_pipeline import http
from finops_pipeline.errors import ServerError, ServerExpired, ServerMalformed, ServerUnavailable
from finops_pipeline.sources.kubernetes import objects
from finops_pipeline.sources.kubernetes.tables import (
    INVENTORY,
    OF_WORKLOADS,
    STATES,
    combine_pages,
    rows,
)
from finops_pipeline.sources.reading import Reading, fetch_with_retries, parse_answer, raw_table
from finops_pipeline.sources.retry import TOTAL_SECONDS

_PAGE_OBJECTS = 500  # what kubectl asks for at once
_MOST_PAGES = 1_000  # half a million objects; a list that goes on is one that never ends
_MOST_BEGINNINGS = 3  # a list that expires is begun again; one that always does is too slow to read
_Item = TypeVar("_Item", bound=objects.Object)


class _Place(Struct, rename={"token": "continue"}):
    token: str = ""


class _Page(Struct, Generic[_Item]):
    kind: str
    metadata: _Place
    items: list[_Item] | None


@dataclass(frozen=True)
class _Kind:
    """A kind of objects: where it is listed, and the tables made of it."""

    name: str
    path: str
    item: type[objects.Object]
    tables: tuple[str, ...]

    @cached_property
    def decoder(self) -> msgspec.json.Decoder[_Page[Any]]:
        return msgspec.json.Decoder(_Page[self.item])  # type: ignore[name-defined]


# The largest lists come last: where the API is too slow for them, the others are there.
_KINDS = (
    _Kind("Namespace", "/api/v1/namespaces", objects.Namespace, ("raw.namespace",)),
    _Kind("Node", "/api/v1/nodes", objects.Node, ("raw.node",)),
    _Kind(
        "StorageClass",
        "/apis/storage.k8s.io/v1/storageclasses",
        objects.StorageClass,
        ("raw.storage_class",),
    ),
    _Kind("PersistentVolume", "/api/v1/persistentvolumes", objects.Volume, ("raw.volume",)),
    _Kind(
        "PersistentVolumeClaim",
        "/api/v1/persistentvolumeclaims",
        objects.VolumeClaim,
        ("raw.volume_claim",),
    ),
    _Kind("Service", "/api/v1/services", objects.Service, ("raw.service",)),
    _Kind(
        "HorizontalPodAutoscaler",
        "/apis/autoscaling/v2/horizontalpodautoscalers",
        objects.Autoscaler,
        ("raw.autoscaler",),
    ),
    _Kind(
        "PodDisruptionBudget",
        "/apis/policy/v1/poddisruptionbudgets",
        objects.DisruptionBudget,
        ("raw.disruption_budget",),
    ),
    _Kind("Deployment", "/apis/apps/v1/deployments", objects.Workload, OF_WORKLOADS),
    _Kind("StatefulSet", "/apis/apps/v1/statefulsets", objects.Workload, OF_WORKLOADS),
    _Kind("DaemonSet", "/apis/apps/v1/daemonsets", objects.Workload, OF_WORKLOADS),
    _Kind("CronJob", "/apis/batch/v1/cronjobs", objects.Workload, OF_WORKLOADS),
    _Kind("Job", "/apis/batch/v1/jobs", objects.Workload, OF_WORKLOADS),
    _Kind("ReplicaSet", "/apis/apps/v1/replicasets", objects.Workload, OF_WORKLOADS),
    _Kind("Pod", "/api/v1/pods", objects.Pod, ("raw.pod",)),
)
KINDS = {kind.name: kind.tables for kind in _KINDS}  # tables that each kind fills


@dataclass(frozen=True)
class _Rows:
    """A page as rows: 10,000 decoded pods would take ten times the memory."""

    token: str
    object_count: int
    tables: Mapping[str, pa.Table]


@dataclass
class _Listing:
    """Rows of the kinds listed so far, and why others are missing."""

    tables: dict[str, list[pa.Table]] = field(default_factory=lambda: defaultdict(list))
    counts: dict[str, int] = field(default_factory=dict)  # objects by kind
    failures: dict[str, ServerError] = field(default_factory=dict)  # by kind

    def add(self, kind: str, pages: list[_Rows]) -> None:
        """Add all objects of a kind."""
        self.counts[kind] = sum(page.object_count for page in pages)
        for page in pages:
            for name, rows_of_page in page.tables.items():
                self.tables[name].append(rows_of_page)

    def failure(self, kind: str) -> str | None:
        """Return why a kind is missing: its own failure, or the last, which ended the reading."""
        if kind in self.counts:
            return None
        return str(self.failures.get(kind) or [*self.failures.values()][-1])


def read_window(
    client: httpx.Client, cluster: str, start: datetime, fetched_at: datetime
) -> Reading:
    """Read all that exists now, under one window; a row of ``raw.inventory`` per kind.

    Args:
        client: its base URL is the API of one cluster.
        cluster: name in the settings.
        start: first instant of the window, UTC: the newest one that has ended.
        fetched_at: now, UTC.

    Raises:
        ServerError: no kind could be listed.
        ServerMalformed: an API without a single namespace is not one of a cluster.
    """
    api, listing = _Api(client, cluster, start, time.monotonic() + TOTAL_SECONDS), _Listing()
    for kind in _KINDS:
        try:
            listing.add(kind.name, api.list(kind))
        except ServerError as error:
            listing.failures[kind.name] = error
            if isinstance(error, ServerUnavailable):  # asking on would take as long each time
                break
    if not listing.counts:
        raise next(iter(listing.failures.values()))
    if listing.counts.get("Namespace") == 0:
        raise ServerMalformed(f"cluster {cluster}: {client.base_url} has no namespace at all")
    tables = {name: combine_pages(name, listing.tables[name]) for name in STATES}
    tables[INVENTORY] = _inventory(cluster, start, listing)
    return Reading(cluster, start, fetched_at, tables, is_final=True)


def _inventory(cluster: str, start: datetime, listing: _Listing) -> pa.Table:
    names = sorted(KINDS)
    columns = {
        "kind": names,
        "object_count": [listing.counts.get(name) for name in names],
        "changed_count": [None] * len(names),  # filled in from the states before
        "failure": [listing.failure(name) for name in names],
    }
    return raw_table(INVENTORY, cluster, start, columns)


@dataclass(frozen=True)
class _Api:
    """The API of one cluster, for one reading."""

    client: httpx.Client
    cluster: str
    start: datetime
    until: float  # monotonic clock: the whole reading ends by then

    def list(self, kind: _Kind) -> list[_Rows]:
        """List all pages of one state: a list that expires on the way is begun anew."""
        for _ in range(_MOST_BEGINNINGS):
            try:
                pages = [*self._pages(kind)]
            except ServerExpired:
                continue
            self._refuse_twins(kind, pages)
            return pages
        raise ServerUnavailable(
            f"cluster {self.cluster}: {kind.path}: its pages expire before the last one is read"
        )

    def _pages(self, kind: _Kind) -> Iterator[_Rows]:
        page = self._page(kind, {})
        yield page
        for _ in range(_MOST_PAGES):
            if not page.token:
                return
            page = self._page(kind, {"continue": page.token})
            yield page
        raise ServerMalformed(
            f"cluster {self.cluster}: {kind.path}: no end after {_MOST_PAGES} pages"
        )

    def _refuse_twins(self, kind: _Kind, pages: Sequence[_Rows]) -> None:
        """Refuse an object that is listed twice: a join of states would count it twice."""
        rows = pa.concat_tables(page.tables[kind.tables[0]].select(["uid"]) for page in pages)
        if pc.count_distinct(rows["uid"]).as_py() < rows.num_rows:
            raise ServerMalformed(f"cluster {self.cluster}: {kind.path}: an object is listed twice")

    def _page(self, kind: _Kind, position: Mapping[str, str]) -> _Rows:
        parameters = {"limit": str(_PAGE_OBJECTS), **position}

        def fetch(seconds_left: Callable[[], float]) -> _Rows:
            seconds = min(seconds_left(), self.until - time.monotonic())
            if seconds <= 0:
                raise ServerUnavailable(f"{kind.path}: not complete in {TOTAL_SECONDS:.0f} s")
            answer = http.get(self.client, kind.path, parameters, deadline_seconds=seconds)
            return parse_answer(answer, lambda body: self._rows(kind, body))

        return fetch_with_retries(self.cluster, fetch)

    def _rows(self, kind: _Kind, body: bytes) -> _Rows:
        """Parse one page.

        Raises:
            ValueError: a list of another kind, or a value that cannot be.
            msgspec.DecodeError: not the JSON we know.
        """
        body.decode()  # refuses what is not UTF-8: msgspec does not look into what stays text
        page = kind.decoder.decode(body)
        if page.kind != f"{kind.name}List":
            raise ValueError(f"asked for a {kind.name}List, got a {page.kind}")
        items = page.items or []
        tables = {
            name: rows(name, kind.name, items, self.cluster, self.start) for name in kind.tables
        }
        return _Rows(page.metadata.token, len(items), tables)
