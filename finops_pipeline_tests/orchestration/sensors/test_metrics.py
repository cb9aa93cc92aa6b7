"""The sensor sees each publication and pushes it to a real Pushgateway."""

import json
from collections.abc import Iterator
from typing import NamedTuple

import pytest

from finops_pipeline.catalog.files import sql_files
from finops_pipeline.errors import ServerUnavailable
from finops_pipeline.units import WINDOW, rfc3339
from finops_pipeline_tests import servers
from finops_pipeline_tests.installation.homes import CLUSTER, Home, Sources, at, home
from finops_pipeline_tests.orchestration.sensors.pushes import (
    Evaluation,
    Samples,
    evaluate,
    samples_in,
)
from finops_pipeline_tests.servers import Recorded, Replay

pytestmark = pytest.mark.needs("prometheus", "promtool", "prometheus-pushgateway")

# Names and labels that dashboards and alerts rely on.
LABELS = {
    "finops_build_info": {"version", "currency"},
    "finops_cost_hourly_rate": {"cluster", "namespace", "team", "environment", "resource"},
    "finops_cost_last_24h": {"cluster", "namespace", "team", "environment"},
    "finops_data_complete_timestamp_seconds": {"cluster", "source"},
    "finops_efficiency_ratio": {"cluster", "namespace", "resource"},
    "finops_efficiency_score_ratio": {"cluster", "namespace"},
    "finops_workload_cost_hourly_rate": {"cluster", "namespace", "workload_kind", "workload"},
}

PUTS = {"code": "200", "handler": "push", "method": "put"}


class Pushes(NamedTuple):
    """Results of two pushes, the second without a namespace, and of a push in vain."""

    home: Home
    before: Evaluation
    first: Evaluation
    again: Evaluation
    first_samples: Samples
    first_cost: float
    second_samples: Samples
    failure: BaseException
    inode: int  # of the published file before that


@pytest.fixture(scope="module")
def pushed(tmp_path_factory, prometheus) -> Iterator[Pushes]:
    with (
        servers.opencost() as opencost,
        servers.pushgateway() as gateway,
        home(
            tmp_path_factory.mktemp("pushed"),
            {CLUSTER: Sources(opencost.url, prometheus)},
            gateway.url,
        ) as own_home,
    ):
        before = evaluate(own_home)
        own_home.tick(at(0, 20))
        first, samples = evaluate(own_home), samples_in(gateway)
        again = evaluate(own_home, first.cursor)
        (row,) = own_home.ask("select sum(total_cost)::double as cost from costs.quarter_hourly")
        drop_namespace(opencost, "sandbox")
        own_home.tick(at(0, 35))
        evaluate(own_home, first.cursor)
        second_samples = samples_in(gateway)
        gateway.kill()
        inode = own_home.published.stat().st_ino
        with pytest.raises(ServerUnavailable) as raised:
            evaluate(own_home, first.cursor)
        yield Pushes(
            own_home,
            before,
            first,
            again,
            samples,
            row["cost"],
            second_samples,
            raised.value,
            inode,
        )


def drop_namespace(opencost: Replay, namespace: str) -> None:
    """Make the source's answer for the second window lack a namespace."""
    start = at(0, 15)
    window = f"{rfc3339(start)},{rfc3339(start + WINDOW)}"
    question = servers.question(f"/allocation?window={window}&includeIdle=true")
    document = json.loads(opencost.answers[question].body)
    (step,) = document["data"]
    for name in [name for name in step if f"/{namespace}/" in name]:
        del step[name]
    opencost.answers[question] = Recorded(200, "application/json", json.dumps(document).encode())


def test_each_publication_is_pushed_once(pushed):
    assert pushed.before.message.startswith("No new materialization")
    assert pushed.first.message.startswith("pushed ")
    assert pushed.again.message.startswith("No new materialization")


@pytest.mark.parametrize("name", LABELS)
def test_each_metric_arrives_with_its_labels(pushed, name):
    labels = [set(labels) for labels, _ in pushed.first_samples[name]]

    assert set().union(*labels) == LABELS[name]


def test_every_metric_file_is_known_here():
    assert sql_files("metrics").keys() == LABELS.keys()


def test_what_is_pushed_is_what_is_published(pushed):
    rates = [rate for _, rate in pushed.first_samples["finops_cost_hourly_rate"]]
    costs = [cost for _, cost in pushed.first_samples["finops_cost_last_24h"]]
    complete = pushed.first_samples["finops_data_complete_timestamp_seconds"]

    assert sum(rates) == pytest.approx(4 * pushed.first_cost)
    assert sum(costs) == pytest.approx(pushed.first_cost)
    assert [end for _, end in complete] == [at(0, 15).timestamp()] * 2


def test_a_vanished_namespace_is_gone(pushed):
    first = namespaces(pushed.first_samples["finops_cost_hourly_rate"])
    second = namespaces(pushed.second_samples["finops_cost_hourly_rate"])

    assert first - second == {"sandbox"}
    assert "sandbox" in namespaces(pushed.second_samples["finops_cost_last_24h"])


def namespaces(samples: list[tuple[dict[str, str], float]]) -> set[str]:
    return {labels["namespace"] for labels, _ in samples}


def test_a_publication_is_one_put_per_cluster_and_one_for_the_rest(pushed):
    groups = [labels for labels, _ in pushed.first_samples["push_time_seconds"]]

    assert sorted(groups, key=len) == [{}, {"cluster": CLUSTER}]
    assert (PUTS, 2) in pushed.first_samples["pushgateway_http_requests"]
    assert (PUTS, 4) in pushed.second_samples["pushgateway_http_requests"]


def test_a_gateway_that_is_down_fails_the_sensor_alone(pushed):
    assert "no answer" in str(pushed.failure)
    assert pushed.home.published.stat().st_ino == pushed.inode
