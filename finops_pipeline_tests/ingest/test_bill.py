"""The bill folder: files come, change and go; the lake keeps what they said, and counts it once."""

import gzip
import shutil
from datetime import timedelta
from decimal import Decimal

import pytest
from dagster import AssetKey

from finops_pipeline import settings as configuration
from finops_pipeline.errors import LakeDamaged
from finops_pipeline.ingest.bill import read_bill
from finops_pipeline.installation.context import open_installation
from finops_pipeline.operations.backup import back_up, restore
from finops_pipeline.operations.compaction import sweep
from finops_pipeline.operations.doctor.data import examine_data
from finops_pipeline.operations.rebuild_ledger import rebuild_ledger
from finops_pipeline.operations.repair import repair
from finops_pipeline.operations.retention import freeze_old_days
from finops_pipeline.units import DAY
from finops_pipeline_tests.installation.homes import Sources, at, home
from finops_pipeline_tests.operations.ledgers import lose_ledger
from finops_pipeline_tests.sources.focus_rows import charges

NOWHERE = "http://127.0.0.1:9"
NOW = at(4)
BILL = """
bill_accounts = ["42"]

[bill]
folder = "{folder}"
"""
SEPTEMBER = {"BillingPeriodStart": "2026-09-01T00:00:00Z"}


@pytest.fixture
def own_home(tmp_path):
    with home(tmp_path, {"prod": Sources(NOWHERE, NOWHERE)}) as installation:
        settings = tmp_path / "finops.toml"
        settings.write_text(settings.read_text() + BILL.format(folder=tmp_path / "bill"))
        (tmp_path / "bill").mkdir()
        yield installation


def open_data(own_home, now=NOW, **more):
    settings = configuration.load(own_home.folder / "finops.toml", {})
    return open_installation(settings, lambda: now, **more)


def write(own_home, name, *costs, currency="USD", **more):
    """Write a file of the bill with some charges."""
    rows = [{"BilledCost": cost, "BillingCurrency": currency, **more} for cost in costs]
    path = own_home.folder / "bill" / name
    path.parent.mkdir(exist_ok=True, parents=True)
    text = charges(*rows).encode()
    path.write_bytes(gzip.compress(text) if name.endswith(".gz") else text)


def remove(own_home, name):
    (own_home.folder / "bill" / name).unlink()


def tick(own_home, now=NOW):
    with open_data(own_home, now) as installation:
        read_bill(installation)
        installation.publish()


def bill(own_home):
    """Billed by month, as people see it."""
    rows = own_home.ask("from costs.bill_monthly order by all")
    return {f"{row['month']:%Y-%m}": row["billed_cost"] for row in rows if row["cluster"] == "prod"}


def restatements(own_home):
    query = "select old_total, new_total, reason from core.restatement order by restated_at"
    return [tuple(row.values()) for row in own_home.ask(query)]


def test_the_files_of_all_folders_are_the_bill(own_home):
    write(own_home, "2026-10/part-1.csv", "1", "0.5")
    write(own_home, "2026-10/part-2.csv.gz", "2")
    write(own_home, "2026-09.csv", "4", **SEPTEMBER)
    write(own_home, "notes.txt", "100")
    write(own_home, ".half.csv", "100")
    tick(own_home)

    assert bill(own_home) == {"2026-09": 4, "2026-10": Decimal("3.5")}
    files = own_home.ask("select path, billing_months, failure from core.bill_file order by all")
    assert [tuple(row.values()) for row in files] == [
        ("2026-09.csv", "2026-09", None),
        ("2026-10/part-1.csv", "2026-10", None),
        ("2026-10/part-2.csv.gz", "2026-10", None),
    ]


def test_a_bill_that_does_not_change_is_not_read_again(own_home):
    write(own_home, "a.csv", "1")
    tick(own_home)
    files = own_home.lake_files()

    (own_home.folder / "bill" / "a.csv").touch()
    tick(own_home, NOW + DAY)

    assert own_home.lake_files() == files
    (row,) = own_home.ask("select read_count from core.window where table_name = 'raw.bill'")
    assert row == {"read_count": 1}


