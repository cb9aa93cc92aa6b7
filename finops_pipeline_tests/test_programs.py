import subprocess
import sys

import pytest

from finops_pipeline_tests import programs

TEST = """
import pytest

def test_of_our_own(): pass

@pytest.mark.needs("prometheus")
def test_with_a_server(): pass
"""


@pytest.fixture
def bare(tmp_path, monkeypatch):
    """A machine without any program."""
    monkeypatch.setenv("PATH", str(tmp_path))
    return tmp_path


def run_tests(folder, ci):
    (folder / "test_it.py").write_text(TEST)
    ours = ["-p", "finops_pipeline_tests.conftest", "-o", "markers=needs: a program"]
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-p", "no:cacheprovider", *ours, "test_it.py"],
        env={"PATH": str(folder), "PYTHONPATH": str(programs.ROOT), "CI": ci},
        cwd=folder,
        capture_output=True,
        text=True,
    )


def test_a_test_is_left_out_and_said_to_be_where_its_program_is_missing(bare):
    ran = run_tests(bare, ci="")

    assert ran.returncode == 0
    assert "1 passed, 1 deselected" in ran.stdout
    assert "left out: tests that need prometheus; on Debian and Ubuntu: apt-get" in ran.stdout


def test_in_ci_a_missing_program_is_a_failure(bare):
    ran = run_tests(bare, ci="true")

    assert ran.returncode == 1
    assert "1 passed, 1 error" in ran.stdout
    assert "prometheus is missing: on Debian and Ubuntu: apt-get" in ran.stdout


@pytest.mark.parametrize(("ci", "status"), [("", 0), ("false", 0), ("true", 1)])
def test_what_cannot_be_installed_is_a_failure_in_ci_only(bare, capsys, ci, status):
    assert programs.main({"CI": ci}) == status

    said = capsys.readouterr().err
    packages = "openssl, prometheus, prometheus-pushgateway"
    assert f"not installed: {packages} (there is no apt-get here)" in said
    assert "left out: tests that need promtool" in said


def test_nothing_is_done_where_nothing_is_missing(bare, capsys, monkeypatch):
    monkeypatch.setattr(programs, "missing", list)

    assert programs.main({"CI": "true"}) == 0
    assert capsys.readouterr() == ("", "")


def test_a_program_outside_the_path_is_found(bare, monkeypatch):
    initdb = bare / "postgresql" / "15" / "bin" / "initdb"
    initdb.parent.mkdir(parents=True)
    initdb.touch(mode=0o755)
    monkeypatch.setattr(programs, "OTHER_FOLDERS", (f"{bare}/postgresql/*/bin",))

    assert programs.find("initdb") == initdb
