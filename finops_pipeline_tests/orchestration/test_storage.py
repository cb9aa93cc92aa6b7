"""Dagster's storage with kept connections: the answers and the files are those of its own."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import chdir
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from finops_pipeline.orchestration.storage import _MOST_OPEN_RUNS, EventLogStorage, delete_run_file
from finops_pipeline_tests.programs import ROOT

STORAGES = {
    "finops": (ROOT / "dagster.yaml").read_text(),
    "dagster": "storage: {sqlite: {base_dir: .dagster/storage}}",
}
SUCCESS, FAILURE = dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE
PIECES = dg.StaticPartitionsDefinition(["a", "b"])


@dg.asset(partitions_def=PIECES, check_specs=[dg.AssetCheckSpec("whole", asset="table")])
def table(context: dg.AssetExecutionContext) -> Iterator[Any]:
    """An asset with a check, of which one piece cannot be made."""
    if context.partition_key == "b":
        raise ValueError("cannot be made")
    yield dg.MaterializeResult(metadata={"rows": 1}, data_version=dg.DataVersion("1"))
    yield dg.AssetCheckResult(passed=False, severity=dg.AssetCheckSeverity.WARN)


@dg.asset(deps=[table])
def report() -> dg.MaterializeResult[None]:
    """An asset after it."""
    return dg.MaterializeResult(metadata={"pages": 2})


@dg.op
def speak() -> None:
    """Do nothing that is kept."""


@dg.job
def talk() -> None:
    """A run of one step."""
    speak()


def opened(folder: Path, storage: str) -> dg.DagsterInstance:
    """Open the instance of a folder with one of the two storages."""
    (folder / "dagster.yaml").write_text(STORAGES[storage])
    with chdir(folder):
        return dg.DagsterInstance.from_config(str(folder))


@pytest.fixture
def instance(tmp_path) -> Iterator[dg.DagsterInstance]:
    """An instance on disk, with our storage."""
    with opened(tmp_path, "finops") as instance:
        yield instance


def events_of(instance: dg.DagsterInstance) -> EventLogStorage:
    """Return the storage of events, which is ours."""
    assert isinstance(instance.event_log_storage, EventLogStorage)
    return instance.event_log_storage


def use(instance: dg.DagsterInstance) -> None:
    """Do with an instance what runs, sensors and people do."""
    for piece in ("a", "b"):
        dg.materialize([table], instance=instance, partition_key=piece, raise_on_error=False)
    dg.materialize([report, table], instance=instance, selection=[report], tags={"by": "hand"})
    instance.daemon_cursor_storage.set_cursor_values({"sensor": "42"})
    instance.event_log_storage.set_concurrency_slots("warehouse", 1)
    instance.event_log_storage.claim_concurrency_slot("warehouse", "a run", "a step")
    instance.add_dynamic_partitions("clusters", ["prod", "staging"])
    instance.report_runless_asset_event(dg.AssetMaterialization("table", partition="a"))


def answers(instance: dg.DagsterInstance) -> dict[str, Any]:
    """Return what an instance answers, but for ids and instants."""
    records = instance.get_run_records(ascending=True)
    checks = instance.event_log_storage.get_asset_check_execution_history(
        dg.AssetCheckKey(table.key, "whole"), limit=5
    )
    rows = instance.fetch_materializations(report.key, limit=5).records
    return {
        "runs": [(r.dagster_run.job_name, r.dagster_run.status, r.dagster_run.tags.get("by"))
                 for r in records],
        "events": [[e.dagster_event_type for e in instance.all_logs(r.dagster_run.run_id)]
                   for r in records],
        "counts": instance.get_materialized_partitions(table.key),
        "assets": sorted(instance.get_asset_keys()),
        "checks": [check.status for check in checks],
        "metadata": [r.asset_materialization.metadata for r in rows if r.asset_materialization],
        "changes": len(instance.fetch_run_status_changes(
            dg.DagsterEventType.RUN_FAILURE, limit=5).records),
        "cursor": instance.daemon_cursor_storage.get_cursor_values({"sensor"}),
        "slots": instance.event_log_storage.get_concurrency_info("warehouse").active_slot_count,
        "partitions": sorted(instance.get_dynamic_partitions("clusters")),
    }  # fmt: skip


def test_answers_are_those_of_dagsters_own_storage(tmp_path):
    found = {}
    for storage in STORAGES:
        (tmp_path / storage).mkdir()
        with opened(tmp_path / storage, storage) as instance:
            use(instance)
            found[storage] = answers(instance)

    assert found["finops"] == found["dagster"]
    assert [status for _, status, _ in found["finops"]["runs"]] == [SUCCESS, FAILURE, SUCCESS]
    assert found["finops"]["slots"] == 1


@pytest.mark.parametrize(("writer", "reader"), [("finops", "dagster"), ("dagster", "finops")])
def test_each_storage_goes_on_with_the_files_of_the_other(tmp_path, writer, reader):
    with opened(tmp_path, writer) as instance:
        use(instance)
        before = answers(instance)

    with opened(tmp_path, reader) as instance:
        assert answers(instance) == before
        use(instance)
        assert len(answers(instance)["runs"]) == 2 * len(before["runs"])


def start(folder: Path, *lines: str) -> subprocess.Popen[bytes]:
    """Run lines of Python in a process of its own, with an instance of ours opened."""
    code = [
        "import os, signal",
        "from pathlib import Path",
        "from finops_pipeline_tests.orchestration import test_storage as tests",
        "instance = tests.opened(Path.cwd(), 'finops')",
        *lines,
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.Popen(
        [sys.executable, "-c", "\n".join(code)],
        cwd=folder,
        env=environment,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def test_a_process_that_ends_leaves_no_log_of_a_file_behind(tmp_path):
    ended = start(tmp_path, "tests.use(instance)", "instance.dispose()").wait(60)

    assert ended == 0
    assert list(tmp_path.rglob("*.db"))
    assert list(tmp_path.rglob("*.db-wal")) == []


def test_a_killed_process_loses_no_event(tmp_path):
    kill = "os.kill(os.getpid(), signal.SIGKILL)"
    ended = start(tmp_path, "tests.use(instance)", kill).wait(60)

    assert ended == -signal.SIGKILL
    assert list(tmp_path.rglob("*.db-wal"))
    with opened(tmp_path, "finops") as instance:
        assert [status for _, status, _ in answers(instance)["runs"]] == [SUCCESS, FAILURE, SUCCESS]


def test_processes_write_at_the_same_time(tmp_path, instance):
    others = [start(tmp_path, "tests.talk.execute_in_process(instance=instance)") for _ in range(3)]
    for _ in range(5):
        talk.execute_in_process(instance=instance)

    assert [other.wait(60) for other in others] == [0, 0, 0]
    assert [status for _, status, _ in answers(instance)["runs"]] == [SUCCESS] * 8


def test_only_the_files_of_a_few_runs_stay_open(instance):
    runs = [talk.execute_in_process(instance=instance).run_id for _ in range(_MOST_OPEN_RUNS + 3)]

    for run_id in runs:
        assert instance.all_logs(run_id)

    assert {Path(file).stem for file in open_files(".db")} == {
        "index", "runs", "schedules", *runs[-_MOST_OPEN_RUNS:]
    }  # fmt: skip


def test_the_file_of_a_deleted_run_is_let_go(instance, tmp_path):
    run_id = talk.execute_in_process(instance=instance).run_id

    delete_run_file(events_of(instance), run_id)

    assert [file for file in open_files() if run_id in file] == []
    assert [
        path for path in (tmp_path / ".dagster" / "storage").rglob("*") if run_id in path.name
    ] == []


def test_wiped_events_are_gone_and_new_ones_are_stored(instance):
    old = talk.execute_in_process(instance=instance).run_id

    instance.event_log_storage.wipe()
    new = talk.execute_in_process(instance=instance).run_id

    assert instance.all_logs(old) == []
    assert instance.all_logs(new)


def open_files(suffix: str = "") -> list[str]:
    """List the files of Dagster's storage that this process has open."""
    links = Path("/proc/self/fd").iterdir()
    targets = {os.readlink(link) for link in links if link.exists() or link.is_symlink()}
    return [target for target in targets if ".dagster" in target and target.endswith(suffix)]
