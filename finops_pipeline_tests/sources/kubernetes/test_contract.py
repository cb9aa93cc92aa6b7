"""Contract of all Kubernetes APIs: the embedded one, the recorded one, and one that is named.

``FINOPS_TEST_KUBERNETES_URL``, such as that of ``kubectl proxy``, adds a real one.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta

import httpx
import pyarrow.compute as pc
import pytest

from finops_pipeline import http
from finops_pipeline.simulation import server
from finops_pipeline.sources.kubernetes.listing import KINDS, read_window
from finops_pipeline.sources.kubernetes.tables import INVENTORY, STATES
from finops_pipeline.sources.reading import Reading
from finops_pipeline.units import WINDOW, window_start
from finops_pipeline_tests.sources.kubernetes import apis

URL = os.environ.get("FINOPS_TEST_KUBERNETES_URL")
APIS = ["embedded", "recorded", *([URL] if URL else [])]
LATER = timedelta(minutes=5)  # clocks differ


@contextmanager
def connected(api: str) -> Iterator[httpx.Client]:
    if api == "embedded":
        with server.serve() as cluster, http.client(cluster.kubernetes_url) as client:
            yield client
    elif api == "recorded":
        with apis.client(apis.recorded) as client:
            yield client
    else:
        with http.client(api) as client:
            yield client


@pytest.fixture(scope="module", params=APIS)
def reading(request: pytest.FixtureRequest) -> Reading:
    now = datetime.now(UTC)
    with connected(request.param) as client:
        return read_window(client, "prod", window_start(now) - WINDOW, now)


def values(reading: Reading, table: str, column: str) -> set[str]:
    return set(reading.tables[table][column].to_pylist()) - {None}


def test_every_kind_is_listed(reading):
    rows = reading.tables[INVENTORY].to_pylist()

    assert {row["kind"] for row in rows} == KINDS.keys()
    assert [row for row in rows if row["failure"] or row["object_count"] is None] == []


def test_a_table_has_a_row_per_object(reading):
    counts = {row["kind"]: row["object_count"] for row in reading.tables[INVENTORY].to_pylist()}
    for name in STATES:
        listed = sum(counts[kind] for kind, tables in KINDS.items() if name in tables)
        uids = reading.tables[name]["uid"].to_pylist()
        if name != "raw.pod_template":
            assert len(uids) == len(set(uids)) == listed, name


def test_a_reading_is_the_last_one_of_its_window(reading):
    assert reading.is_final
    for name, rows in reading.tables.items():
        assert set(rows["window_start"].to_pylist()) <= {reading.window_start}, name


def test_pods_run_on_nodes_and_live_in_namespaces_that_exist(reading):
    assert values(reading, "raw.pod", "node") <= values(reading, "raw.node", "name")
    assert values(reading, "raw.pod", "namespace") <= values(reading, "raw.namespace", "name")


def test_nodes_and_pods_are_sized(reading):
    nodes, pods = reading.tables["raw.node"], reading.tables["raw.pod"]

    assert nodes.num_rows
    assert pc.all(
        pc.less_equal(nodes["cpu_allocatable_cores"], nodes["cpu_capacity_cores"])
    ).as_py()
    assert pc.min(nodes["memory_allocatable_bytes"]).as_py() > 2**26
    assert pc.min(pods["cpu_request_cores"]).as_py() >= 0
    assert pc.max(pods["cpu_request_cores"]).as_py() <= pc.max(nodes["cpu_capacity_cores"]).as_py()


def test_templates_belong_to_workloads_without_a_controller(reading):
    workloads = reading.tables["raw.workload"].to_pylist()
    own = {row["uid"] for row in workloads if row["owner"] is None}

    assert own
    assert values(reading, "raw.pod_template", "uid") == own


def test_a_bound_claim_and_its_volume_name_each_other(reading):
    volumes = {row["name"]: row for row in reading.tables["raw.volume"].to_pylist()}
    bound = [row for row in reading.tables["raw.volume_claim"].to_pylist() if row["volume"]]

    assert bound
    for claim in bound:
        volume = volumes[claim["volume"]]
        assert (volume["volume_claim_namespace"], volume["volume_claim"]) == (
            claim["namespace"],
            claim["name"],
        )
        assert volume["storage_bytes"] >= claim["storage_request_bytes"]


def test_nothing_is_younger_than_now(reading):
    for name in STATES:
        created = pc.max(reading.tables[name]["created_at"]).as_py()
        assert created is None or created <= reading.fetched_at + LATER, name
