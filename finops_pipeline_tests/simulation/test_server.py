import json
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime

import httpx
import pytest

from finops_pipeline.simulation.answer import TEXT, Answer
from finops_pipeline.simulation.server import Request, Server, serve
from finops_pipeline.sources import opencost, plausibility, prometheus
from finops_pipeline_tests.simulation.conftest import ANCHOR, NOW

NOON = datetime(2026, 3, 9, 12, tzinfo=UTC)
WINDOW = {"window": "2026-03-09T12:00:00Z,2026-03-09T12:15:00Z"}


@pytest.fixture(scope="module")
def server() -> Iterator[Server]:
    with serve(anchor=ANCHOR, clock=lambda: NOW) as running:
        yield running


@pytest.fixture
def client(server) -> Iterator[httpx.Client]:
    with httpx.Client() as client:
        yield client
    server.faults.clear()


def exchange(server: Server, *parts: bytes) -> bytes:
    """Send these parts; return what the server sends until it closes."""
    with socket.create_connection(("127.0.0.1", server.port)) as connection:
        for part in parts:
            connection.sendall(part)
        return b"".join(iter(lambda: connection.recv(2**16), b""))


def test_one_origin_serves_all_dialects(server, client):
    assert client.get(f"{server.opencost_url}/healthz").text == ""
    assert client.get(f"{server.prometheus_url}/-/ready").status_code == 200
    assert client.get(f"{server.kubernetes_url}/version").json()["major"] == "1"
    assert client.get(f"{server.url}/manifest").json()["anchor"] == ANCHOR.isoformat()
    assert client.get(f"{server.url}/nosuch").status_code == 404
    assert client.get(server.opencost_url).status_code == 404


def test_the_pipeline_reads_and_believes_it(server):
    with (
        httpx.Client(base_url=server.opencost_url) as costs,
        httpx.Client(base_url=server.prometheus_url) as metrics,
    ):
        reading = opencost.read_window(costs, "demo", NOON, NOW)
        usage = prometheus.read_window(metrics, "demo", NOON, NOW, 'cluster="demo"')
        verdict = plausibility.judge(reading, prometheus.read_presence(metrics, "demo", NOON))

    assert (verdict.is_verified, verdict.is_degraded, verdict.reason) == (True, False, None)
    assert verdict.minutes_ratio == 1.0
    rows = {name: table.num_rows for name, table in {**reading.tables, **usage.tables}.items()}
    assert rows["raw.allocation"] > 120
    assert rows["raw.container_usage"] > 200  # with a row per pod for its network
    assert rows["raw.volume_usage"] > 15
    assert rows["raw.price"] == rows["raw.asset"]  # each node, volume and load balancer


def test_a_query_may_come_as_a_form(server, client):
    query = {
        "query": 'label_replace(up, "quantity", "mean_node_hour_price", "", "")',
        "time": "1773057600",
    }
    url = f"{server.prometheus_url}/api/v1/query"

    assert client.post(url, data=query).json() == client.get(url, params=query).json()
    assert client.post(f"{server.opencost_url}/allocation").status_code == 405
    assert client.delete(f"{server.kubernetes_url}/api/v1/nodes").json()["code"] == 405


def test_faults_answer_instead_of_one_path_only(server, client):
    server.faults["/opencost/allocation"] = Answer(b"no", 503, TEXT)

    assert client.get(f"{server.opencost_url}/allocation", params=WINDOW).status_code == 503
    assert client.get(f"{server.opencost_url}/assets", params=WINDOW).status_code == 200


def test_a_fault_may_look_at_the_request_and_leave_it_alone(server, client):
    def refuse_strangers(request: Request) -> Answer | None:
        return None if "authorization" in request.headers else Answer(b"who?", 401, TEXT)

    server.faults["/kubernetes"] = refuse_strangers
    url = f"{server.kubernetes_url}/version"

    assert client.get(url).status_code == 401
    assert client.get(url, headers={"Authorization": "Bearer x"}).status_code == 200


def test_the_longest_prefix_wins(server, client):
    server.faults.update({"/": Answer(b"", 500), "/opencost/healthz": Answer(b"", 418)})

    assert client.get(f"{server.opencost_url}/healthz").status_code == 418
    assert client.get(f"{server.opencost_url}/assets").status_code == 500


def test_requests_may_come_in_pieces_and_several_at_once(server):
    first = b"GET /opencost/healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    last = first.replace(b"Host: x", b"Connection: close")

    assert exchange(server, first[:7], first[7:] + first, last).count(b"HTTP/1.1 200 OK") == 3


@pytest.mark.parametrize(
    "nonsense",
    [
        b"hello\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: many\r\n\r\n",
        b"GET / HTTP/1.1\r\nContent-Length: 9999999\r\n\r\n",
    ],
)
def test_nonsense_is_refused_and_harms_no_other_request(server, client, nonsense):
    assert exchange(server, nonsense).startswith(b"HTTP/1.1 400 Bad Request")
    assert client.get(f"{server.opencost_url}/healthz").status_code == 200


def test_head_has_no_body(server, client):
    assert client.head(f"{server.opencost_url}/healthz").status_code == 405


def test_stops_with_its_block_and_frees_the_port():
    before = threading.active_count()
    with serve(anchor=ANCHOR, clock=lambda: NOW) as server, httpx.Client() as client:
        client.get(f"{server.opencost_url}/healthz")
        port = server.port

    assert threading.active_count() == before
    with serve(port, anchor=ANCHOR, clock=lambda: NOW) as again:
        assert again.port == port


def test_a_taken_port_is_an_error(server):
    with pytest.raises(OSError, match="in use"), serve(server.port, anchor=ANCHOR):
        pass


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_run_ends_cleanly_on_a_signal(number):
    code = (
        "from finops_pipeline.simulation.server import run;"
        "run(0, ready=lambda server: print(server.port, flush=True))"
    )
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        port = int(process.stdout.readline())
        answer = httpx.get(f"http://127.0.0.1:{port}/opencost/allocation?window=1h")
        process.send_signal(number)
        assert process.wait(10) == 0

    assert len(json.loads(answer.content)["data"][0]) > 100