def test_a_replaced_file_replaces_its_charges_and_the_change_is_kept(own_home):
    write(own_home, "a.csv", "1")
    write(own_home, "b.csv", "2")
    tick(own_home)
    write(own_home, "a.csv", "1", "1.25")
    tick(own_home, NOW + DAY)

    assert bill(own_home) == {"2026-10": Decimal("4.25")}
    assert restatements(own_home) == [(3, Decimal("4.25"), "the files of the bill changed")]


def test_the_same_file_twice_counts_once(own_home):
    write(own_home, "a.csv", "1")
    write(own_home, "copy/a.csv", "1")
    write(own_home, "packed.csv.gz", "1")
    tick(own_home)
    assert bill(own_home) == {"2026-10": 1}

    remove(own_home, "a.csv")
    tick(own_home, NOW + timedelta(hours=1))
    assert bill(own_home) == {"2026-10": 1}


def test_a_file_that_moves_to_another_month_leaves_its_own(own_home):
    write(own_home, "a.csv", "1")
    write(own_home, "b.csv", "2", **SEPTEMBER)
    write(own_home, "c.csv", "4", **SEPTEMBER)
    tick(own_home)
    write(own_home, "c.csv", "4")
    tick(own_home, NOW + DAY)

    assert bill(own_home) == {"2026-09": 2, "2026-10": 5}


def test_a_part_that_is_removed_beside_new_ones_does_not_count(own_home):
    write(own_home, "a.csv", "1")
    write(own_home, "b.csv", "2")
    tick(own_home)
    write(own_home, "a.csv", "3")
    tick(own_home, NOW + 2 * DAY)
    remove(own_home, "b.csv")
    tick(own_home, NOW + 2 * DAY + timedelta(hours=1))

    assert bill(own_home) == {"2026-10": 3}


def test_a_bill_stays_when_its_files_are_cleared_away(own_home):
    write(own_home, "a.csv", "1")
    write(own_home, "b.csv", "2")
    tick(own_home)
    remove(own_home, "a.csv")
    tick(own_home, NOW + 2 * DAY)
    remove(own_home, "b.csv")
    tick(own_home, NOW + 3 * DAY)
    shutil.rmtree(own_home.folder / "bill")
    tick(own_home, NOW + 4 * DAY)

    assert bill(own_home) == {"2026-10": 3}
    assert restatements(own_home) == []
    assert own_home.ask("from core.bill_file") == []


def test_a_file_that_is_refused_is_told_and_the_others_count(own_home):
    write(own_home, "a.csv", "1")
    write(own_home, "b.csv", "2", currency="EUR")
    tick(own_home)

    assert bill(own_home) == {"2026-10": 1}
    (row,) = own_home.ask("select path, failure from core.bill_file where failure is not null")
    assert row == {"path": "b.csv", "failure": "is in EUR, and this installation in USD"}


def test_what_a_file_said_counts_until_its_new_version_is_whole(own_home):
    write(own_home, "a.csv", "1")
    write(own_home, "b.csv", "2")
    tick(own_home)
    whole = (own_home.folder / "bill" / "b.csv").read_bytes()
    (own_home.folder / "bill" / "b.csv").write_bytes(whole[:-60])
    write(own_home, "a.csv", "4")
    tick(own_home, NOW + DAY)
    assert bill(own_home) == {"2026-10": 6}

    write(own_home, "b.csv", "8")
    tick(own_home, NOW + 2 * DAY)
    assert bill(own_home) == {"2026-10": 12}
    assert own_home.ask("from core.bill_file where failure is not null") == []


