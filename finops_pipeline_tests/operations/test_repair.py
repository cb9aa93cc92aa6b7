"""Damage is noticed, moved out of the way and mended; no total is ever wrong without a word."""

import hashlib
import shutil
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from finops_pipeline.errors import (
    FinopsError,
    LakeDamaged,
    LakeError,
    PublicationRefused,
    StateError,
)
from finops_pipeline.installation.context import Installation
from finops_pipeline.operations.repair import inspect_share
from finops_pipeline.operations.retention import freeze_old_days
from finops_pipeline.simulation.server import serve
from finops_pipeline.units import DAY, WINDOW
from finops_pipeline.warehouse.connect import connect_read_only, read_everything
from finops_pipeline_tests.demo_data import Clock
from finops_pipeline_tests.installation.homes import Home, Sources, at, home
from finops_pipeline_tests.operations.damaged_homes import (
    CHANCE,
    NEXT,
    TOTAL,
    expected,
    filled_home,
    flip,
    open_data,
    own_home,
    publish,
    rewrite,
    tick,
)

__all__ = ["expected", "filled_home", "own_home"]


def cut(file: Path) -> None:
    body = file.read_bytes()
    rewrite(file, body[: CHANCE.randrange(len(body))])


DAMAGES: list[Callable[[Path], None]] = [flip, cut, Path.unlink]


def newest(installation: Installation, table: str = "raw.allocation") -> Path:
    """Return a file whose hour the next tick computes anew."""
    files = [file for file in installation.state.ledger.current_files() if file.table_name == table]
    return installation.lake.absolute(max(file.path for file in files))


def quarantined(own_home: Home) -> set[str]:
    folder = own_home.folder / "data" / "quarantine"
    return {file.name for file in folder.rglob("*") if file.is_file()}


def test_a_run_goes_on_without_the_damaged_file_and_the_next_reads_it_again(own_home, expected):
    with open_data(own_home) as installation:
        damaged = newest(installation)
    flip(damaged)

    own_home.tick(NEXT)

    (absent,) = own_home.ask(
        "select count(*) as windows, min(reason) as reason from core.window"
        " where status = 'absent' and table_name = 'raw.allocation' and read_count > 0"
    )
    assert absent["windows"] > 0
    assert "is damaged: its SHA-256 is" in str(absent["reason"])
    assert own_home.ask(TOTAL) != expected
    assert quarantined(own_home) == {damaged.name}
    with open_data(own_home) as installation:
        tick(installation)
    assert own_home.ask(TOTAL) == expected


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("table", ["raw.allocation", "raw.price"])
def test_a_damaged_lake_file_is_read_again(own_home, table, damage, expected):
    with open_data(own_home) as installation:
        damaged = newest(installation, table)
        damage(damaged)
        tick(installation)
        tick(installation)

    assert quarantined(own_home) == (set() if damage is Path.unlink else {damaged.name})
    assert own_home.ask(TOTAL) == expected


def test_damage_that_no_step_reads_is_found_within_a_week(own_home):
    with open_data(own_home) as installation:
        damaged = newest(installation)
        flip(damaged)
        found = []
        for quarter in range(7 * 96):
            then = at(3) + quarter * WINDOW
            try:
                inspect_share(replace(installation, clock=lambda then=then: then))
            except LakeDamaged as damage:
                found.append(damage.path)

    assert [path.rpartition("/")[2] for path in found] == [damaged.name]


def test_windows_that_no_source_can_say_again_are_lost(own_home):
    with open_data(own_home, NEXT + 20 * DAY) as installation:
        damaged = newest(installation)
        damaged.unlink()
        publish(installation)

    (row,) = own_home.ask(
        "select distinct status, reason from core.window"
        " where table_name = 'raw.allocation' and file is null"
    )
    assert row["status"] == "lost"
    assert "is missing from the lake" in str(row["reason"])


KUBECONFIG = """
clusters: [{{name: demo, cluster: {{server: "{url}"}}}}]
users: [{{name: demo, user: {{}}}}]
contexts: [{{name: demo, context: {{cluster: demo, user: demo}}}}]
current-context: demo
"""
ACCESS = """
kubernetes_access = "kubeconfig"
kubeconfig_file = "{folder}/kubeconfig"
"""


