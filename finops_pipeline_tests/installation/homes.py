"""An installation in a folder of its own, whose ticks run in this process."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from finops_pipeline.definitions import defs
from finops_pipeline.orchestration.assets.raw import day_tags
from finops_pipeline.orchestration.jobs import TICK
from finops_pipeline.queries.published import ask, open_published

DAY = datetime(2026, 11, 23, tzinfo=UTC)  # recorded
CLUSTER = "prod-eu"

_SETTINGS = """
data_dir = "{data_dir}"

[metrics]
pushgateway_url = "{pushgateway_url}"
"""
_CLUSTER = """
[[clusters]]
name = "{name}"
opencost_url = "{opencost_url}"
prometheus_url = "{prometheus_url}"
"""


@dataclass(frozen=True)
class Sources:
    """Addresses at which one cluster is read."""

    opencost_url: str
    prometheus_url: str


@dataclass(frozen=True)
class TickResult:
    """Checks and publication of one successful run of the tick."""

    checks: Mapping[str, list[str]]  # by name: rows as shown, without the heading; none is green
    publication: Mapping[str, Any]  # what the published file was materialised with

    @property
    def red(self) -> set[str]:
        """Names of the checks that found something."""
        return {name for name, rows in self.checks.items() if rows}


@dataclass(frozen=True)
class Home:
    """Settings, data and a Dagster instance."""

    folder: Path
    instance: dg.DagsterInstance

    @property
    def published(self) -> Path:
        """The file that people open."""
        return self.folder / "data" / "finops.duckdb"

    def tick(
        self, now: datetime, first: date | None = None, last: date | None = None
    ) -> TickResult:
        """Run the job that the schedule starts, over a range of days; by default that of now.

        Raises what a step raises: a tick that returns is a success.
        """
        days = day_tags(first or now.date(), last or first or now.date())
        with self.settings():
            result = defs.resolve_job_def(TICK).execute_in_process(
                run_config={
                    "resources": {"installation": {"config": {"now": now.isoformat()}}},
                },
                instance=self.instance,
                tags=days,
            )
        return TickResult(_checks(result), _publication(result))

    @contextmanager
    def settings(self) -> Iterator[None]:
        """Make the installation of this folder the configured one within the block."""
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("FINOPS_CONFIG", str(self.folder / "finops.toml"))
            yield

    def ask(self, query: str) -> list[dict[str, Any]]:
        """Rows of the published file."""
        with open_published(self.folder / "data") as connection:
            return ask(connection, query).dicts()

    def lake_files(self) -> set[str]:
        """List every file of the lake, named by the ledger or not, relative to the lake."""
        lake = self.folder / "data" / "lake"
        return {str(file.relative_to(lake)) for file in lake.rglob("*") if file.is_file()}


@contextmanager
def home(
    folder: Path, clusters: Mapping[str, Sources], pushgateway_url: str = ""
) -> Iterator[Home]:
    """Write the settings of an installation of some clusters; nothing is read yet."""
    text = _SETTINGS.format(data_dir=folder / "data", pushgateway_url=pushgateway_url)
    for name, sources in clusters.items():
        text += _CLUSTER.format(name=name, **vars(sources))
    (folder / "finops.toml").write_text(text)
    with dg.DagsterInstance.ephemeral() as instance:
        yield Home(folder, instance)


def at(hour: int, minute: int = 0) -> datetime:
    """Return an instant, counted from the beginning of the recorded day."""
    return DAY + timedelta(hours=hour, minutes=minute)


def _checks(result: dg.ExecuteInProcessResult) -> dict[str, list[str]]:
    return {
        str(evaluation.check_name): str(evaluation.metadata["first"].value).splitlines()[2:]
        for evaluation in result.get_asset_check_evaluations()
    }


def _publication(result: dg.ExecuteInProcessResult) -> dict[str, Any]:
    events = result.get_asset_materialization_events()
    materialized = [
        event.materialization for event in events if event.asset_key == dg.AssetKey("published")
    ]
    assert materialized  # a step that is skipped is no failure
    return {name: value.value for event in materialized for name, value in event.metadata.items()}