def test_what_a_refused_file_said_does_not_count_twice_under_another_name(own_home):
    write(own_home, "a.csv", "1")
    tick(own_home)
    write(own_home, "b.csv", "1")
    write(own_home, "a.csv", "NaN")
    tick(own_home, NOW + DAY)

    assert bill(own_home) == {"2026-10": 1}


def test_without_a_folder_nothing_is_read_and_nothing_is_lost(own_home):
    write(own_home, "a.csv", "1")
    tick(own_home)
    settings = own_home.folder / "finops.toml"
    settings.write_text(settings.read_text().replace(str(own_home.folder / "bill"), ""))
    tick(own_home, NOW + DAY)

    assert bill(own_home) == {"2026-10": 1}


def test_a_bill_outlives_raw_rows_ledger_and_installation(own_home, tmp_path):
    write(own_home, "a.csv", "1", **SEPTEMBER)
    tick(own_home)
    shutil.rmtree(own_home.folder / "bill")
    later = NOW + 500 * DAY
    with open_data(own_home, later) as installation:
        assert freeze_old_days(installation) == []
        sweep(installation.lake, installation.state.ledger, later, later + DAY)
        back_up(installation.settings, tmp_path / "backup")
    lose_ledger(own_home.folder)
    with open_data(own_home, later, is_ledger_lost=True) as installation:
        rebuild_ledger(installation)
    tick(own_home, later)
    assert bill(own_home) == {"2026-09": 1}

    shutil.rmtree(own_home.folder / "data")
    restore(configuration.load(own_home.folder / "finops.toml", {}), tmp_path / "backup")
    tick(own_home, later)
    assert bill(own_home) == {"2026-09": 1}


def test_a_damaged_file_of_the_lake_is_read_again_from_the_folder(own_home):
    write(own_home, "a.csv", "1")
    tick(own_home)
    with open_data(own_home) as installation:
        (file,) = installation.state.ledger.current_files()
        installation.lake.absolute(file.path).write_bytes(b"damaged")
        repair(installation, LakeDamaged(file.path, "is damaged"))
    tick(own_home, NOW + DAY)

    assert bill(own_home) == {"2026-10": 1}


def test_accounts_that_change_compute_the_past_anew(own_home):
    write(own_home, "a.csv", "1")
    tick(own_home)
    settings = own_home.folder / "finops.toml"
    settings.write_text(settings.read_text().replace('["42"]', '["43"]'))
    tick(own_home)

    assert bill(own_home) == {"2026-10": 0}
    (row,) = own_home.ask("from costs.bill_monthly where cluster = '(no cluster)'")
    assert row["billed_cost"] == 1


def doctor(own_home):
    with own_home.settings():
        settings = configuration.load()
    return {finding.check: finding for finding in examine_data(settings, NOW)}["bill"]


def test_the_doctor_says_what_is_wrong_with_the_bill(own_home):
    write(own_home, "a.csv", "1")
    tick(own_home)
    assert (doctor(own_home).status, doctor(own_home).message) == ("ok", "1 files were read")

    write(own_home, "b.csv", "1", currency="EUR")
    tick(own_home)
    assert doctor(own_home).status == "failed"
    assert "1 of 2 files: b.csv: is in EUR" in doctor(own_home).message

    shutil.rmtree(own_home.folder / "bill")
    assert (doctor(own_home).status, doctor(own_home).fix) == (
        "warning",
        "mount it, or correct bill.folder; what was read of it stays",
    )


def test_a_tick_takes_up_the_bill_and_shows_what_it_refused(own_home):
    write(own_home, "a.csv", "1")
    write(own_home, "b.csv", "1", currency="EUR")

    result = own_home.tick(NOW)

    assert bill(own_home) == {"2026-10": 1}
    assert "b.csv" in "\n".join(result.checks["bill_files_read"])
    key = AssetKey(["raw", "bill"])
    event = own_home.instance.get_latest_materialization_event(key)
    metadata = event.asset_materialization.metadata
    assert (metadata["rows_held"].value, metadata["windows_held"].value) == (1, 1)
