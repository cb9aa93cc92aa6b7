"""Old runs go with everything they left on disk; young and unfinished ones stay."""

import os
import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

from finops_pipeline.definitions import defs
from finops_pipeline.orchestration.resources import InstallationResource
from finops_pipeline.orchestration.sensors.run_history import _AT_ONCE, trim
from finops_pipeline_tests import programs
from finops_pipeline_tests.installation.homes import Home, Sources, home

STORAGE = re.compile(r"^storage:\n(?:  .*\n)+", re.MULTILINE)
DAGSTERS_OWN = "storage:\n  sqlite:\n    base_dir: .dagster/storage\n"
NOWHERE = "http://127.0.0.1:9"


@dg.op
def speak() -> None:
    print("something for the log")


@dg.job
def talk() -> None:
    speak()


@pytest.fixture(params=["ours", "dagsters"])
def instance(request, tmp_path, monkeypatch) -> Iterator[dg.DagsterInstance]:
    """A real instance on disk, with the settings of ours, and with Dagster's own storage."""
    text = (programs.ROOT / "dagster.yaml").read_text()
    own = text if request.param == "ours" else re.sub(STORAGE, DAGSTERS_OWN, text)
    assert (own == text) == (request.param == "ours")
    (tmp_path / "dagster.yaml").write_text(own)
    monkeypatch.chdir(tmp_path)
    with dg.DagsterInstance.from_config(str(tmp_path)) as instance:
        yield instance


def run(instance: dg.DagsterInstance) -> str:
    return talk.execute_in_process(instance=instance).run_id


def files_of(folder: Path, run_id: str) -> set[str]:
    """List every file or folder of a run."""
    return {path.name for path in (folder / ".dagster").rglob("*") if run_id in path.name}


def test_old_runs_go_with_their_files(instance, tmp_path):
    old = run(instance)
    between = datetime.now(UTC)
    young = run(instance)
    young_files = files_of(tmp_path, young)
    assert files_of(tmp_path, old) == {name.replace(young, old) for name in young_files} != set()

    assert trim(instance, between) == 1

    assert [record.dagster_run.run_id for record in instance.get_run_records()] == [young]
    assert files_of(tmp_path, old) == set()
    assert files_of(tmp_path, young) == young_files
    assert instance.all_logs(young)
    assert trim(instance, between) == 0


def test_a_few_go_at_a_time_the_oldest_first(instance):
    runs = [run(instance) for _ in range(_AT_ONCE + 2)]

    assert trim(instance, datetime.now(UTC)) == _AT_ONCE

    assert [record.dagster_run.run_id for record in instance.get_run_records()] == runs[:-3:-1]


def test_what_has_not_finished_stays(instance):
    started = dg.DagsterRun(job_name="talk", run_id="1", status=dg.DagsterRunStatus.STARTED)
    instance.add_run(started)

    assert trim(instance, datetime.now(UTC) + timedelta(days=1)) == 0


def test_old_logs_of_sensors_go(instance, tmp_path):
    folder = tmp_path / ".dagster" / "logs" / "__repository__" / "push_metrics"
    folder.mkdir(parents=True)
    for name in ("old", "young"):
        (folder / name).touch()
    os.utime(folder / "old", (0, 0))

    trim(instance, datetime.now(UTC) - timedelta(days=1))

    assert [path.name for path in folder.iterdir()] == ["young"]


def test_the_sensor_keeps_what_the_settings_say(tmp_path):
    with home(tmp_path, {"prod": Sources(NOWHERE, NOWHERE)}) as own_home:
        run(own_home.instance)

        assert evaluate(own_home).startswith("0 runs before ")

    assert defs.resolve_sensor_def("trim_history").default_status == dg.DefaultSensorStatus.RUNNING


def evaluate(own_home: Home) -> str:
    resources = {"installation": InstallationResource()}
    with (
        own_home.settings(),
        dg.build_sensor_context(own_home.instance, resources=resources) as context,
    ):
        outcome = defs.resolve_sensor_def("trim_history").evaluate_tick(context)
    return outcome.skip_message or ""
