"""The step that fills, checks and publishes: what one broken table stops, and what it does not."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import dagster as dg
import pytest

from finops_pipeline.catalog.files import SQL_DIR
from finops_pipeline.catalog.tables import read_tables
from finops_pipeline.installation.context import Installation, open_installation
from finops_pipeline.orchestration.asset_selection import select_assets
from finops_pipeline.orchestration.assets.derived import derived
from finops_pipeline.orchestration.jobs import TICK
from finops_pipeline.orchestration.jobs import tick as tick_job
from finops_pipeline.orchestration.resources import InstallationResource
from finops_pipeline.queries.published import ask, open_published
from finops_pipeline.warehouse.connect import hold_lock
from finops_pipeline.warehouse.session import Warehouse, open_warehouse
from finops_pipeline_tests.installation.homes import Home, Sources, at, home
from finops_pipeline_tests.operations.read_windows import (
    read_again_for_the_last_time,
    read_quarters,
)

NOWHERE = "http://127.0.0.1:9"  # the port of the discard service: nothing listens
KEYS = {key.to_user_string() for key in derived.keys}


class OtherTables(Installation):
    """An installation whose table files lie beside its data."""

    @contextmanager
    def warehouse(self) -> Iterator[Warehouse]:
        path, sql = self.warehouse_path, read_tables(self.settings.data_dir.parent / "tables")
        with (
            hold_lock(path),
            self._ledger_data() as ledger_data,
            open_warehouse(path, ledger_data, self.parameters(), sql) as opened,
        ):
            yield opened


class OtherTablesResource(InstallationResource):
    @contextmanager
    def open(self) -> Iterator[Installation]:
        with open_installation() as installation:
            yield OtherTables(
                installation.settings, installation.lake, installation.state, installation.clock
            )


ONLY_TABLES = dg.Definitions(
    [derived], jobs=[tick_job], resources={"installation": OtherTablesResource()}
)


@pytest.fixture
def empty_home(tmp_path) -> Iterator[Home]:
    """An installation that has read nothing, with a copy of the table files."""
    shutil.copytree(SQL_DIR / "tables", tmp_path / "tables")
    with home(tmp_path, {"prod": Sources(NOWHERE, NOWHERE)}) as own_home:
        yield own_home


def materialize(own_home: Home, selection: list[str] | None = None) -> dg.ExecuteInProcessResult:
    with own_home.settings():
        return dg.materialize(
            [derived],
            instance=own_home.instance,
            resources={"installation": OtherTablesResource()},
            selection=selection and [dg.AssetKey(name.split("/")) for name in selection],
            raise_on_error=False,
        )


def reported_keys(result: dg.ExecuteInProcessResult) -> set[str]:
    events = result.get_asset_materialization_events()
    return {event.asset_key.to_user_string() for event in events if event.asset_key}


def break_table(own_home: Home, name: str) -> Path:
    """Make any row of a table break a constraint."""
    file = own_home.folder / "tables" / f"{name}.sql"
    file.write_text(
        file.read_text().replace("varchar not null,", "varchar not null check (false),", 1)
    )
    return file


def test_everything_is_filled_checked_and_published(empty_home):
    result = materialize(empty_home)

    assert reported_keys(result) == KEYS
    assert {check.passed for check in result.get_asset_check_evaluations()} == {True}
    assert empty_home.published.exists()


def test_a_broken_table_stops_what_reads_it_and_the_publication(empty_home):
    file = break_table(empty_home, "core/label_key")

    result = materialize(empty_home)

    broken = {"core/label_key"}
    assert not result.success
    assert reported_keys(result) == KEYS - broken - read_through(broken) - {"published"}
    (failure,) = result.get_step_failure_events()
    assert "core.label_key: Constraint Error" in str(failure.event_specific_data)
    assert not empty_home.published.exists()

    file.write_text((SQL_DIR / "tables" / "core" / "label_key.sql").read_text())
    assert reported_keys(materialize(empty_home)) == KEYS


def read_through(keys: set[str]) -> set[str]:
    """Return the tables that read these, directly or through others."""
    readers = {
        key.to_user_string()
        for key, upstream in derived.asset_deps.items()
        if {parent.to_user_string() for parent in upstream} & keys
        and key.path[0] not in {"published", "raw"}  # a claim stays as it was said
    }
    return readers | read_through(readers) if readers else set()


def test_one_table_alone_is_filled_without_a_publication(empty_home):
    result = materialize(empty_home, ["core/window"])

    assert reported_keys(result) == {"core/window"}
    assert not empty_home.published.exists()


def test_a_finished_day_is_compacted_before_tables_are_made_of_it(empty_home):
    with empty_home.settings(), open_installation() as installation:
        read_quarters(installation.lake, installation.state, 3)
        read_again_for_the_last_time(installation.lake, installation.state, 3)
        assert len(installation.state.ledger.current_files()) == 3

    materialize(empty_home, ["core/window"])

    with empty_home.settings(), open_installation() as installation:
        assert len(installation.state.ledger.current_files()) == 1


def tick(own_home: Home, only: list[str] | None = None) -> set[str]:
    """Return what a run of the job of everything reports, or of some of its tables."""
    with own_home.settings():
        result = ONLY_TABLES.resolve_job_def(TICK).execute_in_process(
            instance=own_home.instance,
            asset_selection=[dg.AssetKey(name.split("/")) for name in only] if only else None,
        )
    return reported_keys(result)


def test_a_tick_reports_only_what_changed_since_dagster_heard_of_it(empty_home):
    always = {"core/cluster", "core/window", "published"}

    assert tick(empty_home) == KEYS
    assert tick(empty_home) > always | {"raw/scorecard"}  # claimed after the first publication
    assert tick(empty_home) == always
    file = empty_home.folder / "tables" / "core" / "label_key.sql"
    file.write_text(file.read_text().replace("-- ", "-- Another comment. ", 1))
    assert tick(empty_home) - read_through({"core/label_key"}) == always | {"core/label_key"}


def test_a_table_chosen_by_hand_is_reported(empty_home):
    tick(empty_home)

    assert tick(empty_home, ["core/label_key"]) == {"core/label_key"}
    assert reported_keys(materialize(empty_home)) == KEYS


def test_a_new_dagster_beside_an_old_warehouse_hears_of_everything(empty_home):
    tick(empty_home)

    with dg.DagsterInstance.ephemeral() as other:
        assert tick(Home(empty_home.folder, other)) == KEYS


def test_a_tick_between_hours_fills_and_publishes_and_reports_little(empty_home):
    instance = empty_home.instance
    assert select_assets(instance, at(10, 20)) is None  # Dagster has heard of no table yet
    for _ in range(2):  # the second publishes what was claimed after the first
        tick(empty_home)
    file = empty_home.folder / "tables" / "core" / "label_key.sql"
    file.write_text(file.read_text().replace("-- ", "-- Another comment. ", 1))

    brief = select_assets(instance, at(10, 20)) or []
    reported = tick(
        empty_home, sorted(key.to_user_string() for key in brief if key in derived.keys)
    )
    with open_published(empty_home.folder / "data") as connection:
        query = "select description from core.table where table_name = 'core.label_key'"
        ((comment,),) = ask(connection, query).rows

    assert reported == {"core/cluster", "core/window", "published"}
    assert comment.startswith("Another comment.")
    assert select_assets(instance, at(10, 5)) is None
    assert tick(empty_home) - read_through({"core/label_key"}) == reported | {"core/label_key"}
