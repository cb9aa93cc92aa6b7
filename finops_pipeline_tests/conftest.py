"""Fixtures of all tests: time in UTC, no waiting between retries, seeded random input.

A test marked ``needs("program")`` is left out where that program is missing, which the last lines
say; with CI=true it fails instead.
"""

import os
import time
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
import stamina

from finops_pipeline_tests import demo_data, programs

pytest_plugins = ["finops_pipeline_tests.recorded_cluster"]

# A loaded machine is slow for no fault of the code; equal input on every run, everywhere.
hypothesis.settings.register_profile("here", deadline=None)
hypothesis.settings.register_profile("ci", deadline=None, derandomize=True, database=None)
hypothesis.settings.load_profile("ci" if programs.is_ci() else "here")


@pytest.fixture(autouse=True, scope="session")
def _retries_do_not_wait() -> Iterator[None]:
    """Keep the number of attempts: what is tried again is part of what is tested."""
    with stamina.set_testing(True, attempts=4, cap=True):
        yield


@pytest.fixture(autouse=True)
def _no_settings_of_this_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("FINOPS_", "DAGSTER_"))]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def published_demo(_retries_do_not_wait: None, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``finops.toml`` and the data of a demo; to be read only."""
    return demo_data.publish(tmp_path_factory.mktemp("demo"))


@pytest.fixture(params=["UTC", "Pacific/Chatham", "America/New_York"])
def time_zone(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The machine's own time zone: what we compute must not depend on it."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", request.param)
        time.tzset()
        yield request.param
    time.tzset()


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if programs.is_ci():
        return
    out = [item for item in items if _lacks(item)]
    config.hook.pytest_deselected(items=out)
    items[:] = [item for item in items if item not in out]


def pytest_runtest_setup(item: pytest.Item) -> None:
    if lacks := _lacks(item):
        remedies = "; ".join(
            f"{program} is missing: {programs.remedy(program)}" for program in lacks
        )
        pytest.fail(remedies, pytrace=False)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if not programs.is_ci():
        for program in programs.missing():
            remedy = programs.remedy(program)
            terminalreporter.write_line(f"left out: tests that need {program}; {remedy}")


def _lacks(item: pytest.Item) -> list[str]:
    marks = item.iter_markers("needs")
    return [program for mark in marks for program in mark.args if not programs.find(program)]
