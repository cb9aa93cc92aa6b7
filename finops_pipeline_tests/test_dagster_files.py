import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from dagster import DagsterInstance

ROOT = Path(__file__).parent.parent


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """A working directory with our two files."""
    for name in ("dagster.yaml", "workspace.yaml"):
        shutil.copy(ROOT / name, tmp_path)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_storage_lies_below_the_working_directory(folder):
    with DagsterInstance.from_config(str(folder)) as instance:
        assert instance.get_run_records() == []

    assert [path.name for path in folder.iterdir() if path.is_dir()] == [".dagster"]


def test_one_run_at_a_time_writes(folder):
    with DagsterInstance.from_config(str(folder)) as instance:
        settings = instance.get_concurrency_config()

    assert settings.pool_config.default_pool_limit == 1
    assert settings.run_queue_config
    assert settings.run_queue_config.max_concurrent_runs == 2


def test_a_killed_run_gives_its_place_back(folder):
    with DagsterInstance.from_config(str(folder)) as instance:
        assert instance.run_monitoring_enabled
        assert instance.run_monitoring_max_runtime_seconds == 900
        assert instance.run_retries_max_retries == 1
        assert not instance.run_retries_retry_on_asset_or_op_failure


def test_the_workspace_loads_without_any_setting(folder):
    validate = ["definitions", "validate", "--workspace", "workspace.yaml"]

    ran = subprocess.run(
        [sys.executable, "-m", "dagster", *validate],
        env={"PATH": os.environ["PATH"], "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
    )

    assert ran.returncode == 0, ran.stderr