def test_a_damaged_file_of_the_inventory_keeps_nothing_from_being_published(tmp_path):
    clock = Clock(at(0, 20))
    with (
        serve(anchor=at(0).date(), clock=clock) as cluster,
        home(tmp_path, {"demo": Sources(cluster.opencost_url, cluster.prometheus_url)}) as own_home,
    ):
        (tmp_path / "kubeconfig").write_text(KUBECONFIG.format(url=cluster.kubernetes_url))
        with (tmp_path / "finops.toml").open("a") as settings:
            settings.write(ACCESS.format(folder=tmp_path))
        own_home.tick(clock())
        (pods,) = (tmp_path / "data" / "lake" / "raw.pod").rglob("*.parquet")
        rewrite(pods, pods.read_bytes()[:-1])
        clock.now = at(0, 35)

        own_home.tick(clock())  # raises what a step raises

        assert quarantined(own_home) == {pods.name}
        read = own_home.ask("select distinct window_start from raw.inventory order by all")
        assert [row["window_start"] for row in read] == [at(0), at(0, 15)]


def test_a_frozen_day_that_is_damaged_is_not_dropped(own_home):
    with open_data(own_home, NEXT + 450 * DAY) as installation:
        freeze_old_days(installation)
        frozen = newest(installation, "costs.daily")
        flip(frozen)
        with pytest.raises(LakeError, match="put it back from the backup"):
            publish(installation)
        assert frozen.exists()


def test_an_unmounted_lake_makes_nothing_absent(own_home):
    lake = own_home.folder / "data" / "lake"
    lake.rename(own_home.folder / "elsewhere")

    with open_data(own_home) as installation:
        before = installation.state.ledger.current_files()
        with pytest.raises(StateError, match="see that its volume is mounted"):
            tick(installation)
        assert set(installation.state.ledger.current_files()) >= set(before)


def test_a_ledger_that_is_wrong_about_a_file_condemns_no_file(own_home):
    with open_data(own_home) as installation:
        file = newest(installation)
    path = own_home.folder / "data" / "state.db"
    path.write_bytes(path.read_bytes().replace(digest(file).encode(), b"0" * 64))

    with (
        open_data(own_home) as installation,
        pytest.raises(StateError, match="finops rebuild-ledger"),
    ):
        tick(installation)

    assert file.exists()


def digest(file: Path) -> str:
    return hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("name", ["warehouse.duckdb", "finops.duckdb"])
def test_a_damaged_database_is_made_anew_by_the_next_tick(own_home, name, damage, expected):
    for _ in range(2):
        damage(own_home.folder / "data" / name)
        with open_data(own_home) as installation:
            tick(installation)

        assert own_home.ask(TOTAL) == expected


def test_rows_that_the_warehouse_could_not_take_up_are_not_left_behind(own_home, expected):
    file = own_home.folder / "data" / "warehouse.duckdb"
    body = bytearray(file.read_bytes())
    body[2533726 % len(body)] ^= 1 << 5  # met when the file is closed, not before
    rewrite(file, bytes(body))

    with open_data(own_home) as installation:
        tick(installation)

    assert own_home.ask(TOTAL) == expected


def test_a_published_file_that_is_damaged_is_replaced_though_nothing_changed(own_home):
    with open_data(own_home) as installation:
        tick(installation)
        whole = own_home.published.read_bytes()
        for _ in range(8):
            place = CHANCE.randrange(12288, len(whole))
            rewrite(
                own_home.published, whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :]
            )
            installation.publish()
            with connect_read_only(own_home.published) as connection:
                read_everything(connection)


def test_a_damaged_state_database_is_refused_or_does_not_matter(own_home, expected):
    path = own_home.folder / "data" / "state.db"
    whole, data = path.read_bytes(), shutil.copytree(path.parent, own_home.folder / "before")
    outcomes = set()
    for damage in [flip, cut] * 5:
        damage(path)
        try:
            with open_data(own_home) as installation:
                tick(installation)
            outcomes.add(own_home.ask(TOTAL) == expected)
        except FinopsError as error:
            outcomes.add(type(error))
        shutil.rmtree(path.parent)
        shutil.copytree(data, path.parent)

    assert outcomes <= {True, StateError, PublicationRefused}
    assert StateError in outcomes
    assert whole == path.read_bytes()
