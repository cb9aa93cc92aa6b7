"""Probes: facts that servers tell, and which series a real Prometheus has."""

import time
from datetime import UTC, datetime
from email.utils import formatdate

import httpx
import pytest

from finops_pipeline.errors import ServerMalformed, ServerRejected
from finops_pipeline.sources import probe

NOW = datetime(2026, 11, 23, 10, tzinfo=UTC)
RECORDED = (
    b'{"containers":null,"clusterInfo":{"nodeCount":"0","podCount":"0"},"version":"dev (HEAD)"}'
)


def server(answer: httpx.Response) -> httpx.Client:
    """Return a client whose server gives every request the same answer."""
    return httpx.Client(base_url="http://it", transport=httpx.MockTransport(lambda _: answer))


def test_version_and_clock_of_an_opencost():
    date = {"Date": formatdate(time.time() + 90, usegmt=True)}

    facts = probe.probe_opencost(server(httpx.Response(200, content=RECORDED, headers=date)))

    assert facts.version == "dev (HEAD)"
    assert facts.clock_difference
    assert 80 < facts.clock_difference.total_seconds() <= 90


@pytest.mark.parametrize("date", [{}, {"Date": "yesterday"}])
def test_a_server_need_not_tell_version_or_time(date):
    facts = probe.probe_opencost(server(httpx.Response(200, content=b"{}", headers=date)))

    assert (facts.version, facts.clock_difference) == (None, None)


def test_a_page_that_is_no_opencost_is_refused():
    with pytest.raises(ServerMalformed, match="<html>"):
        probe.probe_opencost(server(httpx.Response(200, content=b"<html>")))
    with pytest.raises(ServerRejected, match="status 404"):
        probe.probe_opencost(server(httpx.Response(404)))


@pytest.mark.parametrize(
    "sample",
    [
        {"metric": {}, "value": [0, "1"]},
        {"metric": {"quantity": "copies"}, "value": [0, "many"]},
        {"metric": {"quantity": "copies"}, "value": [0, "NaN"]},
    ],
)
def test_an_answer_to_another_question_is_no_count(sample):
    answer = {"status": "success", "data": {"resultType": "vector", "result": [sample]}}

    with pytest.raises(ServerMalformed):
        probe.probe_prometheus(server(httpx.Response(200, json=answer)), NOW, "")


@pytest.mark.needs("prometheus", "promtool")
def test_series_of_a_real_prometheus(recorded_prometheus):
    facts = probe.probe_prometheus(recorded_prometheus, NOW, "")

    assert facts.version
    assert facts.clock_difference
    # 33 to 35 containers ran on 4 nodes at that time, and nothing is scraped twice.
    assert facts.series_counts["node_price"] == 4
    assert 30 <= facts.series_counts["container_running"] <= 60
    assert facts.series_counts.keys() == {*probe.SERIES, "copies"}
    assert facts.series_counts["copies"] == 1


@pytest.mark.needs("prometheus", "promtool")
def test_series_of_a_cluster_that_a_real_prometheus_does_not_know(recorded_prometheus):
    facts = probe.probe_prometheus(recorded_prometheus, NOW, 'cluster="elsewhere"')

    assert facts.series_counts == {}
