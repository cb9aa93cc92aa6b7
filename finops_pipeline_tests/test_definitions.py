"""Definitions that Dagster loads: asset graph, checks, jobs, and when a tick starts."""

from collections.abc import Iterator

import dagster as dg
import pytest

from finops_pipeline.catalog.files import sql_files
from finops_pipeline.catalog.tables import tables
from finops_pipeline.definitions import defs
from finops_pipeline.installation.source_registry import SOURCES
from finops_pipeline.orchestration.resources import InstallationResource
from finops_pipeline_tests import asset_graph
from finops_pipeline_tests.installation.homes import Home, Sources, at, home

CURE = "if it changed on purpose: python -m finops_pipeline_tests.write_expected"
NOWHERE = "http://127.0.0.1:9"  # the port of the discard service: nothing listens


@pytest.fixture(scope="module")
def graph():
    return defs.resolve_asset_graph()


@pytest.fixture(scope="module")
def instance() -> Iterator[dg.DagsterInstance]:
    """Instance with storage on disk: a schedule refuses an ephemeral one."""
    with dg.instance_for_test() as instance:
        yield instance


@pytest.fixture
def fresh_home(tmp_path) -> Iterator[Home]:
    """An installation that has read nothing yet."""
    with home(tmp_path, {"prod": Sources(NOWHERE, NOWHERE)}) as own_home:
        yield own_home


def test_the_definitions_load():
    dg.Definitions.validate_loadable(defs)


def test_the_asset_graph_is_the_one_written_down(graph):
    assert asset_graph.lines(graph) == asset_graph.FILE.read_text().splitlines(), CURE


def test_every_table_file_is_an_asset(graph):
    names = {".".join(key.path) for key in graph.get_all_asset_keys()}

    assert names == {*tables(), "published"}


def test_every_asset_says_what_it_is_and_whose(graph):
    for key in graph.get_all_asset_keys():
        node = graph.get(key)
        assert node.description, key
        assert node.owners == ["team:finops"], key
        assert node.group_name == key.path[0], key
        assert node.kinds, key
        assert node.pools == {"warehouse"}, key


@pytest.mark.parametrize("name", tables())
def test_every_column_of_a_table_is_described(graph, name):
    metadata = graph.get(dg.AssetKey(name.split("."))).metadata

    described = {
        column.name: column.description for column in metadata["dagster/column_schema"].columns
    }
    assert described.keys() == tables()[name].columns.keys()
    assert all(described.values())


def test_every_check_file_is_a_check(graph):
    blocking = {key.name for key in graph.asset_check_keys if graph.get(key).blocking}
    others = {key.name for key in graph.asset_check_keys} - blocking

    assert blocking == sql_files("checks/blocking").keys()
    assert others == sql_files("checks").keys()


def test_raw_assets_are_days_and_must_stay_fresh(graph):
    for name in (name for source in SOURCES if not source.heartbeat for name in source.tables):
        node = graph.get(dg.AssetKey(name.split(".")))
        assert isinstance(node.partitions_def, dg.DailyPartitionsDefinition)
        assert node.partitions_def.timezone == "UTC"
        assert node.freshness_policy


def test_what_only_says_how_things_are_now_has_no_days(graph):
    for name in (name for source in SOURCES if source.heartbeat for name in source.tables):
        assert graph.get(dg.AssetKey(name.split("."))).partitions_def is None


def test_a_tick_fills_everything_and_comes_by_itself():
    schedule = defs.resolve_schedule_def("every_quarter_hour")

    assert set(defs.resolve_job_def("tick").asset_layer.executable_asset_keys) == set(
        defs.resolve_asset_graph().get_all_asset_keys()
    )
    assert (schedule.job_name, schedule.cron_schedule) == ("tick", "5,20,35,50 * * * *")
    assert schedule.default_status == dg.DefaultScheduleStatus.RUNNING
    assert defs.resolve_sensor_def("push_metrics").default_status == dg.DefaultSensorStatus.RUNNING


def evaluate(own_home: Home, instance: dg.DagsterInstance):
    context = dg.build_schedule_context(
        instance,
        scheduled_execution_time=at(10, 20),
        resources={"installation": InstallationResource()},
    )
    with own_home.settings(), context:
        return defs.resolve_schedule_def("every_quarter_hour").evaluate_tick(context)


def test_the_schedule_asks_for_one_run_over_the_days_that_are_due(fresh_home, instance):
    (request,) = evaluate(fresh_home, instance).run_requests or []

    assert request.tags["dagster/asset_partition_range_start"] == "2026-11-09"
    assert request.tags["dagster/asset_partition_range_end"] == "2026-11-23"


def test_the_schedule_waits_for_the_tick_before(fresh_home, instance):
    run = instance.add_run(
        dg.DagsterRun(job_name="tick", run_id="1", status=dg.DagsterRunStatus.STARTED)
    )

    outcome = evaluate(fresh_home, instance)
    instance.delete_run(run.run_id)

    assert not outcome.run_requests
    assert outcome.skip_message == "the previous tick has not finished"
