"""A source that forgets, a lost ledger, settings that do not work, a cluster that is gone."""

import json
import os

import pytest

from finops_pipeline.errors import StateError
from finops_pipeline.ingest.windows import read_due
from finops_pipeline.installation.context import open_installation, utc_now
from finops_pipeline.installation.source_registry import OPENCOST, PROMETHEUS
from finops_pipeline.simulation.answer import Answer
from finops_pipeline.simulation.server import Fault, Request, Server
from finops_pipeline_tests import servers
from finops_pipeline_tests.ingest.clusters import NOW, home_of, pretended
from finops_pipeline_tests.installation.homes import at
from finops_pipeline_tests.orchestration.sensors.pushes import evaluate, samples_in

SILENCE = {
    "/opencost/allocation": Answer(b'{"code":200,"data":[{}]}'),
    "/opencost/assets": Answer(b'{"code":200,"data":{}}'),
    "/prometheus": Answer(b'{"status":"success","data":{"resultType":"vector","result":[]}}'),
}
COST = "select sum(total_cost) as cost from costs.daily"


def test_a_source_that_forgot_everything_replaces_nothing(tmp_path):
    with pretended("alpha") as clusters, home_of(tmp_path, clusters) as own_home:
        own_home.tick(at(0, 20))
        before = own_home.ask(COST)
        clusters[0].faults.update(SILENCE)

        result = own_home.tick(NOW)  # the first window is read again, the others for the first time

        assert own_home.ask(COST) == before
        assert result.red == {"sources_reachable"}
        reasons = own_home.ask("select distinct reason from core.window where status = 'absent'")
        assert all("has no row for" in row["reason"] for row in reasons)
        assert len(reasons) == 2 * 3  # of two sources, each asked three times


def test_volumes_alone_are_implausible_of_a_cluster_that_had_containers(tmp_path):
    window = {"start": "2026-11-23T00:15:00Z", "end": "2026-11-23T00:30:00Z"}
    name = "alpha//__unmounted__/__unmounted__/__unmounted__"
    properties = {"container": "__unmounted__"}
    row = {"name": name, "properties": properties, "window": window, "minutes": 15, "totalCost": 1}
    volumes = json.dumps({"code": 200, "data": [{name: row}]}).encode()
    unreachable = {"/prometheus": Answer(b"", 503)}
    with pretended("alpha") as clusters, home_of(tmp_path, clusters) as own_home:
        own_home.tick(at(0, 20))
        clusters[0].faults.update(SILENCE | unreachable)
        clusters[0].faults["/opencost/allocation"] = Answer(volumes)

        own_home.tick(at(0, 35))

        (refused,) = own_home.ask(
            "select reason from core.window"
            " where status = 'absent' and table_name = 'raw.allocation'"
        )
        assert "opencost has no container for 2026-11-23T00:15:00Z, but had" in str(
            refused["reason"]
        )


def test_a_lake_whose_ledger_is_lost_is_not_taken_for_waste(tmp_path):
    with pretended("alpha") as clusters, home_of(tmp_path, clusters) as own_home:
        own_home.tick(at(0, 20))
        files = own_home.lake_files()
        for file in files:
            os.utime(tmp_path / "data" / "lake" / file, (0, 0))
        for part in (tmp_path / "data").glob("state.db*"):
            part.unlink()

        with pytest.raises(StateError, match="restore the state database from its backup"):
            own_home.tick(at(3, 10))

        assert own_home.lake_files() == files


def test_settings_that_make_no_connection_stop_only_their_cluster(tmp_path):
    with pretended("alpha", "beta") as clusters, home_of(tmp_path, clusters) as own_home:
        (tmp_path / "ca.pem").write_text("no certificate")
        settings = tmp_path / "finops.toml"
        broken = f'name = "beta"\nca_file = "{tmp_path / "ca.pem"}"'
        settings.write_text(settings.read_text().replace('name = "beta"', broken))

        result = own_home.tick(at(0, 20))

        assert own_home.ask("select distinct cluster from costs.daily") == [{"cluster": "alpha"}]
        assert "settings do not work" in "".join(result.checks["sources_reachable"])


def ahead(server: Server, seconds: float) -> Fault:
    """Give the same answers from a machine whose clock differs."""

    def answer(request: Request) -> Answer:
        answer_in_time = server.service._route(request)
        return answer_in_time._replace(sent_at=utc_now().timestamp() + seconds)

    return answer


@pytest.mark.parametrize("seconds", [-400, 400])
def test_sources_whose_clock_is_minutes_off_are_refused(tmp_path, seconds):
    with pretended("alpha", "beta") as clusters, home_of(tmp_path, clusters) as own_home:
        clusters[1].faults["/"] = ahead(clusters[1], seconds)

        result = own_home.tick(at(0, 20))

        assert own_home.ask("select distinct cluster from costs.daily") == [{"cluster": "alpha"}]
        failures = own_home.ask(
            "select source, last_failure from core.cluster where cluster = 'beta'"
        )
        assert [row["source"] for row in failures] == ["opencost", "prometheus"]
        assert all(
            "its clock says" in row["last_failure"] and "(NTP)" in row["last_failure"]
            for row in failures
        )
        assert result.red == {"sources_reachable"}


@pytest.mark.parametrize(("seconds", "warned"), [(-90, 1), (90, 1), (30, 0)])
def test_a_clock_that_is_a_little_off_is_a_warning_and_no_failure(tmp_path, seconds, warned):
    with pretended("alpha") as clusters, home_of(tmp_path, clusters) as own_home:
        clusters[0].faults["/"] = ahead(clusters[0], seconds)

        with own_home.settings(), open_installation(clock=lambda: at(0, 20)) as installation:
            progresses = [
                progress
                for source in (OPENCOST, PROMETHEUS)
                for progress in read_due(source, installation, at(0), at(0, 15))
            ]

        assert [progress.failures for progress in progresses] == [[], []]
        warnings = [warning for progress in progresses for warning in progress.warnings()]
        assert len(warnings) == 2 * warned
        assert all("s from ours: synchronise both" in warning for warning in warnings)


@pytest.mark.needs("prometheus-pushgateway")
def test_the_metrics_of_a_cluster_that_is_no_longer_read_are_removed(tmp_path):
    with (
        pretended("alpha", "beta") as clusters,
        servers.pushgateway() as gateway,
        home_of(tmp_path, clusters, gateway.url) as own_home,
    ):
        own_home.tick(at(0, 20))
        evaluated = evaluate(own_home)
        assert clusters_in(samples_in(gateway)) == {"alpha", "beta"}

        with home_of(tmp_path, clusters[:1], gateway.url):
            own_home.tick(at(0, 35))
            evaluate(own_home, evaluated.cursor)

        assert clusters_in(samples_in(gateway)) == {"alpha"}


def clusters_in(samples) -> set[str]:
    return {labels["cluster"] for labels, _ in samples["finops_cost_hourly_rate"]}
