"""Rules of every command, and the program as it is installed."""

import os
import subprocess
import sys
from importlib.metadata import version
from pathlib import Path

import pytest

from finops_pipeline_tests.cli.commands import CLUSTER, finops, output, refusal

FINOPS = Path(sys.executable).with_name("finops")
COMMANDS = [
    ("sql", "select 1"),
    ("costs",),
    ("export", "costs"),
    ("export", "database", "--out", "there"),
    ("status",),
    ("tick",),
    ("run",),
    ("backup", "there"),
    ("rebuild-ledger",),
    ("config", "show"),
    ("config", "validate"),
]


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_without_configuration_a_command_says_what_to_do(folder, command):
    message = refusal(finops(*command))

    assert "'make demo'" in message
    assert "finops.toml" in message
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize("command", ["tick", "status"])
def test_data_dir_that_is_a_file_is_one_sentence(folder, command):
    (folder / "finops.toml").write_text(CLUSTER.format(name="prod"))
    (folder / "data").touch()

    assert refusal(finops(command)) == f"the data folder {folder}/data cannot be made: File exists"


def test_a_folder_that_cannot_be_used_is_one_sentence(folder):
    (folder / "finops.toml").write_text(CLUSTER.format(name="prod"))
    (folder / "file").touch()
    (folder / "data").mkdir()
    (folder / "data" / "state.db").touch()

    assert "file/backup: Not a directory" in refusal(finops("backup", "file/backup"))


@pytest.mark.parametrize("command", ["demo", "run", "simulate"])
def test_a_port_that_is_none_is_refused(command):
    assert "65536 is not in the range" in finops(command, "--port", "65536").output


def test_version_is_that_of_the_package():
    assert output(finops("--version")) == f"finops, version {version('finops-pipeline')}\n"


def test_the_program_prints_one_sentence_and_no_traceback(folder):
    run = subprocess.run(
        [FINOPS, "sql", "select 1"], env={"PATH": os.defpath}, capture_output=True, text=True
    )

    assert run.returncode == 1
    assert run.stderr.startswith("Error: data/finops.duckdb does not exist yet")
    assert run.stderr.count("\n") == 1


def test_the_program_ends_quietly_when_its_output_is_closed(demo):
    command = f'"{FINOPS}" sql "from raw.allocation" --format csv | head -1'

    run = subprocess.run(command, shell=True, capture_output=True, text=True)

    assert run.stdout.startswith("cluster,window_start,allocation,")
    assert "Traceback" not in run.stderr
