"""Ticks with the state database, and Dagster's own storage, on a real PostgreSQL."""

from dataclasses import replace

import dagster as dg
import pytest

from finops_pipeline.simulation.server import serve
from finops_pipeline_tests.installation.homes import DAY, Sources, at, home
from finops_pipeline_tests.state import postgresql
from finops_pipeline_tests.state.databases import postgresql_server

__all__ = ["postgresql_server"]

COSTS = """
    select hour, namespace, workload, cost_kind, team, total_cost from costs.hourly order by all
"""


@pytest.mark.needs("initdb")
def test_ticks_give_the_same_costs_with_the_state_on_postgresql(
    tmp_path, postgresql_server, monkeypatch
):
    now = at(1, 20)
    costs = []
    with serve(anchor=DAY.date(), clock=lambda: now) as cluster:
        sources = {"demo": Sources(cluster.opencost_url, cluster.prometheus_url)}
        for name in ("sqlite", "postgresql"):
            (tmp_path / name).mkdir()
            if name == "postgresql":
                url = postgresql.new_database(postgresql_server)
                monkeypatch.setenv("FINOPS_STATE_URL", url)
            with home(tmp_path / name, sources) as own_home:
                own_home.tick(at(0, 20))
                own_home.tick(now)  # new windows, and the first one again
                costs.append(own_home.ask(COSTS))

    assert costs[0]
    assert costs[1] == costs[0]
    assert not (tmp_path / "postgresql" / "data" / "state.db").exists()


STORAGE = """
telemetry: {{enabled: false}}
storage:
  postgres:
    postgres_url: "{url}"
"""


@pytest.mark.needs("initdb")
def test_dagster_keeps_its_runs_on_postgresql(tmp_path, postgresql_server):
    url = postgresql.new_database(postgresql_server)
    (tmp_path / "dagster.yaml").write_text(STORAGE.format(url=url))
    now = at(0, 20)
    with serve(anchor=DAY.date(), clock=lambda: now) as cluster:
        sources = {"demo": Sources(cluster.opencost_url, cluster.prometheus_url)}
        with (
            dg.DagsterInstance.from_config(str(tmp_path)) as instance,
            home(tmp_path, sources) as own_home,
        ):
            replace(own_home, instance=instance).tick(now)

    with dg.DagsterInstance.from_config(str(tmp_path)) as another:
        (run,) = another.get_runs()
        published = another.get_latest_materialization_event(dg.AssetKey("published"))
    assert (run.job_name, run.status) == ("tick", dg.DagsterRunStatus.SUCCESS)
    assert published
    assert published.run_id == run.run_id
    assert not list(tmp_path.rglob("history"))
