import subprocess
from decimal import Decimal

import httpx
import pytest
from prometheus_client.parser import text_string_to_metric_families

from finops_pipeline.destinations.pushgateway import Metric, delete, groups, push
from finops_pipeline.errors import DeliveryError, ServerRejected, ServerUnavailable
from finops_pipeline_tests import servers

NOWHERE = "http://127.0.0.1:9"  # the port of the discard service: no server listens


@pytest.fixture(scope="module")
def server():
    with servers.pushgateway() as started:
        yield started.url


@pytest.fixture
def gateway(server):
    """A Pushgateway without groups."""
    for group in httpx.get(f"{server}/api/v1/metrics").json()["data"]:
        labels = {name: value for name, value in group["labels"].items() if name != "job"}
        delete(server, labels)
    return server


def cost(*rows: dict[str, object]) -> Metric:
    return Metric("finops_cost_hourly_rate", "Cost of an hour [currency].", rows)


def row(cluster: str, namespace: str, value: object = 1.0) -> dict[str, object]:
    return {"cluster": cluster, "namespace": namespace, "value": value}


def gauges(gateway: str, name: str = "finops_cost_hourly_rate") -> dict[tuple[str, ...], float]:
    """Return the values the gateway shows of one metric, by cluster and namespace."""
    page = httpx.get(f"{gateway}/metrics").text
    return {
        (sample.labels.get("cluster", ""), sample.labels.get("namespace", "")): sample.value
        for family in text_string_to_metric_families(page)
        for sample in family.samples
        if sample.name == name
    }


@pytest.mark.needs("prometheus-pushgateway")
def test_a_vanished_namespace_is_gone_after_the_next_push(gateway):
    push(gateway, groups([cost(row("a", "shop"), row("a", "old"), row("b", "old"))]))
    assert gauges(gateway).keys() == {("a", "shop"), ("a", "old"), ("b", "old")}

    push(gateway, groups([cost(row("a", "shop", 2.0)), cost(row("b", "old"))]))

    assert gauges(gateway) == {("a", "shop"): 2.0, ("b", "old"): 1.0}


@pytest.mark.needs("prometheus-pushgateway")
def test_pushing_one_cluster_leaves_the_others_alone(gateway):
    push(gateway, groups([cost(row("a", "shop"), row("b", "shop"))]))

    push(gateway, groups([cost(row("a", "shop", 3.0))]))

    assert gauges(gateway) == {("a", "shop"): 3.0, ("b", "shop"): 1.0}


@pytest.mark.needs("prometheus-pushgateway")
def test_what_belongs_to_no_cluster_is_there_once(gateway):
    build = Metric("finops_build_info", "Always 1.", [{"currency": "USD", "value": 1}])

    push(gateway, groups([cost(row("a", "shop"), row("b", "shop")), build]))

    assert gauges(gateway, "finops_build_info") == {("", ""): 1.0}


@pytest.mark.needs("prometheus-pushgateway")
def test_labels_of_any_text_arrive(gateway):
    odd = 'a "quoted"\\ name\nof two lines / ünïcode'

    push(gateway, groups([cost(row("prod/eu 1", odd, Decimal("0.1000000001")))]))

    assert gauges(gateway) == {("prod/eu 1", odd): 0.1000000001}


@pytest.mark.needs("prometheus-pushgateway")
def test_a_deleted_group_is_gone(gateway):
    push(gateway, groups([cost(row("a", "shop"), row("b", "shop"))]))

    delete(gateway, {"cluster": "a"})
    delete(gateway, {"cluster": "never pushed"})

    assert gauges(gateway).keys() == {("b", "shop")}


@pytest.mark.needs("promtool")
@pytest.mark.needs("prometheus-pushgateway")
def test_promtool_finds_nothing_to_say(gateway):
    push(gateway, groups([cost(row("a", "shop"))]))
    page = httpx.get(f"{gateway}/metrics").text
    said = subprocess.run(
        ["promtool", "check", "metrics"], input=page, capture_output=True, text=True
    )

    assert "finops_cost_hourly_rate{" in page
    assert (said.returncode, said.stdout + said.stderr) == (0, "")


@pytest.mark.needs("prometheus-pushgateway")
def test_a_refused_group_is_named_and_the_others_arrive(gateway):
    twice = cost(row("a", "shop"), row("a", "shop"))

    with pytest.raises(ServerRejected, match=rf"{gateway}: refused group .*'a'.*: status 400: "):
        push(gateway, groups([twice, cost(row("b", "shop"))]))

    assert gauges(gateway).keys() == {("b", "shop")}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), Decimal("NaN"), None])
def test_a_value_that_is_no_number_is_refused_before_anything_is_sent(value):
    metrics = [cost(row("a", "fine"), row("b", "shop", value))]

    with pytest.raises(DeliveryError, match=r"finops_cost_hourly_rate .*'namespace': 'shop'"):
        push(NOWHERE, groups(metrics))


@pytest.mark.needs("prometheus-pushgateway")
def test_a_gateway_that_is_down_is_named():
    with servers.pushgateway() as gateway:
        gateway.kill()

        with pytest.raises(ServerUnavailable, match=f"{gateway.url}: no answer: .*refused"):
            push(gateway.url, groups([cost(row("a", "shop"))]))
        with pytest.raises(ServerUnavailable, match=f"{gateway.url}: could not delete .*refused"):
            delete(gateway.url, {"cluster": "a"})


@pytest.mark.parametrize(("status", "error"), [(503, ServerUnavailable), (403, ServerRejected)])
def test_a_refusal_says_whether_to_try_again(status, error):
    refusal = servers.Recorded(status, "text/plain", b"not now")
    with servers.responding(lambda handler: servers.send(handler, refusal)) as url:
        with pytest.raises(error, match=f"refused group .*'a'.*: status {status}: not now"):
            push(url, groups([cost(row("a", "shop"))]))
        with pytest.raises(error, match=f"could not delete group .*'a'.*{status}"):
            delete(url, {"cluster": "a"})


def test_a_group_holds_the_rows_of_one_cluster_of_every_metric():
    ratio = Metric("finops_efficiency_ratio", "Used of requested.", [row("b", "shop", 0.5)])

    one, other = groups([cost(row("a", "shop"), row("b", "shop")), ratio])

    assert (one.grouping, one.metrics) == ({"cluster": "a"}, [cost_of("a")])
    assert (other.grouping, other.metrics) == ({"cluster": "b"}, [cost_of("b"), ratio])


def cost_of(cluster: str) -> Metric:
    return Metric("finops_cost_hourly_rate", "Cost of an hour [currency].", [row(cluster, "shop")])


def test_without_rows_there_is_nothing_to_push():
    assert groups([cost()]) == []
